//! One llmio as the egress of another: the one at home decides, the one at the edge is where the call leaves from.

use serde_json::json;

use crate::common::{Builder, End, Gateway, Host, Request, TOKEN, chat, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};

both_hosts![
    a_call_goes_through_the_relay_and_reaches_the_provider_as_from_home,
    a_stream_that_is_cut_behind_the_relay_is_cut_at_home,
    a_relay_that_refuses_is_blamed_itself_and_another_egress_is_tried,
    a_relay_out_of_reach_is_told_from_a_provider_out_of_reach,
    the_key_for_a_relay_is_told_nowhere,
];

fn edge(upstream: &Upstream) -> (Gateway, String) {
    let catalog = format!("[[relays]]\nname = \"far\"\norigin = \"{}\"\nlocal = true\n", upstream.url());
    let gateway = Gateway::on(Host::Runner).catalog(&catalog).start();
    let key = gateway.new_key("home", &[]);
    (gateway, key)
}

/// A provider whose address is nobody's, so that only the relay can be asked.
fn home(host: Host, relay: &str, key: &str, more: &str) -> Builder {
    let egress = format!("{{ relay = \"{relay}\", key = \"{key}\", local = true }}");
    let catalog = format!(
        "[[providers]]\nname = \"a\"\nbase_url = \"https://provider.invalid/v1\"\ncredentials = [\n\
         {{ value = \"sk-provider-1\", egress = {egress} }}{more}]\n"
    );
    Gateway::on(host).catalog(&catalog).model("m", &["a/up"])
}

fn at(edge: &Gateway) -> String {
    format!("http://{}/relay/far", edge.address())
}

fn a_call_goes_through_the_relay_and_reaches_the_provider_as_from_home(host: Host) {
    let stream = [event("one"), last_events()].concat();
    let streamed = Answer::stream().chunk(event("one")).chunk(last_events()).end();
    let upstream = Upstream::saying("Hi").then([Answer::json(200, "{\"choices\":[]}"), streamed]);
    let (edge, key) = edge(&upstream);
    let gateway = home(host, &at(&edge), &key, "").start();
    let response = gateway.send(&chat("m"));
    assert_eq!((response.status, response.text().as_str()), (200, "{\"choices\":[]}"));
    let again = gateway.send(&streamed_chat("m"));
    assert_eq!((again.text(), again.end), (stream, End::Clean));
    for received in upstream.received() {
        assert_eq!(received.line, "POST /v1/chat/completions HTTP/1.1");
        assert_eq!(received.header("authorization"), Some("Bearer sk-provider-1"));
        assert_eq!((received.header("x-llmio-key"), received.header("x-llmio-hops")), (None, Some("2")));
    }
    let attempt = gateway.record(&response)["attempts"][0].clone();
    assert_eq!(attempt["egress"], format!("{}/relay/far", edge.address()));
    assert_eq!(edge.records("endpoint=relay&key=home").len(), 2);
}

fn a_stream_that_is_cut_behind_the_relay_is_cut_at_home(host: Host) {
    let upstream = Upstream::answering(Answer::stream().chunk(event("one")).wait().cut());
    let (edge, key) = edge(&upstream);
    let gateway = home(host, &at(&edge), &key, "").start();
    let mut connection = gateway.open(&streamed_chat("m"));
    connection.read_until("one");
    upstream.release();
    assert_eq!(connection.finish().end, End::Cut);
}

fn a_relay_that_refuses_is_blamed_itself_and_another_egress_is_tried(host: Host) {
    let upstream = Upstream::saying("Hi");
    let (edge, key) = edge(&upstream);
    let good = format!("{{ relay = \"{}\", key = \"{key}\", local = true }}", at(&edge).replace("/relay/", "/proxy/"));
    let more = format!(", {{ value = \"sk-provider-2\", egress = {good} }}");
    let gateway = home(host, &at(&edge), "sk-llmio-wrong", &more).start();
    let message = format!("was not reached: the egress relay {}/relay/far refused llmio (401)", edge.address());
    let mut connection = gateway.connect();
    loop {
        let response = connection.exchange(&chat("m"));
        assert_eq!(response.status, 200, "{}", response.text());
        let attempt = gateway.record(&response)["attempts"][0].clone();
        if attempt["class"] == "egress" {
            assert!(attempt["error"].as_str().is_some_and(|error| error.starts_with(&message)), "{attempt}");
            break;
        }
    }
    // Asked of the same instance, which knows at once what it learns itself.
    let health = connection.exchange(&Request::new("GET", "/api/health").key(TOKEN)).json();
    assert_eq!(health["subjects"], json!([]), "neither the credential nor the target is to blame");
}

fn a_relay_out_of_reach_is_told_from_a_provider_out_of_reach(host: Host) {
    let absent = Upstream::absent();
    let gateway = home(host, &format!("{}/relay/far", absent.url()), "k", "").start();
    let message = gateway.send(&chat("m")).openai_error().message;
    assert!(
        message.contains(&format!("the egress relay {}/relay/far could not be reached", absent.authority())),
        "{message}"
    );
    let (edge, key) = edge(&absent);
    let gateway = home(host, &at(&edge), &key, "").start();
    let message = gateway.send(&chat("m")).openai_error().message;
    assert!(message.contains("/relay/far did not get through to it (502)"), "{message}");
}

fn the_key_for_a_relay_is_told_nowhere(host: Host) {
    let upstream = Upstream::saying("Hi");
    let (edge, key) = edge(&upstream);
    let gateway = home(host, &at(&edge), &key, "").start();
    let response = gateway.send(&chat("m"));
    let mut texts = vec![format!("{:?}", response.headers), response.text(), gateway.log(), gateway.stdout()];
    texts.push(gateway.record(&response).to_string());
    for path in ["/api/catalog", "/api/records", "/api/health", "/readyz"] {
        texts.push(gateway.admin("GET", path, "").text());
    }
    let stored = std::fs::read(gateway.data().join("kv.sqlite")).expect("the stored catalog");
    texts.push(String::from_utf8_lossy(&stored).into_owned());
    texts.push(format!("{:?}", upstream.received()));
    for text in texts {
        assert!(!text.contains(&key), "{text}");
    }
}

/// The address of a relay is held to what every address is held to.
#[test]
fn a_relay_at_a_private_address_needs_local() {
    let upstream = Upstream::saying("Hi");
    let catalog = format!(
        "[[providers]]\nname = \"a\"\nbase_url = \"https://provider.invalid/v1\"\negress = {{ relay = \"{}\" }}\n",
        upstream.url()
    );
    let gateway = Gateway::on(Host::Runner).catalog(&catalog).model("m", &["a/up"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!((response.status, upstream.received().len()), (502, 0));
    assert!(response.openai_error().message.contains("`local = true` inside `egress = {…}`"), "{}", response.text());
}
