//! Claude Code's auto mode: a client that relies on its provider's review of tool calls gets it, or is told that it does
//! not.

use serde_json::json;

use crate::callers;
use crate::common::{Gateway, Host, Request, TOKEN};
use crate::upstream::{Answer, Upstream};

both_hosts![
    safeguards_reach_only_those_that_review_whatever_fails,
    safeguards_that_nobody_gives_are_refused_in_every_dialect,
];

const SAFEGUARDS: &str = r#""safeguards":[{"type":"dangerous_tool_use","classifier_context":{"v":1,"cwd":"/x"}}]"#;
const BETA: &str = "dangerous-tool-use-2026-09-03";

fn provider(name: &str, dialect: &str, upstream: &Upstream, more: &str) -> String {
    let url = upstream.url();
    format!(
        "[[providers]]\nname = \"{name}\"\nlocal = true\ndialect = \"{dialect}\"\nbase_url = \"{url}/v1\"\n{more}\n"
    )
}

fn messages(model: &str, streamed: bool) -> Request {
    let body = format!(
        r#"{{"model":"{model}","max_tokens":9,"stream":{streamed},{SAFEGUARDS},"messages":[{{"role":"user","content":"Hi"}}]}}"#
    );
    Request::new("POST", "/v1/messages").key(TOKEN).header("anthropic-beta", BETA).json(body)
}

fn safeguards_reach_only_those_that_review_whatever_fails(host: Host) {
    let failing =
        Upstream::answering(Answer::json(500, r#"{"type":"error","error":{"type":"api_error","message":"no"}}"#));
    let results = json!([{ "type": "dangerous_tool_use", "status": { "type": "available", "tool_uses": {} } }]);
    let mut answer: serde_json::Value = serde_json::from_str(&callers::answer("anthropic")).expect("JSON");
    answer["safeguard_results"] = results.clone();
    let reviewing = Upstream::answering(Answer::json(200, &answer.to_string()));
    let others =
        callers::DIALECTS.map(|dialect| (dialect, Upstream::answering(Answer::json(200, &callers::answer(dialect)))));
    let mut catalog = provider("failing", "anthropic", &failing, "safeguards = true")
        + &provider("reviewing", "anthropic", &reviewing, "");
    catalog.extend(others.iter().map(|(dialect, upstream)| provider(dialect, dialect, upstream, "")));
    catalog += "[[models]]\nname = \"m\"\nfallback = [\"spare\"]\ntargets = [\"openai-chat/up\", \"openai-responses/up\", \"failing/up\"]\n";
    catalog += "[[models]]\nname = \"spare\"\ntargets = [\"anthropic/up\", \"gemini/up\", \
                { provider = \"reviewing\", model = \"up\", tier = 2, safeguards = true, remove = [\"safeguards\"] }]\n";
    let gateway = Gateway::on(host).catalog(&catalog).start();
    for _ in 0..3 {
        let response = gateway.send(&messages("m", false));
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.json()["safeguard_results"], results);
    }
    for received in failing.received().iter().chain(&reviewing.received()) {
        assert!(String::from_utf8_lossy(&received.body).contains(SAFEGUARDS), "{received:?}");
        assert_eq!(received.header("anthropic-beta"), Some(BETA));
    }
    assert!(!failing.received().is_empty() && reviewing.received().len() == 3);
    for (dialect, upstream) in &others {
        assert!(upstream.received().is_empty(), "{dialect}");
    }
}

fn safeguards_that_nobody_gives_are_refused_in_every_dialect(host: Host) {
    for dialect in callers::DIALECTS {
        let upstream = Upstream::answering(Answer::json(200, &callers::answer(dialect)));
        let catalog = provider("a", dialect, &upstream, "") + "[[models]]\nname = \"m\"\ntargets = [\"a/up\"]\n";
        let gateway = Gateway::on(host).catalog(&catalog).start();
        for streamed in [false, true] {
            let response = gateway.send(&messages("m", streamed));
            assert_eq!(response.status, 400, "{dialect}: {}", response.text());
            let error =
                json!({ "type": "invalid_request_error", "message": "safeguards: Extra inputs are not permitted" });
            assert_eq!(response.json()["error"], error, "{dialect}");
            let record = gateway.record(&response);
            assert_eq!(record["decision"]["skipped"][0]["reason"], "safeguards", "{dialect}");
        }
        assert!(upstream.received().is_empty(), "{dialect}");
    }
}
