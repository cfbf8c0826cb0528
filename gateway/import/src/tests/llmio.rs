use super::*;

fn file() -> Value {
    json!({
        "tables": {
            "providers": [
                { "id": 1, "name": "my relay", "type": "openai", "deleted_at": null, "proxy": "http://u:c4n4ry@127.0.0.1:7890",
                  "config": "{\"base_url\":\"https://relay.example/v1\",\"api_key\":\"sk-c4n4ry-1\"}",
                  "error_matcher": "余额不足；quota exceeded", "console": "https://relay.example" },
                { "id": 2, "name": "claude", "type": "anthropic", "deleted_at": null,
                  "config": "{\"base_url\":\"https://api.anthropic.com/v1\",\"api_key\":\"sk-c4n4ry-2\",\"version\":\"2023-06-01\"}" },
                { "id": 3, "name": "gone", "type": "openai", "deleted_at": "2026-01-01 00:00:00", "config": "{}" },
                { "id": 4, "name": "bad", "type": "openai", "deleted_at": null, "config": "{\"base_url\":\"no address\"}" },
            ],
            "models": [
                { "id": 1, "name": "plain", "max_retry": 30, "time_out": 60, "strategy": "lottery", "breaker": 0, "display_order": 1 },
                { "id": 2, "name": "ranked", "max_retry": 3, "time_out": 0, "strategy": "rotor", "breaker": 1, "display_order": 9 },
                { "id": 3, "name": "lonely", "display_order": 2 },
            ],
            "model_with_providers": [
                { "id": 1, "model_id": 1, "provider_id": 1, "provider_model": "up-1", "weight": 7, "status": 1, "tool_call": 1,
                  "structured_output": 1, "image": 0, "input_price": 2.0, "output_price": 8.0, "cache_read_price": 0.4,
                  "currency": "CNY", "customer_headers": "{\"X-Title\":\"llmio\",\"X-Api-Token\":\"c4n4ry-header\"}",
                  "extra_body": "{\"enable_thinking\":false,\"stream\":true}", "with_header": 1 },
                { "id": 2, "model_id": 2, "provider_id": 1, "provider_model": "up-2", "weight": 10, "status": 0,
                  "tool_call": 1, "structured_output": 1, "image": 1 },
                { "id": 3, "model_id": 2, "provider_id": 2, "provider_model": "claude-x", "weight": 1, "status": 1,
                  "tool_call": 1, "structured_output": 1, "image": 1 },
                { "id": 4, "model_id": 3, "provider_id": 3, "provider_model": "x", "weight": 1 },
                { "id": 5, "model_id": 1, "provider_id": 4, "provider_model": "x", "weight": 1 },
            ],
            "auth_keys": [
                { "id": 1, "name": "laptop", "key": "sk-llmio-c4n4ry-a", "status": 1, "allow_all": 1, "io_log": 1 },
                { "id": 2, "name": "laptop", "key": "sk-llmio-c4n4ry-b", "status": 0, "allow_all": 0,
                  "models": "[\"plain\",\"unknown\"]", "expires_at": "2027-05-14 10:00:00+08:00" },
                { "id": 3, "name": "admin", "key": "sk-llmio-c4n4ry-c", "status": 1, "allow_all": 1 },
            ],
            "configs": [
                { "id": 1, "key": "log_cleanup_policy", "value": "{\"enabled\":true,\"retention_days\":14}" },
                { "id": 2, "key": "anthropic_count_tokens", "value": "{\"base_url\":\"https://x.example\",\"api_key\":\"c4n4ry\"}" },
            ],
        },
        "counts": { "chat_logs": 163_053, "chat_ios": 0 },
        "token": "c4n4ry-short",
    })
}

#[test]
fn providers_and_their_models_mean_the_same() {
    let imported = imported(&file());
    let providers = section(&imported, "providers");
    assert_eq!(
        providers[0],
        json!({
            "name": "my-relay", "base_url": "https://relay.example/v1", "egress": { "value": "http://u:c4n4ry@127.0.0.1:7890" },
            "error_match": ["余额不足", "quota exceeded"], "headers": { "x-api-token": { "value": "c4n4ry-header" } },
            "credentials": ["sk-c4n4ry-1"],
        })
    );
    assert_eq!(
        providers[1],
        json!({
            "name": "claude", "base_url": "https://api.anthropic.com/v1", "dialect": "anthropic", "credentials": ["sk-c4n4ry-2"],
        })
    );
    assert_eq!(providers.as_array().map(Vec::len), Some(2), "{providers}");
    let models = section(&imported, "models");
    assert_eq!(
        models[0],
        json!({
            "name": "ranked", "attempts": 3,
            "targets": [
                { "provider": "my-relay", "model": "up-2", "enabled": false, "tier": 1 },
                { "provider": "claude", "model": "claude-x", "tier": 2 },
            ],
        })
    );
    assert_eq!(
        models[1],
        json!({
            "name": "plain", "attempts": 10, "timeouts": { "first_byte": "60s" },
            "targets": [{
                "provider": "my-relay", "model": "up-1", "weight": 7, "capabilities": { "images": false },
                "headers": { "x-title": "llmio" }, "set": { "enable_thinking": false },
                "price": { "input": 2.0, "output": 8.0, "currency": "CNY", "cache_read": 0.4 },
            }],
        })
    );
    assert_eq!(models.as_array().map(Vec::len), Some(2));
}

#[test]
fn keys_go_on_working_as_hashes_and_a_short_token_without_rights() {
    let imported = imported(&file());
    let keys = section(&imported, "keys");
    let hash = |key: &str| gateway_core::catalog::hash_text(&gateway_core::catalog::hash_key(key));
    assert_eq!(
        keys,
        json!([
            { "name": "laptop", "hash": hash("sk-llmio-c4n4ry-a") },
            { "name": "laptop-2", "hash": hash("sk-llmio-c4n4ry-b"), "enabled": false, "models": ["plain"], "expires": "2027-05-14T02:00:00Z" },
            { "name": "admin-2", "hash": hash("sk-llmio-c4n4ry-c") },
            { "name": "TOKEN", "hash": hash("c4n4ry-short") },
        ])
    );
    assert!(!imported.document.to_json_string().contains("sk-llmio-c4n4ry"));
    assert!(says(&imported.report.changed, "keys[TOKEN]", "fewer than 16 characters"), "{:?}", imported.report);
    assert!(says(&imported.report.changed, "keys[laptop-2]", "name is taken"));
    assert!(says(&imported.report.left, "keys[laptop-2]", "\"unknown\" of its models"));
}

#[test]
fn what_has_no_place_is_told() {
    let imported = imported(&file());
    let Report { taken, changed, left } = &imported.report;
    assert!(says(taken, "providers[my-relay]", "1 credential (provider 1)"), "{taken:?}");
    assert!(says(taken, "models[ranked]", "2 targets"));
    assert!(says(taken, "keys[laptop]", "all models"));
    check_reasons(
        changed,
        &[
            ("providers[my-relay]", "cannot be a name"),
            ("models[plain]", "max_retry 30"),
            ("models[ranked]", "each weight became a tier"),
            ("models[plain], target up-1", "may hold a secret"),
            ("settings.rates", "is a guess"),
            ("settings.retention_days", "14 days"),
            ("breaker", "2 models"),
        ],
    );
    check_reasons(
        left,
        &[
            ("table providers", "deleted there"),
            ("table chat_logs", "163053 rows"),
            ("providers[bad]", "must start with"),
            ("models[lonely]", "no provider"),
            ("1 association", "gone"),
            ("console of", "vendor"),
            ("io_log of", "not recorded"),
            ("target up-1", "llmio's own"),
            ("target up-1", "all headers"),
            ("config anthropic_count_tokens", "counted by the target"),
        ],
    );
    assert_eq!(section(&imported, "settings"), json!({ "rates": { "CNY": 0.14 }, "retention_days": 14 }));
}
