//! Relays: named pass-throughs, each to one origin.

use std::sync::Arc;

use super::Catalog;

/// A named pass-through to one origin.
#[derive(Debug)]
pub struct Relay {
    /// Unique name: a segment of the path it is reached by.
    pub name: Arc<str>,
    /// Whether it is in use. If not, clients do not see it.
    pub enabled: bool,
    /// Whether the origin speaks TLS.
    pub tls: bool,
    /// The origin's host and port.
    pub authority: String,
    /// Whether anybody may use it without a key.
    pub public: bool,
    /// Whether the origin's address may be private.
    pub local: bool,
}

impl Catalog {
    /// The enabled relay of this name.
    pub fn relay(&self, name: &str) -> Option<&Relay> {
        self.relays.iter().find(|relay| relay.enabled && &*relay.name == name)
    }
}
