use super::*;

fn file() -> Value {
    json!({ "tables": {
        "providers": [{ "id": 1, "name": "a", "type": "openai",
            "config": "{\"base_url\":\"https://a.example/v1\",\"api_key\":\"sk-c4n4ry\"}" }],
        "models": [{ "id": 1, "name": "m", "strategy": "lottery", "breaker": 1 }],
        "model_with_providers": [{ "id": 1, "model_id": 1, "provider_id": 1, "provider_model": "up", "weight": 1,
            "status": 1, "tool_call": 1, "structured_output": 1, "image": 1 }],
        "auth_keys": [{ "id": 1, "name": "k", "key": "sk-llmio-c4n4ry", "status": 1, "allow_all": 1 }],
    } })
}

#[test]
fn importing_twice_changes_nothing_the_second_time() {
    let once = imported(&file());
    let stored = once.document.to_toml().expect("TOML");
    let twice = imported_onto(&stored, &file());
    assert_eq!(twice.document.to_json_string(), once.document.to_json_string());
    assert_eq!((twice.report.taken.len(), twice.report.left.len()), (0, 3), "{:?}", twice.report);
}

#[test]
fn what_exists_stays_as_it_is() {
    let stored = r#"
        models = [{ name = "other", aliases = ["m"], targets = ["a/x"] }]
        [[providers]]
        name = "a"
        base_url = "https://elsewhere.example/v1"
        [[keys]]
        name = "k"
        hash = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
    "#;
    let imported = imported_onto(stored, &file());
    let providers = section(&imported, "providers");
    assert_eq!(providers[0], json!({ "name": "a", "base_url": "https://elsewhere.example/v1" }));
    assert_eq!((&providers[1]["name"], &providers[1]["base_url"]), (&json!("a-2"), &json!("https://a.example/v1")));
    assert_eq!(section(&imported, "models").as_array().map(Vec::len), Some(1), "an alias is a name too");
    let keys = section(&imported, "keys");
    assert_eq!((&keys[0]["name"], &keys[1]["name"]), (&json!("k"), &json!("k-2")));
    assert!(says(&imported.report.left, "models[m]", "stays as it is"));
    assert!(says(&imported.report.changed, "providers[a-2]", "its name is taken"));
}

#[test]
fn what_cannot_be_taken_takes_only_what_stands_on_it_along() {
    let mut file = file();
    file["tables"]["providers"][0]["config"] = json!("{\"base_url\":\"ftp://a.example\"}");
    let imported = imported(&file);
    assert_eq!((section(&imported, "providers"), section(&imported, "models")), (Value::Null, Value::Null));
    assert_eq!(section(&imported, "keys")[0]["name"], "k");
    assert!(says(&imported.report.left, "providers[a]", "must start with"), "{:?}", imported.report);
    assert!(says(&imported.report.left, "models[m]", "target"), "{:?}", imported.report);
}

#[test]
fn mistakes_of_what_is_stored_are_not_hidden() {
    let stored = Document::from_toml("[settings]\nretention_days = \"x\"\n").expect("TOML");
    let request: ImportRequest = serde_json::from_value(file()).expect("a request");
    let judge = |document: &Document| document.validate().map(|_| ());
    let problems = request.draft().expect("a draft").onto(&stored, &judge).expect_err("a mistake");
    assert_eq!(problems.0[0].path, "settings.retention_days");
}

#[test]
fn anything_at_all_is_imported_without_a_panic() {
    for table in
        ["providers", "models", "model_with_providers", "auth_keys", "channels", "tokens", "groups", "api_keys"]
    {
        for value in [json!(null), json!([]), json!(-1), json!("x"), json!(1e300), json!({ "a": [null] })] {
            let names = ["id", "name", "key", "type", "models", "config", "upstreams", "weight", "model_id", "status"];
            let row: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
            for kind in ["llmio", "new-api", "one-api", "gpt-load"] {
                let tables = json!({ table: [row.clone(), {}] });
                imported(&json!({ "kind": kind, "tables": tables }));
            }
        }
    }
    for text in ["model_list: [null, 1, {model_name: a}]", "model_list: {a: b}", "model_list: []\nrouter_settings: 3"] {
        of_text(text);
    }
    for text in [r#"{"Providers":[null,{},{"name":"a","api_base_url":"$"}],"Router":[]}"#, r#"{"Providers":{}}"#] {
        of_text(text);
    }
}
