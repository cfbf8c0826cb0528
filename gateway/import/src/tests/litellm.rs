use super::*;

const CONFIG: &str = r#"
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/OPENAI_API_KEY
      rpm: 480
      temperature: 0.2
      input_cost_per_token: 0.0000025
      output_cost_per_token: 0.00001
    model_info: {supports_vision: False, max_input_tokens: 128000}
  - model_name: gpt-4o
    litellm_params: &second
      model: openai/gpt-4o
      api_key: sk-c4n4ry-second
      rpm: 480
      temperature: 0.2
      input_cost_per_token: 0.0000025
      output_cost_per_token: 0.00001
    model_info: {supports_vision: False, max_input_tokens: 128000}
  - model_name: gpt-4o
    litellm_params:
      model: azure/my-deployment
      api_base: https://me.openai.azure.com/
      api_key: sk-c4n4ry-azure
      api_version: "2024-10-21"
      order: 2
    model_info: {base_model: azure/gpt-4o}
  - model_name: home
    litellm_params:
      model: ollama_chat/qwen3:32b
      api_base: http://192.168.1.20:11434
      timeout: 90
      drop_params: true
      mystery: 1
  - model_name: "anthropic/*"
    litellm_params:
      model: "anthropic/*"
      litellm_credential_name: claude
  - model_name: cloud
    litellm_params: {model: bedrock/anthropic.claude}
  - model_name: elsewhere
    litellm_params: {model: openai/x, api_base: os.environ/GONE, api_key: os.environ/INLINE}
credential_list:
  - credential_name: claude
    credential_values: {api_key: sk-c4n4ry-claude}
environment_variables:
  INLINE: sk-c4n4ry-inline
router_settings:
  routing_strategy: latency-based-routing
  num_retries: 2
  allowed_fails: 3
  cooldown_time: 30
  model_group_alias: {gpt-4: gpt-4o}
  redis_host: localhost
litellm_settings:
  fallbacks: [{gpt-4o: [home]}]
  default_fallbacks: ["home"]
  context_window_fallbacks: [{home: [gpt-4o]}]
  drop_params: True
  request_timeout: 600
  success_callback: [langfuse]
general_settings:
  master_key: sk-c4n4ry-master
  database_url: postgresql://u:c4n4ry@db/litellm
"#;

#[test]
fn deployments_become_providers_with_pools_and_models_with_targets() {
    let imported = of_text(CONFIG);
    let providers = section(&imported, "providers");
    assert_eq!(
        providers[0],
        json!({
            "preset": "openai", "quotas": [{ "rpm": 480, "models": ["gpt-4o"] }],
            "credentials": ["${OPENAI_API_KEY}", "sk-c4n4ry-second"],
        })
    );
    assert_eq!(
        providers[1],
        json!({
            "name": "azure", "auth": "api-key", "credentials": ["sk-c4n4ry-azure"],
            "base_url": "https://me.openai.azure.com/openai/deployments/my-deployment?api-version=2024-10-21",
        })
    );
    assert_eq!(
        providers[2],
        json!({ "name": "ollama_chat", "base_url": "http://192.168.1.20:11434/v1", "local": true })
    );
    assert_eq!(providers[3], json!({ "preset": "anthropic", "credentials": ["sk-c4n4ry-claude"] }));
    assert_eq!(providers.as_array().map(Vec::len), Some(4), "{providers}");
    let models = section(&imported, "models");
    assert_eq!(
        models[0],
        json!({
            "name": "gpt-4o", "strategy": "latency", "attempts": 3, "allowed_fails": 4, "cooldown": "30s",
            "timeouts": { "first_byte": "600s" }, "aliases": ["gpt-4"], "fallback": ["home"],
            "targets": [
                { "provider": "openai", "model": "gpt-4o", "default": { "temperature": 0.2 },
                  "capabilities": { "images": false, "context": 128_000 }, "price": { "input": 2.5, "output": 10.0 }, "tier": 1 },
                { "provider": "azure", "model": "my-deployment", "profile": "gpt-4o", "tier": 2 },
            ],
        })
    );
    assert_eq!(models[1]["targets"][0]["timeouts"], json!({ "first_byte": "90000ms" }));
    assert_eq!(models[2]["targets"], json!([{ "provider": "anthropic", "model": "*" }]));
    assert_eq!(section(&imported, "settings"), json!({ "fallback": ["home"] }));
}

#[test]
fn the_master_key_is_a_clients_and_the_rest_is_told() {
    let imported = of_text(CONFIG);
    assert_eq!(section(&imported, "keys")[0]["name"], "master_key");
    let Report { changed, left, .. } = &imported.report;
    assert!(says(changed, "keys[master_key]", "without the rights of an admin"));
    check_reasons(
        left,
        &[
            ("model_list[5]", "no way to call what LiteLLM calls \"bedrock\""),
            ("models[elsewhere]", "target openai-2/x is left out"),
            ("providers[openai-2]", "the variable GONE is not set"),
            ("model_list[3] (home)", "mystery"),
            ("router_settings", "redis_host"),
            ("litellm_settings", "success_callback"),
            ("context_window_fallbacks", "context"),
            ("general_settings.database_url", "not read"),
        ],
    );
    let elsewhere = of_text("model_list: []\ngeneral_settings: {master_key: os.environ/MASTER}\n");
    assert!(says(&elsewhere.report.left, "general_settings.master_key", "the variable MASTER"));
}

#[test]
fn keys_that_serve_different_models_are_different_providers() {
    let config = |second: &str| {
        format!(
            "model_list:\n  - {{model_name: a, litellm_params: {{model: groq/a, api_key: k1}}}}\n  \
             - {{model_name: {second}, litellm_params: {{model: groq/{second}, api_key: k2}}}}\n"
        )
    };
    let names = |text: &str| {
        let providers = section(&of_text(text), "providers");
        let name = |provider: &Value| provider.get("name").or(provider.get("preset")).cloned().unwrap_or_default();
        providers.as_array().into_iter().flatten().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&config("a")), ["groq"]);
    assert_eq!(names(&config("b")), ["groq", "groq-2"]);
}
