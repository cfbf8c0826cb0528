//! Egress proxies: a provider's calls leave through the one its catalog names, and never another way.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Builder, Connection, Gateway, Host, Request, TOKEN, chat, streamed_chat};
use crate::proxy::Proxy;
use crate::upstream::{Answer, Upstream, completion, event, last_events};

/// A provider whose name exists nowhere, so that only a proxy finds it.
fn provider(egress: &str, credentials: &str) -> String {
    format!(
        "[[providers]]\nname = \"a\"\nbase_url = \"http://provider.invalid:8080/v1\"\negress = \"{egress}\"\n\
         credentials = [{credentials}]\n"
    )
}

fn behind(egress: &str) -> Builder {
    Gateway::on(Host::Runner).catalog(&provider(egress, "\"sk-1\"")).model("m", &["a/up"])
}

/// What is in trouble, by the instance of this connection: it knows at once what it learns itself.
fn health(connection: &mut Connection) -> Vec<Value> {
    let health = connection.exchange(&Request::new("GET", "/api/health").key(TOKEN)).json();
    health["subjects"].as_array().expect("a list").clone()
}

#[test]
fn a_call_goes_through_the_proxy_of_its_provider_whole_and_streamed() {
    let stream = [event("Hel"), event("lo"), last_events()].concat();
    for make in [Proxy::http, Proxy::socks5] {
        let streamed = Answer::stream().chunk(event("Hel")).chunk(event("lo")).chunk(last_events()).end();
        let upstream = Upstream::saying("Hi").then([Answer::json(200, &completion("Hi")), streamed]);
        let proxy = make(&upstream);
        let gateway = behind(&proxy.url()).start();
        let mut connection = gateway.connect();
        let whole = connection.exchange(&chat("m"));
        assert_eq!((whole.status, whole.text()), (200, completion("Hi")));
        assert_eq!(connection.exchange(&streamed_chat("m")).text(), stream);
        assert_eq!(
            proxy.destinations(),
            ["provider.invalid:8080"],
            "one connection, and the name is the proxy's to resolve"
        );
        for received in upstream.received() {
            assert_eq!(received.header("host"), Some("provider.invalid:8080"));
            assert!(received.line.starts_with("POST /v1/chat/completions "), "{}", received.line);
            let shows_proxy =
                received.headers.iter().any(|(name, _)| name.starts_with("x-llmio-host") || name.contains("proxy"));
            assert!(!shows_proxy, "{:?}", received.headers);
        }
        let record = gateway.record(&whole);
        assert_eq!(record["attempts"][0]["egress"], proxy.name().as_str(), "{record}");
    }
}

#[test]
fn a_proxy_gets_its_user_and_password_and_nobody_else_is_told() {
    for scheme in ["http", "socks5"] {
        let upstream = Upstream::saying("Hi");
        let proxy = Proxy::asking(scheme, "user-c4n4ry", "p@ss;w-c4n4ry", &upstream);
        let (right, wrong) = (proxy.url_as("user-c4n4ry:p%40ss;w-c4n4ry"), proxy.url_as("user-c4n4ry:wr0ng-c4n4ry"));
        let one = provider(&right, "\"sk-1\"");
        let other = provider(&wrong, "\"sk-2\"").replace("name = \"a\"", "name = \"b\"");
        let gateway = Gateway::on(Host::Runner).catalog(&one).catalog(&other);
        let gateway = gateway.model("m", &["a/up"]).model("n", &["b/up"]).start();
        let (good, bad) = (gateway.send(&chat("m")), gateway.send(&chat("n")));
        assert_eq!((good.status, bad.status), (200, 502), "{}", bad.text());
        let message = bad.openai_error().message;
        assert!(
            message.contains(&format!("b/up was not reached: the egress proxy {} did not get", proxy.name())),
            "{message}"
        );
        let mut texts = vec![good.text(), bad.text(), gateway.log(), gateway.stdout()];
        texts.extend([&good, &bad].map(|response| gateway.record(response).to_string()));
        for path in ["/api/catalog", "/api/records", "/api/health", "/readyz"] {
            texts.push(gateway.admin("GET", path, "").text());
        }
        for text in texts {
            assert!(!text.contains("c4n4ry"), "{text}");
        }
        let stored = fs::read(gateway.data().join("kv.sqlite")).expect("the stored catalog");
        assert!(!stored.windows(6).any(|window| window == b"c4n4ry"), "it stands on the disk in the clear");
        assert_eq!(upstream.received().len(), 1);
    }
}

#[test]
fn a_shown_catalog_with_a_sealed_proxy_is_taken_back() {
    let upstream = Upstream::saying("Hi");
    let proxy = Proxy::asking("http", "u", "p", &upstream);
    let gateway = behind(&proxy.url_as("u:p")).start();
    let shown = gateway.admin("GET", "/api/catalog", "").text();
    assert_eq!(gateway.put_catalog(&shown).status, 200);
    assert_eq!(gateway.send(&chat("m")).status, 200);
}

#[test]
fn a_proxy_may_stand_in_a_variable() {
    let upstream = Upstream::saying("Hi");
    let proxy = Proxy::http(&upstream);
    let gateway = behind("${MY_PROXY}").env("MY_PROXY", &proxy.url()).start();
    assert_eq!(gateway.send(&chat("m")).status, 200);
    assert_eq!(proxy.destinations().len(), 1);
    let without = behind("${MY_PROXY}").start().settled();
    assert_eq!(without.send(&chat("m")).status, 400);
    assert!(without.send(&Request::new("GET", "/readyz")).text().contains("provider a, egress"));
    assert_eq!(upstream.received().len(), 1, "without its proxy it is not called at all");
}

#[test]
fn each_credential_leaves_its_own_way_and_no_two_ways_share_a_connection() {
    let (first, second) = (Upstream::saying("one"), Upstream::saying("two"));
    let (one, two) = (Proxy::http(&first), Proxy::http(&second));
    let credentials = format!("\"sk-one\", {{ value = \"sk-two\", egress = \"{}\" }}", two.url());
    let gateway = Gateway::on(Host::Runner).catalog(&provider(&one.url(), &credentials)).model("m", &["a/up"]).start();
    let mut connection = gateway.connect();
    while first.received().len() < 3 || second.received().len() < 3 {
        assert_eq!(connection.exchange(&chat("m")).status, 200);
    }
    for (upstream, key) in [(&first, "Bearer sk-one"), (&second, "Bearer sk-two")] {
        assert!(upstream.received().iter().all(|received| received.header("authorization") == Some(key)), "{key}");
    }
    assert_eq!((one.destinations().len(), two.destinations().len()), (1, 1), "each way keeps its connection");
}

#[test]
fn a_proxy_that_is_down_is_left_for_another_and_no_provider_is_blamed() {
    let upstream = Upstream::saying("Hi");
    let (dead, good) = (Upstream::absent(), Proxy::http(&upstream));
    let credentials = format!("\"sk-1\", \"sk-2\", {{ value = \"sk-3\", egress = \"{}\" }}", good.url());
    let dead_url = dead.url();
    let gateway = Gateway::on(Host::Runner).catalog(&provider(&dead_url, &credentials)).model("m", &["a/up"]).start();
    let mut connection = gateway.connect();
    let mut failures = 0;
    while health(&mut connection).is_empty() {
        let response = connection.exchange(&chat("m"));
        assert_eq!(response.status, 200, "{}", response.text());
        let record = gateway.record(&response);
        for attempt in record["attempts"].as_array().expect("attempts").iter().filter(|each| each["class"] != "ok") {
            failures += 1;
            assert_eq!(attempt["class"], "egress", "{record}");
            let message = format!("was not reached: the egress proxy {} refused the connection", dead.authority());
            assert_eq!(attempt["error"], message.as_str());
        }
        assert!(record["attempts"].as_array().expect("attempts").len() <= 2, "its twin is not tried: {record}");
    }
    let troubled = health(&mut connection);
    assert!(troubled.iter().all(|each| each["kind"] == "egress"), "{troubled:?}");
    assert_eq!(troubled[0]["subject"], format!("egress/{}", dead.authority()));
    assert!(failures >= 5, "{failures} failures are not enough to leave it alone");
}

#[test]
fn a_provider_a_proxy_cannot_reach_leaves_the_proxy_to_the_others() {
    let upstream = Upstream::saying("Hi");
    for scheme in ["http", "socks5"] {
        let proxy = Proxy::refusing(scheme, &upstream);
        let gateway = behind(&proxy.url()).start();
        let mut connection = gateway.connect();
        while health(&mut connection).is_empty() {
            let response = connection.exchange(&chat("m"));
            assert!(matches!(response.status, 502 | 503), "{}", response.text());
            assert!(response.openai_error().message.contains("egress"), "{}", response.text());
        }
        let troubled = health(&mut connection);
        assert_eq!(troubled[0]["subject"], format!("egress/{}/a", proxy.name()), "{troubled:?}");
        assert_eq!(troubled.len(), 1, "{troubled:?}");
        assert!(upstream.received().is_empty());
    }
}

#[test]
fn the_connect_limit_covers_what_the_proxy_takes() {
    let upstream = Upstream::saying("Hi");
    let proxy = Proxy::silent(&upstream);
    let gateway = Gateway::on(Host::Runner).catalog(&provider(&proxy.url(), "\"sk-1\""));
    let gateway = gateway.model_with("m", "attempts = 1\ntimeouts = { connect = \"500ms\" }", &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!(response.status, 502);
    assert!(response.openai_error().message.contains("did not get through to it in time"), "{}", response.text());
}

#[test]
fn a_refused_place_rests_for_all_who_come_out_there_and_the_others_go_on() {
    let refusal = r#"{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}"#;
    let (refused, served) = (Upstream::answering(Answer::json(400, refusal)), Upstream::saying("Hi"));
    let (here, there) = (Proxy::http(&refused), Proxy::socks5(&served));
    let credentials = format!("\"sk-1\", \"sk-2\", {{ value = \"sk-3\", egress = \"{}\" }}", there.url());
    let gateway = Gateway::on(Host::Runner).catalog(&provider(&here.url(), &credentials)).model("m", &["a/up"]).start();
    let mut connection = gateway.connect();
    while refused.received().is_empty() {
        assert_eq!(connection.exchange(&chat("m")).status, 200);
    }
    for _ in 0..20 {
        assert_eq!(connection.exchange(&chat("m")).status, 200);
    }
    assert_eq!(refused.received().len(), 1, "its twin comes out at the same place");
    assert_eq!(health(&mut connection)[0]["subject"], format!("egress/{}/a", here.name()));
}

#[test]
fn no_proxy_is_asked_for_a_private_destination_unless_it_is_meant() {
    let upstream = Upstream::saying("Hi");
    let proxy = Proxy::http(&upstream);
    for host in ["10.1.2.3", "127.1", "0x7f000001", "localhost", "[::1]", "169.254.169.254"] {
        let catalog = provider(&proxy.url(), "\"sk-1\"").replace("provider.invalid", host);
        let gateway = Gateway::on(Host::Runner).catalog(&catalog).model("m", &["a/up"]).start();
        let response = gateway.send(&chat("m"));
        assert_eq!(response.status, 502, "{host}");
        assert!(response.openai_error().message.contains("local = true"), "{host}: {}", response.text());
    }
    assert!(proxy.destinations().is_empty(), "{:?}", proxy.destinations());
    let meant = format!("{}local = true\n", provider(&proxy.url(), "\"sk-1\"").replace("provider.invalid", "10.1.2.3"));
    let gateway = Gateway::on(Host::Runner).catalog(&meant).model("m", &["a/up"]).start();
    assert_eq!(gateway.send(&chat("m")).status, 200);
    assert_eq!(proxy.destinations(), ["10.1.2.3:8080"]);
}

#[test]
fn a_client_that_leaves_ends_what_goes_through_a_proxy() {
    let upstream = Upstream::answering(Answer::nothing().wait());
    let proxy = Proxy::http(&upstream);
    let gateway = behind(&proxy.url()).start();
    let connection = gateway.open(&chat("m"));
    upstream.wait_for_requests(1);
    drop(connection);
    assert!(upstream.is_hung_up_within(Duration::from_secs(2)));
}

/// Only the runner can use a proxy (host.md); a call must not leave from the wrong place instead.
#[test]
fn under_spin_a_credential_with_an_egress_is_skipped_and_says_why() {
    let upstream = Upstream::saying("Hi");
    let proxy = Proxy::http(&upstream);
    let credentials = format!("{{ value = \"sk-1\", egress = \"{}\" }}, \"sk-2\"", proxy.url());
    let catalog = format!(
        "[[providers]]\nname = \"a\"\nbase_url = \"{0}/v1\"\nlocal = true\ncredentials = [{credentials}]\n\
         [[providers]]\nname = \"b\"\nbase_url = \"{0}/v1\"\nlocal = true\negress = \"{1}\"\n",
        upstream.url(),
        proxy.url()
    );
    let gateway = Gateway::on(Host::Spin).catalog(&catalog).model("m", &["a/up"]).model("n", &["b/up"]).start();
    for _ in 0..8 {
        assert_eq!(gateway.send(&chat("m")).status, 200);
    }
    let keys = upstream.received().iter().all(|received| received.header("authorization") == Some("Bearer sk-2"));
    assert!(keys, "the other credential may be used, and only that");
    let response = gateway.send(&Request::new("POST", "/v1/chat/completions").key(TOKEN).json(r#"{"model":"n"}"#));
    assert_eq!(response.status, 400);
    assert!(response.openai_error().message.contains("llmio's own runner"), "{}", response.text());
    let record = gateway.record(&response);
    assert_eq!(record["decision"]["skipped"][0]["reason"], json!("egress_unsupported"), "{record}");
    assert_eq!((upstream.received().len(), proxy.destinations().len()), (8, 0));
}
