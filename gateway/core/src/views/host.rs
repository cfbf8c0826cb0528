//! What the gateway tells its host and its monitors.

use serde::Serialize;

use crate::accept::host::{self, ID_PLACE, PathAnswers};
use crate::catalog::{Catalog, Egress, Provider, ProviderKind};

/// What the host needs to know: the answers that it gives if the component cannot, and the proxies behind which many
/// clients share one address.
#[derive(Debug, Serialize)]
pub struct HostView {
    /// The placeholder for a call's id in these answers.
    pub id_place: &'static str,
    /// The answers, by path prefix.
    pub answers: Vec<PathAnswers>,
    /// The networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<String>,
    /// Where the providers that are switched on are called, each address once for each way out.
    pub addresses: Vec<AddressView>,
}

/// Where a provider is called.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct AddressView {
    /// The provider.
    pub provider: String,
    /// Scheme, host and port.
    pub address: String,
    /// The proxy or relay that leads there; of a proxy that is not known `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<String>,
    /// The file of certificates that it may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

impl HostView {
    /// The view of this catalog.
    pub fn of(catalog: &Catalog) -> Self {
        let trusted_proxies = catalog.settings.trusted_proxies.iter().map(ToString::to_string).collect();
        let mut addresses = Vec::new();
        for provider in catalog.providers.iter().filter(|provider| provider.enabled) {
            for view in AddressView::all(provider) {
                if !addresses.contains(&view) {
                    addresses.push(view);
                }
            }
        }
        HostView { id_place: ID_PLACE, answers: host::answers(), trusted_proxies, addresses }
    }
}

impl AddressView {
    fn all(provider: &Provider) -> Vec<AddressView> {
        let ProviderKind::Http(endpoints) = &provider.kind else { return Vec::new() };
        let own = provider.egress.as_ref();
        let mut ways: Vec<Option<&Egress>> =
            provider.credentials.iter().map(|credential| credential.egress.as_ref().or(own)).collect();
        if ways.is_empty() {
            ways.push(own);
        }
        let ways = ways.into_iter().map(|way| way.map(|way| way.name().unwrap_or_else(|| "?".to_owned())));
        let view = |way: Option<String>| {
            let way = &way;
            let view = |endpoint: &crate::catalog::Endpoint| AddressView {
                provider: provider.name.to_string(),
                address: endpoint.address.to_string(),
                egress: way.clone(),
                ca: provider.ca.as_deref().map(str::to_owned),
            };
            endpoints.iter().map(view).collect::<Vec<_>>()
        };
        ways.flat_map(view).collect()
    }
}

/// The answer to a request that asks whether the gateway is alive.
#[derive(Debug, Serialize)]
pub struct AliveView {
    /// Always `ok`: a gateway that is not alive does not answer.
    pub status: &'static str,
}

impl AliveView {
    /// The only answer there is.
    pub const OK: Self = AliveView { status: "ok" };
}

/// Whether calls can be served, and what is in trouble although they can.
#[derive(Debug, Serialize)]
pub struct ReadyView {
    /// `ok` or `degraded`.
    pub status: &'static str,
    /// What does not work as it should.
    pub degraded: Vec<String>,
    /// Which calls are refused.
    pub refusing: Vec<&'static str>,
    /// The version of the catalog in force.
    pub catalog: String,
}

impl ReadyView {
    /// A view with the right status.
    pub fn of(degraded: Vec<String>, refusing: Vec<&'static str>, catalog: String) -> Self {
        let status = if degraded.is_empty() { "ok" } else { "degraded" };
        ReadyView { status, degraded, refusing, catalog }
    }
}

/// The answer of `POST /api/maintain`.
#[derive(Debug, Serialize)]
pub struct MaintenanceView {
    /// How many records were deleted because their retention was over.
    pub records_deleted: usize,
    /// How many calls were marked as interrupted, because nobody will report their end.
    pub records_interrupted: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_told_once_for_each_way_out_and_without_its_secrets() {
        let text = r#"
            [[providers]]
            name = "a"
            base_url = "https://a.example/v1"
            credentials = ["sk-c4n4ry-1", "sk-c4n4ry-2", { value = "sk-3", egress = "http://user:c4n4ry@proxy.example:3128" }]
            [[providers]]
            preset = "echo"
            [[providers]]
            name = "off"
            base_url = "https://off.example"
            enabled = false
        "#;
        let mut catalog =
            crate::catalog::Document::from_toml(text).and_then(|document| document.validate()).expect("a catalog");
        catalog.resolve(None, &|_| None);
        let shown = serde_json::to_value(HostView::of(&catalog)).expect("JSON");
        let address = "https://a.example:443";
        assert_eq!(
            shown["addresses"],
            serde_json::json!([
                { "provider": "a", "address": address },
                { "provider": "a", "address": address, "egress": "proxy.example:3128" },
            ])
        );
    }

    #[test]
    fn whoever_is_ready_and_has_no_trouble_is_ok() {
        let shown = |degraded: &[&str]| {
            let degraded = degraded.iter().map(|each| (*each).to_owned()).collect();
            serde_json::to_string(&ReadyView::of(degraded, Vec::new(), "\"1\"".into())).expect("JSON")
        };
        assert_eq!(serde_json::to_string(&AliveView::OK).expect("JSON"), r#"{"status":"ok"}"#);
        assert_eq!(shown(&[]), r#"{"status":"ok","degraded":[],"refusing":[],"catalog":"\"1\""}"#);
        assert!(shown(&["records: off"]).starts_with(r#"{"status":"degraded","degraded":["records: off"]"#));
    }
}
