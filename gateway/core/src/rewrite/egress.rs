//! The way out of a request: as it is, through a proxy, or to a relay that stands for the provider's origin.

use crate::candidate::{Skip, SkipReason};
use crate::catalog::{Egress, Secret, Value};
use crate::headers;
use crate::outcome::NamedEgress;

use super::Outgoing;
use crate::candidate::Account;

/// A way out that is not llmio's own.
#[derive(Debug)]
pub enum EgressRoute {
    /// An egress proxy: its host and port, and its URL as the host is told it.
    Proxy(String, Secret),
    /// The relay of another llmio: its address.
    Relay(String),
}

impl EgressRoute {
    /// Who is to blame for what is its own.
    pub fn through(&self) -> NamedEgress {
        NamedEgress { name: self.describe(), is_relay: matches!(self, EgressRoute::Relay(_)) }
    }

    /// What messages call it.
    pub fn describe(&self) -> String {
        match self {
            EgressRoute::Proxy(name, _) => format!("proxy {name}"),
            EgressRoute::Relay(name) => format!("relay {name}"),
        }
    }
}

/// Sends a request out the way its credential or provider names. A way that is not known must not be left out: the call
/// would come from the wrong place.
pub(super) fn take(mut outgoing: Outgoing, to: Account<'_>) -> Result<Outgoing, Skip> {
    let Some(egress) = to.provider.egress_of(to.credential) else { return Ok(outgoing) };
    let unknown = || Skip::new(SkipReason::NoCredential, None);
    let name = egress.name().ok_or_else(unknown)?;
    let relay = match egress {
        Egress::Proxy(_) => {
            let url = Secret::new(egress.instruction().ok_or_else(unknown)?);
            return Ok(Outgoing { egress: Some(EgressRoute::Proxy(name, url)), ..outgoing });
        }
        Egress::Relay(relay) => relay,
    };
    outgoing.headers.retain(|(header, _)| header != headers::RELAY_KEY);
    if let Some(key) = &relay.key {
        let key = Value::known(key).ok_or_else(unknown)?;
        outgoing.headers.push((headers::RELAY_KEY.to_owned(), key.expose().as_bytes().to_vec()));
    }
    Ok(Outgoing {
        tls: relay.tls,
        authority: relay.authority.clone(),
        path: format!("{}{}", relay.path, outgoing.path),
        local: relay.local,
        egress: Some(EgressRoute::Relay(name)),
        ..outgoing
    })
}
