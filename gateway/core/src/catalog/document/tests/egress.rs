//! The URL of an egress proxy: a secret where it holds a password, shown where it holds none.

use serde_json::json;

use super::{document, nonces, put, sealed, sealer};
use crate::catalog::{Document, Egress};

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
    let way = |credential| provider.egress_of(Some(credential)).and_then(Egress::instruction).unwrap_or_default();
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
    assert!(!provider.egress_of(provider.credentials.get(2)).unwrap().is_known());
}

#[test]
fn a_proxy_that_cannot_be_stored_without_a_master_key_is_told_with_its_place() {
    let Err(problems) = document(EGRESS).accept(None, None, &mut nonces()) else { panic!("accepted") };
    let paths: Vec<&str> = problems.0.iter().map(|problem| problem.path.as_str()).collect();
    assert!(
        paths.contains(&"providers[0].egress") && paths.contains(&"providers[0].credentials[0].egress"),
        "{paths:?}"
    );
}
