//! The smallest catalog that serves one provider: what a first start begins with.

use std::net::IpAddr;

use toml::Value;

use crate::providers;
use crate::uri::{authority_of, host_of};

/// A provider, and which of its models to serve.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// A preset's name, or a base URL.
    pub provider: &'a str,
    /// A credential or a reference to one. `None` for a server that needs none.
    pub credential: Option<&'a str>,
    /// A model that the provider is known to have. Any other name is sent to the provider unchanged.
    pub model: Option<&'a str>,
}

/// The public name of the model that stands for all others.
const ANY: &str = "any";

/// The name of a provider that has an address and no name.
const LOCAL: &str = "local";

/// The names of all presets that stand for a provider, in the order a list for choosing shows them.
pub fn presets() -> impl Iterator<Item = &'static str> {
    providers::presets().filter(|preset| !preset.endpoints.is_empty()).map(|preset| preset.name)
}

impl Draft<'_> {
    /// The provider's name in the catalog. For a URL it is the name of its host without `api` and `www`.
    pub fn provider_name(&self) -> &str {
        let Some(host) = self.host() else { return self.provider };
        if host.parse::<IpAddr>().is_ok() {
            return LOCAL;
        }
        host.split('.').find(|label| !matches!(*label, "" | "api" | "www")).unwrap_or(LOCAL)
    }

    /// The host of a base URL.
    fn host(&self) -> Option<&str> {
        self.provider.contains("://").then(|| host_of(authority_of(self.provider)))
    }

    /// The catalog as TOML, not yet validated.
    pub fn to_toml(self) -> String {
        let name = self.provider_name();
        let mut text = String::from("[[providers]]\n");
        match self.host() {
            None => push(&mut text, "preset", self.provider),
            Some(host) => {
                push(&mut text, "name", name);
                push(&mut text, "base_url", self.provider);
                if is_near(host) {
                    text.push_str("local = true\n");
                }
            }
        }
        if let Some(credential) = self.credential {
            text.push_str(&format!("credentials = [{}]\n", quoted(credential)));
        }
        if let Some(model) = self.model {
            text.push_str("\n[[models]]\n");
            push(&mut text, "name", model);
            text.push_str(&format!("targets = [{}]\n", quoted(&format!("{name}/{model}"))));
        }
        let any = if self.model == Some(ANY) { "any-other" } else { ANY };
        text.push_str("\n# Every other name goes to the provider as it is.\n[[models]]\n");
        push(&mut text, "name", any);
        text.push_str(&format!("aliases = [\"*\"]\ntargets = [{}]\n", quoted(&format!("{name}/*"))));
        text
    }
}

/// Whether a host's name shows that it is this machine or in a private network, which only `local` providers may use.
fn is_near(host: &str) -> bool {
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

fn push(text: &mut String, key: &str, value: &str) {
    text.push_str(&format!("{key} = {}\n", quoted(value)));
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Document;

    fn draft(provider: &'static str) -> Draft<'static> {
        Draft { provider, credential: Some("${LLMIO_API_KEY}"), model: Some("qwen/qwen3-coder:free") }
    }

    #[test]
    fn the_draft_of_every_preset_is_a_valid_catalog_that_serves_any_name() {
        for name in presets() {
            let text = draft(name).to_toml();
            let catalog = Document::from_toml(&text).and_then(|document| document.validate()).expect(&text);
            assert_eq!(&*catalog.model("qwen/qwen3-coder:free").expect("the model").name, "qwen/qwen3-coder:free");
            assert_eq!(&*catalog.model("something-else").expect("any other").name, "any", "{name}");
        }
    }

    #[test]
    fn a_url_makes_a_provider_named_after_its_host() {
        let cases = [
            ("https://api.relay.example/v1", "relay", false),
            ("https://example.org", "example", false),
            ("http://127.0.0.1:11434/v1", "local", true),
            ("http://192.168.1.20:8000/v1", "local", true),
            ("http://localhost:1234/v1", "localhost", true),
            ("http://[::1]:8080/v1", "local", true),
            ("http://[fd00::1]/v1", "local", true),
        ];
        for (url, name, near) in cases {
            let draft = Draft { provider: url, credential: None, model: None };
            assert_eq!(draft.provider_name(), name, "{url}");
            let text = draft.to_toml();
            assert_eq!(text.contains("local = true"), near, "{text}");
            assert!(!text.contains("credentials"), "{text}");
            Document::from_toml(&text).and_then(|document| document.validate()).expect(&text);
        }
    }

    #[test]
    fn what_is_given_cannot_leave_its_quotes() {
        let text = Draft { provider: "openai", credential: Some("a\"]\nname = \"x"), model: Some("any") }.to_toml();
        let document = Document::from_toml(&text).expect(&text);
        assert_eq!(document.as_json()["providers"][0]["credentials"][0], "a\"]\nname = \"x");
        assert_eq!(document.as_json()["models"][1]["name"], "any-other");
    }

    #[test]
    fn an_unknown_preset_is_told_with_those_there_are() {
        let text = Draft { provider: "opnai", credential: None, model: None }.to_toml();
        let problems = Document::from_toml(&text).and_then(|document| document.validate()).expect_err("unknown");
        assert!(problems.to_string().contains("openai"), "{problems}");
    }
}
