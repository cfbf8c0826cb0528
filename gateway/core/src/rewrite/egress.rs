//! The egress of a request: none, a proxy, or a relay in place of the provider's origin.

use crate::candidate::{Skip, SkipReason};
use crate::catalog::{Egress, Secret, Value};
use crate::headers;
use crate::outcome::NamedEgress;

use super::Outgoing;
use crate::candidate::Account;

/// An egress.
#[derive(Debug)]
pub enum EgressRoute {
    /// An egress proxy: its host and port, and its URL for the host.
    Proxy(String, Secret),
    /// The relay of another llmio: its address.
    Relay(String),
}

impl EgressRoute {
    /// The egress that is to blame for its own failures.
    pub fn through(&self) -> NamedEgress {
        NamedEgress { name: self.describe(), is_relay: matches!(self, EgressRoute::Relay(_)) }
    }

    /// The name in messages.
    pub fn describe(&self) -> String {
        match self {
            EgressRoute::Proxy(name, _) => format!("proxy {name}"),
            EgressRoute::Relay(name) => format!("relay {name}"),
        }
    }
}

/// Sends a request through the egress that its credential or provider names. A request whose egress is unknown is
/// refused, since it would come from the wrong place.
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
        // It is the relay that is connected to.
        ca: None,
        egress: Some(EgressRoute::Relay(name)),
        ..outgoing
    })
}
