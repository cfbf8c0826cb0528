//! Relays: named pass-throughs, each to one origin.

use std::sync::Arc;

use super::Catalog;

/// A named pass-through to one origin.
#[derive(Debug)]
pub struct Relay {
    /// Unique name: a segment of the path it is reached by.
    pub name: Arc<str>,
    /// Off: unknown to clients.
    pub enabled: bool,
    /// The origin speaks TLS.
    pub tls: bool,
    /// The origin's host and port.
    pub authority: String,
    /// Anybody may use it, without a key.
    pub public: bool,
    /// The origin's address may be private.
    pub local: bool,
}

impl Catalog {
    /// The enabled relay of this name.
    pub fn relay(&self, name: &str) -> Option<&Relay> {
        self.relays.iter().find(|relay| relay.enabled && &*relay.name == name)
    }
}
