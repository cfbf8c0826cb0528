//! Which target a call goes to apart from chance and health: what it needs, what its key avoids, whose turn it is, what
//! its session used before, and what comes after the model's own targets. And the same, asked in advance.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::common::{Gateway, Host, Request, TOKEN, chat};
use crate::upstream::Upstream;

both_hosts![
    a_target_that_lacks_what_the_call_needs_is_skipped,
    a_prompt_larger_than_a_context_window_goes_elsewhere,
    a_key_avoids_providers_by_tag,
    a_fallback_model_serves_when_none_of_its_own_targets_can,
    round_robin_takes_turns_by_weight,
    a_session_stays_with_its_target_and_sessions_are_shared_out,
    a_prompts_beginning_keeps_calls_together,
    the_way_of_a_call_is_told_beforehand_and_afterwards_alike,
    a_question_for_a_key_is_answered_as_the_key_would_be,
    a_question_tells_whose_turn_it_is_and_takes_it_from_nobody,
    a_question_about_the_way_that_makes_no_sense_is_refused,
];

const ECHO: &str = "[[providers]]\npreset = \"echo\"\n";

fn gateway(host: Host, models: &str) -> Gateway {
    Gateway::on(host).catalog(ECHO).catalog(models).start()
}

fn target(gateway: &Gateway, request: &Request) -> String {
    let response = gateway.send(request);
    assert_eq!(response.status, 200, "{}", response.text());
    response.header("x-llmio-target").expect("a target").to_owned()
}

fn a_target_that_lacks_what_the_call_needs_is_skipped(host: Host) {
    let models = r#"
        [[models]]
        name = "m"
        targets = [
            { provider = "echo", model = "plain", capabilities = { tools = false, structured = false, images = false } },
            { provider = "echo", model = "able", tier = 2 },
        ]
    "#;
    let gateway = gateway(host, models);
    let body = |members: &str| chat("m").body(format!(r#"{{"model":"m",{members}}}"#));
    for plain in [
        r#""messages":[{"role":"user","content":"a \"type\":\"image_url\""}]"#,
        r#""tools":[],"response_format":{"type":"json_object"}"#,
        r#""messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]"#,
    ] {
        assert_eq!(target(&gateway, &body(plain)), "echo/plain", "{plain}");
    }
    for able in [
        r#""tools":[{"type":"function"}]"#,
        r#""response_format":{"type":"json_schema"}"#,
        r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]"#,
    ] {
        assert_eq!(target(&gateway, &body(able)), "echo/able", "{able}");
    }
    let record = gateway.record(&gateway.send(&body(r#""tools":[{}]"#)));
    assert_eq!(record["decision"]["skipped"], json!([{ "target": "echo/plain", "reason": "capability" }]));
}

fn a_prompt_larger_than_a_context_window_goes_elsewhere(host: Host) {
    let models = r#"
        [[models]]
        name = "m"
        targets = [
            { provider = "echo", model = "small", capabilities = { context = 1000 } },
            { provider = "echo", model = "large", tier = 2 },
        ]
    "#;
    let gateway = gateway(host, models);
    let long = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#, "x".repeat(5000));
    assert_eq!(target(&gateway, &chat("m")), "echo/small");
    assert_eq!(target(&gateway, &chat("m").body(long)), "echo/large");
}

fn a_key_avoids_providers_by_tag(host: Host) {
    let (first, second) = (Upstream::saying("a"), Upstream::saying("b"));
    let catalog = format!(
        "[[providers]]\nname = \"a\"\nbase_url = \"{}/v1\"\nlocal = true\ntags = [\"trains-on-prompts\"]\n",
        first.url()
    );
    let hash = "sha256:dd32b8dc14eccfb83dd0b5cb2d3c1c34a1f9dffd6bfc7c93be2ad2a52cb84d6b";
    let key = format!("[[keys]]\nname = \"careful\"\nhash = \"{hash}\"\navoid = [\"trains-on-prompts\"]\n");
    let gateway = Gateway::on(host).catalog(&catalog).provider("b", &second).model("m", &["a/up", "b/up"]);
    let gateway = gateway.catalog(&key).start();
    assert_eq!(target(&gateway, &chat("m")), "a/up");
    let ask = json!({ "key": "careful", "body": { "model": "m" } }).to_string();
    let decision = gateway.admin("POST", "/api/route", &ask).json()["decision"].clone();
    assert_eq!(decision["candidates"], json!(["b/up"]));
    assert_eq!(decision["skipped"], json!([{ "target": "a/up", "reason": "tag" }]));
}

fn a_fallback_model_serves_when_none_of_its_own_targets_can(host: Host) {
    let (dead, alive) = (Upstream::absent(), Upstream::saying("from b"));
    let gateway = Gateway::on(host).provider("a", &dead).provider("b", &alive);
    let gateway = gateway.model_with("m", "fallback = [\"n\"]", &["a/up"]).model("n", &["b/*"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!((response.status, response.header("x-llmio-target")), (200, Some("b/n")));
    assert!(
        String::from_utf8_lossy(&alive.only().body).contains(r#""model":"n""#),
        "the fallback's own name is asked for"
    );
    let record = gateway.record(&response);
    assert_eq!((&record["model"], &record["decision"]["candidates"]), (&json!("m"), &json!(["a/up", "b/n"])));
}

fn round_robin_takes_turns_by_weight(host: Host) {
    let models = r#"
        [[models]]
        name = "m"
        strategy = "round-robin"
        targets = [{ provider = "echo", model = "two", weight = 2 }, { provider = "echo", model = "one" }]
    "#;
    let gateway = gateway(host, models);
    let mut connection = gateway.connect();
    let target = |_| connection.exchange(&chat("m")).header("x-llmio-target").expect("a target").to_owned();
    let turns: Vec<String> = (0..6).map(target).collect();
    let expected = ["echo/two", "echo/one", "echo/two", "echo/two", "echo/one", "echo/two"];
    // On hosts that end instances the turns are stored.
    assert_eq!(turns, expected);
}

const THREE: &str = "targets = [\"echo/a\", \"echo/b\", \"echo/c\"]\n";

fn a_session_stays_with_its_target_and_sessions_are_shared_out(host: Host) {
    let gateway = gateway(host, &format!("[[models]]\nname = \"m\"\naffinity = \"session\"\n{THREE}"));
    let of = |session: &str| target(&gateway, &chat("m").header("x-session-id", session));
    let mut seen = HashSet::new();
    for session in 0..12 {
        let first = of(&format!("s-{session}"));
        assert!((0..4).all(|_| of(&format!("s-{session}")) == first), "session {session} moved");
        seen.insert(first);
    }
    assert_eq!(seen.len(), 3);
    let body = r#"{"model":"m","metadata":{"user_id":"s-1"}}"#;
    assert_eq!(target(&gateway, &chat("m").body(body)), of("s-1"), "wherever the session is named");
    let record = gateway.record(&gateway.send(&chat("m").header("x-session-id", "s-1")));
    assert_eq!(record["decision"]["affinity"], "session");
}

fn a_prompts_beginning_keeps_calls_together(host: Host) {
    let gateway = gateway(host, &format!("[[models]]\nname = \"m\"\naffinity = \"prompt-cache\"\n{THREE}"));
    let prompt = |system: usize, question: usize| {
        let system = format!("{system}{}", "You are helpful. ".repeat(300));
        let messages = json!([
            { "role": "system", "content": system },
            { "role": "user", "content": "the same first words" },
            { "role": "assistant", "content": "yes" },
            { "role": "user", "content": format!("question {question}") },
        ]);
        chat("m").body(json!({ "model": "m", "messages": messages }).to_string())
    };
    let mut seen = HashSet::new();
    for system in 0..12 {
        let first = target(&gateway, &prompt(system, 0));
        assert!((1..5).all(|question| target(&gateway, &prompt(system, question)) == first), "prompt {system} moved");
        seen.insert(first);
    }
    assert_eq!(seen.len(), 3);
}

fn the_way_of_a_call_is_told_beforehand_and_afterwards_alike(host: Host) {
    let models = format!("[[models]]\nname = \"m\"\n{THREE}");
    let gateway = gateway(host, &models);
    let ask = |question: &Value| gateway.admin("POST", "/api/route", &question.to_string()).json();
    let plan = ask(&json!({ "body": { "model": "m" } }));
    assert_eq!((&plan["model"], &plan["refusal"]), (&json!("m"), &Value::Null));
    assert_eq!(plan["decision"]["candidates"].as_array().map(Vec::len), Some(3));
    let record = gateway.record(&gateway.send(&chat("m")));
    let again = ask(&json!({ "draw": record["decision"]["draw"], "body": { "model": "m" } }));
    assert_eq!(again["decision"], record["decision"]);
    assert_eq!(gateway.records("model=m").len(), 1, "a question is no call");
}

fn a_question_for_a_key_is_answered_as_the_key_would_be(host: Host) {
    let keys = r#"
        [[keys]]
        name = "narrow"
        hash = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
        models = ["other"]

        [[keys]]
        name = "old"
        hash = "sha256:0000000000000000000000000000000000000000000000000000000000000002"
        expires = "2020-01-01T00:00:00Z"
    "#;
    let other = "[[models]]\nname = \"other\"\ntargets = [\"echo/o\"]\n";
    let models = format!("[[models]]\nname = \"m\"\n{THREE}{other}{keys}");
    let gateway = gateway(host, &models);
    for (key, status, says) in [("narrow", 403, "may not use model"), ("old", 401, "has expired")] {
        let question = json!({ "key": key, "body": { "model": "m" } });
        let refusal = &gateway.admin("POST", "/api/route", &question.to_string()).json()["refusal"];
        assert_eq!(refusal["status"], status, "{refusal}");
        assert!(refusal["message"].as_str().is_some_and(|message| message.contains(says)), "{refusal}");
    }
}

fn a_question_tells_whose_turn_it_is_and_takes_it_from_nobody(host: Host) {
    let models = "[[models]]\nname = \"m\"\nstrategy = \"round-robin\"\ntargets = [\"echo/a\", \"echo/b\"]\n";
    let gateway = gateway(host, models);
    let mut connection = gateway.connect();
    let question = Request::new("POST", "/api/route").key(TOKEN).json(r#"{"body":{"model":"m"}}"#);
    for _ in 0..4 {
        let plan = connection.exchange(&question).json();
        let plan = &plan["decision"]["candidates"];
        assert_eq!(*plan, connection.exchange(&question).json()["decision"]["candidates"], "asking changes nothing");
        let next = connection.exchange(&chat("m"));
        assert_eq!(plan[0], next.header("x-llmio-target").unwrap_or_default());
    }
}

fn a_question_about_the_way_that_makes_no_sense_is_refused(host: Host) {
    let gateway = gateway(host, &format!("[[models]]\nname = \"m\"\n{THREE}"));
    for (question, status, says) in [
        ("{", 400, "was not understood"),
        (r#"{"body":{}}"#, 400, "`model` is missing"),
        (r#"{"body":{"model":"nobody"}}"#, 404, "no model \"nobody\""),
        (r#"{"key":"nobody","body":{"model":"m"}}"#, 400, "no key named \"nobody\""),
        (r#"{"endpoint":"chat","body":{"model":"m"}}"#, 400, "Endpoints: chat/completions"),
        (r#"{"draw":"x","body":{"model":"m"}}"#, 400, "64 bits"),
    ] {
        let response = gateway.send(&Request::new("POST", "/api/route").key(TOKEN).json(question));
        assert_eq!(response.status, status, "{question}");
        assert!(response.problem_detail().contains(says), "{question}: {}", response.text());
    }
}
