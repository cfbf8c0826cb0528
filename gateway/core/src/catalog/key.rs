//! `[[keys]]` and `[[teams]]`: what llmio issues to clients.

use std::sync::Arc;

use super::{Limit, Network, RecordBodies};

/// The name of the admin token's calls in records, which no key may have.
pub const ADMIN_NAME: &str = "admin";

/// A key: what llmio issues to a client.
#[derive(Debug)]
pub struct Key {
    /// Unique name, which records show.
    pub name: Arc<str>,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// Its previous secret, if it was rotated.
    pub previous: Option<PreviousKey>,
    /// The names or patterns of the models it may use, with exact aliases replaced by the name of their model. `None`:
    /// all.
    pub models: Option<Vec<String>>,
    /// When it expires, in Unix milliseconds.
    pub expires_ms: Option<i64>,
    /// Whether it is in use. If not, it is refused.
    pub enabled: bool,
    /// Providers with one of these tags do not get its calls.
    pub avoid: Vec<String>,
    /// The networks it may be used from. `None`: anywhere.
    pub networks: Option<Vec<Network>>,
    /// The limits of its calls. Default: none.
    pub limits: Vec<Limit>,
    /// Its team, whose limits count the calls of several keys together.
    pub team: Option<Arc<Team>>,
    /// What the admin says of its calls' bodies, in place of the setting.
    pub record_bodies: Option<RecordBodies>,
    /// The most that its holder lets be kept.
    pub record_bodies_at_most: Option<RecordBodies>,
    /// Whether its holder may read the bodies of its own calls. Default no.
    pub see_bodies: bool,
}

/// A team: keys that share limits.
#[derive(Debug, PartialEq, Eq)]
pub struct Team {
    /// Unique name.
    pub name: Arc<str>,
    /// The limits of the calls of all its keys together.
    pub limits: Vec<Limit>,
}

/// The previous secret of a rotated key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreviousKey {
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// When it expires, in Unix milliseconds.
    pub until_ms: i64,
}
