//! The URL of an egress proxy: a secret where it holds a password, shown where it holds none.

use std::sync::Arc;

use serde_json::json;

use super::{document, nonces, put, sealed, sealer};
use crate::catalog::{Credential, Document, Egress};

const EGRESS: &str = r#"
[[providers]]
name = "a"
base_url = "https://a.example/v1"
egress = "http://user-us:pass-1@proxy.example:8080"
credentials = [
    { value = "sk-one", egress = "socks5://user-jp:pass-2@proxy.example" },
    { value = "sk-two", egress = "http://127.0.0.1:7890" },
    { value = "sk-three", egress = { variable = "PROXY" } },
    "sk-four",
]
"#;

/// The way out of each credential, as the host is told it.
fn ways(document: &Document) -> Vec<String> {
    let mut catalog = document.validate().unwrap();
    catalog.resolve(Some(&sealer()), &|_| Some("https://v:w@proxy.example\n".to_owned()));
    let provider = &catalog.providers[0];
    let way = |credential: &Arc<Credential>| {
        provider.egress_of(Some(credential)).and_then(Egress::instruction).unwrap_or_default()
    };
    provider.credentials.iter().map(way).collect()
}

const WAYS: [&str; 4] = [
    "socks5://user-jp:pass-2@proxy.example",
    "http://127.0.0.1:7890",
    "https://v:w@proxy.example",
    "http://user-us:pass-1@proxy.example:8080",
];

#[test]
fn a_credentials_own_egress_wins_over_its_providers() {
    assert_eq!(ways(&document(EGRESS)), WAYS);
}

#[test]
fn a_proxys_password_is_sealed_and_an_address_without_one_is_shown() {
    let stored = sealed(EGRESS);
    let text = stored.to_json_string();
    assert!(!text.contains("user-") && !text.contains("pass-"), "{text}");
    let provider = &stored.as_json()["providers"][0];
    assert_eq!(provider["egress"]["id"], "egress/a");
    assert_eq!(provider["credentials"][1]["egress"], "http://127.0.0.1:7890");
    assert_eq!(provider["credentials"][2]["egress"], json!({ "variable": "PROXY" }));
    assert_eq!(ways(&stored), WAYS);
    assert!(!stored.redacted().to_json_string().contains("v1:"));
}

#[test]
fn a_shown_egress_is_taken_back_and_follows_a_renamed_provider() {
    let stored = sealed(EGRESS);
    let mut shown = stored.redacted();
    assert_eq!(ways(&put(&shown, &stored).unwrap()), WAYS);
    shown.sections["providers"][0]["name"] = json!("b");
    let renamed = put(&shown, &stored).unwrap();
    assert_eq!(renamed.as_json()["providers"][0]["egress"]["id"], "egress/b");
    assert_eq!(ways(&renamed), WAYS);
}

#[test]
fn an_egress_moves_to_another_installation_with_the_other_secrets() {
    let open = sealed(EGRESS).with_secrets(&sealer()).unwrap();
    assert_eq!(open.as_json()["providers"][0]["egress"]["value"], WAYS[3]);
    assert_eq!(ways(&open), WAYS);
}

#[test]
fn an_egress_that_cannot_be_had_is_told_and_not_left_out() {
    let mut catalog = document(EGRESS).validate().unwrap();
    catalog.resolve(None, &|_| Some("ftp://nothing.example".to_owned()));
    let (place, reason) = catalog.missing().remove(0);
    assert_eq!(place, "provider a, credential #3, egress");
    assert!(reason.contains("must start with \"http://\""), "{reason}");
    let provider = &catalog.providers[0];
    assert!(!provider.egress_of(provider.credentials.get(2).map(Arc::as_ref)).unwrap().is_known());
}

#[test]
fn a_proxy_that_needs_a_master_key_to_be_stored_is_told_with_its_place() {
    let Err(problems) = document(EGRESS).accept(None, None, &mut nonces()) else { panic!("accepted") };
    let paths: Vec<&str> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
    assert!(
        paths.contains(&"providers[0].egress") && paths.contains(&"providers[0].credentials[0].egress"),
        "{paths:?}"
    );
}

const RELAY: &str = r#"
[[providers]]
name = "a"
base_url = "https://a.example/v1"
egress = { relay = "https://edge.example/relay/a", key = "sk-llmio-edge" }
credentials = ["sk-one"]
"#;

#[test]
fn the_key_for_a_relay_is_sealed_and_taken_back() {
    let stored = sealed(RELAY);
    let text = stored.to_json_string();
    assert!(!text.contains("sk-llmio-edge") && text.contains("https://edge.example/relay/a"), "{text}");
    let shown = stored.redacted();
    assert_eq!(shown.as_json()["providers"][0]["egress"]["key"], json!({ "id": "relay-key/egress/a" }));
    let mut catalog = put(&shown, &stored).unwrap().validate().unwrap();
    catalog.resolve(Some(&sealer()), &|_| None);
    let secret = catalog.providers[0].egress.as_ref().and_then(Egress::secret).and_then(|secret| secret.known());
    assert_eq!(secret.map(|secret| secret.expose()), Some("sk-llmio-edge"));
}

/// A person who may edit the catalog must not get a stored secret by sending it to a host of their own.
#[test]
fn a_stored_secret_does_not_follow_to_an_egress_where_others_read_it() {
    let stored = sealed(RELAY);
    let mut moved = stored.redacted();
    moved.sections["providers"][0]["egress"]["relay"] = json!("https://evil.example");
    let problems = put(&moved, &stored).unwrap_err();
    assert_eq!(problems.len(), 2, "the credential and the relay's key: {problems:?}");
    let direct = sealed(&RELAY.replace("egress =", "tags = [] #"));
    let mut relayed = direct.redacted();
    relayed.sections["providers"][0]["egress"] = json!({ "relay": "https://evil.example" });
    assert!(put(&relayed, &direct).is_err());
    relayed.sections["providers"][0]["egress"] = json!("http://evil.example:8080");
    assert!(put(&relayed, &direct).is_ok(), "a proxy does not read https");
    let plain = sealed(&RELAY.replace("egress =", "tags = [] #").replace("https://a", "http://a"));
    let mut proxied = plain.redacted();
    proxied.sections["providers"][0]["egress"] = json!("http://evil.example:8080");
    let problems = put(&proxied, &plain).unwrap_err();
    assert!(problems[0].ends_with("to use it at the proxy http://evil.example:8080"), "{problems:?}");
    let stored = sealed(&EGRESS.replace("https://a.example", "http://a.example"));
    assert!(put(&stored.redacted(), &stored).is_ok());
    let mut swapped = stored.redacted();
    swapped.sections["providers"][0]["egress"] = json!({ "id": "egress/a", "value": "http://u:p@evil.example" });
    assert!(put(&swapped, &stored).is_err(), "the id of the old proxy does not vouch for another one");
}
