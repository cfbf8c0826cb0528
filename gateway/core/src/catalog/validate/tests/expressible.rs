//! What the configuration files of other gateways express, written as ours: it is accepted and means the same.

use super::{SMALL, catalog, problems, refuses};
use crate::catalog::{Patience, PhaseLimits};

const ONE_PROVIDER: &str = "providers = [{ name = \"a\", base_url = \"https://a.example/v1\" }]\n";

/// [`SMALL`] with another line in its provider.
fn provider_with(line: &str) -> String {
    SMALL.replace("base_url", &format!("{line}\nbase_url"))
}

/// [`SMALL`] with another line in its model.
fn model_with(line: &str) -> String {
    format!("{SMALL}\n{line}")
}

fn target_with(fields: &str) -> String {
    SMALL.replace("\"a/x\"", &format!("{{ provider = \"a\", model = \"x\", {fields} }}"))
}

#[test]
fn timeouts_of_a_target_come_first_then_its_providers_then_its_models() {
    let of = |provider: &str, target: &str| {
        let text = target_with(target).replace("base_url", &format!("timeouts = {{ {provider} }}\nbase_url"));
        let catalog = catalog(&format!("{text}\ntimeouts = {{ connect = \"1s\", idle = \"2s\", total = \"9s\" }}"));
        let model = &catalog.models[0];
        let within = model.targets[0].timeouts.within(&model.timeouts);
        (within.connect_ms, within.first_byte_ms, within.idle_ms, within.total_ms)
    };
    assert_eq!(
        of("connect = \"3s\", first_byte = \"4s\"", "timeouts = { connect = \"5s\" }"),
        (5000, Some(4000), 2000, 9000)
    );
    assert_eq!(of("", "timeouts = {}"), (1000, None, 2000, 9000));
    refuses(
        &target_with("timeouts = { total = \"5s\" }"),
        "models[0].targets[0].timeouts.total: is of the whole call; it goes into the model's timeouts",
    );
    refuses(
        &provider_with("timeouts = { keep_alive = \"5s\" }"),
        "providers[0].timeouts.keep_alive: is of the whole call; it goes into the model's timeouts",
    );
    assert_eq!(catalog(SMALL).models[0].targets[0].timeouts, PhaseLimits::default());
}

#[test]
fn patience_is_the_targets_then_the_providers_then_the_models() {
    let text = target_with("allowed_fails = 1").replace("base_url", "cooldown = \"90s\"\nbase_url");
    let found = catalog(&format!("{text}\nallowed_fails = 9\ncooldown = \"1s\"")).models[0].targets[0].patience;
    assert_eq!(found, Patience { failures: Some(1), cooldown_ms: Some(90_000) });
    refuses(
        &target_with("allowed_fails = 0"),
        "models[0].targets[0].allowed_fails: must be a whole number from 1 to 1000",
    );
    refuses(&provider_with("cooldown = \"2d\""), "providers[0].cooldown: must be from 1ms to 1d");
}

/// The upstream names of the model that is asked for by this name.
fn upstream(models: &str, requested: &str) -> Vec<String> {
    let catalog = catalog(&format!("{}{models}", ONE_PROVIDER.replace("\"a\"", "\"openai\"")));
    let model = catalog.model(requested).expect("a model");
    model.targets.iter().map(|target| target.upstream_model(&requested.into()).to_string()).collect()
}

#[test]
fn the_star_of_a_target_is_the_name_asked_without_the_providers_own() {
    let models = "models = [{ name = \"any\", aliases = [\"openai/*\", \"gpt-*\"], targets = [\"openai/*\", { provider = \"openai\" }] }]";
    assert_eq!(upstream(models, "openai/gpt-4o"), ["gpt-4o", "gpt-4o"]);
    assert_eq!(upstream(models, "gpt-4o"), ["gpt-4o", "gpt-4o"]);
    assert_eq!(upstream(models, "any"), ["any", "any"]);
    let others =
        "models = [{ name = \"*\", targets = [\"openai/*\"] }, { name = \"qwen/*\", targets = [\"openai/*\"] }]";
    assert_eq!(upstream(others, "openai/auto"), ["openai/auto"], "no pattern says that it is the provider's name");
    assert_eq!(upstream(others, "qwen/qwen3"), ["qwen/qwen3"], "what is before the slash is part of its name");
}

#[test]
fn a_target_may_say_what_stands_before_what_a_patterns_star_stood_for() {
    let models = "models = [{ name = \"fast/*\", targets = [\"openai/accounts/us/models/*\"] }]";
    assert_eq!(upstream(models, "fast/llama"), ["accounts/us/models/llama"]);
    for wrong in ["a/*x", "a/x*y*", "a/**"] {
        let found = problems(&SMALL.replace("a/x", wrong));
        assert!(
            found[0].contains("may have one `*`, at its end, for the name that the client asks for"),
            "{wrong}: {found:?}"
        );
    }
}

#[test]
fn a_pattern_may_be_a_name_and_owns_what_nobody_else_does() {
    let text = "models = [{ name = \"*\", targets = [\"a/any\"] }, { name = \"gpt-*\", targets = [\"a/gpt\"] }, \
        { name = \"gpt-4o\", targets = [\"a/4o\"] }]";
    let catalog = catalog(&format!("{ONE_PROVIDER}{text}"));
    let owner = |requested: &str| catalog.model(requested).map(|model| model.name.to_string());
    assert_eq!(owner("gpt-4o").as_deref(), Some("gpt-4o"));
    assert_eq!(owner("gpt-5").as_deref(), Some("gpt-*"));
    assert_eq!(owner("claude").as_deref(), Some("*"));
    assert_eq!(catalog.nearest_model("gpt-4"), Some("gpt-4o"));
    let twice =
        "models = [{ name = \"g*\", targets = [\"a/x\"] }, { name = \"m\", aliases = [\"g*\"], targets = [\"a/x\"] }]";
    refuses(
        &format!("{ONE_PROVIDER}{twice}"),
        "models[1].aliases[0]: models[0] has this name, alias or pattern already",
    );
}

#[test]
fn the_settings_fallback_is_that_of_models_that_say_nothing_of_theirs() {
    let text = "settings = { fallback = [\"spare\"] }\n\
        providers = [{ name = \"a\", base_url = \"https://a.example/v1\" }]\n\
        models = [{ name = \"m\", targets = [\"a/x\"] }, { name = \"own\", fallback = [\"m\"], targets = [\"a/x\"] }, \
        { name = \"none\", fallback = [], targets = [\"a/x\"] }, { name = \"spare\", targets = [\"a/y\"] }, \
        { name = \"*\", fallback = [\"spare\"] }]";
    let catalog = catalog(text);
    let chain = |name: &str| -> Vec<String> {
        let model = catalog.model(name).expect("a model");
        catalog.with_fallbacks(model).map(|each| each.name.to_string()).collect()
    };
    assert_eq!(chain("m"), ["m", "spare"]);
    assert_eq!(chain("own"), ["own", "m"]);
    assert_eq!(chain("none"), ["none"]);
    assert_eq!(chain("spare"), ["spare"]);
    assert_eq!(chain("anything"), ["*", "spare"], "a name nobody has, and no target of its own");
    refuses(
        &text.replace("[\"spare\"] }\nproviders", "[\"spar\"] }\nproviders"),
        "settings.fallback[0]: no model has this name; did you mean \"spare\"?",
    );
}

#[test]
fn a_pattern_that_is_a_name_gives_its_fallback_to_models_that_fit_it() {
    let text = format!(
        "settings = {{ fallback = [\"spare\"] }}\n{ONE_PROVIDER}\
        models = [{{ name = \"gpt-4o\", targets = [\"a/x\"] }}, {{ name = \"claude\", targets = [\"a/x\"] }}, \
        {{ name = \"*\", fallback = [\"any\"] }}, {{ name = \"gpt-*\", fallback = [\"gpt-mini\"], targets = [\"a/*\"] }}, \
        {{ name = \"gpt-mini\", targets = [\"a/mini\"] }}, {{ name = \"any\", targets = [\"a/any\"] }}, \
        {{ name = \"spare\", targets = [\"a/y\"] }}]"
    );
    let catalog = catalog(&text);
    let chain = |name: &str| -> Vec<String> {
        let model = catalog.model(name).expect("a model");
        catalog.with_fallbacks(model).map(|each| each.name.to_string()).collect()
    };
    assert_eq!(chain("gpt-4o"), ["gpt-4o", "gpt-mini"]);
    assert_eq!(chain("gpt-mini"), ["gpt-mini"]);
    assert_eq!(chain("claude"), ["claude", "any"]);
    assert_eq!(chain("unheard-of"), ["*", "any"]);
}

#[test]
fn a_query_of_the_address_and_one_of_names_and_values_are_read() {
    let found = catalog(&SMALL.replace("https://a.example/v1", "https://a.example/deployments/gpt?api-version=1&x=2"));
    let endpoint = found.providers[0].endpoint(crate::dialect::Dialect::OpenaiChat).expect("an endpoint");
    assert_eq!((endpoint.path.as_str(), endpoint.query.as_str()), ("/deployments/gpt", "api-version=1&x=2"));
    let found = catalog(&provider_with("query = { a = \"1\", b = { variable = \"B\" }, c = \"${C}\" }"));
    assert_eq!(found.providers[0].secret_query, ["b", "c"]);
    assert_eq!(found.variables(), ["A_KEY", "B", "C"]);
    refuses(
        &provider_with("query = { \"a b\" = \"1\" }"),
        "providers[0].query.(name not shown): is no plain name of a query's parameter",
    );
}

#[test]
fn a_target_without_a_share_two_of_one_kind_and_own_headers_are_read() {
    assert_eq!(catalog(&target_with("weight = 0")).models[0].targets[0].weight, 0);
    assert_eq!(catalog(&SMALL.replace("\"a/x\"", "\"a/x\", \"a/x\"")).models[0].targets.len(), 2);
    let headers = catalog(&target_with("headers = { X-Tier = \"1\" }")).models[0].targets[0].headers.clone();
    assert_eq!(headers, [("x-tier".to_owned(), "1".to_owned())]);
    assert_eq!(catalog(&provider_with("ca = \"/etc/ca.pem\"")).providers[0].ca.as_deref(), Some("/etc/ca.pem"));
    refuses(&provider_with("ca = \"a;b\""), "providers[0].ca: must be the path of a file, in ASCII and without `;`");
    let found = problems(&target_with("headers = { host = \"x\" }"));
    assert!(found[0].starts_with("models[0].targets[0].headers.host: may not be set here"), "{found:?}");
}

#[test]
fn keys_of_a_team_share_its_limits_beside_their_own() {
    let hash = |digit: &str| digit.repeat(64);
    let text = format!(
        "teams = [{{ name = \"t\", limits = {{ budget = \"1 USD/day\", rpmonth = 5 }} }}]\n\
        keys = [{{ name = \"j\", hash = \"sha256:{}\", team = \"t\", limits = {{ rpm = 1 }} }}, \
        {{ name = \"k\", hash = \"sha256:{}\", team = \"t\" }}]",
        hash("1"),
        hash("2")
    );
    let catalog = catalog(&text);
    let names = |key: usize| catalog.keys[key].all_limits().map(crate::catalog::Limit::name).collect::<Vec<_>>();
    assert_eq!(names(0), ["rpm", "rpmonth", "budget-day"]);
    assert_eq!(names(1), ["rpmonth", "budget-day"]);
    assert!(catalog.keys[1].has_budget());
    refuses(
        &text.replace("team = \"t\" }]", "team = \"tt\" }]"),
        "keys[1].team: no team has this name; did you mean \"t\"?",
    );
}

#[test]
fn a_key_may_be_bound_to_networks() {
    let key = |ips: &str| {
        format!(
            "{}[[keys]]\nname = \"k\"\nhash = \"sha256:{}\"\nips = {ips}",
            model_with(""),
            "0123456789abcdef".repeat(4)
        )
    };
    let networks = catalog(&key("[\"10.0.0.0/8\", \"::1\"]")).keys[0].networks.clone().expect("networks");
    assert_eq!(networks.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8", "::1/128"]);
    refuses(&key("[\"10.0.0.0/33\"]"), "keys[0].ips[0]: has a prefix longer than 32 bits");
}

#[test]
fn records_may_have_a_bound_in_size_beside_their_age() {
    let found = catalog("settings = { retention_days = 7, max_db_mib = 64 }").settings.retention;
    assert_eq!((found.days, found.bytes_max), (7, Some(64 << 20)));
    refuses("settings = { max_db_mib = 15 }", "settings.max_db_mib: must be a whole number from 16 to 16777216");
}
