//! What a call cost, as its record tells.

use crate::common::{Gateway, Host, chat, streamed_chat};
use crate::upstream::{Answer, Upstream, event, last_events};
use serde_json::{Value, json};

both_hosts![
    a_call_costs_what_the_catalog_says,
    a_stream_costs_the_same,
    what_has_no_price_or_no_usage_has_no_cost,
    a_provider_that_is_well_known_needs_no_price,
    the_target_that_answered_is_the_one_that_is_paid,
];

/// A model of one target with this price.
fn model(name: &str, target: &str, price: &str) -> String {
    let (provider, model) = target.split_once('/').expect("provider/upstream-model");
    format!(
        "[[models]]\nname = \"{name}\"\n[[models.targets]]\nprovider = \"{provider}\"\nmodel = \"{model}\"\n\
         price = {price}\n"
    )
}

fn cost(record: &Value) -> (Value, Value) {
    (record["cost_nano"].clone(), record["price"].clone())
}

fn a_call_costs_what_the_catalog_says(host: Host) {
    let cached = json!({
        "choices": [],
        "usage": {
            "prompt_tokens": 1000, "completion_tokens": 20,
            "prompt_tokens_details": { "cached_tokens": 600, "cache_write_tokens": 100 },
        },
    });
    let upstream = Upstream::saying("Hi").then([Answer::json(200, &cached.to_string())]);
    let rates = "[settings]\nrates = { CNY = 0.14 }\n";
    let gateway = Gateway::on(host)
        .catalog(rates)
        .provider("a", &upstream)
        .catalog(&model("m", "a/up", "{ input = 3, cache_read = 0.3, cache_write = 3.75, output = 15 }"))
        .catalog(&model("yuan", "a/up", "{ input = 2, output = 8, currency = \"CNY\" }"))
        .start();
    let first = gateway.record(&gateway.send(&chat("m")));
    assert_eq!(cost(&first), (json!(1_755_000), json!("catalog")), "300 x 3000 + 600 x 300 + 100 x 3750 + 20 x 15000");
    let second = gateway.record(&gateway.send(&chat("yuan")));
    assert_eq!(cost(&second), (json!(10_920), json!("catalog")), "11 x 280 + 7 x 1120");
}

fn a_stream_costs_the_same(host: Host) {
    let answer = Answer::stream().chunk(event("Hi")).wait().chunk(last_events()).end();
    let upstream = Upstream::answering(answer);
    let gateway =
        Gateway::on(host).provider("a", &upstream).catalog(&model("m", "a/up", "{ input = 3, output = 15 }")).start();
    let mut stream = gateway.open(&streamed_chat("m"));
    let id = stream.header("x-llmio-record").expect("a record");
    let running = crate::common::eventually("a running record", || gateway.records("state=running").pop());
    assert_eq!(cost(&running), (Value::Null, json!("catalog")), "what is under way has a price and no cost");
    upstream.release();
    stream.finish();
    assert_eq!(cost(&gateway.record_by_id(&id)), (json!(138_000), json!("catalog")));
}

fn what_has_no_price_or_no_usage_has_no_cost(host: Host) {
    let upstream = Upstream::saying("Hi").then([Answer::json(200, "{\"choices\":[]}"), Answer::json(400, "{}")]);
    let gateway = Gateway::on(host)
        .provider("a", &upstream)
        .model("unpriced", &["a/gpt-4o"])
        .catalog(&model("priced", "a/up", "{ input = 3, output = 15 }"))
        .start();
    let silent = gateway.record(&gateway.send(&chat("priced")));
    assert_eq!(cost(&silent), (Value::Null, json!("catalog")));
    let refused = gateway.record(&gateway.send(&chat("priced")));
    assert_eq!(cost(&refused), (Value::Null, json!("catalog")));
    let unpriced = gateway.record(&gateway.send(&chat("unpriced")));
    assert_eq!(cost(&unpriced), (Value::Null, Value::Null));
    assert_eq!(unpriced["output_tokens"], 7, "{unpriced}");
    assert_eq!(cost(&gateway.record(&gateway.send(&chat("nobody")))), (Value::Null, Value::Null));
}

fn a_provider_that_is_well_known_needs_no_price(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("openai", &upstream).model("m", &["openai/gpt-4o"]).start();
    let record = gateway.record(&gateway.send(&chat("m")));
    assert_eq!(record["cost_nano"], 97_500, "11 x 2500 + 7 x 10000: {record}");
    let table = record["price"].as_str().unwrap_or_default();
    let date = table.strip_prefix("genai-prices ").unwrap_or_else(|| panic!("{record}"));
    assert!(date.len() == 10 && date.starts_with("20"), "{record}");
}

fn the_target_that_answered_is_the_one_that_is_paid(host: Host) {
    let (broken, upstream) = (Upstream::answering(Answer::json(500, "{}")), Upstream::saying("Hi"));
    let targets = "[[models]]\nname = \"m\"\ntargets = [\
        { provider = \"a\", model = \"up\", price = { input = 100, output = 100 } }, \
        { provider = \"b\", model = \"up\", tier = 2, price = { input = 3, output = 15 } }]\n";
    let gateway = Gateway::on(host).provider("a", &broken).provider("b", &upstream).catalog(targets).start();
    let record = gateway.record(&gateway.send(&chat("m")));
    assert_eq!(record["attempts"].as_array().map(Vec::len), Some(2), "{record}");
    assert_eq!(cost(&record), (json!(138_000), json!("catalog")));
}
