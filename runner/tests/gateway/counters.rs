//! What providers count themselves: asked for in the background of calls, shown as theirs, and used only where it is
//! more.

use serde_json::{Value, json};

use crate::common::{Gateway, Host, chat, clear_of_midnight, eventually};
use crate::upstream::{Answer, Upstream, completion};

both_hosts![where_requests_are_counted_nobody_asks,];

const KEY: &str = "/api/v1/key";
const BALANCE: &str = "/user/balance";

fn openrouter(free_calls: u64, daily_usd: f64) -> Answer {
    let free = json!({ "used": free_calls, "limit": 50, "remaining": 50 - free_calls });
    let data = json!({ "label": "sk-or-v1-c4n...4ry", "limit": null, "limit_remaining": null, "usage": 25.5,
                       "usage_daily": daily_usd, "free_model_daily_requests": free });
    Answer::json(200, &json!({ "data": data }).to_string())
}

/// A provider at this upstream, with the preset's counter.
fn preset(name: &str, upstream: &Upstream, fields: &str) -> String {
    clear_of_midnight();
    format!(
        "[[providers]]\npreset = \"{name}\"\nbase_url = \"{}/api/v1\"\nlocal = true\n\
         credentials = [{{ value = \"sk-c4n4ry-of-{name}\", label = \"first\" }}]\n{fields}\n\
         [[models]]\nname = \"m\"\ntargets = [\"{name}/up:free\"]\n",
        upstream.url()
    )
}

fn quota(gateway: &Gateway) -> Value {
    let answer = gateway.admin("GET", "/api/quota", "");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn spent(gateway: &Gateway, name: &str) -> Option<u64> {
    let limits = quota(gateway)["quota"].as_array().expect("limits").clone();
    limits.iter().find(|limit| limit["name"] == name).expect("a limit of this name")["spent"].as_u64()
}

#[test]
fn a_told_number_is_shown_and_raises_what_is_spent_in_its_window() {
    let upstream = Upstream::saying("Hi").at(KEY, openrouter(12, 0.25));
    let gateway = Gateway::on(Host::Runner).catalog(&preset("openrouter", &upstream, "known_quotas = true")).start();
    assert_eq!(gateway.send(&chat("m")).text(), completion("Hi"));
    let counters = eventually("what it counts is shown", || {
        let counters = quota(&gateway)["told"].as_array().expect("a list").clone();
        (counters.len() == 2).then_some(counters)
    });
    let shown: Vec<_> = counters
        .iter()
        .map(|counters| {
            [&counters["provider"], &counters["credential"], &counters["what"], &counters["per"], &counters["spent"]]
        })
        .collect();
    let (openrouter, first) = (json!("openrouter"), json!("first"));
    assert_eq!(
        shown,
        [
            [&openrouter, &first, &json!("free calls"), &json!("day"), &json!(12)],
            [&openrouter, &first, &json!("key"), &json!("day"), &json!(250_000_000)],
        ]
    );
    assert!(
        counters[0]["source"].as_str().is_some_and(|source| source.starts_with("https://openrouter.ai/")),
        "{counters:?}"
    );
    eventually("what is spent is raised", || (spent(&gateway, "rpd") == Some(12)).then_some(()));
    // A minute may have passed since the call.
    assert!(spent(&gateway, "rpm").is_some_and(|spent| spent <= 1), "and nothing else");
    // The next calls count on from there, and it is not asked again.
    for _ in 0..10 {
        assert_eq!(gateway.send(&chat("m")).status, 200);
    }
    eventually("the calls are counted", || (spent(&gateway, "rpd") == Some(22)).then_some(()));
    let requests = upstream.asked_at(KEY);
    assert_eq!(requests.len(), 1, "at most every five minutes, whichever instance serves");
    assert_eq!(requests[0].line, "GET /api/v1/key HTTP/1.1");
    assert_eq!(requests[0].header("authorization"), Some("Bearer sk-c4n4ry-of-openrouter"));
    assert!(requests[0].header("x-llmio-host").is_none() && requests[0].body.is_empty(), "{requests:?}");
    assert!(!quota(&gateway).to_string().contains("c4n4ry"), "no secret is shown");
}

#[test]
fn less_than_is_known_lowers_nothing_and_the_answer_to_put_stands() {
    let upstream = Upstream::saying("Hi").at(KEY, openrouter(3, 0.0));
    let gateway = Gateway::on(Host::Runner).catalog(&preset("openrouter", &upstream, "quota = { rpd = 40 }")).start();
    let id = quota(&gateway)["quota"][0]["id"].as_str().expect("an id").replace('*', "%2A");
    assert_eq!(gateway.admin("PUT", &format!("/api/quota/{id}"), r#"{"spent":30}"#).status, 200);
    assert_eq!(gateway.send(&chat("m")).status, 200);
    eventually("it is told", || quota(&gateway)["told"].get(0).map(drop));
    eventually("30 and the call are counted", || (spent(&gateway, "rpd") == Some(31)).then_some(()));
    assert_eq!(gateway.admin("PUT", &format!("/api/quota/{id}"), r#"{"spent":1}"#).status, 200);
    assert_eq!(spent(&gateway, "rpd"), Some(1), "lowering takes PUT, and nothing undoes it until it is asked again");
}

#[test]
fn what_is_left_of_a_balance_is_known_before_it_is_spent() {
    let balance = r#"{"is_available":true,"balance_infos":[{"currency":"CNY","total_balance":"8.00"}]}"#;
    let upstream = Upstream::saying("Hi").at(BALANCE, Answer::json(200, balance));
    let price = "price = { input = 1, output = 1, currency = \"USD\" }";
    let catalog = preset("deepseek", &upstream, "quota = { credit = \"2 USD\" }").replace(
        "targets = [\"deepseek/up:free\"]",
        &format!("targets = [{{ provider = \"deepseek\", model = \"up\", {price} }}]"),
    );
    let gateway = Gateway::on(Host::Runner).catalog(&catalog).catalog("[settings.rates]\nCNY = 0.125").start();
    assert_eq!(gateway.send(&chat("m")).status, 200);
    let spent = eventually("the credit is down to what is left", || {
        spent(&gateway, "credit").filter(|spent| *spent >= 1_000_000_000)
    });
    assert!(spent < 1_010_000_000, "{spent}: 8 yuan are left, which is one dollar");
    let counters = quota(&gateway)["told"][0].clone();
    assert_eq!(
        (&counters["currency"], &counters["remaining"], &counters["per"]),
        (&json!("CNY"), &json!(8_000_000_000_u64), &json!("ever"))
    );
}

#[test]
fn a_question_that_fails_or_hangs_hurts_no_call_and_is_not_repeated() {
    for answer in [
        Answer::json(404, r#"{"error":"no such path"}"#),
        Answer::json(500, "oops"),
        Answer::json(200, "[]"),
        Answer::json(200, r#"{"data":{"usage_daily":"much"}}"#),
        Answer::announcing(200, "content-type: application/json", 1 << 30).raw("{"),
        Answer::nothing().wait(),
        Answer::nothing().reset(),
    ] {
        let upstream = Upstream::saying("Hi").at(KEY, answer);
        let gateway =
            Gateway::on(Host::Runner).catalog(&preset("openrouter", &upstream, "quota = { rpd = 40 }")).start();
        for _ in 0..3 {
            let answer = gateway.send(&chat("m"));
            assert_eq!((answer.status, answer.text()), (200, completion("Hi")));
            assert_eq!(gateway.record(&answer)["state"], "ok");
        }
        eventually("it is asked", || (upstream.asked_at(KEY).len() == 1).then_some(()));
        assert_eq!(gateway.send(&chat("m")).status, 200);
        eventually("the four calls are counted", || (spent(&gateway, "rpd") == Some(4)).then_some(()));
        assert_eq!(quota(&gateway)["told"], json!([]));
        assert_eq!(gateway.admin("GET", "/api/health", "").json()["subjects"], json!([]));
        assert_eq!(upstream.asked_at(KEY).len(), 1);
    }
}

#[test]
fn a_private_address_that_is_not_meant_is_not_asked_either() {
    let upstream = Upstream::saying("Hi").at(KEY, openrouter(12, 0.0));
    let catalog = preset("openrouter", &upstream, "").replace("local = true\n", "");
    let gateway = Gateway::on(Host::Runner).catalog(&catalog).start();
    assert!(gateway.send(&chat("m")).status >= 500);
    assert_eq!(upstream.received().len(), 0);
}

#[test]
fn a_call_that_is_refused_for_want_of_money_asks_too() {
    let broke = Answer::json(402, r#"{"error":{"message":"Insufficient credits","code":402}}"#);
    let upstream = Upstream::answering(broke).at(KEY, openrouter(50, 1.0));
    let gateway = Gateway::on(Host::Runner).catalog(&preset("openrouter", &upstream, "quota = { rpd = 60 }")).start();
    assert_eq!(gateway.send(&chat("m")).status, 400);
    eventually("what is spent is raised", || (spent(&gateway, "rpd") == Some(50)).then_some(()));
}

#[test]
fn a_restart_asks_no_sooner() {
    let upstream = Upstream::saying("Hi").at(KEY, openrouter(12, 0.0));
    let mut gateway = Gateway::on(Host::Runner).catalog(&preset("openrouter", &upstream, "")).start();
    assert_eq!(gateway.send(&chat("m")).status, 200);
    eventually("it is asked and its word kept", || quota(&gateway)["told"].get(0).map(drop));
    gateway.restart();
    let answer = gateway.send(&chat("m"));
    gateway.record(&answer);
    assert_eq!(quota(&gateway)["told"][0]["spent"], 12);
    assert_eq!(upstream.asked_at(KEY).len(), 1);
}

fn where_requests_are_counted_nobody_asks(host: Host) {
    let upstream = Upstream::saying("Hi").at(KEY, openrouter(12, 0.0));
    let gateway = Gateway::on(host).catalog(&preset("openrouter", &upstream, "")).start();
    let answers: Vec<_> = (0..3).map(|_| gateway.send(&chat("m"))).collect();
    for answer in &answers {
        assert_eq!((answer.status, gateway.record(answer)["state"].clone()), (200, json!("ok")));
    }
    match host {
        Host::Runner => eventually("it is asked", || (upstream.asked_at(KEY).len() == 1).then_some(())),
        // The records of its calls are written after whatever else comes behind them.
        _ => assert_eq!((upstream.asked_at(KEY).len(), quota(&gateway)["told"].clone()), (0, json!([]))),
    }
}
