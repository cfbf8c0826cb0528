use super::*;

fn channel(id: u64, kind: u64, more: Value) -> Value {
    let mut channel = json!({ "id": id, "type": kind, "name": format!("c{id}"), "key": format!("sk-c4n4ry-{id}"), "status": 1,
        "models": "gpt-4o", "group": "default", "priority": 0, "weight": 0, "base_url": null, "auto_ban": 1 });
    if let (Value::Object(channel), Value::Object(more)) = (&mut channel, more) {
        channel.extend(more);
    }
    channel
}

fn file() -> Value {
    json!({ "tables": {
        "channels": [
            channel(1, 1, json!({ "models": "gpt-4o,gpt-4o-mini", "weight": 5, "priority": 10,
                "key": "sk-c4n4ry-1\nsk-c4n4ry-2", "channel_info": "{\"is_multi_key\":true,\"multi_key_status_list\":{\"1\":3}}",
                "setting": "{\"proxy\":\"socks5://127.0.0.1:1080\",\"force_format\":true}", "openai_organization": "org-1",
                "param_override": "{\"temperature\":0,\"stream\":true}" })),
            channel(2, 8, json!({ "base_url": "https://relay.example/v1/chat/completions", "model_mapping": "{\"gpt-4o\":\"up/gpt\"}",
                "header_override": "{\"X-Key\":\"c4n4ry\",\"X-Auth\":\"{api_key}\"}", "status_code_mapping": "{\"400\":\"500\"}" })),
            channel(3, 14, json!({ "models": "claude-x", "group": "vip", "status": 3, "base_url": "http://10.0.0.2:3000" })),
            channel(4, 33, json!({})),
            channel(5, 999, json!({})),
            channel(6, 3, json!({ "models": "gpt-4o", "base_url": "https://me.openai.azure.com", "other": "2024-10-21" })),
            channel(7, 24, json!({ "models": "gemini-x", "key": "" })),
        ],
        "tokens": [
            { "id": 1, "user_id": 1, "name": "own", "key": "c4n4ryAAAA", "status": 1, "expired_time": -1, "unlimited_quota": 1 },
            { "id": 2, "user_id": 2, "name": "own", "key": "c4n4ryBBBB", "status": 1, "expired_time": 1_900_000_000, "unlimited_quota": 0,
              "remain_quota": 1_250_000, "model_limits_enabled": 1, "model_limits": "gpt-4o,none", "allow_ips": "10.0.0.0/8\n192.168.1.1" },
            { "id": 3, "user_id": 1, "name": "", "key": "c4n4ryCCCC", "status": 2, "expired_time": -1, "unlimited_quota": 0, "remain_quota": 0 },
            { "id": 4, "user_id": 2, "name": "vip", "key": "c4n4ryDDDD", "status": 1, "group": "vip", "unlimited_quota": 1 },
            { "id": 5, "user_id": 1, "name": "gone", "key": "c4n4ryEEEE", "deleted_at": "2026-01-01" },
        ],
        "options": [
            { "key": "RetryTimes", "value": "2" },
            { "key": "ModelRatio", "value": "{\"gpt-4o\":1.25,\"claude-x\":1.5}" },
            { "key": "CompletionRatio", "value": "{\"gpt-4o\":4}" },
            { "key": "SMTPToken", "value": "c4n4ry" },
        ],
        "users": [{ "id": 1, "username": "root", "group": "default" }, { "id": 2, "username": "u", "group": "default" }],
    }, "counts": { "logs": 7 } })
}

#[test]
fn channels_become_providers_and_their_models_targets() {
    let imported = imported(&file());
    let providers = section(&imported, "providers");
    assert_eq!(
        providers[0],
        json!({
            "name": "c1", "preset": "openai", "headers": { "openai-organization": "org-1" },
            "egress": { "value": "socks5://127.0.0.1:1080" },
            "credentials": ["sk-c4n4ry-1", { "value": "sk-c4n4ry-2", "enabled": false }],
        })
    );
    assert_eq!(
        providers[1],
        json!({
            "name": "c2", "base_url": "https://relay.example/v1", "headers": { "x-key": { "value": "c4n4ry" } },
            "credentials": ["sk-c4n4ry-2"],
        })
    );
    assert_eq!(
        providers[2],
        json!({ "name": "c3", "base_url": "http://10.0.0.2:3000", "dialect": "anthropic", "local": true, "credentials": ["sk-c4n4ry-3"] })
    );
    assert_eq!(
        providers[3]["base_url"],
        "https://me.openai.azure.com/openai/deployments/gpt-4o?api-version=2024-10-21"
    );
    assert_eq!((&providers[3]["name"], &providers[3]["auth"]), (&json!("c6-gpt-4o"), &json!("api-key")));
    assert_eq!(providers[4], json!({ "name": "c7", "preset": "gemini" }));
    let models = section(&imported, "models");
    let price = json!({ "input": 2.5, "output": 10.0 });
    assert_eq!(
        models[0],
        json!({
            "name": "gpt-4o", "attempts": 3,
            "targets": [
                { "provider": "c1", "model": "gpt-4o", "weight": 5, "set": { "temperature": 0 }, "price": price, "tier": 1 },
                { "provider": "c2", "model": "up/gpt", "weight": 1, "price": price, "tier": 2 },
                { "provider": "c6-gpt-4o", "model": "gpt-4o", "weight": 1, "price": price, "tier": 2 },
            ],
        })
    );
    assert_eq!(models[2]["targets"], json!([{ "provider": "c3", "model": "claude-x", "weight": 1, "enabled": false }]));
}

#[test]
fn tokens_become_keys_that_are_sent_with_their_prefix() {
    let imported = imported(&file());
    let keys = section(&imported, "keys");
    let hash = |key: &str| gateway_core::catalog::hash_text(&gateway_core::catalog::hash_key(key));
    assert_eq!(
        keys,
        json!([
            { "name": "own", "hash": hash("sk-c4n4ryAAAA"), "models": ["gemini-x", "gpt-4o", "gpt-4o-mini"] },
            { "name": "own-2", "hash": hash("sk-c4n4ryBBBB"), "expires": "2030-03-17T17:46:40Z", "models": ["gpt-4o"],
              "ips": ["10.0.0.0/8", "192.168.1.1"], "limits": { "budget": "2.5 USD/total" } },
            { "name": "token-3", "hash": hash("sk-c4n4ryCCCC"), "enabled": false, "models": ["gemini-x", "gpt-4o", "gpt-4o-mini"] },
            { "name": "vip", "hash": hash("sk-c4n4ryDDDD"), "models": ["claude-x"] },
        ])
    );
    let Report { changed, left, .. } = &imported.report;
    check_reasons(
        changed,
        &[
            ("groups default, vip", "no groups"),
            ("keys[vip]", "group \"vip\""),
            ("keys[token-3]", "disabled there"),
            ("quotas of tokens", "budget"),
            ("channel 3", "switched off"),
            ("3 targets", "ModelRatio"),
        ],
    );
    check_reasons(
        left,
        &[
            ("channel 4", "AWS"),
            ("channel 5", "its type 999 is not known"),
            ("channel 7", "keys are not in the file"),
            ("header X-Auth", "filled in"),
            ("setting of channel 1", "force_format"),
            ("param_override of channel 1", "stream"),
            ("status_code_mapping of channel 2", "judges failures itself"),
            ("keys[own-2]", "\"none\" of its models"),
            ("2 users", "no accounts"),
            ("table tokens", "1 row"),
            ("table logs", "7 rows"),
        ],
    );
}

#[test]
fn the_two_number_their_channels_differently() {
    for (kind, number, preset) in [
        ("one-api", 29, "groq"),
        ("one-api", 36, "deepseek"),
        ("one-api", 30, "ollama"),
        ("new-api", 43, "deepseek"),
        ("new-api", 4, "ollama"),
        ("new-api", 40, "siliconflow"),
    ] {
        let imported = imported(&json!({ "kind": kind, "tables": { "channels": [channel(1, number, json!({}))] } }));
        assert_eq!(section(&imported, "providers")[0]["preset"], preset, "{kind} {number}");
    }
}

#[test]
fn every_channel_type_makes_a_provider_that_the_catalog_takes() {
    for kind in ["new-api", "one-api"] {
        for number in 1..=60 {
            let base = json!({ "base_url": "https://relay.example" });
            for more in [json!({}), base] {
                let imported = imported(&json!({ "kind": kind, "tables": { "channels": [channel(1, number, more)] } }));
                let is_told = says(&imported.report.left, "channel 1", "llmio has no way")
                    || says(&imported.report.left, "channel 1", "is not known")
                    || says(&imported.report.left, "channel 1", "no base_url");
                assert!(is_told != section(&imported, "models").is_array(), "{kind} {number}: {:?}", imported.report);
            }
        }
    }
}

#[test]
fn an_export_is_read_like_the_table() {
    let export = json!({ "success": true, "data": { "items": [channel(1, 1, json!({}))], "total": 1 } }).to_string();
    let imported = of_text(&export);
    assert_eq!((imported.kind, &section(&imported, "providers")[0]["name"]), (Kind::NewApi, &json!("c1")));
}
