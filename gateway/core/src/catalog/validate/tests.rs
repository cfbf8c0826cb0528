use crate::catalog::{BodiesRetention, Catalog, Document, ProviderKind, RecordBodies, Retention, Timeouts, Value};
use crate::dialect::{Auth, Dialect};
use crate::problem::Problems;

mod expressible;
mod never_panics;
mod prices;
mod providers;
mod quotas;

const SAMPLE: &str = include_str!("sample.toml");

/// A catalog that is right, for tests that change one thing of it.
const SMALL: &str = r#"
[[providers]]
name = "a"
base_url = "https://a.example/v1"
credentials = ["${A_KEY}"]

[[models]]
name = "m"
targets = ["a/x"]
"#;

fn catalog(toml: &str) -> Catalog {
    Document::from_toml(toml).unwrap().validate().unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(toml: &str) -> Vec<String> {
    let Problems(problems) = Document::from_toml(toml).unwrap().validate().unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refuses(toml: &str, problem: &str) {
    assert_eq!(problems(toml), [problem]);
}

/// [`SMALL`] with other targets.
fn targets(list: &str) -> String {
    SMALL.replace("[\"a/x\"]", list)
}

#[test]
fn tells_ten_mistakes_at_once_each_with_its_path() {
    let found = problems(
        r#"
        [settings]
        retention_days = 0
        trusted_proxies = ["10.0.0.0/40"]

        [[providers]]
        name = "openrouter"
        base_url = "ftp://openrouter.ai"
        auth = "bearr"

        [[providers]]
        name = "openrouter"
        base_url = "https://openrouter.ai/api/v1"
        headers = { Host = "x" }

        [[models]]
        name = "a"
        aliases = ["b*c"]
        atempts = 3
        targets = [{ provider = "opnrouter", weight = -1 }]

        [[keys]]
        name = "laptop"
        hash = "sk-llmio-plain"
        "#,
    );
    assert_eq!(
        found,
        [
            "settings.retention_days: must be a whole number from 1 to 3650",
            "settings.trusted_proxies[0]: has a prefix longer than 32 bits",
            "providers[0].base_url: must start with \"https://\" or \"http://\"",
            "providers[0].auth: must be \"bearer\", \"x-api-key\", \"api-key\", \"x-goog-api-key\" or \"query\"; \
             did you mean \"bearer\"?",
            "providers[1].headers.Host: may not be set here: llmio or the connection sets it \
             (credentials go into credentials)",
            "models[0].aliases[0]: may have a `*` at its end only",
            "models[0].targets[0].provider: no provider named \"opnrouter\"; did you mean \"openrouter\"?",
            "models[0].targets[0].weight: must be a whole number from 0 to 1000000; \
             0 is for one that serves when the others of its tier cannot",
            "models[0].atempts: unknown field; did you mean \"attempts\"?",
            "keys[0].hash: must be `sha256:` and 64 hexadecimal digits, as `llmio keys create` prints it",
            "providers[1].name: the provider providers[0] is named \"openrouter\" too; names must differ",
        ]
    );
}

#[test]
fn parses_the_documented_sample_and_refuses_only_what_is_not_built_yet() {
    let found = problems(SAMPLE);
    let paths: Vec<&str> = found
        .iter()
        .map(|problem| problem.split_once(": not built yet; remove it (it comes with ").expect(problem).0)
        .collect();
    assert_eq!(paths, ["keys[0].metrics"]);
}

#[test]
fn checks_what_is_not_built_yet_before_refusing_it() {
    let found = problems(&SAMPLE.replace("rpm = 5\n", "rpm = 0.5\n").replace("5 CNY/day", "5 EUR/day"));
    let wrong: Vec<&String> = found.iter().filter(|problem| !problem.contains("not built yet")).collect();
    assert_eq!(
        wrong,
        [
            "providers[0].quotas[0].rpm: must be a whole number from 1 to 1125899906842624",
            "keys[0].limits.budget: there is no rate for EUR; add it to settings.rates (how many USD one EUR is)",
        ]
    );
}

#[test]
fn accepts_written_out_defaults_of_what_is_not_built_yet() {
    catalog(
        r#"
        relays = []
        [settings]
        record_bodies = "off"
        [[providers]]
        name = "a"
        dialect = "openai-chat"
        base_url = "https://a.example/v1"
        quotas = []
        tags = []
        [[models]]
        name = "m"
        strategy = "weighted"
        affinity = "none"
        translation = "allow"
        fallback = []
        targets = [{ provider = "a", set = {}, remove = [] }]
        [[keys]]
        name = "k"
        hash = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        record_bodies = "off"
        metrics = false
        "#,
    );
}

#[test]
fn fills_in_defaults() {
    let catalog = catalog(SMALL);
    assert_eq!(catalog.settings.retention, Retention { days: 30, bytes_max: None });
    assert_eq!(catalog.settings.record_bodies, RecordBodies::Off);
    assert_eq!(catalog.settings.bodies, BodiesRetention { days: 7, bytes_max: 512 << 20 });
    let provider = &catalog.providers[0];
    assert!(provider.enabled && !provider.local && provider.auth.is_none());
    let model = &catalog.models[0];
    assert!(model.enabled && model.attempts == 3);
    let timeouts =
        Timeouts { connect_ms: 5000, first_byte_ms: None, idle_ms: 90_000, total_ms: 3_600_000, keep_alive_ms: 15_000 };
    assert_eq!((model.timeouts, model.head_after_ms), (timeouts, 20_000));
    let target = &model.targets[0];
    assert_eq!((target.weight, target.tier, target.enabled, target.model.as_deref()), (1, 1, true, Some("x")));
}

/// Every field that is built, with another value than its default.
const BUILT: &str = r#"
[settings]
retention_days = 7
trusted_proxies = ["10.0.0.0/8", "fd00::/8", "192.0.2.7"]
default_models = { moderations = "m" }
[[providers]]
name = "a"
endpoints = { openai-chat = "http://127.0.0.1:8080/openai/v1/" }
auth = "api-key"
credentials = ["sk-plain", { variable = "B", label = "second", enabled = false }]
headers = { X-Title = "llmio", x-secret = { value = "hidden" } }
local = true
enabled = false
[[models]]
name = "m"
attempts = 5
timeouts = { connect = "500ms", first_byte = "1m30s" }
enabled = false
[[models.targets]]
provider = "a"
model = "*"
weight = 7
tier = 2
enabled = false
[[keys]]
name = "laptop"
hash = "sha256:00000000000000000000000000000000000000000000000000000000000000FF"
models = ["m", "claude-*"]
expires = "2027-01-01T00:00:00+08:00"
enabled = false
"#;

#[test]
fn reads_every_built_field_of_settings_and_providers() {
    let catalog = catalog(BUILT);
    assert_eq!(catalog.settings.trusted_proxies.len(), 3);
    let provider = &catalog.providers[0];
    let ProviderKind::Http(endpoints) = &provider.kind else { panic!("{:?}", provider.kind) };
    let endpoint = &endpoints[0];
    assert_eq!((endpoint.dialect, endpoint.tls), (Dialect::OpenaiChat, false));
    assert_eq!((endpoint.authority.as_str(), endpoint.path.as_str()), ("127.0.0.1:8080", "/openai/v1"));
    assert!(provider.auth == Some(Auth::ApiKey) && provider.local && !provider.enabled);
    let [plain, second] = provider.credentials.as_slice() else { panic!("two credentials") };
    assert!(plain.label == "#1" && plain.enabled && plain.id.starts_with("c-"));
    assert!(matches!(&plain.value, Value::Plain(secret) if secret.expose() == "sk-plain"));
    assert!(second.label == "second" && !second.enabled);
    assert!(matches!(&second.value, Value::Variable(name) if name == "B"));
    assert_eq!(provider.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x-title", "x-secret"]);
}

#[test]
fn reads_every_built_field_of_models_and_keys() {
    let catalog = catalog(BUILT);
    let model = &catalog.models[0];
    assert_eq!((model.timeouts.connect_ms, model.timeouts.first_byte_ms), (500, Some(90_000)));
    let target = &model.targets[0];
    assert_eq!((target.weight, target.tier, target.enabled, target.model.as_deref()), (7, 2, false, None));
    let key = &catalog.keys[0];
    assert_eq!((key.hash[31], key.expires_ms, key.enabled), (255, Some(1_798_732_800_000), false));
}

#[test]
fn refuses_weights_that_are_no_share() {
    for weight in ["-1", "1.5", "1000001", "\"2\""] {
        refuses(
            &targets(&format!("[{{ provider = \"a\", weight = {weight} }}]")),
            "models[0].targets[0].weight: must be a whole number from 0 to 1000000; \
             0 is for one that serves when the others of its tier cannot",
        );
    }
}

#[test]
fn splits_short_targets_at_the_first_slash() {
    let catalog = catalog(&targets(r#"["a/Qwen/Qwen3-Max", "a/*"]"#));
    let models: Vec<_> = catalog.models[0].targets.iter().map(|target| target.model.as_deref()).collect();
    assert_eq!(models, [Some("Qwen/Qwen3-Max"), None]);
    refuses(
        &targets(r#"["a"]"#),
        "models[0].targets[0]: must be \"provider/upstream model\", or a table with provider and model",
    );
    refuses(&targets(r#"["a/"]"#), "models[0].targets[0]: the model after the first / must have 1 to 200 characters");
    refuses(&targets(r#"["b/x"]"#), "models[0].targets[0]: no provider named \"b\"; did you mean \"a\"?");
}

#[test]
fn a_targets_profile_is_a_name_that_says_something() {
    catalog(&targets("[{ provider = \"a\", model = \"our-deployment\", profile = \"gpt-5.4\" }]"));
    refuses(
        &targets("[{ provider = \"a\", profile = \"kimmi-k2.6\" }]"),
        "models[0].targets[0].profile: no model is known by this name; it must be the maker's own, such as \"kimi-k2.6\"; \
         did you mean \"kimi-k2.6\"?",
    );
}

#[test]
fn refuses_a_model_without_targets_unless_it_is_off() {
    refuses(
        &targets("[]"),
        "models[0].targets: is empty; a model without a target or a fallback needs enabled = false",
    );
    refuses(
        "[[models]]\nname = \"m\"",
        "models[0].targets: is missing; a model without a target or a fallback needs enabled = false",
    );
    catalog("[[models]]\nname = \"m\"\nenabled = false");
}

#[test]
fn refuses_names_that_two_own() {
    let second = "\n[[models]]\nname = \"n\"\naliases = [\"m\", \"c-*\", \"c-*\"]\ntargets = [\"a/x\"]";
    assert_eq!(
        problems(&format!("{SMALL}{second}")),
        [
            "models[1].aliases[0]: models[0] has this name, alias or pattern already",
            "models[1].aliases[2]: models[1] has this name, alias or pattern already",
        ]
    );
}

#[test]
fn refuses_unknown_sections_and_wrong_types() {
    assert_eq!(
        problems("provider = []\nmodels = {}\nkeys = [1]\nsettings = \"x\""),
        [
            "settings: must be a table, not a string",
            "models: must be a list, not a table",
            "keys[0]: must be a table, not a number",
            "provider: unknown field; did you mean \"providers\"?",
        ]
    );
}

#[test]
fn refuses_keys_with_one_hash_bad_times_and_unknown_models() {
    let hash = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let keys = format!(
        "{SMALL}
        [[keys]]
        name = \"one\"
        hash = \"{hash}\"
        models = [\"n\", \"n-*\"]
        expires = 2027-01-01
        [[keys]]
        name = \"two\"
        hash = \"{hash}\""
    );
    assert_eq!(
        problems(&keys),
        [
            "keys[0].expires: must be a time with its offset, like \"2027-01-01T00:00:00Z\"",
            "keys[1].hash: is the hash of keys[0] too",
            "keys[0].models[0]: no model answers to this name; did you mean \"m\"?",
        ]
    );
}

#[test]
fn refuses_durations_without_unit_or_beyond_the_range() {
    let model = |connect: &str| {
        targets("[\"a/x\"]").replace("name = \"m\"", &format!("name = \"m\"\ntimeouts = {{ connect = {connect} }}"))
    };
    for (connect, problem) in [
        ("5", "must be a string, not a number"),
        ("\"5\"", "must be a duration like \"500ms\", \"5s\", \"60m\" or \"1h30m\""),
        ("\"-5s\"", "must be a duration like \"500ms\", \"5s\", \"60m\" or \"1h30m\""),
        ("\"99999999999999999999d\"", "must be a duration like \"500ms\", \"5s\", \"60m\" or \"1h30m\""),
        ("\"0s\"", "must be from 1ms to 10m"),
        ("\"11m\"", "must be from 1ms to 10m"),
    ] {
        refuses(&model(connect), &format!("models[0].timeouts.connect: {problem}"));
    }
}

#[test]
fn reads_what_a_key_was_before_it_was_rotated() {
    let hash = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let key = |previous: &str| format!("[[keys]]\nname = \"k\"\nhash = \"{}\"\nprevious = {previous}", hash("1"));
    let whole = format!("{{ hash = \"{}\", until = \"2027-01-01T00:00:00Z\" }}", hash("2"));
    let catalog = catalog(&key(&whole));
    let key_of = |digit: u8| catalog.key(&[digit; 32]).map(|key| &*key.name);
    assert_eq!((key_of(0x11), key_of(0x22), key_of(0x33)), (Some("k"), Some("k"), None));
    assert_eq!(catalog.keys[0].rotated(&[0x22; 32]).map(|previous| previous.until_ms), Some(1_798_761_600_000));
    assert_eq!(catalog.keys[0].rotated(&[0x11; 32]), None);
    assert_eq!(
        problems(&key("{ hash = \"x\", for = 1 }")),
        [
            "keys[0].previous.hash: must be `sha256:` and 64 hexadecimal digits, as `llmio keys create` prints it",
            "keys[0].previous.until: is missing",
            "keys[0].previous.for: unknown field",
        ]
    );
    refuses(&key(&whole.replace(&hash("2"), &hash("1"))), "keys[0].previous.hash: is the hash of keys[0] too");
}

#[test]
fn no_key_is_named_as_records_name_the_token() {
    let of = |name: &str| format!("[[keys]]\nname = \"{name}\"\nhash = \"sha256:{}\"", "a".repeat(64));
    refuses(&of("admin"), "keys[0].name: may not be \"admin\": records name the admin token so");
    catalog(&of("administrator"));
}
