//! The console as a browser meets it: who may see what, and what no other answer of this origin can become.

use crate::common::{Gateway, Host, Request, Response, TOKEN, chat, eventually};
use crate::upstream::{Answer, Upstream};

both_hosts![
    a_browser_is_sent_to_the_console_and_asks_who_comes,
    the_admin_token_opens_a_session_that_the_browser_holds,
    a_session_can_be_listed_and_ended,
    a_session_ends_with_its_key,
    the_holder_of_a_key_sees_its_own_calls_only,
    a_link_signs_in_one_browser_once,
    who_guesses_has_to_wait,
    no_other_page_signs_in_or_changes_anything,
    the_console_is_served_under_its_own_names_only,
    pages_may_load_and_send_nothing_foreign,
    files_are_kept_for_ever_and_packed_where_the_client_takes_it,
    every_other_answer_is_kept_apart_from_the_console,
    a_page_is_in_the_readers_language_and_theme,
    what_is_recorded_is_shown_as_text,
];

pub(crate) fn get(gateway: &Gateway, path: &str, cookie: &str) -> Response {
    gateway.send(&Request::new("GET", path).header("accept", "text/html").header("cookie", cookie))
}

pub(crate) fn post(gateway: &Gateway, path: &str, cookie: &str, form: &str) -> Response {
    let request = Request::new("POST", path).header("cookie", cookie);
    gateway.send(&request.header("content-type", "application/x-www-form-urlencoded").body(form))
}

/// Signs in and returns the session's cookie.
pub(crate) fn session(gateway: &Gateway, credential: &str) -> String {
    let response = post(gateway, "/console/sign-in", "", &format!("credential={credential}"));
    assert_eq!(response.status, 303, "{}", response.text());
    let cookie = response.header("set-cookie").expect("a session");
    cookie.split(';').next().expect("a name and a value").to_owned()
}

pub(crate) fn shows(gateway: &Gateway, path: &str, cookie: &str) -> String {
    let response = get(gateway, path, cookie);
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response.text()
}

fn a_browser_is_sent_to_the_console_and_asks_who_comes(host: Host) {
    let gateway = Gateway::on(host).start();
    for (path, location) in [("/", "console/"), ("/console", "console/"), ("/console/", "sign-in")] {
        let response = get(&gateway, path, "");
        assert_eq!((response.status, response.header("location")), (303, Some(location)), "{path}");
    }
    let response = get(&gateway, "/console/records?model=a%2Fb", "");
    assert_eq!(response.header("location"), Some("sign-in?next=records%3Fmodel%3Da%252Fb"));
    assert_eq!(get(&gateway, "/console/records/x", "").header("location"), Some("../sign-in?next=records%2Fx"));
    let form = shows(&gateway, "/console/sign-in?next=records%3Fmodel%3Da%252Fb", "");
    assert!(form.contains("name=\"next\" value=\"records?model=a%2Fb\""), "{form}");
    assert_eq!(gateway.send(&Request::new("HEAD", "/")).status, 200);
    assert_eq!(gateway.send(&Request::new("GET", "/")).status, 405, "no browser asks");
    assert_eq!(get(&gateway, "/console/nothing", "").status, 404);
    assert_eq!(post(&gateway, "/console/records", "", "").status, 405);
}

fn the_admin_token_opens_a_session_that_the_browser_holds(host: Host) {
    let gateway = Gateway::on(host).env("LLMIO_PUBLIC_URL", "https://llm.example/x").start();
    let form = format!("credential={TOKEN}&next=records%3Fstate%3Dok");
    let response = post(&gateway, "/console/sign-in", "", &form);
    assert_eq!((response.status, response.header("location")), (303, Some("records?state=ok")));
    let cookie = response.header("set-cookie").expect("a session").to_owned();
    for part in ["; HttpOnly", "; SameSite=Strict", "; Max-Age=43200", "; Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(TOKEN) && !cookie.contains("Path") && !cookie.contains("Domain"), "{cookie}");
    let session = cookie.split(';').next().expect("a cookie");
    assert!(shows(&gateway, "/console/records", session).contains("Signed in as admin"));
    assert_eq!(gateway.send(&Request::new("GET", "/api/keys").header("cookie", session)).status, 401);
    let gone = post(&gateway, "/console/sign-out", session, "");
    assert_eq!((gone.status, gone.header("location")), (303, Some("sign-in")));
    assert_eq!(get(&gateway, "/console/records", session).status, 303);
    let elsewhere = post(&gateway, "/console/sign-in", "", &format!("credential={TOKEN}&next=//evil.example"));
    assert_eq!(elsewhere.header("location"), Some("./"));
}

fn a_session_can_be_listed_and_ended(host: Host) {
    let mut gateway = Gateway::on(host).start();
    let key = gateway.new_key("laptop", &[]);
    let (admin, holder) = (session(&gateway, TOKEN), session(&gateway, &key));
    let listed = gateway.admin("GET", "/api/sessions", "").json();
    let sessions = listed["sessions"].as_array().expect("a list").clone();
    assert_eq!(sessions.len(), 2, "{listed}");
    let of_admin = sessions.iter().find(|session| session["key"].is_null()).expect("the admin's");
    assert!(sessions.iter().any(|session| session["key"] == "laptop"), "{listed}");
    assert!(!listed.to_string().contains(admin.split_once('=').expect("a value").1), "its secret is not told");
    gateway.restart();
    shows(&gateway, "/console/records", &admin);
    let path = format!("/api/sessions/{}", of_admin["id"].as_str().expect("an id"));
    assert_eq!(gateway.admin("DELETE", &path, "").status, 204);
    assert_eq!(gateway.admin("DELETE", &path, "").status, 404);
    assert_eq!(get(&gateway, "/console/records", &admin).status, 303, "it has ended");
    shows(&gateway, "/console/records", &holder);
}

fn a_session_ends_with_its_key(host: Host) {
    let gateway = Gateway::on(host).start();
    let key = gateway.new_key("laptop", &[]);
    let session = session(&gateway, &key);
    assert!(shows(&gateway, "/console/records", &session).contains("laptop"));
    assert_eq!(gateway.admin("DELETE", "/api/keys/laptop", "").status, 204);
    assert_eq!(get(&gateway, "/console/records", &session).status, 303);
    gateway.new_key("laptop", &[]);
    assert_eq!(get(&gateway, "/console/records", &session).status, 303, "another key of the same name is another key");
}

fn the_holder_of_a_key_sees_its_own_calls_only(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let key = gateway.new_key("laptop", &[]);
    let own = gateway.send(&chat("m").key(&key));
    let others = gateway.send(&chat("m").key(&gateway.new_key("phone-x", &[])));
    let (own, others) = (gateway.record(&own), gateway.record(&others));
    let path = |record: &serde_json::Value| format!("/console/records/{}", record["id"].as_str().expect("an id"));
    let (holder, admin) = (session(&gateway, &key), session(&gateway, TOKEN));
    for query in ["", "?key=phone-x", "?client=127.0.0.1"] {
        let list = shows(&gateway, &format!("/console/records{query}"), &holder);
        assert!(list.contains(&path(&own)["/console/".len()..]), "{list}");
        assert!(!list.contains(&path(&others)["/console/".len()..]), "{list}");
        assert!(query.contains("phone-x") || !list.contains("phone-x"), "{list}");
    }
    shows(&gateway, &path(&own), &holder);
    assert_eq!(get(&gateway, &path(&others), &holder).status, 404);
    assert!(shows(&gateway, "/console/records", &admin).contains("phone-x"));
    shows(&gateway, &path(&others), &admin);
}

fn a_link_signs_in_one_browser_once(host: Host) {
    let gateway = Gateway::on(host).start();
    let made = gateway.admin("POST", "/api/sessions", "");
    assert_eq!(made.status, 201, "{}", made.text());
    let path = format!("/{}", made.json()["path"].as_str().expect("a path"));
    let link = path.split_once("link=").expect("a link").1.to_owned();
    for _ in 0..2 {
        assert!(shows(&gateway, &path, "").contains(&link), "who only looks does not use it up");
    }
    let used = post(&gateway, "/console/enter", "", &format!("link={link}"));
    assert_eq!(used.status, 303, "{}", used.text());
    let session = used.header("set-cookie").expect("a session").split(';').next().expect("a cookie").to_owned();
    assert!(shows(&gateway, "/console/records", &session).contains("Signed in as admin"));
    assert_eq!(post(&gateway, "/console/enter", "", &format!("link={link}")).status, 410);
    assert_eq!(get(&gateway, "/console/records", &format!("llmio_session={link}")).status, 303, "a link is no session");
}

fn who_guesses_has_to_wait(host: Host) {
    let gateway = Gateway::on(host).start();
    // Counted by each instance for itself, so it may take a few more than ten.
    let mut count = 0;
    eventually("the address has to wait", || {
        count += 1;
        let response = post(&gateway, "/console/sign-in", "", &format!("credential=guess-{count}"));
        assert!(matches!(response.status, 401 | 429) && response.header("set-cookie").is_none(), "{}", response.text());
        (response.status == 429).then_some(())
    });
    assert!(count > 10, "refused after {count} failures; ten a minute are allowed");
    session(&gateway, TOKEN);
    let long = format!("credential={}", "x".repeat(20_000));
    assert_eq!(post(&gateway, "/console/sign-in", "", &long).status, 400, "what nobody vouches for is not read");
}

fn no_other_page_signs_in_or_changes_anything(host: Host) {
    let gateway = Gateway::on(host).start();
    let session = session(&gateway, TOKEN);
    let foreign: [&[(&str, &str)]; 3] = [
        &[("origin", "https://page.example")],
        &[("origin", "null"), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ];
    for headers in foreign {
        for (path, form) in
            [("sign-in", format!("credential={TOKEN}")), ("sign-out", String::new()), ("look", "theme=dark".into())]
        {
            let request = Request::new("POST", &format!("/console/{path}")).header("cookie", &session).body(form);
            let refused =
                gateway.send(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)));
            assert_eq!(refused.status, 403, "{path} {headers:?}");
            assert!(refused.header("set-cookie").is_none() && refused.header("access-control-allow-origin").is_none());
        }
    }
    shows(&gateway, "/console/records", &session);
}

fn the_console_is_served_under_its_own_names_only(host: Host) {
    let gateway = Gateway::on(host).start();
    let session = session(&gateway, TOKEN);
    let request = Request::new("GET", "/console/records").host("rebound.example").header("cookie", &session);
    let refused = gateway.send(&request);
    assert_eq!(refused.status, 421);
    assert!(refused.text().contains("LLMIO_PUBLIC_URL") && !refused.text().contains("Signed in"), "{}", refused.text());
}

fn pages_may_load_and_send_nothing_foreign(host: Host) {
    let gateway = Gateway::on(host).start();
    let session = session(&gateway, TOKEN);
    for path in ["/console/records", "/console/sign-in", "/console/nothing", "/console/records/none"] {
        let response = get(&gateway, path, &session);
        let policy = response.header("content-security-policy").expect("a policy");
        for part in
            ["default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "base-uri 'none'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("sandbox"), "{policy}");
        let expected =
            [("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin"), ("cache-control", "no-store")];
        for (name, value) in expected {
            assert_eq!(response.header(name), Some(value), "{path}");
        }
    }
}

fn files_are_kept_for_ever_and_packed_where_the_client_takes_it(host: Host) {
    let gateway = Gateway::on(host).start();
    let page = shows(&gateway, "/console/sign-in", "");
    let at = page.find("assets/").expect("a stylesheet");
    let path: String = page[at..].chars().take_while(|each| *each != '"').collect();
    let path = format!("/console/{path}");
    let folder = path.rsplit_once('/').expect("a folder").0;
    for name in ["console.css", "console.js", "icons.svg"] {
        let request = Request::new("GET", &format!("{folder}/{name}"));
        let plain = gateway.send(&request);
        let packed = gateway.send(&request.header("accept-encoding", "gzip, br"));
        assert_eq!((plain.status, plain.header("content-encoding")), (200, None), "{name}");
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{name}");
        assert!(packed.body.len() < plain.body.len(), "{name}");
        assert_eq!(plain.header("cache-control"), Some("public, max-age=31536000, immutable"));
    }
    assert_eq!(gateway.send(&Request::new("GET", "/console/assets/0/console.css")).status, 404);
    let session = session(&gateway, TOKEN);
    let page = Request::new("GET", "/console/records").header("cookie", &session).header("accept-encoding", "gzip");
    assert_eq!(gateway.send(&page).header("content-encoding"), Some("gzip"));
}

fn every_other_answer_is_kept_apart_from_the_console(host: Host) {
    let hostile = "content-type: text/html\r\nset-cookie: llmio_session=x; Path=/\r\nclear-site-data: \"*\"\r\n\
                   service-worker-allowed: /\r\ncontent-security-policy: default-src *";
    let origin = Upstream::answering(Answer::whole(200, hostile, "<script>fetch('/console/records')</script>"));
    let models = Upstream::saying("Hi");
    let relay = format!("[[relays]]\nname = \"open\"\norigin = \"{}\"\nlocal = true\npublic = true\n", origin.url());
    let gateway = Gateway::on(host).provider("a", &models).model("m", &["a/up"]).catalog(&relay).start();
    let session = session(&gateway, TOKEN);
    let answers = [
        ("a relay", gateway.send(&Request::new("GET", "/relay/open/page").header("cookie", &session))),
        ("a call", gateway.send(&chat("m"))),
        ("a refused call", gateway.send(&chat("nobody"))),
        ("models", gateway.send(&Request::new("GET", "/v1/models").key(TOKEN))),
        ("the API", gateway.admin("GET", "/api/records", "")),
        ("an error of the API", gateway.admin("GET", "/api/records/none", "")),
        ("no path", gateway.send(&Request::new("GET", "/nothing"))),
        ("no method", gateway.send(&Request::new("DELETE", "/healthz"))),
        ("no page", gateway.send(&Request::new("GET", "/"))),
        ("readiness", gateway.send(&Request::new("GET", "/readyz"))),
    ];
    for (what, response) in answers {
        let policies: Vec<&str> = response
            .headers
            .iter()
            .filter(|(name, _)| name == "content-security-policy")
            .map(|(_, value)| value.as_str())
            .collect();
        assert!(policies.contains(&"sandbox; default-src 'none'"), "{what}: {:?}", response.headers);
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{what}");
        for name in ["set-cookie", "clear-site-data", "service-worker-allowed"] {
            assert_eq!(response.header(name), None, "{what}");
        }
    }
}

fn a_page_is_in_the_readers_language_and_theme(host: Host) {
    let gateway = Gateway::on(host).start();
    let sign_in = Request::new("GET", "/console/sign-in");
    assert!(gateway.send(&sign_in).text().contains("<html lang=\"en\">"));
    let chinese = sign_in.header("accept-language", "zh-CN,zh;q=0.9,en;q=0.8");
    assert!(gateway.send(&chinese).text().contains("<html lang=\"zh-CN\">"));
    let response = post(&gateway, "/console/look", "", "language=en&theme=dark&back=sign-in");
    assert_eq!((response.status, response.header("location")), (303, Some("sign-in")));
    let cookies: Vec<&str> =
        response.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, v)| v.as_str()).collect();
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    let chosen = cookies.iter().filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ");
    assert!(gateway.send(&chinese.header("cookie", &chosen)).text().contains("<html lang=\"en\" data-theme=\"dark\">"));
    let odd = post(&gateway, "/console/look", "", "language=%22%3E&theme=x&back=https://evil.example");
    assert_eq!((odd.header("set-cookie"), odd.header("location")), (None, Some("./")));
}

fn what_is_recorded_is_shown_as_text(host: Host) {
    let upstream = Upstream::answering(Answer::json(500, r#"{"error":{"message":"<script>alert(1)</script>"}}"#));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let call =
        chat("m").header("user-agent", "<img src=x onerror=alert(1)>/1").header("x-session-id", "\"><svg onload=x>");
    let record = gateway.record(&gateway.send(&call));
    gateway.record(&gateway.send(&chat("<script>alert(2)</script>")));
    let session = session(&gateway, TOKEN);
    let id = record["id"].as_str().expect("an id");
    for path in ["/console/records".to_owned(), format!("/console/records/{id}")] {
        let page = shows(&gateway, &path, &session);
        assert!(page.contains("&#60;img"), "{page}");
        for raw in ["<script>alert", "<img src=x", "<svg onload"] {
            assert!(!page.contains(raw), "{path}: {raw}");
        }
    }
}
