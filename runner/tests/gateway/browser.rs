//! Pages in a browser on the operator's machine: what they may ask of the admin API, and of the proxied ones.

use serde_json::json;

use crate::common::{Gateway, Host, Request, Response, TOKEN, chat};

both_hosts![the_admin_api_is_served_under_its_own_names_only, no_page_of_another_origin_changes_anything];

fn ask(gateway: &Gateway, method: &str, host: &str, headers: &[(&str, &str)]) -> Response {
    let request = Request::new(method, "/api/keys").key(TOKEN).host(host).json(r#"{"name":"k"}"#);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    gateway.send(&request)
}

fn the_admin_api_is_served_under_its_own_names_only(host: Host) {
    let gateway = Gateway::on(host).env("LLMIO_PUBLIC_URL", "https://llm.example").start();
    for name in ["127.0.0.1:7070", "localhost", "[::1]", "10.1.2.3", "llm.example"] {
        assert_eq!(ask(&gateway, "GET", name, &[]).status, 200, "{name}");
    }
    for name in ["rebound.example", "127.0.0.1.rebound.example:7070", "llm.example.rebound.example"] {
        let refused = ask(&gateway, "GET", name, &[]);
        assert_eq!(refused.status, 421, "{name}: {}", refused.text());
        assert!(refused.problem_detail().contains("LLMIO_PUBLIC_URL"), "{}", refused.text());
        assert_eq!(gateway.send(&chat("demo").host(name)).status, 200, "calls are served under any name");
    }
}

fn no_page_of_another_origin_changes_anything(host: Host) {
    let gateway = Gateway::on(host).start();
    let foreign: [&[(&str, &str)]; 4] = [
        &[("origin", "https://page.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("origin", "http://127.0.0.1:1"), ("sec-fetch-site", "same-site")],
    ];
    for headers in foreign {
        let refused = ask(&gateway, "POST", "127.0.0.1:7070", headers);
        assert_eq!((refused.status, &refused.json()["title"]), (403, &json!("cross_origin")), "{headers:?}");
        assert!(refused.header("access-control-allow-origin").is_none());
    }
    assert_eq!(gateway.admin("GET", "/api/keys", "").json()["keys"], json!([]));
    let own = [("origin", "http://127.0.0.1:7070"), ("sec-fetch-site", "same-origin")];
    assert_eq!(ask(&gateway, "POST", "127.0.0.1:7070", &own).status, 201);
}
