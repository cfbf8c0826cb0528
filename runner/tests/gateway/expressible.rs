//! What the configuration files of other gateways express, written in a catalog and observed in what providers get:
//! names, times, failures, addresses, texts from elsewhere, keys.

use serde_json::{Value, json};

use crate::common::{Builder, Gateway, Host, Request, TOKEN, chat, eventually};
use crate::quotas::{certainly, provider, warmed, was_certain};
use crate::upstream::{Answer, Upstream, completion};

both_hosts![
    a_providers_own_name_is_taken_off_where_the_pattern_says_so,
    a_pattern_that_is_a_name_serves_what_nobody_else_has,
    a_target_that_is_slower_than_its_own_time_allows_is_left,
    a_target_rests_as_long_as_the_catalog_says_after_as_many_failures,
    a_rate_limit_that_names_no_time_rests_as_long_as_the_catalog_says,
    the_settings_fallback_serves_what_a_models_own_targets_cannot,
    a_query_of_the_address_and_of_the_provider_goes_with_every_request,
    a_targets_headers_and_members_within_members_reach_its_provider,
    a_target_without_a_share_serves_when_the_others_cannot,
    a_key_is_refused_from_elsewhere,
    calls_of_a_month_are_counted_beside_those_of_a_day,
    a_providers_budget_of_a_day_moves_calls_to_the_next_target,
    a_teams_limits_hold_for_its_keys_together,
    what_was_read_from_a_cache_is_not_counted_where_the_catalog_says_so,
    every_route_is_found_under_the_base_path_and_without_it,
];

/// A model whose targets are tried in this order; each is a table's fields.
fn model(targets: &[&str]) -> String {
    let targets = targets.iter().enumerate().map(|(index, fields)| format!("{{ {fields}, tier = {} }}", index + 1));
    format!("[[models]]\nname = \"m\"\ntargets = [{}]\n", targets.collect::<Vec<_>>().join(", "))
}

fn body(upstream: &Upstream) -> Value {
    serde_json::from_slice(&upstream.only().body).expect("JSON")
}

fn a_providers_own_name_is_taken_off_where_the_pattern_says_so(host: Host) {
    let upstream = Upstream::saying("Hi");
    let any = "[[models]]\nname = \"any\"\naliases = [\"openai/*\", \"gpt-*\"]\ntargets = [\"openai/*\"]\n\
        [[models]]\nname = \"fast/*\"\ntargets = [\"openai/small-*\"]\n";
    let gateway = Gateway::on(host).provider("openai", &upstream).catalog(any).start();
    for model in ["openai/gpt-4o", "gpt-4o-mini", "fast/one"] {
        assert_eq!(gateway.send(&chat(model)).status, 200, "{model}");
    }
    let bodies = upstream.received();
    let models: Vec<Value> =
        bodies.iter().map(|each| serde_json::from_slice::<Value>(&each.body).expect("JSON")["model"].clone()).collect();
    assert_eq!(models, ["gpt-4o", "gpt-4o-mini", "small-one"]);
}

fn a_pattern_that_is_a_name_serves_what_nobody_else_has(host: Host) {
    let (one, other) = (Upstream::saying("one"), Upstream::saying("other"));
    let any = "[[models]]\nname = \"*\"\ntargets = [\"b/*\"]\n";
    let gateway =
        Gateway::on(host).provider("a", &one).provider("b", &other).model("m", &["a/up"]).catalog(any).start();
    assert!(gateway.send(&chat("m")).text().contains("one"));
    assert!(gateway.send(&chat("unheard-of")).text().contains("other"));
    assert_eq!(body(&other)["model"], "unheard-of");
    let listed = gateway.send(&Request::new("GET", "/v1/models").key(TOKEN)).json();
    let names: Vec<&Value> = listed["data"].as_array().expect("a list").iter().map(|model| &model["id"]).collect();
    assert_eq!(names, ["m"], "a pattern is no model that a client could choose");
}

fn a_target_that_is_slower_than_its_own_time_allows_is_left(host: Host) {
    let (slow, other) = (Upstream::answering(Answer::nothing().wait()), Upstream::saying("other"));
    let targets = model(&["provider = \"a\", timeouts = { first_byte = \"200ms\" }", "provider = \"b\""]);
    let gateway = Gateway::on(host).provider("a", &slow).provider("b", &other).catalog(&targets).start();
    let response = gateway.send(&chat("m"));
    assert!(response.text().contains("other"), "{}", response.text());
    let attempts = gateway.record(&response)["attempts"].clone();
    assert_eq!(attempts[0]["class"], "target", "{attempts}");
}

/// How long the first of what is in trouble is kept back, in milliseconds.
fn rest_ms(gateway: &Gateway, trouble: &str) -> i64 {
    eventually("somebody is in trouble", || {
        let health = gateway.admin("GET", "/api/health", "").json();
        let listed = health["subjects"].as_array().expect("a list").clone();
        let found = listed.into_iter().find(|each| each["trouble"] == trouble)?;
        Some(found["until_ms"].as_i64()? - found["since_ms"].as_i64()?)
    })
}

fn a_target_rests_as_long_as_the_catalog_says_after_as_many_failures(host: Host) {
    let (broken, other) = (Upstream::answering(Answer::json(500, "{}")), Upstream::saying("other"));
    let targets = model(&["provider = \"a\", allowed_fails = 1, cooldown = \"90s\"", "provider = \"b\""]);
    let gateway = Gateway::on(host).provider("a", &broken).provider("b", &other).catalog(&targets).start();
    assert!(gateway.send(&chat("m")).text().contains("other"));
    assert_eq!(rest_ms(&gateway, "open"), 90_000);
    eventually("every instance leaves it alone", || {
        let before = broken.received().len();
        assert!((0..4).all(|_| gateway.send(&chat("m")).status == 200));
        (broken.received().len() == before).then_some(())
    });
}

fn a_rate_limit_that_names_no_time_rests_as_long_as_the_catalog_says(host: Host) {
    let limited = Upstream::answering(Answer::json(429, r#"{"error":{"message":"slow down"}}"#));
    let lines = "cooldown = \"45s\"\ncredentials = [\"key-of-this-one\"]";
    let other = Upstream::saying("other");
    let catalog = format!("{}{}", provider("a", &limited, lines), model(&["provider = \"a\"", "provider = \"b\""]));
    let gateway = Gateway::on(host).provider("b", &other).catalog(&catalog).start();
    assert!(gateway.send(&chat("m")).text().contains("other"));
    assert_eq!(rest_ms(&gateway, "cooling"), 45_000);
}

fn the_settings_fallback_serves_what_a_models_own_targets_cannot(host: Host) {
    let (broken, spare) = (Upstream::answering(Answer::json(500, "{}")), Upstream::saying("spare"));
    let catalog = "[settings]\nfallback = [\"spare\"]\n";
    let gateway = Gateway::on(host).catalog(catalog).provider("a", &broken).provider("b", &spare);
    let gateway = gateway.model("m", &["a/up"]).model("spare", &["b/other"]).start();
    assert!(gateway.send(&chat("m")).text().contains("spare"));
    assert_eq!(body(&spare)["model"], "other");
}

fn a_query_of_the_address_and_of_the_provider_goes_with_every_request(host: Host) {
    let upstream = Upstream::saying("Hi");
    let catalog = format!(
        "[[providers]]\nname = \"azure\"\nbase_url = \"{}/openai/deployments/gpt?api-version=2024-10-21\"\nlocal = true\n\
        auth = \"api-key\"\ncredentials = [\"key-of-azure\"]\nquery = {{ region = \"eu west\", sig = {{ value = \"s3cr3t-canary\" }} }}\n",
        upstream.url()
    );
    let gateway = Gateway::on(host).catalog(&catalog).model("m", &["azure/gpt"]).start();
    let response = gateway.send(&chat("m"));
    assert_eq!(response.status, 200, "{}", response.text());
    let received = upstream.only();
    let path = received.line.split(' ').nth(1).expect("a path");
    let (path, query) = path.split_once('?').expect("a query");
    assert_eq!(path, "/openai/deployments/gpt/chat/completions");
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    assert_eq!(pairs, ["api-version=2024-10-21", "region=eu%20west", "sig=s3cr3t-canary"]);
    assert_eq!(received.header("api-key"), Some("key-of-azure"));
    let shown = gateway.admin("GET", "/api/catalog", "").text();
    assert!(shown.contains("region") && !shown.contains("canary"), "{shown}");
    assert!(!gateway.record(&response).to_string().contains("canary"));
    assert!(!gateway.log().contains("canary"));
}

fn a_targets_headers_and_members_within_members_reach_its_provider(host: Host) {
    let upstream = Upstream::saying("Hi");
    let target = "provider = \"a\", headers = { x-tier = \"flex\" }, set = { \"thinking.type\" = \"disabled\" }, \
        remove = [\"reasoning.effort\"]";
    let gateway = Gateway::on(host).provider("a", &upstream).catalog(&model(&[target])).start();
    let members = r#"{"model":"m","thinking":{"budget":5},"reasoning":{"effort":"high","x":1},"messages":[]}"#;
    let request = Request::new("POST", "/v1/chat/completions").key(TOKEN).json(members);
    assert_eq!(gateway.send(&request).status, 200);
    let sent = body(&upstream);
    assert_eq!(sent["thinking"], json!({ "budget": 5, "type": "disabled" }));
    assert_eq!(sent["reasoning"], json!({ "x": 1 }));
    assert_eq!(upstream.only().header("x-tier"), Some("flex"));
}

fn a_target_without_a_share_serves_when_the_others_cannot(host: Host) {
    let (first, spare) = (Upstream::saying("first").then([]), Upstream::saying("spare"));
    let catalog = "[[models]]\nname = \"m\"\ntargets = [{ provider = \"b\", weight = 0 }, { provider = \"a\" }]\n";
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &spare).catalog(catalog).start();
    assert!((0..20).all(|_| gateway.send(&chat("m")).text().contains("first")));
    let off = "[[models]]\nname = \"m\"\ntargets = [{ provider = \"b\", weight = 0 }, { provider = \"a\", enabled = false }]\n";
    let gateway = Gateway::on(host).provider("a", &first).provider("b", &spare).catalog(off).start();
    assert!(gateway.send(&chat("m")).text().contains("spare"));
}

/// Gives the only key these fields.
fn with_fields(gateway: &Gateway, fields: &Value) {
    let mut catalog = gateway.admin("GET", "/api/catalog", "").json();
    for (name, value) in fields.as_object().expect("fields") {
        catalog["keys"][0][name] = value.clone();
    }
    let stored = gateway.put_catalog(&catalog.to_string());
    assert_eq!(stored.status, 200, "{}", stored.text());
}

fn a_key_is_refused_from_elsewhere(host: Host) {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/up"]).start();
    let key = gateway.new_key("bound", &[]);
    with_fields(&gateway, &json!({ "ips": ["10.0.0.0/8"] }));
    let refused = eventually("it is bound", || {
        let response = gateway.send(&chat("m").key(&key));
        (response.status == 403).then_some(response)
    });
    let error = refused.openai_error();
    assert_eq!(error.code, "address_not_allowed");
    assert!(error.message.contains("127.0.0.1") && error.message.contains("bound"), "{}", error.message);
    with_fields(&gateway, &json!({ "ips": ["10.0.0.0/8", "127.0.0.0/8"] }));
    eventually("it may be used here", || (gateway.send(&chat("m").key(&key)).status == 200).then_some(()));
}

/// A provider `a` with this quota before a provider `b`.
fn with_quota(host: Host, quota: &str, price: &str) -> (Gateway, Upstream, Upstream) {
    let (first, other) = (Upstream::saying("first"), Upstream::saying("other"));
    let lines = format!("quotas = [{{ per = \"provider\", {quota} }}]");
    let first_target = format!("provider = \"a\", model = \"up\"{price}");
    let catalog = format!("{}{}", provider("a", &first, &lines), model(&[&first_target, "provider = \"b\""]));
    let gateway = Gateway::on(host).provider("b", &other).catalog(&catalog).start();
    (warmed(gateway), first, other)
}

/// What is spent of the limits with these names, once it is this.
fn spent(gateway: &Gateway, expected: &[(&str, u64)]) {
    eventually(&format!("{expected:?} are spent"), || {
        let quota = gateway.admin("GET", "/api/quota", "").json();
        let limits = quota["quota"].as_array().expect("a list").clone();
        let of =
            |name: &str| limits.iter().find(|limit| limit["name"] == name).and_then(|limit| limit["spent"].as_u64());
        expected.iter().all(|(name, spent)| of(name) == Some(*spent)).then_some(())
    });
}

fn calls_of_a_month_are_counted_beside_those_of_a_day(host: Host) {
    let gateway = certainly(|| {
        let (gateway, first, _other) = with_quota(host, "rpd = 100, rpweek = 50, rpmonth = 2, tpmonth = 100000", "");
        let served = (0..4).filter(|_| gateway.send(&chat("m")).text().contains("first")).count();
        was_certain(&gateway, 4).then_some(())?;
        assert_eq!((served, first.received().len()), (2, 2));
        Some(gateway)
    });
    spent(&gateway, &[("rpd", 2), ("rpweek", 2), ("rpmonth", 2), ("tpmonth", 36)]);
    let refused = gateway.send(&chat("m"));
    let decision = gateway.record(&refused)["decision"].to_string();
    assert!(decision.contains("2 rpmonth spent"), "{decision}");
}

fn a_providers_budget_of_a_day_moves_calls_to_the_next_target(host: Host) {
    let price = ", price = { input = 10000, output = 10000 }";
    let gateway = certainly(|| {
        // A call costs 0.18 USD and is guessed to cost about 0.3 USD.
        let request = || {
            let body = r#"{"model":"m","max_tokens":10,"messages":[{"role":"user","content":"Hello"}]}"#;
            Request::new("POST", "/v1/chat/completions").key(TOKEN).json(body)
        };
        let (gateway, first, _other) = with_quota(host, "budget = [\"0.5 USD/day\", \"9 USD/month\"]", price);
        assert!(gateway.send(&request()).text().contains("first"));
        spent(&gateway, &[("budget-day", 180_000_000), ("budget-month", 180_000_000)]);
        assert!(gateway.send(&request()).text().contains("first"));
        spent(&gateway, &[("budget-day", 360_000_000)]);
        assert!(gateway.send(&request()).text().contains("other"));
        was_certain(&gateway, 3).then_some(())?;
        assert_eq!(first.received().len(), 2);
        Some(gateway)
    });
    spent(&gateway, &[("budget-day", 360_000_000), ("budget-month", 360_000_000)]);
}

fn a_teams_limits_hold_for_its_keys_together(host: Host) {
    let statuses = certainly(|| {
        let gateway = Gateway::on(host).catalog("[[providers]]\npreset = \"echo\"\n").model("m", &["echo/up"]).start();
        let keys = ["one", "two"].map(|name| gateway.new_key(name, &[]));
        let mut catalog = gateway.admin("GET", "/api/catalog", "").json();
        catalog["teams"] = json!([{ "name": "t", "limits": { "rpmonth": 3 } }]);
        catalog["keys"][0]["team"] = "t".into();
        catalog["keys"][1]["team"] = "t".into();
        assert_eq!(gateway.put_catalog(&catalog.to_string()).status, 200);
        let gateway = warmed(gateway);
        let responses: Vec<_> = (0..4).map(|index| gateway.send(&chat("m").key(&keys[index % 2]))).collect();
        if responses.iter().any(|response| response.status == 503) {
            return None;
        }
        let last = responses.last().expect("four of them").text();
        Some((responses.iter().map(|response| response.status).collect::<Vec<_>>(), last))
    });
    assert_eq!(statuses.0, [200, 200, 200, 429]);
    assert!(statuses.1.contains("team t: 3 of 3 rpmonth spent"), "{}", statuses.1);
}

fn what_was_read_from_a_cache_is_not_counted_where_the_catalog_says_so(host: Host) {
    let mut cached: Value = serde_json::from_str(&completion("Hi")).expect("JSON");
    cached["usage"] = json!({ "prompt_tokens": 1000, "completion_tokens": 7, "total_tokens": 1007,
        "prompt_tokens_details": { "cached_tokens": 900 } });
    let gateway = certainly(|| {
        let upstream = Upstream::answering(Answer::json(200, &cached.to_string()));
        let lines = "quotas = [{ tpd = 90000, cache_reads = false }, { per = \"provider\", rolling = { tokens = 90000, hours = 5 } }]";
        let gateway = Gateway::on(host).catalog(&provider("a", &upstream, lines)).model("m", &["a/up"]).start();
        let gateway = warmed(gateway);
        assert_eq!(gateway.send(&chat("m")).status, 200);
        was_certain(&gateway, 1).then_some(gateway)
    });
    spent(&gateway, &[("tpd", 107), ("rolling-tokens-5h", 1007)]);
}

fn every_route_is_found_under_the_base_path_and_without_it(host: Host) {
    let upstream = Upstream::saying("Hi");
    let relay = format!("[[relays]]\nname = \"r\"\norigin = \"{}\"\npublic = true\nlocal = true\n", upstream.url());
    let gateway = under_llm(Gateway::on(host)).provider("a", &upstream).model("m", &["a/up"]).catalog(&relay).start();
    for base in ["/llm", ""] {
        let get = |path: &str| gateway.send(&Request::new("GET", &format!("{base}{path}")).key(TOKEN)).status;
        for path in ["/healthz", "/readyz", "/v1/models", "/api/catalog", "/api/quota"] {
            assert_eq!(get(path), 200, "{base}{path}");
        }
        let call = chat("m").to(&format!("{base}/v1/chat/completions"));
        assert_eq!(gateway.send(&call).status, 200, "{base}");
        let relayed = Request::new("POST", &format!("{base}/relay/r/v1/things?x=1")).json("{}");
        assert_eq!(gateway.send(&relayed).status, 200, "{base}");
        assert!(upstream.received().last().expect("the relayed one").line.starts_with("POST /v1/things?x=1 "));
    }
    let unknown = gateway.send(&chat("none").to("/llm/v1/chat/completions"));
    assert_eq!(unknown.status, 404);
    let message = unknown.openai_error().message;
    assert!(message.contains("GET /llm/v1/models lists"), "{message}");
    assert_eq!(gateway.send(&Request::new("GET", "/llms/healthz")).status, 404, "a path of whole segments");
}

fn under_llm(builder: Builder) -> Builder {
    builder.env("LLMIO_BASE_PATH", "llm/")
}

#[test]
fn a_text_from_a_variable_is_an_address_like_any_other() {
    let upstream = Upstream::saying("Hi");
    let catalog = "[settings]\nzone = \"${NO_ZONE:-Asia/Shanghai}\"\n\
        [[providers]]\nname = \"a\"\nbase_url = \"http://${UPSTREAM}/v1\"\nlocal = true\n";
    let gateway = Gateway::on(Host::Runner).env("UPSTREAM", &upstream.authority()).catalog(catalog);
    let gateway = gateway.model("m", &["a/up"]).start();
    assert_eq!(gateway.send(&chat("m")).status, 200);
    let shown = gateway.admin("GET", "/api/catalog", "").json();
    assert_eq!(shown["providers"][0]["base_url"], "http://${UPSTREAM}/v1", "what is stored is the reference");
    let refused = gateway.put_catalog(&catalog.replace("UPSTREAM", "NONE"));
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("the variable NONE is not set"), "{}", refused.text());
}

/// A stored secret belongs to the address it was entered for, and an address in a variable may be any.
#[test]
fn a_stored_secret_does_not_follow_an_address_into_a_variable() {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(Host::Runner).env("ELSEWHERE", "https://elsewhere.example/v1");
    let gateway = gateway.provider("a", &upstream).model("m", &["a/up"]).start();
    let mut catalog = gateway.admin("GET", "/api/catalog", "").json();
    catalog["providers"][0]["base_url"] = "${ELSEWHERE}".into();
    let refused = gateway.put_catalog(&catalog.to_string());
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("give its value again"), "{}", refused.text());
}

#[test]
fn keys_of_a_file_are_used_and_a_changed_one_needs_no_restart() {
    let upstream = Upstream::saying("Hi");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let keys = folder.path().join("keys.txt");
    std::fs::write(&keys, "# ours\nkey-number-one\n").expect("a file");
    let catalog = folder.path().join("llmio.toml");
    let text = provider("a", &upstream, "credentials = [{ file = \"keys.txt\" }]");
    std::fs::write(&catalog, format!("{text}[[models]]\nname = \"m\"\ntargets = [\"a/up\"]\n")).expect("a file");
    let gateway = Gateway::on(Host::Runner).arg("--catalog").arg(catalog.to_str().expect("a path in UTF-8")).start();
    let response = gateway.send(&chat("m"));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(upstream.only().header("authorization"), Some("Bearer key-number-one"));
    assert_eq!(gateway.record(&response)["attempts"][0]["credential"], "keys.txt:2");
    std::fs::write(&keys, "key-number-two\n").expect("a file");
    eventually("the new key is used", || {
        gateway.send(&chat("m"));
        let last = upstream.received().last()?.header("authorization").map(str::to_owned);
        (last.as_deref() == Some("Bearer key-number-two")).then_some(())
    });
    std::fs::remove_file(&keys).expect("removed");
    eventually("that the file is gone is told", || {
        let ready = gateway.send(&Request::new("GET", "/readyz")).text();
        ready.contains("keys.txt").then_some(())
    });
}

#[test]
fn a_catalog_over_the_api_cannot_read_what_it_likes() {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(Host::Runner).provider("b", &upstream).model("m", &["b/up"]).start();
    let token = gateway.data().join("master.key");
    let text = provider("a", &upstream, &format!("credentials = [{{ file = {:?} }}]", token.display().to_string()));
    let text = format!("{text}{}", model(&["provider = \"a\""]));
    let checked = gateway.send(&Request::new("POST", "/api/catalog/check").key(TOKEN).body(text));
    assert_eq!(checked.status, 200, "{}", checked.text());
    let warning = checked.json()["warnings"][0].as_str().expect("a warning").to_owned();
    assert!(warning.contains("a catalog may name files in"), "{warning}");
}

#[test]
fn a_host_without_files_says_so() {
    let upstream = Upstream::saying("Hi");
    let gateway = Gateway::on(Host::Spin).provider("b", &upstream).model("m", &["b/up"]).start();
    let text = provider("a", &upstream, "credentials = [{ file = \"keys.txt\" }]");
    let text = format!("{text}{}", model(&["provider = \"a\""]));
    let checked = gateway.send(&Request::new("POST", "/api/catalog/check").key(TOKEN).body(text));
    let warning = checked.json()["warnings"][0].as_str().expect("a warning").to_owned();
    assert!(warning.contains("this host has no files; name variables instead"), "{warning}");
}
