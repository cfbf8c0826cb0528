//! From providers to models: credentials that are checked before they are saved, and names of one model that are joined.

use serde_json::{Value, json};

use crate::common::{Gateway, Host, Request, TOKEN, chat};
use crate::upstream::{Answer, Upstream};

both_hosts![
    credentials_are_checked_before_they_are_saved_and_told_one_by_one,
    a_list_that_is_shown_to_anybody_proves_nothing,
    a_check_reaches_no_further_than_the_catalog,
    models_of_several_providers_are_joined,
];

fn list(names: &[&str]) -> Answer {
    let data: Vec<_> = names.iter().map(|name| json!({ "id": name, "object": "model" })).collect();
    Answer::json(200, &json!({ "object": "list", "data": data }).to_string())
}

/// A provider that knows two credentials and shows its models to nobody else.
fn provider() -> Upstream {
    let refusal = || Answer::json(401, r#"{"error":{"message":"Incorrect API key provided"}}"#);
    let upstream = Upstream::answering(list(&["m-1", "m-2"]));
    let upstream =
        (0..30).fold(upstream, |upstream, index| upstream.refusing(&format!("Bearer sk-bad-{index}"), refusal()));
    upstream.refusing("", refusal())
}

fn checked(gateway: &Gateway, body: &Value) -> Vec<Value> {
    let request = Request::new("POST", "/api/providers/check").key(TOKEN).json(body.to_string());
    let response = gateway.send(&request);
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/jsonl"));
    response.text().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn credentials_are_checked_before_they_are_saved_and_told_one_by_one(host: Host) {
    let upstream = provider();
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/m-1"]).start();
    let mut credentials: Vec<String> = (0..12).map(|index| format!("sk-bad-{index}")).collect();
    credentials.insert(5, "sk-good".to_owned());
    let lines = checked(&gateway, &json!({ "provider": "a", "credentials": credentials }));
    assert_eq!((lines.len(), &lines[0]), (15, &json!({ "count": 13 })), "{lines:?}");
    let mut indexes: Vec<u64> = lines[1..14].iter().filter_map(|line| line["index"].as_u64()).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, (0..13).collect::<Vec<u64>>());
    for line in &lines[1..14] {
        let works = line["index"] == 5;
        assert_eq!((&line["works"], &line["proven"]), (&json!(works), &json!(true)), "{line}");
        let (status, message) =
            if works { (json!(null), json!(null)) } else { (json!(401), json!("Incorrect API key provided")) };
        assert_eq!((&line["status"], &line["said"]), (&status, &message), "{line}");
    }
    let last = &lines[14];
    assert_eq!(
        (&last["works"], &last["fails"], &last["models"]),
        (&json!(1), &json!(12), &json!(["m-1", "m-2"])),
        "{last}"
    );
    let credentials = gateway.admin("GET", "/api/providers/a/credentials", "").json();
    assert_eq!(credentials["credentials"].as_array().map(Vec::len), Some(1), "nothing was saved");
    let history = gateway.admin("GET", "/api/catalog/history", "").json();
    let action = history["changes"][0]["action"].as_str().expect("an action").to_owned();
    assert_eq!(action, format!("POST /api/providers/check: 13 of {}", upstream.authority()));
    assert_eq!(history["changes"][0]["version"], json!(null));
    assert!(!history.to_string().contains("sk-"), "{history}");
}

fn a_list_that_is_shown_to_anybody_proves_nothing(host: Host) {
    let upstream = Upstream::answering(list(&["m-1"]));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/m-1"]).start();
    let lines = checked(&gateway, &json!({ "provider": "a", "credentials": ["sk-any"] }));
    assert_eq!((&lines[1]["works"], &lines[1]["proven"]), (&json!(false), &json!(false)), "{lines:?}");
    assert_eq!((&lines[2]["unproven"], &lines[2]["fails"]), (&json!(1), &json!(0)), "{lines:?}");
}

fn a_check_reaches_no_further_than_the_catalog(host: Host) {
    let (saved, other) = (provider(), provider());
    let gateway = Gateway::on(host).provider("a", &saved).model("m", &["a/m-1"]).start();
    let id = gateway.admin("GET", "/api/providers/a/credentials", "").json()["credentials"][0]["id"].clone();
    let entry = |upstream: &Upstream, local: bool| json!({ "base_url": upstream.url(), "local": local });
    let ask = |provider: Value, credential: Value| {
        let body = json!({ "provider": provider, "credentials": [credential] }).to_string();
        gateway.send(&Request::new("POST", "/api/providers/check").key(TOKEN).json(body))
    };
    for (provider, credential, status, message) in [
        (entry(&saved, true), json!("sk-good"), 200, "\"works\":true"),
        (entry(&saved, true), json!({ "id": id }), 200, "\"works\":true"),
        (entry(&other, true), json!("sk-good"), 400, "Save the provider first"),
        (entry(&other, false), json!({ "id": id }), 422, "the stored secret is for"),
        (entry(&other, false), json!("${PATH}"), 400, "no saved provider of this address names it"),
        (entry(&other, false), json!({ "file": "/etc/hostname" }), 400, "no saved provider of this address names it"),
        (
            json!({ "preset": "groq", "egress": "http://127.0.0.1:9" }),
            json!("k"),
            400,
            "name, preset of a provider, not",
        ),
        (json!("none"), json!("k"), 400, "There is no provider"),
    ] {
        let response = ask(provider, credential);
        assert!(response.status == status && response.text().contains(message), "{}", response.text());
    }
    // Where the host itself refuses private addresses, an unsaved one is not reached.
    let refused = ask(entry(&other, false), json!("sk-good"));
    assert_eq!(refused.status, 200, "{}", refused.text());
    if host == Host::Runner {
        assert!(refused.text().contains("\"fails\":1"), "{}", refused.text());
        assert_eq!(other.connections(), 0);
    }
}

fn models_of_several_providers_are_joined(host: Host) {
    let one = Upstream::answering(list(&["qwen/qwen3-coder:free", "x/only"]));
    let two = Upstream::answering(list(&["Qwen/Qwen3-Coder", "other"]));
    let gateway = Gateway::on(host).provider("a", &one).provider("b", &two).model("m", &["a/gone"]).start();
    let preview = gateway.admin("POST", "/api/models/join/preview", "{}");
    assert_eq!(preview.status, 200, "{}", preview.text());
    let plan = preview.json();
    assert_eq!(
        (&plan["models"][0]["name"], &plan["models"][0]["exists"]),
        (&json!("qwen3-coder"), &json!(false)),
        "{plan}"
    );
    assert_eq!(plan["vanished"], json!([{ "model": "m", "target": "a/gone" }]));
    assert_eq!(gateway.admin("GET", "/api/models", "").json()["models"].as_array().map(Vec::len), Some(1), "a preview");
    let body = json!({ "models": [plan["models"][0]], "vanished": [] });
    let joined = gateway.admin("POST", "/api/models/join", &body.to_string());
    assert_eq!((joined.status, &joined.json()["created"]), (200, &json!(["qwen3-coder"])), "{}", joined.text());
    let targets = gateway.admin("GET", "/api/models/qwen3-coder/targets", "").json();
    let names: Vec<&str> =
        targets["targets"].as_array().expect("a list").iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(names, ["a/qwen/qwen3-coder:free", "b/Qwen/Qwen3-Coder"]);
    // What was joined is asked for by the providers' own names; their answers are lists here, which is no answer to a call.
    gateway.send(&chat("qwen3-coder"));
    let sent: Vec<String> = one.received().iter().chain(&two.received()).map(|it| it.path().to_owned()).collect();
    assert!(sent.iter().any(|path| path.ends_with("/chat/completions")), "{sent:?}");
    let refused = gateway.admin("POST", "/api/models/join", r#"{"vanished":[{"model":"m","target":"a/x"}]}"#);
    assert_eq!(refused.status, 404, "{}", refused.text());
    let failing = gateway.admin("POST", "/api/models/join/preview", r#"{"providers":["c"]}"#);
    assert_eq!(failing.status, 400, "{}", failing.text());
}
