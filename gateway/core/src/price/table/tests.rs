use proptest::prelude::*;

use super::*;
use crate::providers;

fn find(authority: Option<&str>, name: &str, model: &str) -> Option<Price> {
    super::find(providers::price_list(authority, name), model)
}

/// Input, cache reads, cache writes and output in micro-dollars for a million tokens.
fn of(host: &str, model: &str) -> Option<[u64; 4]> {
    find(Some(host), "a", model).map(micro)
}

fn micro(price: Price) -> [u64; 4] {
    [price.input, price.cache_read, price.cache_write, price.output].map(|nano| nano / 1000)
}

#[test]
fn knows_well_known_models_at_their_own_providers() {
    let google = "generativelanguage.googleapis.com";
    let cases = [
        ("api.openai.com", "gpt-4o", [2_500_000, 1_250_000, 2_500_000, 10_000_000]),
        ("api.openai.com", "gpt-4o-2024-08-06", [2_500_000, 1_250_000, 2_500_000, 10_000_000]),
        ("api.openai.com", "gpt-4o-mini", [150_000, 75_000, 150_000, 600_000]),
        ("api.openai.com", "gpt-5", [1_250_000, 125_000, 1_250_000, 10_000_000]),
        ("api.openai.com", "o4-mini", [1_100_000, 275_000, 1_100_000, 4_400_000]),
        ("api.openai.com", "text-embedding-3-small", [20_000, 20_000, 20_000, 0]),
        ("api.anthropic.com", "claude-sonnet-4-5-20250929", [3_000_000, 300_000, 3_750_000, 15_000_000]),
        ("api.anthropic.com", "claude-haiku-4-5", [1_000_000, 100_000, 1_250_000, 5_000_000]),
        ("api.anthropic.com", "claude-opus-5-20260801", [5_000_000, 500_000, 6_250_000, 25_000_000]),
        (google, "gemini-2.5-pro", [1_250_000, 125_000, 1_250_000, 10_000_000]),
        (google, "models/gemini-2.5-flash", [300_000, 30_000, 300_000, 2_500_000]),
        ("api.deepseek.com", "deepseek-chat", [135_000, 35_000, 135_000, 550_000]),
        ("api.deepseek.com", "deepseek-v4-pro", [660_000, 22_000, 660_000, 1_980_000]),
        ("api.moonshot.cn", "kimi-k2-thinking", [600_000, 150_000, 600_000, 2_500_000]),
        ("api.moonshot.ai", "kimi-k2.5", [600_000, 100_000, 600_000, 3_000_000]),
        ("api.x.ai", "grok-4.3", [1_250_000, 200_000, 1_250_000, 2_500_000]),
        ("api.groq.com", "llama-3.3-70b-versatile", [590_000, 590_000, 590_000, 790_000]),
    ];
    for (host, model, micro) in cases {
        assert_eq!(of(host, model), Some(micro), "{model} at {host}");
    }
}

#[test]
fn knows_openrouters_names_with_their_vendors() {
    let cases = [
        ("openai/gpt-4o-mini", [150_000, 75_000, 150_000, 600_000]),
        ("openai/gpt-4o:batch", [1_250_000, 625_000, 1_250_000, 5_000_000]),
        ("anthropic/claude-sonnet-4.5", [3_000_000, 300_000, 3_750_000, 15_000_000]),
        ("google/gemini-2.5-pro", [1_250_000, 125_000, 375_000, 10_000_000]),
        ("deepseek/deepseek-v4-pro", [955_260, 79_605, 955_260, 1_910_520]),
        ("qwen/qwen3-coder", [300_000, 100_000, 300_000, 1_000_000]),
        ("Qwen/Qwen3-Max", [1_200_000, 1_200_000, 1_200_000, 6_000_000]),
        ("moonshotai/kimi-k2.6", [650_000, 150_000, 650_000, 3_410_000]),
        ("z-ai/glm-4.6", [550_000, 110_000, 550_000, 2_200_000]),
        ("x-ai/grok-4.3-20260901", [1_250_000, 200_000, 1_250_000, 2_500_000]),
        ("qwen/qwen3-coder:free", [0; 4]),
        ("made/up-yesterday:free", [0; 4]),
    ];
    for (model, micro) in cases {
        assert_eq!(of("openrouter.ai", model), Some(micro), "{model}");
    }
}

#[test]
fn what_is_not_in_the_table_is_unknown_and_not_free() {
    for (host, model) in [
        ("api.openai.com", "gpt-99"),
        ("api.openai.com", ""),
        ("api.openai.com", "qwen/qwen3-coder:free"),
        ("openrouter.ai", "gpt-4o-from-nowhere"),
        ("dashscope.aliyuncs.com", "qwen3-max"),
        ("relay.example", "gpt-4o"),
        ("api.openai.com.relay.example", "gpt-4o"),
        ("xapi.openai.com", "gpt-4o"),
    ] {
        assert_eq!(of(host, model), None, "{model} at {host}");
    }
}

#[test]
fn a_model_that_is_not_paid_by_text_alone_is_unknown() {
    for (host, model) in [
        ("api.openai.com", "gpt-audio"),
        ("api.openai.com", "gpt-4o-realtime-preview"),
        ("api.openai.com", "whisper-1"),
        ("generativelanguage.googleapis.com", "gemini-2.5-flash-image"),
    ] {
        assert_eq!(of(host, model), None, "{model} at {host}");
    }
}

#[test]
fn a_host_is_known_in_any_case_and_with_a_port() {
    assert!(of("API.OpenAI.com:443", "gpt-4o").is_some());
    assert!(of("my-resource.openai.azure.com", "gpt-4o").is_some(), "Azure has OpenAI's prices");
    assert!(of("bedrock-runtime.eu-west-1.amazonaws.com", "amazon.nova-pro-v1:0").is_some());
    for host in ["", ":", "*", ".googleapis.com", "[::1]:443", "é.openai.azure.com", "api.moonshot."] {
        let _ = of(host, "gpt-4o");
    }
}

#[test]
fn a_provider_is_known_by_its_name_only_when_its_host_is_not() {
    let gpt = find(Some("api.openai.com"), "a", "gpt-4o");
    assert_eq!(find(Some("127.0.0.1:8080"), "openai", "gpt-4o"), gpt);
    assert_eq!(find(None, "openai", "gpt-4o"), gpt);
    assert_eq!(find(Some("api.groq.com"), "openai", "gpt-4o"), None);
    assert!(find(None, "gemini", "gemini-2.5-pro").is_some() && find(None, "xai", "grok-4.3").is_some());
}

#[test]
fn every_hosts_provider_is_in_the_table_and_the_table_is_sorted() {
    for list in providers::price_lists() {
        assert!(provider(list.id).is_some(), "{}", list.id);
    }
    for provider in &data::PROVIDERS {
        assert!(provider.exact.is_sorted_by(|one, other| one.0 < other.0), "{}", provider.id);
        assert!(provider.fallbacks.iter().all(|id| super::provider(id).is_some()), "{}", provider.id);
        let is_found = |list: providers::PriceList| list.id == provider.id && !list.hosts.is_empty();
        assert!(providers::price_lists().any(is_found), "{} cannot be found", provider.id);
    }
}

#[test]
fn a_name_ends_with_a_date_in_either_form() {
    for (name, dated) in
        [("m-20260930", true), ("m-2026-09-30", true), ("m-2026-0930", false), ("m-2", false), ("m-2026x09x30", false)]
    {
        assert_eq!(Rule::Dated("m-").matches(name), dated, "{name}");
    }
}

proptest! {
    #[test]
    fn any_host_and_any_name_are_looked_up(host in ".{0,40}", name in ".{0,8}", model in ".{0,40}", known in any::<usize>()) {
        let _ = find(Some(&host), &name, &model);
        let _ = find(None, data::PROVIDERS[known % data::PROVIDERS.len()].id, &model);
        let hosts: Vec<&str> = providers::price_lists().flat_map(|list| list.hosts).copied().collect();
        let pattern = hosts[known % hosts.len()];
        for cut in 0..=pattern.len() {
            let _ = find(Some(&pattern[cut..]), &name, &model);
        }
    }
}
