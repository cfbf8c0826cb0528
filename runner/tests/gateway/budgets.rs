//! Money: what keys may spend, and what providers were paid beforehand.

use serde_json::{Value, json};

use crate::common::{Builder, Connection, Gateway, Host, Request, Response, TOKEN, eventually};
use crate::quotas::{certainly, provider, warmed, was_certain, with_limits};
use crate::upstream::{Answer, Upstream, completion, event};

both_hosts![
    a_keys_budget_is_paid_with_what_calls_really_cost_and_then_refuses,
    a_budget_takes_no_call_where_the_price_is_unknown,
    a_call_that_cost_nothing_is_given_back_to_its_budget,
    a_limited_key_cannot_choose_what_its_provider_serves,
    a_model_that_was_not_asked_for_is_paid_as_what_it_is,
    images_and_speech_cost_a_budget_what_they_are_published_to_cost,
    images_of_unknown_price_cost_a_budget_more_than_nearly_nothing,
    a_stream_left_before_it_says_what_it_used_is_paid_by_what_passed,
    a_client_that_leaves_before_there_is_an_answer_pays_what_was_guessed,
    a_credit_is_spent_by_cost_and_then_left_for_the_next_target,
    a_credit_that_is_spent_is_known_to_be_and_not_asked_for_again,
    counting_tokens_costs_no_budget_and_needs_no_price,
    a_spent_budget_is_a_matter_of_billing_for_anthropics_clients,
];

/// An answer uses 11 and 7 tokens ([`crate::upstream::completion`]), which cost 0.18 USD at this price; before it one
/// like it is guessed to cost about 0.3 USD.
const DEAR: &str = "price = { input = 10000, output = 10000 }";

fn model(targets: &[(&str, &str)]) -> String {
    let target = |(index, (target, fields)): (usize, &(&str, &str))| {
        let (provider, model) = target.split_once('/').expect("provider/upstream-model");
        let tier = index + 1;
        format!("[[models.targets]]\nprovider = \"{provider}\"\nmodel = \"{model}\"\ntier = {tier}\n{fields}\n")
    };
    let targets: String = targets.iter().enumerate().map(target).collect();
    format!("[[models]]\nname = \"m\"\n{targets}")
}

fn call(key: &str) -> Request {
    let body = r#"{"model":"m","max_tokens":10,"messages":[{"role":"user","content":"Hello"}]}"#;
    Request::new("POST", "/v1/chat/completions").key(key).json(body)
}

/// The only limit with this name.
fn limit(gateway: &Gateway, name: &str) -> Value {
    let quota = gateway.admin("GET", "/api/quota", "").json();
    let limits = quota["quota"].as_array().expect("a list").clone();
    limits.into_iter().find(|limit| limit["name"] == name).unwrap_or_else(|| panic!("{quota}"))
}

fn spent(gateway: &Gateway, name: &str) -> u64 {
    limit(gateway, name)["spent"].as_u64().expect("a number")
}

/// One call after the other, each once the one before it is settled.
fn in_a_row(gateway: &Gateway, name: &str, key: &str, costs_nano: &[u64]) -> Option<Vec<Response>> {
    let mut paid = 0;
    let responses = costs_nano.iter().map(|cost_nano| {
        let response = gateway.send(&call(key));
        paid += cost_nano;
        let is_unknown = response.status == 503;
        if !is_unknown {
            eventually("it is settled", || (spent(gateway, name) == paid).then_some(()));
        }
        (!is_unknown).then_some(response)
    });
    responses.collect()
}

const CALL_NANO: u64 = 180_000_000;

fn a_keys_budget_is_paid_with_what_calls_really_cost_and_then_refuses(host: Host) {
    let (gateway, responses) = certainly(|| {
        let upstream = Upstream::saying("Hi");
        let gateway = Gateway::on(host).provider("a", &upstream).catalog(&model(&[("a/up", DEAR)])).start();
        let (gateway, key) = with_limits(gateway, json!({ "budget": "1 USD/month" }));
        let costs = [CALL_NANO, CALL_NANO, CALL_NANO, CALL_NANO, 0];
        let responses = in_a_row(&gateway, "budget-month", &key, &costs)?;
        Some((gateway, responses))
    });
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 429]);
    let refused = responses.last().expect("five of them");
    let error = refused.openai_error();
    assert_eq!((error.kind.as_str(), error.code.as_str()), ("insufficient_quota", "insufficient_quota"));
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    let message =
        "The budget of key \"busy\" is used up (key busy: 0.72 of 1 USD/month spent, and this call may cost 0.";
    assert!(error.message.starts_with(message), "{}", error.message);
    assert!(error.message.contains("It resets at 20"), "{}", error.message);
    assert_eq!(gateway.record(refused)["state"], "quota_spent");
    let shown = limit(&gateway, "budget-month");
    assert_eq!((&shown["unit"], &shown["limit"]), (&json!("nano-dollars"), &json!(1_000_000_000)));
    assert_eq!((&shown["spent"], &shown["scope"]["key"]), (&json!(4 * CALL_NANO), &json!("busy")));
    assert!(shown["resets_at_ms"].is_i64(), "{shown}");
    assert_eq!(gateway.send(&call(TOKEN)).status, 200, "the admin token has no budget");
}

fn a_budget_takes_no_call_where_the_price_is_unknown(host: Host) {
    let upstream = Upstream::saying("Hi");
    let targets = model(&[("a/unknown", ""), ("a/up", DEAR)]);
    let gateway = Gateway::on(host).provider("a", &upstream).catalog(&targets).start();
    let (gateway, key) = with_limits(gateway, json!({ "budget": "100 USD/day" }));
    let served = eventually("an answer of the ledger", || {
        Some(gateway.send(&call(&key))).filter(|response| response.status != 503)
    });
    assert_eq!((served.status, served.header("x-llmio-target")), (200, Some("a/up")));
    let skipped = gateway.record(&served)["decision"]["skipped"][0].clone();
    assert_eq!(skipped, json!({ "target": "a/unknown", "reason": "unpriced" }));
    assert_eq!(gateway.send(&call(TOKEN)).header("x-llmio-target"), Some("a/unknown"), "no budget, no need");
    let mut catalog = gateway.admin("GET", "/api/catalog", "").json();
    catalog["models"][0]["targets"] = json!(["a/unknown"]);
    assert_eq!(gateway.put_catalog(&catalog.to_string()).status, 200);
    let gateway = warmed(gateway);
    let refused = eventually("an answer of the ledger", || {
        Some(gateway.send(&call(&key))).filter(|response| response.openai_error().code != "limits_unknown")
    });
    assert_eq!((refused.status, refused.header("x-should-retry")), (400, Some("false")));
    let message = "a/unknown has no known price, which the budget of the key needs. Mend the catalog";
    assert!(refused.openai_error().message.contains(message), "{}", refused.text());
}

fn a_call_that_cost_nothing_is_given_back_to_its_budget(host: Host) {
    let (gateway, status) = certainly(|| {
        let upstream = Upstream::answering(Answer::json(400, r#"{"error":{"message":"Unsupported value"}}"#));
        let gateway = Gateway::on(host).provider("a", &upstream).catalog(&model(&[("a/up", DEAR)])).start();
        let (gateway, key) = with_limits(gateway, json!({ "budget": "1 USD/total" }));
        let status = gateway.send(&call(&key)).status;
        (status != 503).then_some((gateway, status))
    });
    assert_eq!(status, 400);
    eventually("nothing is spent", || (spent(&gateway, "credit") == 0).then_some(()));
}

fn streamed(key: &str) -> Request {
    let body = r#"{"model":"m","stream":true,"max_tokens":10,"messages":[{"role":"user","content":"Hello"}]}"#;
    Request::new("POST", "/v1/chat/completions").key(key).json(body)
}

/// Opens a stream that the ledger answers for in time.
fn opened(gateway: &Gateway, key: &str) -> Connection {
    eventually("an answer of the ledger", || {
        let mut stream = gateway.open(&streamed(key));
        (stream.status() == 200).then_some(stream)
    })
}

fn a_stream_left_before_it_says_what_it_used_is_paid_by_what_passed(host: Host) {
    // 10,000 tokens, which cost 100 USD, and a few more until it is noticed that nobody listens.
    let letters = "x".repeat(40_000);
    let upstream = Upstream::answering(Answer::stream().chunk(event(&letters)).drip(&event("x")));
    let quota = "quota = { tpd = 1000000 }";
    let gateway = Gateway::on(host).catalog(&provider("a", &upstream, quota)).catalog(&model(&[("a/up", DEAR)]));
    let (gateway, key) = with_limits(gateway.start(), json!({ "budget": "1000 USD/month" }));
    let mut stream = opened(&gateway, &key);
    let id = stream.header("x-llmio-record").expect("a record");
    stream.read_until(&letters);
    drop(stream);
    let record = gateway.record_by_id(&id);
    assert_eq!((&record["state"], &record["output_tokens"]), (&json!("client_closed"), &json!(null)), "{record}");
    let warnings = record["warnings"].to_string();
    assert!(record["cost_nano"].is_null() && warnings.contains("usage_estimated"), "{record}");
    let paid =
        eventually("it is settled", || Some(spent(&gateway, "budget-month")).filter(|paid| *paid > 1_000_000_000));
    assert!((100_000_000_000..200_000_000_000).contains(&paid), "{paid}");
    eventually("the provider's quota too", || (spent(&gateway, "tpd") >= 10_000).then_some(()));
}

fn a_client_that_leaves_before_there_is_an_answer_pays_what_was_guessed(host: Host) {
    let upstream = Upstream::answering(Answer::nothing().wait());
    let early = "head_after = \"1s\"\ntimeouts = { keep_alive = \"1s\" }\n";
    let model = model(&[("a/up", DEAR)]).replacen("name = \"m\"\n", &format!("name = \"m\"\n{early}"), 1);
    let gateway = Gateway::on(host).provider("a", &upstream).catalog(&model).start();
    let (gateway, key) = with_limits(gateway, json!({ "budget": "1 USD/month", "concurrent": 1 }));
    let mut stream = opened(&gateway, &key);
    let id = stream.header("x-llmio-record").expect("a record");
    stream.read_until("\n\n");
    drop(stream);
    assert_eq!(gateway.record_by_id(&id)["state"], "client_closed");
    eventually("it is settled", || (spent(&gateway, "concurrent") == 0).then_some(()));
    assert!(spent(&gateway, "budget-month") >= 100_000_000, "a prompt and an answer of ten tokens");
}

/// A target whose credit is spent by the first two of four calls, and another behind it.
fn with_credit(host: Host) -> (Gateway, Vec<Response>) {
    certainly(|| {
        let (first, second) = (Upstream::saying("from a"), Upstream::saying("from b"));
        let credit = "credentials = [{ value = \"sk-paid-1\", label = \"paid\", quota = { credit = \"0.5 USD\" } }]";
        let gateway = Gateway::on(host).catalog(&provider("a", &first, credit)).provider("b", &second);
        let gateway = warmed(gateway.catalog(&model(&[("a/up", DEAR), ("b/up", "")])).start());
        let responses = in_a_row(&gateway, "credit", TOKEN, &[CALL_NANO, CALL_NANO, 0, 0])?;
        was_certain(&gateway, 4).then_some((gateway, responses))
    })
}

fn a_credit_is_spent_by_cost_and_then_left_for_the_next_target(host: Host) {
    let (_gateway, responses) = with_credit(host);
    let targets: Vec<&str> = responses.iter().filter_map(|response| response.header("x-llmio-target")).collect();
    assert_eq!(targets, ["a/up", "a/up", "b/up", "b/up"]);
}

fn a_credit_that_is_spent_is_known_to_be_and_not_asked_for_again(host: Host) {
    let (gateway, _) = with_credit(host);
    let last = gateway.record(&gateway.send(&call(TOKEN)));
    let skipped = eventually("the target is known to be spent", || {
        let record = gateway.record(&gateway.send(&call(TOKEN)));
        let is_known = record["decision"]["candidates"] == json!(["b/up"]);
        is_known.then(|| record["decision"]["skipped"][0].clone())
    });
    assert_eq!((&skipped["reason"], &skipped["until_ms"]), (&json!("quota_spent"), &Value::Null), "{last}");
    assert_eq!(skipped["said"], "a (credential paid): 0.5 USD spent");
}

/// A provider that speaks Anthropic's dialect, and a model of one target there.
fn anthropic(gateway: Builder, upstream: &Upstream, price: &str) -> Builder {
    let url = upstream.url();
    let provider = format!(
        "[[providers]]\nname = \"a\"\nlocal = true\nendpoints = {{ anthropic = \"{url}/v1\" }}\ncredentials = [\"key-1\"]\n"
    );
    gateway.catalog(&provider).catalog(&model(&[("a/up", price)]))
}

fn counting_tokens_costs_no_budget_and_needs_no_price(host: Host) {
    let upstream = Upstream::answering(Answer::json(200, r#"{"input_tokens":12}"#));
    let gateway = anthropic(Gateway::on(host), &upstream, "").start();
    let (gateway, key) = with_limits(gateway, json!({ "budget": "1 USD/month" }));
    let count = call(&key).to("/v1/messages/count_tokens");
    for _ in 0..3 {
        eventually("an answer of the ledger", || (gateway.send(&count).status == 200).then_some(()));
    }
    assert!(upstream.received().len() >= 3);
    assert_eq!(spent(&gateway, "budget-month"), 0);
}

fn a_spent_budget_is_a_matter_of_billing_for_anthropics_clients(host: Host) {
    let upstream = Upstream::answering(Answer::json(200, "{}"));
    let gateway = anthropic(Gateway::on(host), &upstream, DEAR).start();
    let (gateway, key) = with_limits(gateway, json!({ "budget": "1 USD/month" }));
    let set = gateway.admin("PUT", "/api/quota/key%2Fbusy%2Fbudget-month", r#"{"spent":1000000000}"#);
    assert_eq!(set.status, 200, "{}", set.text());
    let refused = eventually("an answer of the ledger", || {
        Some(gateway.send(&call(&key).to("/v1/messages"))).filter(|response| response.status != 503)
    });
    assert_eq!((refused.status, refused.header("x-should-retry")), (429, Some("false")));
    assert_eq!(refused.json()["error"]["type"], "billing_error", "{}", refused.text());
    assert_eq!(upstream.received().len(), 0);
}

fn a_limited_key_cannot_choose_what_its_provider_serves(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let (limited, free) = (gateway.new_key("limited", &["m"]), gateway.new_key("free", &[]));
    let body = r#"{"model":"m","models":["dear/opus"],"route":"fallback","provider":{"order":["x"]},"messages":[]}"#;
    let ask = |key: &str| gateway.send(&Request::new("POST", "/v1/chat/completions").key(key).json(body));
    let response = ask(&limited);
    let sent = String::from_utf8(upstream.only().body).expect("text");
    assert_eq!((response.status, sent.as_str()), (200, r#"{"model":"up","messages":[]}"#));
    let warnings = gateway.record(&response)["warnings"].to_string();
    assert!(["`models`", "`route`", "`provider`"].iter().all(|name| warnings.contains(name)), "{warnings}");
    assert_eq!(ask(&free).status, 200);
    let sent = upstream.received().pop().expect("the second one");
    assert!(String::from_utf8_lossy(&sent.body).contains("dear/opus"), "who has no limits may");
}

/// Pieces asked for with a budget of a cent: how many were made, and what the record says the first one cost.
fn pieces_for_a_cent(host: Host, target: (&str, &str), path: &str, body: &str) -> (usize, Value, Response) {
    let made = r#"{"created":1,"data":[{"url":"http://x"}]}"#;
    let (gateway, mut responses) = certainly(|| {
        let upstream = Upstream::answering(Answer::json(200, made));
        // The table of prices knows the provider by its name, since its address here is not the public one.
        let gateway = Gateway::on(host).provider("openai", &upstream).catalog(&model(&[target])).start();
        let (gateway, key) = with_limits(gateway, json!({ "budget": "0.01 USD/month" }));
        let request = Request::new("POST", path).key(&key).json(body);
        let mut responses = Vec::new();
        loop {
            let response = gateway.send(&request);
            // The ledger did not answer in time.
            if response.status == 503 && !response.text().contains("has no known price") {
                return None;
            }
            let is_refused = response.status != 200;
            responses.push(response);
            if is_refused || responses.len() > 50 {
                return Some((gateway, responses));
            }
        }
    });
    let refused = responses.pop().expect("a refusal");
    let cost_nano = responses.first().map_or(Value::Null, |first| gateway.record(first)["cost_nano"].clone());
    (responses.len(), cost_nano, refused)
}

fn images_and_speech_cost_a_budget_what_they_are_published_to_cost(host: Host) {
    let tokens = "price = { input = 5, output = 40 }";
    let image = r#"{"model":"m","prompt":"a cat","size":"1792x1024","quality":"hd"}"#;
    let (made, cost_nano, refused) =
        pieces_for_a_cent(host, ("openai/dall-e-3", tokens), "/v1/images/generations", image);
    assert_eq!((made, cost_nano, refused.status), (1, 120_000_000.into(), 429), "{}", refused.text());
    let speech = format!(r#"{{"model":"m","voice":"v","input":"{}"}}"#, "hello ".repeat(50));
    let (made, cost_nano, refused) = pieces_for_a_cent(host, ("openai/tts-1", ""), "/v1/audio/speech", &speech);
    assert_eq!((cost_nano, refused.status), (4_500_000.into(), 429), "{}", refused.text());
    assert!(made <= 3, "300 characters cost 0.0045 USD, and {made} were made for 0.01");
}

fn images_of_unknown_price_cost_a_budget_more_than_nearly_nothing(host: Host) {
    let image = r#"{"model":"m","prompt":"a cat"}"#;
    let paid_by_tokens = ("openai/an-image-model", "price = { input = 5, output = 40 }");
    let (made, _, refused) = pieces_for_a_cent(host, paid_by_tokens, "/v1/images/generations", image);
    assert_eq!((made, refused.status), (1, 429), "what may have been used stays charged: {}", refused.text());
    let (made, _, refused) = pieces_for_a_cent(host, ("openai/an-image-model", ""), "/v1/images/generations", image);
    assert_eq!(made, 0, "nobody knows what it costs");
    assert!(refused.text().contains("has no known price"), "{}", refused.text());
}

fn a_model_that_was_not_asked_for_is_paid_as_what_it_is(host: Host) {
    let served = |model: &str| {
        let mut answer: Value = serde_json::from_str(&completion("Hi")).expect("JSON");
        answer["model"] = model.into();
        Answer::json(200, &answer.to_string())
    };
    let usage = r#"{"prompt_tokens":11,"completion_tokens":7}"#;
    let stream = format!(r#"data: {{"model":"gpt-4o","choices":[{{"delta":{{"content":"Hi"}}}}],"usage":{usage}}}"#);
    let stream = Answer::stream().chunk(format!("{stream}\n\ndata: [DONE]\n\n")).end();
    let upstream =
        Upstream::answering(served("gpt-4o")).then([served("gpt-4o-mini-2024-07-18"), served("gpt-4o"), stream]);
    let gateway = Gateway::on(host).provider("openai", &upstream);
    let gateway = gateway.catalog(&model(&[("openai/gpt-4o-mini", "price = { input = 0, output = 0 }")])).start();
    let record =
        |body: &str| gateway.record(&gateway.send(&Request::new("POST", "/v1/chat/completions").key(TOKEN).json(body)));
    let first = record(r#"{"model":"m"}"#);
    assert_eq!((&first["cost_nano"], &first["warnings"]), (&0.into(), &Value::Null));
    // 11 tokens at 2.5 and 7 at 10 USD a million.
    for body in [r#"{"model":"m"}"#, r#"{"model":"m","stream":true}"#] {
        let other = record(body);
        assert_eq!((&other["cost_nano"], &other["warnings"]), (&97_500.into(), &json!(["other_model: gpt-4o"])));
    }
}
