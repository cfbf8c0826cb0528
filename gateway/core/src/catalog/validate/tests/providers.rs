//! Providers, their addresses, headers and credentials.

use super::{SMALL, catalog, problems, refuses};
use crate::catalog::{ProviderKind, ProviderLabel};
use crate::dialect::Dialect;

const SECRET_IN_QUERY: &str =
    "holds a secret in its query; use credentials with auth = \"query\", or a secret value of `query`";

/// [`SMALL`] with another line in its provider.
fn provider_with(line: &str) -> String {
    SMALL.replace("credentials = [\"${A_KEY}\"]", line)
}

#[test]
fn refuses_urls_that_would_leak_or_be_misread() {
    let cases = [
        ("https://user:pass@a.example", "must hold no user or password; use credentials"),
        ("https://a.example/v1?key=1", SECRET_IN_QUERY),
        ("https://a.example?x=1&API_KEY=1", SECRET_IN_QUERY),
        ("https://a.example/v1?a=b c", "has characters in its query that a URL must write as %XX"),
        ("https://a.example/v1?a=b#c", "has characters in its query that a URL must write as %XX"),
        ("https://a.example/v1#x", "must have no query and no fragment"),
        ("a.example/v1", "must start with \"https://\" or \"http://\""),
        ("https://", "has no valid host (a name outside ASCII is written in its xn-- form)"),
        ("https://a..example", "has no valid host (a name outside ASCII is written in its xn-- form)"),
        ("https://a.example:0", "has no valid port after the colon (1 to 65535)"),
        ("https://a.example:+80", "has no valid port after the colon (1 to 65535)"),
        ("https://[::g]", "has no valid IPv6 address between [ and ]"),
        ("https://a.example/a b", "has characters in its path that a URL must write as %XX"),
        ("https://a.example/../x", "must have no `.` or `..` in its path"),
        (
            "https://a.example/v1/chat/completions",
            "ends in /chat/completions, which llmio adds by itself; leave that off",
        ),
    ];
    for (url, message) in cases {
        refuses(&SMALL.replace("https://a.example/v1", url), &format!("providers[0].base_url: {message}"));
    }
    catalog(&SMALL.replace("https://a.example/v1", "http://[::1]:8080/v1"));
}

#[test]
fn refuses_headers_that_belong_to_the_connection_or_break_it() {
    let refused = ["host", "Authorization", "content-length", "connection", "x-llmio-host", "spin-client-addr"];
    for name in refused {
        let found = problems(&provider_with(&format!("headers = {{ {name} = \"x\" }}")));
        assert!(found[0].starts_with(&format!("providers[0].headers.{name}: may not be set here")), "{found:?}");
    }
    refuses(
        &provider_with(r#"headers = { x-a = "one\r\nx-b: two" }"#),
        "providers[0].headers.x-a: must be printable ASCII on one line, with no space at either end",
    );
    refuses(
        &provider_with("headers = { x-a = \"1\", X-A = \"2\" }"),
        "providers[0].headers.X-A: is there twice: header names do not differ in case",
    );
}

#[test]
fn refuses_labels_and_credentials_given_twice() {
    refuses(
        &provider_with(r#"credentials = [{ value = "sk-1", label = "x" }, { value = "sk-2", label = "x" }]"#),
        "providers[0].credentials[1].label: credentials[0] has this label too",
    );
    refuses(
        &provider_with(r#"credentials = ["sk-1", "sk-1"]"#),
        "providers[0].credentials[1]: is the same credential as providers[0].credentials[0]; leave one out",
    );
}

#[test]
fn labels_credentials_by_variable_or_position_and_never_by_the_secret() {
    let catalog =
        catalog(&provider_with(r##"credentials = ["sk-1", { value = "sk-2", label = "#3" }, "sk-3", "${K}"]"##));
    let labels: Vec<&str> = catalog.providers[0].credentials.iter().map(|credential| &*credential.label).collect();
    assert_eq!(labels, ["#1", "#3", "#4", "K"]);
}

#[test]
fn refuses_credentials_with_no_source_or_two() {
    let cases = [
        ("{ label = \"x\" }", ": needs a value or a variable"),
        ("{ id = \"c-1\" }", ".id: no stored secret has this id; give its value or a variable"),
        ("{ value = \"sk-1\", variable = \"X\" }", ": has value and variable; give one of them"),
        (
            "{ id = \"c-1\", sealed = \"sk-1\" }",
            ".sealed: the sealed value is not `v1:` and base64; enter the secret again",
        ),
        ("\"${A B}\"", ": must be a variable reference as a whole, like \"${NAME}\""),
        ("\"${TOKEN}\"", ": must not be a variable of llmio itself; give the provider's key a name of its own"),
        (
            "{ variable = \"master_key\" }",
            ".variable: must not be a variable of llmio itself; give the provider's key a name of its own",
        ),
        ("\"sk 1\"", ": must be printable ASCII without spaces or line breaks; was it copied whole?"),
        ("7", ": must be a table, not a number"),
    ];
    for (credential, problem) in cases {
        refuses(
            &provider_with(&format!("credentials = [{credential}]")),
            &format!("providers[0].credentials[0]{problem}"),
        );
    }
}

#[test]
fn never_shows_a_secret_in_a_problem() {
    let places = [
        "credentials = \"SECRET\"",
        "credentials = [\"SECRET SECRET\"]",
        "credentials = [\"${SECRET\"]",
        "credentials = [{ value = [\"SECRET\"] }]",
        "credentials = [{ sk-SECRET = \"x\" }]",
        "credentials = [{ value = \"SECRET\", variable = \"SECRET!\" }]",
        "credentials = [{ id = \"SECRET/\", sealed = \"SECRET\" }]",
        "headers = { x-a = { value = \"SECRET\\n\" } }",
        "auth = \"SECRET\"",
        "egress = { relay = \"SECRET\", key = \"SECRET SECRET\" }",
    ];
    for place in places {
        let found = problems(&provider_with(place)).join("\n");
        assert!(!found.contains("SECRET"), "{place}: {found}");
    }
    let url = problems(&SMALL.replace("https://a.example", "https://SECRET@a.example")).join("\n");
    assert!(!url.contains("SECRET"), "{url}");
    let hash = problems(&format!("{SMALL}[[keys]]\nname = \"k\"\nhash = \"SECRET\"")).join("\n");
    assert!(!hash.contains("SECRET"), "{hash}");
}

#[test]
fn knows_presets_and_lets_the_document_override_them() {
    let local = |line: &str| catalog(&format!("providers = [{{ {line} }}]")).providers[0].local;
    let catalog = catalog(
        r#"
        providers = [
            { preset = "deepseek", credentials = ["${D}"] },
            { preset = "openai", name = "eu", base_url = "https://eu.api.openai.com/v1/" },
        ]
        "#,
    );
    let urls: Vec<String> = catalog
        .providers
        .iter()
        .map(|provider| match &provider.kind {
            ProviderKind::Http(endpoints) => {
                format!("{} {}{}", provider.name, endpoints[0].authority, endpoints[0].path)
            }
            ProviderKind::Echo => provider.name.to_string(),
        })
        .collect();
    assert_eq!(urls, ["deepseek api.deepseek.com", "eu eu.api.openai.com/v1"]);
    assert!(local(r#"preset = "ollama""#) && !local(r#"preset = "ollama", local = false"#));
    assert!(!local(r#"preset = "ollama", base_url = "https://ollama.example/v1""#) && !local(r#"preset = "openai""#));
    let found = problems("providers = [{ preset = \"opnai\" }]");
    assert!(
        found[0].starts_with("providers[0].preset: no preset has this name; did you mean \"openai\"?"),
        "{found:?}"
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn refuses_credentials_for_the_preset_that_sends_nothing() {
    refuses(
        "providers = [{ preset = \"echo\", credentials = [\"${X}\"] }]",
        "providers[0].credentials: has no meaning for the preset \"echo\", which answers inside the gateway; leave it out",
    );
}

#[test]
fn refuses_a_provider_without_an_address_or_with_two() {
    refuses(
        "providers = [{ name = \"a\" }]",
        "providers[0].base_url: is missing (or give endpoints, or name a preset)",
    );
    refuses(
        "providers = [{ name = \"a\", base_url = \"https://a.example\", endpoints = { openai-chat = \"https://b.example\" } }]",
        "providers[0].endpoints: stands beside base_url; give one of the two",
    );
    refuses(
        "providers = [{ name = \"a\", endpoints = { openai-caht = \"https://b.example\" } }]",
        "providers[0].endpoints.openai-caht: no dialect has this name; there are \"openai-chat\", \
         \"openai-responses\", \"anthropic\" or \"gemini\"; did you mean \"openai-chat\"?",
    );
}

#[test]
fn an_address_of_anthropics_or_geminis_dialect_gets_its_version() {
    let path = |dialect: &str, base_url: &str| {
        let text = format!("providers = [{{ name = \"a\", dialect = \"{dialect}\", base_url = \"{base_url}\" }}]");
        let ProviderKind::Http(endpoints) = &catalog(&text).providers[0].kind else { panic!("over HTTP") };
        endpoints[0].path.clone()
    };
    for (dialect, base_url, expected) in [
        ("anthropic", "https://a.example", "/v1"),
        ("anthropic", "https://a.example/anthropic/", "/anthropic/v1"),
        ("anthropic", "https://a.example/v1", "/v1"),
        ("gemini", "https://a.example", "/v1beta"),
        ("gemini", "https://a.example/v1alpha", "/v1alpha"),
        ("gemini", "https://a.example/video", "/video/v1beta"),
        ("openai-chat", "https://a.example", ""),
        ("openai-responses", "https://a.example/openai", "/openai"),
    ] {
        assert_eq!(path(dialect, base_url), expected, "{dialect} {base_url}");
    }
}

#[test]
fn a_preset_brings_an_address_for_each_dialect_or_the_one_asked_for() {
    let dialects = |more: &str| {
        let catalog = catalog(&format!("providers = [{{ preset = \"deepseek\"{more} }}]"));
        let ProviderKind::Http(endpoints) = &catalog.providers[0].kind else { panic!("over HTTP") };
        endpoints.iter().map(|endpoint| endpoint.dialect).collect::<Vec<_>>()
    };
    assert_eq!(dialects(""), [Dialect::OpenaiChat, Dialect::Anthropic]);
    assert_eq!(dialects(", dialect = \"anthropic\""), [Dialect::Anthropic]);
    refuses(
        "providers = [{ preset = \"deepseek\", dialect = \"gemini\" }]",
        "providers[0].dialect: is not known to be spoken by deepseek; leave it out or give base_url (openai-chat, anthropic)",
    );
}

#[test]
fn no_header_that_holds_a_credential_or_an_address_can_be_forwarded() {
    for name in ["x-api-key", "X-Goog-Api-Key", "cookie", "authorization", "x-forwarded-for", "forwarded", "host"] {
        let text = format!(
            "providers = [{{ name = \"a\", base_url = \"https://a.example\", forward_headers = [\"{name}\"] }}]"
        );
        assert!(problems(&text)[0].starts_with("providers[0].forward_headers[0]: "), "{name}");
    }
}

#[test]
fn every_presets_addresses_are_valid() {
    for preset in crate::providers::presets() {
        let catalog = catalog(&format!("providers = [{{ preset = \"{}\" }}]", preset.name));
        let spoken = match &catalog.providers[0].kind {
            ProviderKind::Echo => 0,
            ProviderKind::Http(endpoints) => endpoints.len(),
        };
        assert_eq!(spoken, preset.endpoints.len(), "{}", preset.name);
    }
}

#[test]
fn a_label_is_two_characters_and_a_hue_or_nothing() {
    let with =
        |label: &str| format!("[[providers]]\nname = \"a\"\nbase_url = \"https://a.example/v1\"\nlabel = {label}\n");
    let label = |text: &str| catalog(&with(text)).providers[0].label.clone();
    assert_eq!(label("{ short = \"MS\", hue = 3 }"), ProviderLabel { short: Some("MS".into()), hue: Some(3) });
    assert_eq!(label("{ short = \"魔\" }"), ProviderLabel { short: Some("魔".into()), hue: None });
    assert_eq!(label("{}"), ProviderLabel::default());
    for (wrong, path) in [
        ("{ short = \"\" }", "providers[0].label.short"),
        ("{ short = \"abc\" }", "providers[0].label.short"),
        ("{ short = \"a b\" }", "providers[0].label.short"),
        ("{ hue = 0 }", "providers[0].label.hue"),
        ("{ hue = 9 }", "providers[0].label.hue"),
        ("{ color = 3 }", "providers[0].label.color"),
    ] {
        let found = problems(&with(wrong));
        assert!(found.iter().any(|problem| problem.starts_with(path)), "{wrong}: {found:?}");
    }
}
