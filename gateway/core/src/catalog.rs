//! The catalog: the whole configuration as one validated, versioned snapshot.
//!
//! A [`Document`] is what a person wrote (TOML or JSON, the same names); a [`Catalog`] is what the line uses.
//! Between them stands [`Document::validate`], which refuses a document whole and names every problem at once,
//! so that nothing behind it checks anything again.

mod document;
mod draft;
mod egress;
mod files;
mod key;
mod limit;
mod lookup;
mod model;
mod new_key;
mod provider;
mod relay;
mod resolve;
mod rotation;
mod schema;
mod seal;
mod secret;
mod settings;
mod terms;
mod validate;
mod warnings;

use std::collections::HashMap;
use std::sync::Arc;

pub use document::{Change, Difference, Document, Edit, EditError, Noun, Part, Unsaved, fixed_key_field};
pub use draft::{Draft, presets};
pub use egress::{Egress, ProxyEgress, RelayEgress};
pub use key::{ADMIN_NAME, Key, PreviousKey, Team};
pub use limit::{Count, Day, Limit, Per, Quota, Window};
pub use lookup::{hash_key, hash_text, without_suffix};
pub use model::{Adjustments, Affinity, Capabilities, Model, Strategy, Target, Timeouts, Translation};
pub use new_key::{NewKey, new_key};
pub use provider::{Credential, Endpoint, Provider, ProviderKind, ProviderLabel};
pub use relay::Relay;
pub use rotation::Rotation;
pub use seal::{SealError, Sealer};
pub use secret::{Secret, Value};
pub use settings::{
    BodiesRetention, DefaultModels, Network, PriceAddress, PriceOrigin, RecordBodies, Retention, Settings,
};
pub use terms::{Patience, PhaseLimits, Template};

pub use crate::profile::Source;

/// One accepted catalog, ready for lookups. Cheap to share, never changed.
#[derive(Debug)]
pub struct Catalog {
    /// The settings of the gateway as a whole.
    pub settings: Settings,
    /// The upstream services, in the order of the document.
    pub providers: Vec<Arc<Provider>>,
    /// The public models, in the order of the document.
    pub models: Vec<Arc<Model>>,
    /// The keys issued to clients.
    pub keys: Vec<Key>,
    /// The teams, whose keys share limits, in the order of the document.
    pub teams: Vec<Arc<Team>>,
    /// The pass-throughs, in the order of the document.
    pub relays: Vec<Relay>,
    names: HashMap<String, usize>,
    patterns: Vec<(String, usize)>,
    hashes: HashMap<[u8; 32], usize>,
    total_ms_max: u64,
}
