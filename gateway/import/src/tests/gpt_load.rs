use super::*;

fn hash(key: &str) -> String {
    gateway_core::catalog::hash_text(&gateway_core::catalog::hash_key(key)).trim_start_matches("sha256:").to_owned()
}

fn file() -> Value {
    json!({ "tables": {
        "groups": [
            { "id": 1, "name": "openai", "channel_type": "openai", "sort": 1, "test_model": "gpt-4o-mini", "group_type": "standard",
              "upstreams": "[{\"url\":\"https://one.example\",\"weight\":2},{\"url\":\"https://two.example/v1\",\"weight\":1}]",
              "param_overrides": "{\"temperature\":0}", "config": "{\"max_retries\":3,\"proxy_url\":\"http://127.0.0.1:7890\",\"connect_timeout\":9}",
              "header_rules": "[{\"key\":\"X-Title\",\"value\":\"t\",\"action\":\"set\"},{\"key\":\"Cookie\",\"action\":\"remove\"}]",
              "proxy_keys": "c4n4ry-group", "model_redirect_rules": "{\"gpt-4\":\"gpt-4o\"}" },
            { "id": 2, "name": "gemini", "channel_type": "gemini", "sort": 2, "test_model": "gemini-x", "group_type": "standard",
              "upstreams": "[{\"url\":\"https://generativelanguage.googleapis.com\",\"weight\":1}]" },
            { "id": 3, "name": "both", "channel_type": "openai", "group_type": "aggregate", "sort": 3 },
            { "id": 4, "name": "odd", "channel_type": "odd", "sort": 4, "upstreams": "[]" },
        ],
        "api_keys": [
            { "id": 1, "group_id": 1, "key_value": "sk-c4n4ry-1", "key_hash": hash("sk-c4n4ry-1"), "status": "active" },
            { "id": 2, "group_id": 1, "key_value": "sk-c4n4ry-2", "key_hash": hash("sk-c4n4ry-2"), "status": "invalid" },
            { "id": 3, "group_id": 2, "key_value": "c4n4ry-encrypted", "key_hash": hash("another"), "status": "active" },
        ],
        "group_sub_groups": [
            { "group_id": 3, "sub_group_id": 1, "weight": 8 }, { "group_id": 3, "sub_group_id": 2, "weight": 2 },
        ],
        "system_settings": [{ "setting_key": "proxy_keys", "setting_value": "c4n4ry-all-1,c4n4ry-all-2" }],
    } })
}

#[test]
fn groups_become_providers_through_which_any_model_passes() {
    let imported = imported(&file());
    let providers = section(&imported, "providers");
    let credentials = json!(["sk-c4n4ry-1", { "value": "sk-c4n4ry-2", "enabled": false }]);
    assert_eq!(
        providers[0],
        json!({
            "name": "openai", "base_url": "https://one.example/v1", "egress": { "value": "http://127.0.0.1:7890" },
            "timeouts": { "connect": "9s" }, "headers": { "x-title": "t" }, "credentials": credentials,
        })
    );
    assert_eq!(
        (&providers[1]["name"], &providers[1]["base_url"]),
        (&json!("openai-2"), &json!("https://two.example/v1"))
    );
    assert_eq!(
        providers[2],
        json!({ "name": "gemini", "base_url": "https://generativelanguage.googleapis.com", "dialect": "gemini" })
    );
    let models = section(&imported, "models");
    let models: BTreeMap<&str, &Value> = models
        .as_array()
        .into_iter()
        .flatten()
        .map(|model| (model["name"].as_str().expect("a name"), &model["targets"]))
        .collect();
    let set = json!({ "temperature": 0 });
    assert_eq!(models["openai/*"], &json!([{ "provider": "openai", "model": "*", "set": set }]));
    assert_eq!(
        models["gpt-4"],
        &json!([
            { "provider": "openai", "model": "gpt-4o", "weight": 2, "set": set },
            { "provider": "openai-2", "model": "gpt-4o", "weight": 1, "set": set },
        ])
    );
    assert_eq!(models["both/gemini-x"], &json!([{ "provider": "gemini", "model": "gemini-x", "weight": 2 }]));
    assert_eq!(models.len(), 7, "{models:?}");
}

#[test]
fn proxy_keys_become_keys_and_encrypted_ones_are_told() {
    let imported = imported(&file());
    let keys = section(&imported, "keys");
    let names: Vec<&Value> = keys.as_array().into_iter().flatten().map(|key| &key["name"]).collect();
    assert_eq!(names, ["proxy", "proxy-2", "openai"]);
    assert_eq!(keys[2]["models"], json!(["gpt-4", "gpt-4o-mini", "openai/*"]));
    let Report { changed, left, .. } = &imported.report;
    assert!(says(left, "api_keys of group 2", "1 key is encrypted"), "{left:#?}");
    assert!(says(left, "group 4", "channel type"));
    assert!(says(left, "header rule Cookie", "passes few headers"));
    assert!(says(changed, "addresses", "GROUP/model"));
    assert!(says(changed, "models[openai/*]", "first upstream"));
}

#[test]
fn one_group_alone_serves_every_name() {
    let mut file = file();
    file["tables"]["groups"] = json!([file["tables"]["groups"][1].clone()]);
    let imported = imported(&file);
    assert_eq!(section(&imported, "models")[1]["aliases"], json!(["*"]));
}
