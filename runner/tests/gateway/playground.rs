//! The playground of the console: calls that a browser makes by its session.

use crate::common::{Gateway, Host, Request, Response, TOKEN};
use crate::console::{get, post, session, shows};
use crate::upstream::Upstream;

both_hosts![
    what_is_said_in_a_browser_is_a_call_in_any_dialect,
    a_call_of_the_playground_is_made_as_the_key_that_is_chosen,
    the_holder_of_a_key_calls_as_that_key_only,
    what_is_wrong_in_the_playground_is_said_as_an_api_says_it,
];

fn say(gateway: &Gateway, cookie: &str, form: &str) -> Response {
    post(gateway, "/console/playground", cookie, form)
}

fn what_is_said_in_a_browser_is_a_call_in_any_dialect(host: Host) {
    let upstream = Upstream::saying("Hi there");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let admin = session(&gateway, TOKEN);
    let page = shows(&gateway, "/console/playground", &admin);
    assert!(page.contains("<option>m</option>") && page.contains("value=\"gemini\""), "{page}");
    for (dialect, shown) in [
        ("openai-chat", "\"content\":\"Hi there\""),
        ("openai-responses", "\"text\":\"Hi there\""),
        ("anthropic", "\"text\":\"Hi there\""),
        ("gemini", "\"text\":\"Hi there\""),
    ] {
        let form =
            format!("model=m&dialect={dialect}&system=Be+brief&turn=One&turn=Two&turn=Three%0D%0Alines&tokens=50");
        let response = say(&gateway, &admin, &form);
        assert_eq!(response.status, 200, "{dialect}: {}", response.text());
        assert!(response.text().contains(shown), "{dialect}: {}", response.text());
        assert!(response.header("content-security-policy").is_some_and(|policy| policy.contains("sandbox")));
        let record = gateway.record(&response);
        assert_eq!((&record["dialect"], &record["state"]), (&dialect.into(), &"ok".into()), "{record}");
    }
    let sent = String::from_utf8(upstream.received().first().expect("a call").body.clone()).expect("text");
    for part in ["Be brief", "\"One\"", "\"Two\"", "Three\\nlines", "\"max_completion_tokens\":50"] {
        assert!(sent.contains(part), "{part}: {sent}");
    }
    let received = upstream.received();
    assert!(received.iter().all(|request| request.header("cookie").is_none()), "the session stays here");
}

fn a_call_of_the_playground_is_made_as_the_key_that_is_chosen(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).model("n", &["a/up"]).start();
    gateway.new_key("laptop", &[]);
    gateway.new_key("narrow", &["n"]);
    let admin = session(&gateway, TOKEN);
    let record = gateway.record(&say(&gateway, &admin, "model=m&turn=Hello&key=laptop"));
    assert_eq!(record["key"], "laptop", "{record}");
    let record = gateway.record(&say(&gateway, &admin, "model=m&turn=Hello"));
    assert_eq!(record["key"], "admin", "{record}");
    let refused = say(&gateway, &admin, "model=m&turn=Hello&key=narrow");
    assert_eq!(refused.status, 403, "its limits hold: {}", refused.text());
    let unknown = say(&gateway, &admin, "model=m&turn=Hello&key=nobody");
    assert_eq!((unknown.status, unknown.openai_error().code.as_str()), (404, "key_unknown"));
}

fn the_holder_of_a_key_calls_as_that_key_only(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).model("n", &["a/up"]).start();
    gateway.new_key("laptop", &[]);
    let holder = session(&gateway, &gateway.new_key("phone", &["m"]));
    let page = shows(&gateway, "/console/playground", &holder);
    assert!(!page.contains("laptop") && !page.contains("<option>n</option>"), "{page}");
    let record = gateway.record(&say(&gateway, &holder, "model=m&turn=Hello&key=laptop"));
    assert_eq!(record["key"], "phone", "{record}");
    assert_eq!(say(&gateway, &holder, "model=n&turn=Hello").status, 403);
    assert_eq!(say(&gateway, "", "model=m&turn=Hello").status, 303, "nobody has signed in");
    let foreign = Request::new("POST", "/console/playground").header("cookie", &holder);
    let foreign = foreign.header("content-type", "application/x-www-form-urlencoded").body("model=m&turn=Hello");
    assert_eq!(gateway.send(&foreign.header("origin", "https://evil.example")).status, 403);
    assert_eq!(upstream.received().len(), 1);
}

fn what_is_wrong_in_the_playground_is_said_as_an_api_says_it(host: Host) {
    let gateway = Gateway::on(host).start();
    let admin = session(&gateway, TOKEN);
    for (form, status, word) in [
        ("model=m", 400, "turn"),
        ("turn=Hello", 400, "model"),
        ("model=m&turn=Hello&dialect=morse", 400, "morse"),
        ("model=m&turn=Hello&tokens=many", 400, "tokens"),
        ("model=nowhere&turn=Hello", 404, "no model"),
    ] {
        let response = say(&gateway, &admin, form);
        let message = response.openai_error().message;
        assert_eq!(response.status, status, "{form}: {message}");
        assert!(message.contains(word), "{form}: {message}");
    }
    assert_eq!(get(&gateway, "/console/playground", "").status, 303);
}
