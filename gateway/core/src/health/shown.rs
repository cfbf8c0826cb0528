//! The names of subjects for people, who know a credential by its provider and label and not by its id.

use super::{DIRECT, Subject};
use crate::catalog::Catalog;

impl Subject {
    /// The name for people: `relay-x first on gpt-5`.
    pub fn name(&self, catalog: &Catalog) -> String {
        match self {
            Subject::Address(address) => address.to_string(),
            Subject::Credential(id) => {
                credential(catalog, id).unwrap_or_else(|| "a credential that is no longer there".to_owned())
            }
            Subject::Lane { account, models } => {
                let account = credential(catalog, account).unwrap_or_else(|| account.to_string());
                format!("{account} on {}", models.name())
            }
            Subject::Egress(way) => way.to_string(),
            Subject::Place { way, provider } => format!("{}/{provider}", way.as_deref().unwrap_or(DIRECT)),
            Subject::Target { provider, models } => format!("{provider}/{}", models.name()),
        }
    }
}

fn credential(catalog: &Catalog, id: &str) -> Option<String> {
    catalog.providers.iter().find_map(|provider| {
        let found = provider.credentials.iter().find(|credential| *credential.id == *id)?;
        Some(format!("{} {}", provider.name, found.label))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Document;

    #[test]
    fn a_credential_is_known_by_its_provider_and_label() {
        let text = "providers = [{ name = \"p\", base_url = \"https://p.example/v1\", credentials = [\"k\"] }]";
        let catalog = Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog");
        let provider = &catalog.providers[0];
        let (id, label) = (&provider.credentials[0].id, &provider.credentials[0].label);
        let name = |key: &str| Subject::parse(key).expect("a subject").name(&catalog);
        assert_eq!(name(&format!("credential/{id}")), format!("p {label}"));
        assert_eq!(name(&format!("lane/{id}/a/b")), format!("p {label} on a/b"));
        assert_eq!(name("credential/c-gone"), "a credential that is no longer there");
        for (key, shown) in [
            ("address/http://a.example:80", "http://a.example:80"),
            ("lane/p/m", "p on m"),
            ("target/p/a/b", "p/a/b"),
            ("egress/direct/p", "direct/p"),
            ("egress/edge.example%2Frelay%2Fg", "edge.example/relay/g"),
        ] {
            assert_eq!(name(key), shown);
        }
    }
}
