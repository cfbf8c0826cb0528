//! `[settings]`: what holds for the gateway as a whole.

use std::collections::BTreeMap;
use std::fmt;

use jiff::tz::TimeZone;

/// The settings of the gateway as a whole.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long records are kept.
    pub retention: Retention,
    /// Which calls' bodies are kept. Default off.
    pub record_bodies: RecordBodies,
    /// How long bodies are kept.
    pub bodies: BodiesRetention,
    /// Peers whose `x-forwarded-for` is believed, as networks. Default none.
    pub trusted_proxies: Vec<Network>,
    /// Where the days of quotas that name no zone begin. Default UTC.
    pub zone: TimeZone,
    /// How many credentials of one call a provider may refuse (401, 402, 403, 429) without costing the call an attempt.
    /// Default 32.
    pub turned_away_max: u32,
    /// How many USD one unit of each currency is worth, for amounts in that currency.
    pub rates: BTreeMap<String, f64>,
    /// The names of the models that serve as the fallback of every model without its own. Default none.
    pub fallback: Vec<String>,
    /// The models that serve calls without a `model`. Default: the only model that can.
    pub default_models: DefaultModels,
    /// Where prices come from that hold before those of the bundled table. Default none.
    pub prices: Option<PriceOrigin>,
}

/// How long records are kept. Whichever of the two limits is reached first applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Records older than this many days are deleted. Default 30.
    pub days: u32,
    /// The oldest records are deleted while the database holds more than so many bytes. Default: no bound.
    pub bytes_max: Option<u64>,
}

/// Which calls' bodies are kept: from none to all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordBodies {
    /// None.
    #[default]
    Off,
    /// Those of calls that do not end well.
    Errors,
    /// All.
    All,
}

impl RecordBodies {
    /// Every word, from none to all.
    pub const ALL: [RecordBodies; 3] = [Self::Off, Self::Errors, Self::All];

    /// Its word in catalogs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Errors => "errors",
            Self::All => "all",
        }
    }

    /// What this word means.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kept| kept.name() == name)
    }
}

/// How long bodies are kept. Whichever of the two limits is reached first applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodiesRetention {
    /// Bodies older than this many days are deleted. Default 7.
    pub days: u32,
    /// The oldest bodies are deleted while all of them hold more than so many bytes, compressed. Default 512 MiB.
    pub bytes_max: u64,
}

/// Which model serves a call that names no model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefaultModels {
    /// Calls of `moderations`.
    pub moderations: Option<String>,
    /// Calls of `images/generations`.
    pub images: Option<String>,
}

/// Where the operator's own prices come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceOrigin {
    /// A file that the host reads.
    File(String),
    /// An address, which is asked once a day.
    Address(PriceAddress),
}

/// The address of a price file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceAddress {
    /// Host and optional port.
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// Whether it may be a private or loopback address.
    pub local: bool,
}

impl fmt::Display for PriceOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PriceOrigin::File(name) => f.write_str(name),
            PriceOrigin::Address(address) => write!(f, "https://{}{}", address.authority, address.path),
        }
    }
}

/// An IP network in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Any address of the network.
    pub address: std::net::IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}
