//! Parameters that a target refuses: told, and left out with one call or one click.

use serde_json::{Value, json};

use crate::common::{Gateway, Host, Request, TOKEN, chat, eventually};
use crate::upstream::{Answer, Upstream};

both_hosts![a_parameter_that_a_target_refuses_is_told_and_left_out, it_is_left_out_on_the_page_of_the_model];

const REFUSED: &str = r#"{"error":{"message":"Unsupported parameter: 'top_k' is not supported with this model.","param":"top_k","code":"unsupported_parameter"}}"#;

fn call() -> Request {
    chat("m").json(r#"{"model":"m","top_k":4,"messages":[{"role":"user","content":"Hello"}]}"#)
}

fn gateway(host: Host, upstream: &Upstream) -> Gateway {
    let gateway = Gateway::on(host).provider("a", upstream).model("m", &["a/up"]).start();
    assert_eq!(gateway.send(&call()).status, 400);
    gateway
}

fn refused(gateway: &Gateway) -> Vec<Value> {
    let health = gateway.admin("GET", "/api/health", "").json();
    health["refused_parameters"].as_array().expect("a list").clone()
}

fn a_parameter_that_a_target_refuses_is_told_and_left_out(host: Host) {
    let upstream = Upstream::saying("Hi").then([Answer::json(400, REFUSED)]);
    let gateway = gateway(host, &upstream);
    let noted = eventually("the parameter is told", || refused(&gateway).pop());
    assert_eq!(
        (&noted["provider"], &noted["model"], &noted["parameter"]),
        (&json!("a"), &json!("up"), &json!("top_k"))
    );
    assert_eq!(noted["calls"], 1, "{noted}");
    let body = json!({ "provider": "a", "model": "up", "parameter": "top_k" });
    let done = gateway.admin("POST", "/api/targets/leave-out", &body.to_string());
    assert_eq!((done.status, done.json()), (200, json!({ "targets": 1 })));
    assert_eq!(refused(&gateway), Vec::<Value>::new());
    assert_eq!(gateway.send(&call()).status, 200);
    let sent = upstream.received().pop().expect("the second call");
    assert!(!String::from_utf8_lossy(&sent.body).contains("top_k"), "{sent:?}");
    let unknown = json!({ "provider": "a", "model": "other", "parameter": "top_k" });
    assert_eq!(gateway.admin("POST", "/api/targets/leave-out", &unknown.to_string()).status, 404);
}

fn it_is_left_out_on_the_page_of_the_model(host: Host) {
    let upstream = Upstream::saying("Hi").then([Answer::json(400, REFUSED)]);
    let gateway = gateway(host, &upstream);
    let form = |request: Request| request.header("content-type", "application/x-www-form-urlencoded");
    let opened = gateway.send(&form(Request::new("POST", "/console/sign-in")).body(format!("credential={TOKEN}")));
    let cookie = opened.header("set-cookie").expect("a session").split(';').next().expect("a cookie").to_owned();
    let page = || gateway.send(&Request::new("GET", "/console/models/m").header("cookie", &cookie)).text();
    eventually("the page tells it", || page().contains("It refuses the parameter top_k").then_some(()));
    let sent = "form=refused-0-0&provider=a&upstream=up&parameter=top_k&do=leave-out";
    let done = gateway.send(&form(Request::new("POST", "/console/models/m")).header("cookie", &cookie).body(sent));
    assert_eq!(done.status, 303, "{}", done.text());
    assert!(!page().contains("It refuses"), "it is sent no longer");
    assert_eq!(gateway.send(&call()).status, 200);
}
