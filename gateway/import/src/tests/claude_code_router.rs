use super::*;

const CONFIG: &str = r#"{
  "APIKEY": "c4n4ry-key",
  "PROXY_URL": "http://127.0.0.1:7890",
  "API_TIMEOUT_MS": 600000,
  "HOST": "0.0.0.0",
  "Providers": [
    { "name": "deepseek", "api_base_url": "https://api.deepseek.com/chat/completions", "api_key": "$DEEPSEEK_KEY",
      "models": ["deepseek-chat", "deepseek-reasoner"],
      "transformer": { "use": ["deepseek", ["maxtoken", { "max_tokens": 65536 }]], "deepseek-chat": { "use": ["tooluse"] } } },
    { "name": "gemini", "api_base_url": "https://generativelanguage.googleapis.com/v1beta/models/", "api_key": "sk-c4n4ry",
      "models": ["gemini-2.5-pro", "deepseek-chat"], "transformer": { "use": ["gemini"] } },
    { "name": "claude", "api_base_url": "https://api.anthropic.com/v1/messages", "api_key": "", "models": ["claude-sonnet-4"],
      "transformer": { "use": ["Anthropic"] } },
    { "name": "cli", "api_base_url": "https://x.example", "models": ["m"], "transformer": { "use": ["gemini-cli"] } }
  ],
  "Router": { "default": "deepseek,deepseek-chat", "background": "deepseek,deepseek-reasoner", "think": "deepseek,deepseek-reasoner",
    "longContext": "gemini,gemini-2.5-pro", "longContextThreshold": 50000 }
}"#;

#[test]
fn providers_models_and_routes_are_taken() {
    let imported = of_text(CONFIG);
    let providers = section(&imported, "providers");
    let egress = json!({ "value": "http://127.0.0.1:7890" });
    assert_eq!(
        providers,
        json!([
            { "name": "deepseek", "base_url": "https://api.deepseek.com", "egress": egress, "credentials": ["${DEEPSEEK_KEY}"] },
            { "name": "gemini", "base_url": "https://generativelanguage.googleapis.com", "dialect": "gemini", "egress": egress,
              "credentials": ["sk-c4n4ry"] },
            { "name": "claude", "base_url": "https://api.anthropic.com/v1", "dialect": "anthropic", "egress": egress },
        ])
    );
    let models = section(&imported, "models");
    let timeouts = json!({ "total": "600000ms" });
    assert_eq!(
        models[0],
        json!({
            "name": "deepseek-chat", "aliases": ["deepseek,deepseek-chat"], "timeouts": timeouts,
            "targets": [{ "provider": "deepseek", "model": "deepseek-chat", "set": { "max_tokens": 65536 } }],
        })
    );
    assert_eq!(models[3]["name"], "gemini,deepseek-chat");
    assert_eq!(
        models[5],
        json!({
            "name": "claude-*",
            "targets": [
                { "provider": "deepseek", "model": "deepseek-chat", "capabilities": { "context": 50_000 } },
                { "provider": "gemini", "model": "gemini-2.5-pro", "tier": 2 },
            ],
        })
    );
    assert_eq!(models[6]["aliases"], json!(["claude-3-5-haiku-*"]));
}

#[test]
fn its_key_is_a_clients_and_what_is_chosen_by_content_is_told() {
    let imported = of_text(CONFIG);
    assert_eq!(section(&imported, "keys")[0]["name"], "claude-code-router");
    let Report { changed, left, .. } = &imported.report;
    check_reasons(
        left,
        &[
            ("Router.think", "does not choose models"),
            ("Providers[3]", "signs in as gemini-cli"),
            ("transformers of Providers[0]", "deepseek"),
            ("HOST and PORT", "--listen"),
        ],
    );
    assert!(says(changed, "models[claude-*]", "50000 tokens"));
    let variable = of_text(r#"{"Providers":[],"APIKEY":"${CCR_KEY}"}"#);
    assert!(says(&variable.report.left, "APIKEY", "the variable CCR_KEY"));
}
