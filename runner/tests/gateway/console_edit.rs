//! What forms of the console change: without a script, from the version that was shown, and told beside the field.

use crate::common::{Gateway, Host, Request, Response, TOKEN, chat, eventually};
use crate::upstream::{Answer, Upstream};

both_hosts![
    a_weight_is_changed_and_a_target_switched_off,
    a_form_that_comes_too_late_shows_the_other_change_and_saves_on_top,
    what_is_wrong_is_told_beside_the_field_and_what_was_entered_stays,
    a_provider_is_added_with_keys_that_were_checked,
    a_key_is_made_changed_rotated_and_revoked,
    settings_and_relays_are_changed_and_put_back,
    the_holder_of_a_key_changes_nothing,
    what_a_catalog_file_says_is_not_changed,
];

fn post(gateway: &Gateway, path: &str, cookie: &str, form: &str) -> Response {
    let request = Request::new("POST", path).header("cookie", cookie);
    gateway.send(&request.header("content-type", "application/x-www-form-urlencoded").body(form))
}

fn session(gateway: &Gateway, credential: &str) -> String {
    let response = post(gateway, "/console/sign-in", "", &format!("credential={credential}"));
    assert_eq!(response.status, 303, "{}", response.text());
    let cookie = response.header("set-cookie").expect("a session");
    cookie.split(';').next().expect("a name and a value").to_owned()
}

fn shown(gateway: &Gateway, path: &str, cookie: &str) -> String {
    let response = gateway.send(&Request::new("GET", path).header("accept", "text/html").header("cookie", cookie));
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response.text()
}

/// The version that a page's forms start from, as a form sends it.
fn base(html: &str) -> String {
    let rest = html.split("name=\"base\" value=\"").nth(1).unwrap_or_else(|| panic!("no form: {html}"));
    rest.split('"').next().unwrap_or_default().replace("&#34;", "%22").replace("&quot;", "%22")
}

fn two_targets(host: Host, one: &Upstream, two: &Upstream) -> Gateway {
    Gateway::on(host).provider("a", one).provider("b", two).model("m", &["a/x", "b/x"]).start()
}

fn a_weight_is_changed_and_a_target_switched_off(host: Host) {
    let (one, two) = (Upstream::saying("one"), Upstream::saying("two"));
    let gateway = two_targets(host, &one, &two);
    let admin = session(&gateway, TOKEN);
    let base = base(&shown(&gateway, "/console/models/m", &admin));
    let form = format!("form=target-0&base={base}&target=a%2Fx&weight=7&tier=2&do=save");
    let saved = post(&gateway, "/console/models/m", &admin, &form);
    assert_eq!((saved.status, saved.header("location")), (303, Some("../models/m?saved=2")), "{}", saved.text());
    let page = shown(&gateway, "/console/models/m?saved=2", &admin);
    assert!(page.contains("Saved as version 2") && page.contains("href=\"../history/2\""), "{page}");
    let target = gateway.admin("GET", "/api/models/m/targets", "").json()["targets"][0].clone();
    assert_eq!((&target["weight"], &target["tier"]), (&serde_json::json!(7), &serde_json::json!(2)));
    let off = "form=target-1&target=b%2Fx&do=off";
    assert_eq!(post(&gateway, "/console/models/m", &admin, off).status, 303);
    for _ in 0..4 {
        assert!(gateway.send(&chat("m")).text().contains("one"), "the other one is off");
    }
    let plan = shown(&gateway, "/console/models/m?try=yes", &admin);
    assert!(plan.contains("a/x, tier 2, weight 7") && plan.contains("b/x: "), "{plan}");
    let history = gateway.admin("GET", "/api/catalog/history", "").json();
    assert_eq!(history["changes"][0]["action"], "POST /console/models/m");
}

fn a_form_that_comes_too_late_shows_the_other_change_and_saves_on_top(host: Host) {
    let (one, two) = (Upstream::saying("one"), Upstream::saying("two"));
    let gateway = two_targets(host, &one, &two);
    let admin = session(&gateway, TOKEN);
    let old = base(&shown(&gateway, "/console/models/m", &admin));
    assert_eq!(gateway.admin("PATCH", "/api/models/m", r#"{"attempts":5}"#).status, 200);
    let form = |base: &str| format!("form=target-0&base={base}&target=a%2Fx&weight=9&tier=1&do=save");
    let late = post(&gateway, "/console/models/m", &admin, &form(&old));
    let page = late.text();
    assert_eq!(late.status, 412, "{page}");
    assert!(page.contains("models[m].attempts: added, 5") && page.contains("value=\"9\""), "{page}");
    let on_top = post(&gateway, "/console/models/m", &admin, &form(&base(&page)));
    assert_eq!(on_top.status, 303, "{}", on_top.text());
    let model = gateway.admin("GET", "/api/models/m", "").json();
    assert_eq!((&model["attempts"], &model["targets"][0]["weight"]), (&serde_json::json!(5), &serde_json::json!(9)));
}

fn what_is_wrong_is_told_beside_the_field_and_what_was_entered_stays(host: Host) {
    let (one, two) = (Upstream::saying("one"), Upstream::saying("two"));
    let gateway = two_targets(host, &one, &two);
    let admin = session(&gateway, TOKEN);
    for (path, form, status, message) in [
        (
            "/console/models/m",
            "form=target-0&target=a%2Fx&weight=heavy&tier=1&do=save",
            422,
            "id=\"target-0-weight-wrong\"",
        ),
        ("/console/models/m", "form=target-0&target=gone%2Fx&weight=1&tier=1&do=save", 404, "There is no target"),
        ("/console/models/m", "form=model&strategy=cost&attempts=99&enabled=yes", 422, "id=\"model-attempts-wrong\""),
        ("/console/models/m", "form=add&provider=none&do=add", 422, "id=\"add-provider-wrong\""),
        ("/console/models", "form=new&name=m&provider=a&model=y&do=add", 409, "There is a model"),
        ("/console/keys", "form=new&name=k&budget=much&do=add", 422, "id=\"new-budget-wrong\""),
        ("/console/keys", "form=new&do=add", 422, "id=\"new-name-wrong\""),
        ("/console/settings", "form=settings&zone=Nowhere", 422, "id=\"settings-zone-wrong\""),
        ("/console/settings", "form=new-relay&name=r&origin=x&do=add", 422, "id=\"new-relay-origin-wrong\""),
        ("/console/add-provider", "form=add-provider&do=save", 400, "Choose a provider"),
        (
            "/console/add-provider",
            "form=add-provider&base_url=x&name=n&do=save",
            422,
            "id=\"add-provider-base_url-wrong\"",
        ),
    ] {
        let response = post(&gateway, path, &admin, form);
        assert!(
            response.status == status && response.text().contains(message),
            "{form}: {} {}",
            response.status,
            response.text()
        );
        assert!(response.text().contains("<nav"), "the page keeps its frame");
    }
    let refused = post(&gateway, "/console/models/m", &admin, "form=target-0&target=a%2Fx&weight=heavy&do=save").text();
    assert!(refused.contains("value=\"heavy\"") && refused.contains("<details class=\"change\" open"), "{refused}");
    assert_eq!(gateway.admin("GET", "/api/catalog", "").header("etag"), Some("\"1\""), "nothing was changed");
}

fn a_provider_is_added_with_keys_that_were_checked(host: Host) {
    let list = r#"{"data":[{"id":"x-1"},{"id":"x-2"}]}"#;
    let refusal = || Answer::json(401, r#"{"error":{"message":"Incorrect API key"}}"#);
    let upstream =
        Upstream::answering(Answer::json(200, list)).refusing("", refusal()).refusing("Bearer sk-bad", refusal());
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/x"]).start();
    let admin = session(&gateway, TOKEN);
    let keys = "credentials=sk-bad%0D%0Ask-good%0D%0A";
    let checked = post(&gateway, "/console/add-provider", &admin, &format!("form=add-provider&to=a&{keys}&do=check"));
    let page = checked.text();
    assert_eq!(checked.status, 200, "{page}");
    assert!(
        page.contains("Key 1") && page.contains("refused with 401") && page.contains("Incorrect API key"),
        "{page}"
    );
    assert!(page.contains("works, 2 models") && page.trim_end().ends_with("</html>"), "{page}");
    assert!(page.contains("sk-good") && !page.contains("sk-bad"), "only what may be saved is there to save");
    assert!(checked.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
    let form = format!("form=add-provider&base={}&to=a&credentials=sk-good&do=save", base(&page));
    let saved = post(&gateway, "/console/add-provider", &admin, &form);
    assert_eq!((saved.status, saved.header("location")), (303, Some("providers/a?saved=2")), "{}", saved.text());
    let listed = gateway.admin("GET", "/api/providers/a/credentials", "").json();
    let label = listed["credentials"][1]["name"].as_str().expect("another one").replace('#', "%23");
    let tested =
        post(&gateway, "/console/providers/a", &admin, &format!("form=credential-1&credential={label}&do=test"));
    assert!(tested.status == 200 && tested.text().contains("It answered with 2 models"), "{}", tested.text());
    let off = post(&gateway, "/console/providers/a", &admin, &format!("form=credential-1&credential={label}&do=off"));
    assert_eq!(off.status, 303, "{}", off.text());
    let new = format!("form=add-provider&base_url={}&local=yes&name=new&credentials=k&do=save", upstream.url());
    assert_eq!(post(&gateway, "/console/add-provider", &admin, &new).status, 303);
    let joining = shown(&gateway, "/console/join?ask=yes&provider=a", &admin);
    assert!(joining.contains("<b>x-1</b>") && joining.contains("<b>x-2</b>"), "{joining}");
    let value = "x-1%E2%90%9F1%E2%90%9Fa%E2%90%9Fx-1";
    let joined = post(&gateway, "/console/join", &admin, &format!("form=join&model={value}&do=join"));
    assert_eq!(joined.status, 303, "{}", joined.text());
    assert_eq!(gateway.admin("GET", "/api/models/x-1/targets", "").json()["targets"][0]["name"], "a/x-1");
}

fn a_key_is_made_changed_rotated_and_revoked(host: Host) {
    let gateway = Gateway::on(host).start();
    let admin = session(&gateway, TOKEN);
    let secret = |page: &str| {
        let rest = page.split("id=\"new-key\"").nth(1).and_then(|rest| rest.split('>').nth(1)).unwrap_or_default();
        rest.split('<').next().unwrap_or_default().to_owned()
    };
    let made = post(&gateway, "/console/keys", &admin, "form=new&name=laptop&models=demo&rpm=100&do=add");
    let first = secret(&made.text());
    assert!(made.status == 200 && first.starts_with("sk-llmio-"), "{}", made.text());
    assert_eq!(gateway.send(&chat("demo").key(&first)).status, 200);
    assert!(!shown(&gateway, "/console/keys", &admin).contains(&first), "it is shown once");
    let page = shown(&gateway, "/console/keys/laptop", &admin);
    assert!(page.contains("value=\"100\"") && page.contains("value=\"demo\""), "{page}");
    let changed = post(&gateway, "/console/keys/laptop", &admin, "form=key&models=demo&rpd=50&enabled=yes&do=save");
    assert_eq!(changed.status, 303, "{}", changed.text());
    let key = gateway.admin("GET", "/api/keys/laptop", "").json();
    assert_eq!(key["limits"], serde_json::json!({ "rpd": 50 }), "{key}");
    let rotated = post(&gateway, "/console/keys/laptop", &admin, "form=rotate&keep=0s&do=rotate");
    let second = secret(&rotated.text());
    assert!(rotated.status == 200 && second != first, "{}", rotated.text());
    assert_eq!(gateway.send(&chat("demo").key(&second)).status, 200);
    assert_eq!(post(&gateway, "/console/keys/laptop", &admin, "form=revoke&do=revoke").status, 303);
    eventually("the key is unknown everywhere", || {
        let unknown = (0..4).all(|_| [401, 429].contains(&gateway.send(&chat("demo").key(&second)).status));
        unknown.then_some(())
    });
}

fn settings_and_relays_are_changed_and_put_back(host: Host) {
    let gateway = Gateway::on(host).start();
    let admin = session(&gateway, TOKEN);
    let relay = "form=new-relay&name=r&origin=https://r.example&do=add";
    assert_eq!(post(&gateway, "/console/settings", &admin, relay).status, 303);
    let settings = "form=settings&retention_days=7&zone=Asia/Shanghai";
    assert_eq!(post(&gateway, "/console/settings", &admin, settings).status, 303);
    assert!(shown(&gateway, "/console/settings", &admin).contains("value=\"Asia/Shanghai\""));
    let history = shown(&gateway, "/console/history", &admin);
    assert!(history.contains("POST /console/settings") && history.contains("href=\"history/2\""), "{history}");
    let version = shown(&gateway, "/console/history/1", &admin);
    assert!(version.contains("settings.zone: removed") || version.contains("settings: removed"), "{version}");
    let back =
        post(&gateway, "/console/history/1", &admin, &format!("form=restore&base={}&do=restore", base(&version)));
    assert_eq!(back.status, 303, "{}", back.text());
    let settings = gateway.admin("GET", "/api/settings", "").json();
    assert_eq!(settings["settings"], serde_json::json!({}), "{settings}");
    assert_eq!(post(&gateway, "/console/settings", &admin, "form=relay-0&relay=r&do=remove").status, 303);
    assert_eq!(gateway.admin("GET", "/api/relays", "").json()["relays"], serde_json::json!([]));
}

fn the_holder_of_a_key_changes_nothing(host: Host) {
    let gateway = Gateway::on(host).start();
    let key = gateway.new_key("laptop", &[]);
    let holder = session(&gateway, &key);
    for path in [
        "models",
        "models/demo",
        "providers/echo",
        "add-provider",
        "join",
        "keys",
        "keys/laptop",
        "settings",
        "history/1",
    ] {
        let response = post(&gateway, &format!("/console/{path}"), &holder, "form=new&name=x&do=add");
        assert_eq!(response.status, 403, "{path}: {}", response.text());
    }
    let foreign = Request::new("POST", "/console/keys").header("cookie", session(&gateway, TOKEN));
    let foreign = foreign.header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
    let foreign =
        gateway.send(&foreign.header("content-type", "application/x-www-form-urlencoded").body("form=new&name=x"));
    assert_eq!(foreign.status, 403, "{}", foreign.text());
}

fn what_a_catalog_file_says_is_not_changed(host: Host) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("llmio.toml");
    let path = path.to_str().expect("a path in UTF-8");
    let text = "[[providers]]\npreset = \"echo\"\n[[models]]\nname = \"m\"\ntargets = [\"echo/x\"]\n";
    std::fs::write(path, text).expect("a file");
    let gateway = Gateway::on(host).arg("--catalog").arg(path).start();
    let admin = session(&gateway, TOKEN);
    let page = shown(&gateway, "/console/models/m", &admin);
    // Other hosts hand on the file's text alone.
    let place = if host == Host::Runner { path } else { "(variable `catalog`)" };
    assert!(page.contains(place) && page.contains("line 4") && !page.contains("name=\"base\""), "{page}");
    let refused = post(&gateway, "/console/models/m", &admin, "form=model&strategy=cost");
    assert_eq!(refused.status, 409, "{}", refused.text());
}
