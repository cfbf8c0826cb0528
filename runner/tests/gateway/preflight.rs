//! What browsers and probes may ask without a key: preflights on data routes, never on admin ones, and signs of life.

use crate::common::{Gateway, Host, Request, TOKEN, chat, eventually};

both_hosts![
    a_data_route_answers_a_preflight,
    an_admin_route_answers_no_preflight,
    an_answer_to_a_page_may_be_read_by_it,
    a_probe_needs_no_credential,
    readiness_tells_what_is_degraded,
];

fn preflight(path: &str) -> Request {
    let request = Request::new("OPTIONS", path).header("origin", "https://app.example");
    let request = request.header("access-control-request-method", "POST");
    request.header("access-control-request-headers", "authorization,x-stainless-os")
}

fn a_data_route_answers_a_preflight(host: Host) {
    let gateway = Gateway::on(host).start();
    for path in ["/v1/chat/completions", "/openai/v1/chat/completions", "/v1/models"] {
        let response = gateway.send(&preflight(path));
        assert_eq!((response.status, response.body.len()), (204, 0), "{path}");
        assert_eq!(response.header("access-control-allow-origin"), Some("*"), "{path}");
        assert_eq!(response.header("access-control-allow-headers"), Some("authorization,x-stainless-os"));
        let methods = response.header("access-control-allow-methods").unwrap_or_default();
        assert!(methods.contains("POST") && methods.contains("DELETE"), "{methods}");
    }
}

fn an_admin_route_answers_no_preflight(host: Host) {
    let gateway = Gateway::on(host).start();
    for path in ["/api/catalog", "/api/keys", "/api/records"] {
        let response = gateway.send(&preflight(path));
        assert_eq!(response.status, 405, "{path}");
        let real = gateway.send(&Request::new("GET", path).key(TOKEN).header("origin", "https://app.example"));
        assert_eq!(real.status, 200);
        for response in [response, real] {
            let allows = |(name, _): &&(String, String)| name.starts_with("access-control-");
            assert_eq!(response.headers.iter().find(allows), None, "{path}");
        }
    }
}

fn an_answer_to_a_page_may_be_read_by_it(host: Host) {
    let gateway = Gateway::on(host).start();
    for request in [chat("demo"), chat("nobody"), chat("demo").without_key()] {
        let response = gateway.send(&request.header("origin", "https://app.example"));
        assert_eq!(response.header("access-control-allow-origin"), Some("*"), "{}", response.status);
        assert_eq!(response.header("access-control-expose-headers"), Some("*"), "its record, and when to try again");
    }
    assert_eq!(gateway.send(&chat("demo")).header("access-control-allow-origin"), None);
}

fn a_probe_needs_no_credential(host: Host) {
    let gateway = Gateway::on(host).start();
    for (method, path) in [
        ("HEAD", "/"),
        ("HEAD", "/api/hello"),
        ("GET", "/healthz"),
        ("HEAD", "/healthz"),
        ("GET", "/readyz"),
        ("HEAD", "/readyz"),
    ] {
        let response = gateway.send(&Request::new(method, path));
        assert_eq!((response.status, response.body.is_empty()), (200, method == "HEAD"), "{method} {path}");
    }
    assert_eq!(gateway.send(&Request::new("GET", "/healthz")).json()["status"], "ok");
    let models = gateway.send(&Request::new("HEAD", "/v1/models").key(TOKEN));
    assert_eq!((models.status, models.body.len()), (200, 0));
    assert_eq!(gateway.send(&Request::new("HEAD", "/v1/models")).status, 401, "what needs a key needs it here, too");
}

fn readiness_tells_what_is_degraded(host: Host) {
    let gateway = Gateway::on(host).start();
    let ready = || gateway.send(&Request::new("GET", "/readyz")).json();
    assert_eq!((&ready()["status"], &ready()["degraded"]), (&"ok".into(), &serde_json::json!([])));
    let provider = "[[providers]]\nname = \"a\"\nbase_url = \"https://a.example/v1\"\ncredentials = [\"${NOT_SET}\"]\n";
    let stored = gateway.put_catalog(provider);
    assert_eq!(stored.status, 200, "{}", stored.text());
    assert!(stored.json()["warnings"].to_string().contains("NOT_SET"), "{}", stored.text());
    let degraded = eventually("readiness tells of it", || {
        let ready = ready();
        (ready["status"] == "degraded").then(|| ready["degraded"].to_string())
    });
    assert!(
        degraded.contains("provider a, credential NOT_SET") && degraded.contains("is not set; set it"),
        "{degraded}"
    );
}
