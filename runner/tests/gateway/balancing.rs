//! How calls are shared among targets, and what is served before anything is configured.

use std::collections::HashMap;
use std::thread;

use crate::common::{End, Gateway, Host, Request, TOKEN, chat, streamed_chat};

both_hosts![
    shares_follow_the_weights,
    the_demo_model_answers_before_anything_is_configured,
    the_demo_model_streams,
    the_demo_model_embeds_and_completes,
    the_models_a_key_may_use_are_listed,
    a_tier_is_left_alone_while_a_lower_one_can_serve,
    a_disabled_target_gets_nothing_and_the_record_says_why,
    a_model_whose_targets_are_all_disabled_is_its_keepers_to_mend,
];

const ECHO: &str = "[[providers]]\npreset = \"echo\"\n";

fn shares_follow_the_weights(host: Host) {
    // Imitating Spin costs several times as much; the chance is drawn by the same code. Both bounds are more than four
    // standard deviations wide.
    let (connections, calls, off_max) = if host == Host::Runner { (8, 1250, 0.02) } else { (8, 650, 0.03) };
    let catalog = format!(
        "{ECHO}[[models]]\nname = \"m\"\ntargets = [{{ provider = \"echo\", model = \"seven\", weight = 7 }}, \
         {{ provider = \"echo\", model = \"two\", weight = 2 }}, {{ provider = \"echo\", model = \"one\" }}]\n"
    );
    let gateway = Gateway::on(host).catalog(&catalog).start();
    let ask = || {
        let mut connection = gateway.connect();
        let mut counts: HashMap<String, u32> = HashMap::new();
        for _ in 0..calls {
            let response = connection.exchange(&chat("m"));
            let target = response.header("x-llmio-target").unwrap_or_else(|| panic!("{response:?}")).to_owned();
            *counts.entry(target).or_default() += 1;
        }
        counts
    };
    let all: Vec<(String, u32)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no call failed")).collect()
    });
    for (target, share) in [("echo/seven", 0.7), ("echo/two", 0.2), ("echo/one", 0.1)] {
        let count: u32 = all.iter().filter(|(name, _)| name == target).map(|(_, count)| count).sum();
        let seen = f64::from(count) / f64::from(connections * calls);
        assert!((seen - share).abs() <= off_max, "{target} got {seen}, not {share}");
    }
}

fn the_demo_model_answers_before_anything_is_configured(host: Host) {
    let gateway = Gateway::on(host).start();
    let response = gateway.send(&chat("demo"));
    assert_eq!(response.status, 200);
    let body = response.json();
    assert_eq!(body["choices"][0]["message"]["content"], "You said: Hello");
    assert!(body["usage"]["prompt_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{body}");
    let record = gateway.record(&response);
    assert_eq!((&record["state"], &record["provider"]), (&"ok".into(), &"echo".into()));
    assert_eq!(record["input_tokens"], body["usage"]["prompt_tokens"]);
    assert_eq!(gateway.admin("GET", "/api/catalog", "").header("etag"), Some("\"0\""), "nothing is written for it");
}

fn the_demo_model_streams(host: Host) {
    let gateway = Gateway::on(host).start();
    let response = gateway.send(&streamed_chat("demo"));
    assert_eq!((response.header("content-type"), response.end), (Some("text/event-stream"), End::Clean));
    let text = response.text();
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    assert_eq!(events.last(), Some(&"data: [DONE]"));
    let content: String = events[..events.len() - 1]
        .iter()
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").expect("data")).expect("JSON"))
        .map(|event: serde_json::Value| event["choices"][0]["delta"]["content"].as_str().unwrap_or("").to_owned())
        .collect();
    assert_eq!(content, "You said: Hello");
    let record = gateway.record(&response);
    assert!(record["state"] == "ok" && record["first_content_ms"].is_u64(), "{record}");
}

fn the_demo_model_embeds_and_completes(host: Host) {
    let gateway = Gateway::on(host).start();
    let send = |path: &str, body: &str| gateway.send(&Request::new("POST", path).key(TOKEN).json(body)).json();
    let embedded = send("/v1/embeddings", r#"{"model":"demo","input":["one","two","one"]}"#);
    let vector = |index: usize| embedded["data"][index]["embedding"].clone();
    assert!(vector(0) == vector(2) && vector(0) != vector(1) && vector(0).is_array(), "{embedded}");
    let completed = send("/v1/completions", r#"{"model":"demo","prompt":"Once"}"#);
    assert_eq!(completed["choices"][0]["text"], "You said: Once");
}

fn the_models_a_key_may_use_are_listed(host: Host) {
    let models = "[[models]]\nname = \"b\"\ntargets = [\"echo/x\"]\n[[models]]\nname = \"a\"\ntargets = [\"echo/x\"]\n\
                  [[models]]\nname = \"off\"\nenabled = false\ntargets = [\"echo/x\"]\n\
                  [[models]]\nname = \"idle\"\ntargets = [{ provider = \"echo\", model = \"x\", enabled = false }]\n";
    let gateway = Gateway::on(host).catalog(&format!("{ECHO}{models}")).start().settled();
    let key = gateway.new_key("half", &["a"]);
    let list = |key: &str| {
        let body = gateway.send(&Request::new("GET", "/v1/models").key(key)).json();
        assert_eq!(body["object"], "list");
        let ids = body["data"].as_array().expect("a list").iter().map(|model| model["id"].as_str().expect("an id"));
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(list(TOKEN), ["a", "b"]);
    assert_eq!(list(&key), ["a"]);
    let read = |id: &str, key: &str| gateway.send(&Request::new("GET", &format!("/v1/models/{id}")).key(key)).status;
    assert_eq!([read("a", &key), read("b", &key), read("b", TOKEN), read("off", TOKEN)], [200, 404, 200, 404]);
}

fn a_tier_is_left_alone_while_a_lower_one_can_serve(host: Host) {
    let gateway = Gateway::on(host).catalog(ECHO).model("m", &["echo/first", "echo/second"]).start();
    let mut connection = gateway.connect();
    for _ in 0..50 {
        assert_eq!(connection.exchange(&chat("m")).header("x-llmio-target"), Some("echo/first"));
    }
}

fn a_disabled_target_gets_nothing_and_the_record_says_why(host: Host) {
    let model =
        "[[models]]\nname = \"m\"\ntargets = [{ provider = \"echo\", model = \"x\", enabled = false }, \"echo/y\"]\n";
    let gateway = Gateway::on(host).catalog(&format!("{ECHO}{model}")).start();
    let response = gateway.send(&chat("m"));
    assert_eq!(response.header("x-llmio-target"), Some("echo/y"));
    let decision = &gateway.record(&response)["decision"];
    assert_eq!(decision["candidates"], serde_json::json!(["echo/y"]));
    assert_eq!(decision["skipped"], serde_json::json!([{ "target": "echo/x", "reason": "target_disabled" }]));
    assert!(decision["draw"].as_str().is_some_and(|draw| draw.parse::<u64>().is_ok()), "{decision}");
}

fn a_model_whose_targets_are_all_disabled_is_its_keepers_to_mend(host: Host) {
    let model = "[[models]]\nname = \"m\"\ntargets = [{ provider = \"echo\", model = \"x\", enabled = false }]\n";
    let gateway = Gateway::on(host).catalog(&format!("{ECHO}{model}")).start();
    let response = gateway.send(&chat("m"));
    assert_eq!((response.status, response.openai_error().code.as_str()), (400, "no_usable_provider"));
    assert!(response.openai_error().message.contains("echo/x is disabled"), "{}", response.text());
    assert_eq!(gateway.record(&response)["state"], "no_target");
}
