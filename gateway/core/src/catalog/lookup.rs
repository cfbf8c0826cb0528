//! Looking things up in a [`Catalog`]: models by the name asked, keys by their hash, addresses in networks.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::schema::nearest;
use super::seal::HOW_TO_SET_MASTER_KEY;
use super::{
    Capabilities, Catalog, Count, Document, Endpoint, Key, Limit, Model, Network, PreviousKey, Provider, ProviderKind,
    Quota, RecordBodies, Secret, Strategy, Target, Value, Window,
};
use crate::dialect::{Auth, Dialect};
use crate::operation::Operation;
use crate::order;
use crate::price::{self, Listed, Pieces, PriceList, PriceSource, Priced};
use crate::problem::Problems;
use crate::redact::Secrets;

impl Catalog {
    /// The catalog of [`Document::built_in`].
    pub fn built_in() -> Catalog {
        Document::built_in().validate().expect("default.toml is compiled in and validated by a test")
    }

    /// Also believes what proxies in these networks say about clients. The networks are separated by commas; a host
    /// sets them without a catalog. `Err`: what is wrong with one of them; then none is believed.
    pub fn trust(&mut self, networks: &str) -> Result<(), String> {
        let texts = networks.split(',').map(str::trim).filter(|text| !text.is_empty());
        let read = |text: &str| super::schema::format::network(text).map_err(|problem| format!("{text:?} {problem}"));
        let networks: Vec<Network> = texts.map(read).collect::<Result<_, _>>()?;
        self.settings.trusted_proxies.extend(networks);
        Ok(())
    }

    /// The model that answers to this name: by its name, by an alias, then by the longest pattern.
    /// A suffix like `[1m]` is ignored when nothing has the full name. The owner of a name is found first and
    /// then asked whether it is enabled: a name switched off does not fall to another model's pattern.
    pub fn model(&self, requested: &str) -> Option<&Arc<Model>> {
        let exact = self.names.get(requested).or_else(|| self.names.get(without_suffix(requested))).copied();
        let by_pattern = || self.patterns.iter().find(|(stem, _)| requested.starts_with(stem)).map(|(_, index)| *index);
        let index = exact.or_else(by_pattern)?;
        self.models.get(index).filter(|model| model.enabled)
    }

    /// The model of a call that names none, if its endpoint allows that: the one that the settings name, else the only
    /// one whose targets can serve it.
    pub fn default_model(&self, operation: Operation) -> Option<&str> {
        let named = match operation {
            Operation::Moderations => &self.settings.default_models.moderations,
            Operation::Images => &self.settings.default_models.images,
            _ => return None,
        };
        if let Some(name) = named {
            return Some(name);
        }
        let is_able = |model: &&Arc<Model>| {
            let mut targets = model.targets.iter().filter(|target| target.enabled && target.provider.enabled);
            model.enabled && targets.any(|target| target.provider.serving(operation).is_some())
        };
        let mut able = self.models.iter().filter(is_able);
        able.next().filter(|_| able.next().is_none()).map(|model| &*model.name)
    }

    /// A model, followed by its fallback models.
    pub fn with_fallbacks<'c>(&'c self, model: &'c Model) -> impl Iterator<Item = &'c Model> + use<'c> {
        let fallbacks = model.fallback.iter().filter_map(|index| self.models.get(*index));
        std::iter::once(model).chain(fallbacks.map(Arc::as_ref))
    }

    /// The enabled model whose name or alias is nearest to an unknown name.
    pub fn nearest_model(&self, requested: &str) -> Option<&str> {
        let enabled = |index: &usize| self.models.get(*index).is_some_and(|model| model.enabled);
        let is_meant = |(name, index): &(&String, &usize)| !name.ends_with('*') && enabled(index);
        let mut names: Vec<&str> = self.names.iter().filter(is_meant).map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        nearest(requested, names)
    }

    /// The key that has this hash, or had it before a rotation. The table finds a candidate; the comparison that
    /// decides takes constant time.
    pub fn key(&self, sha256: &[u8; 32]) -> Option<&Key> {
        let key = self.keys.get(*self.hashes.get(sha256)?)?;
        (bool::from(key.hash.ct_eq(sha256)) || key.rotated(sha256).is_some()).then_some(key)
    }

    /// The key of this name.
    pub fn key_named(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| &*key.name == name)
    }

    /// Which bodies of a caller's calls are kept. `key` is the name of its key, if it has one.
    pub fn record_bodies(&self, key: Option<&str>) -> RecordBodies {
        let setting = self.settings.record_bodies;
        key.and_then(|name| self.key_named(name)).map_or(setting, |key| key.keeps_bodies(setting))
    }

    /// Whether bodies of anybody's calls are kept, so that there must be a master key to seal them with.
    pub fn keeps_bodies(&self) -> bool {
        let setting = self.settings.record_bodies;
        setting > RecordBodies::Off || self.keys.iter().any(|key| key.keeps_bodies(setting) > RecordBodies::Off)
    }

    /// Refuses to keep bodies where nothing could seal them.
    pub fn check_bodies(&self, has_master_key: bool) -> Result<(), Problems> {
        if has_master_key || !self.keeps_bodies() {
            return Ok(());
        }
        let setting = self.settings.record_bodies;
        let raised = self.keys.iter().position(|key| key.keeps_bodies(setting) > setting);
        let path = raised.filter(|_| setting == RecordBodies::Off).map(|index| format!("keys[{index}].record_bodies"));
        let message = format!("bodies are kept sealed, and there is no master key: {HOW_TO_SET_MASTER_KEY}");
        Err(Problems::one(path.unwrap_or_else(|| "settings.record_bodies".to_owned()), message))
    }

    /// The secrets that requests to any provider hold.
    pub fn known_secrets(&self) -> impl Iterator<Item = &Secrets> {
        self.providers.iter().flat_map(|provider| {
            let credentials = provider.credentials.iter().map(|credential| &*credential.secrets);
            std::iter::once(&*provider.secrets).chain(credentials)
        })
    }

    /// Whether a call of this model may be ordered by this strategy: its own, or that of one of its fallbacks.
    pub fn may_order_by(&self, strategy: Strategy, model: &Model) -> bool {
        self.with_fallbacks(model).any(|each| each.strategy == strategy)
    }

    /// Whether the needs of a call matter for the choice of a target of this model: only if a target lacks some
    /// capability, or if the size of the prompt decides which one is cheaper.
    pub fn is_demanding(&self, model: &Model) -> bool {
        let lacks = |target: &Arc<Target>| target.capabilities != Capabilities::default();
        model.strategy == Strategy::Cost || self.with_fallbacks(model).flat_map(|each| &each.targets).any(lacks)
    }

    /// The longest that any call may take. Nothing under way can be older.
    pub fn total_ms_max(&self) -> u64 {
        self.total_ms_max
    }
}

impl Model {
    /// Whether its name is a pattern, so that clients ask for it by other names.
    pub fn is_pattern(&self) -> bool {
        self.name.ends_with('*')
    }

    /// Its patterns (name and aliases) without their `*`, the longest first.
    pub(super) fn patterns(&self) -> Vec<String> {
        let names = std::iter::once(&*self.name).chain(self.aliases.iter().map(String::as_str));
        let mut stems: Vec<String> = names.filter_map(|name| name.strip_suffix('*')).map(str::to_owned).collect();
        order::by_key(&mut stems, |stem| Reverse(stem.len()));
        stems
    }
}

impl Key {
    /// Its previous secret, if that has this hash.
    pub fn rotated(&self, sha256: &[u8; 32]) -> Option<&PreviousKey> {
        self.previous.as_ref().filter(|previous| previous.hash.ct_eq(sha256).into())
    }

    /// Which bodies of its calls are kept where the settings say this: the admin's word for it replaces that of the
    /// settings, and its holder can only lower it.
    pub fn keeps_bodies(&self, setting: RecordBodies) -> RecordBodies {
        let most = self.may_keep_bodies(setting);
        self.record_bodies_at_most.map_or(most, |at_most| at_most.min(most))
    }

    /// The most that its holder may let be kept.
    pub fn may_keep_bodies(&self, setting: RecordBodies) -> RecordBodies {
        self.record_bodies.unwrap_or(setting)
    }

    /// Whether it has a budget in money. Its calls then go only where their price is known.
    pub fn has_budget(&self) -> bool {
        self.all_limits().any(|limit| limit.count == Count::Money)
    }

    /// Its own limits and its team's.
    pub fn all_limits(&self) -> impl Iterator<Item = &Limit> {
        self.limits.iter().chain(self.team.iter().flat_map(|team| &team.limits))
    }

    /// Whether it is limited to some models or by a budget. The client must then not choose what the provider serves.
    pub fn is_limited(&self) -> bool {
        self.models.is_some() || self.has_budget()
    }

    /// Whether the key's list allows this name. Ask with the model's own name and, when that is not allowed, with
    /// the name the client asked for: a list may name an alias or a pattern of aliases.
    pub fn may_use(&self, model_name: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.iter().any(|entry| matches(entry, model_name)))
    }
}

impl Catalog {
    /// What the providers are called in lists of prices, each once.
    pub fn price_lists(&self) -> BTreeSet<&str> {
        self.providers.iter().map(|provider| &*provider.prices.list).collect()
    }

    /// Puts these lists of the operator's file before the bundled prices.
    pub fn set_prices(&mut self, lists: &HashMap<String, Arc<PriceList>>) {
        for provider in &mut self.providers {
            if let Some(list) = lists.get(&*provider.prices.list) {
                Arc::make_mut(provider).prices.own = Some(Arc::clone(list));
            }
        }
        self.link_targets();
    }

    /// The providers whose address or access differs from an older catalog, so that what was learnt about them no
    /// longer applies.
    pub fn moved_since(&self, older: &Catalog) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.iter().filter(|provider| {
            let was = older.providers.iter().find(|other| other.name == provider.name);
            was.is_some_and(|was| was.reached() != provider.reached())
        })
    }
}

impl Provider {
    fn reached(&self) -> (&[Endpoint], Option<Auth>, bool) {
        let endpoints = match &self.kind {
            ProviderKind::Echo => &[],
            ProviderKind::Http(endpoints) => endpoints.as_slice(),
        };
        (endpoints, self.auth, self.local)
    }

    /// The host it is at: that of its first endpoint.
    pub fn home(&self) -> &str {
        self.reached().0.first().map_or("", |endpoint| &endpoint.authority)
    }

    /// The published price of a model at this provider and at this time, in Unix milliseconds: that of the operator's file of
    /// prices, else that of the bundled table.
    pub fn published(&self, upstream_model: &str, at_ms: i64) -> Option<Priced> {
        // The built-in provider may bear any name, but charges nothing that could be known.
        if self.kind == ProviderKind::Echo {
            return None;
        }
        let listed = self.prices.own.as_ref().and_then(|list| Some((list.find(upstream_model, at_ms)?, list)));
        match listed {
            Some((Listed::Unknown, _)) => None,
            Some((Listed::At(price), list)) => Some(Priced { price, source: PriceSource::File(list.version.clone()) }),
            None => price::bundled(&self.prices.list, upstream_model, at_ms),
        }
    }

    /// Its endpoint for this dialect.
    pub fn endpoint(&self, dialect: Dialect) -> Option<&Endpoint> {
        match &self.kind {
            ProviderKind::Echo => None,
            ProviderKind::Http(endpoints) => endpoints.iter().find(|endpoint| endpoint.dialect == dialect),
        }
    }

    /// The endpoint a call is sent to: the one for its dialect or, for a conversation, else the one whose dialect loses
    /// least.
    pub fn serving(&self, operation: Operation) -> Option<&Endpoint> {
        let dialect = operation.dialect();
        let others = if operation.is_chat() { dialect.nearest() } else { &[] };
        self.endpoint(dialect).or_else(|| others.iter().find_map(|other| self.endpoint(*other)))
    }
}

impl Target {
    /// The price of this upstream model and these pieces at this time, in Unix milliseconds: the published price of the
    /// pieces, unless the catalog calls the target free; else the catalog's price, else that of the bundled table. `None`:
    /// unknown, which does not mean free.
    pub fn priced(&self, upstream_model: &str, pieces: Pieces, at_ms: i64) -> Option<Priced> {
        if pieces != Pieces::None
            && self.price.is_none_or(|price| !price.is_free())
            && let ProviderKind::Http(_) = &self.provider.kind
            && let known @ Some(_) = {
                let authority = Some(self.provider.home()).filter(|home| !home.is_empty());
                price::of_pieces(authority, &self.provider.name, upstream_model, pieces)
            }
        {
            return known;
        }
        if let Some(usual) = self.price {
            let price = self.hours.iter().find(|(hours, _)| hours.hold(at_ms)).map_or(usual, |(_, price)| *price);
            return Some(Priced { price, source: PriceSource::Catalog });
        }
        self.provider.published(upstream_model, at_ms)
    }
}

impl Quota {
    /// Whether the spending of this upstream model counts here.
    pub fn covers(&self, upstream_model: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|entry| matches(entry, upstream_model))
    }

    /// Whether any of it is in money.
    pub fn counts_money(&self) -> bool {
        self.limits.iter().any(|limit| limit.count == Count::Money)
    }

    /// How ids write its models: their names, or `*` for all models.
    pub fn group(&self) -> String {
        if self.models.is_empty() { "*".to_owned() } else { self.models.join(",") }
    }
}

impl Limit {
    /// The limit's name in ids and answers. It contains no `/`, which separates it from what stands before it.
    pub fn name(&self) -> String {
        let name = match (&self.window, self.count) {
            (Window::Ever, _) => "credit",
            (Window::Rolling { hours: 1 }, Count::Money) => "budget-hour",
            (Window::Rolling { hours }, Count::Money) => return format!("budget-{hours}h"),
            (Window::Day(_), Count::Money) => "budget-day",
            (Window::Week(_), Count::Money) => "budget-week",
            (Window::Month(_), Count::Money) => "budget-month",
            (Window::Rolling { hours }, Count::Tokens | Count::FreshTokens) => {
                return format!("rolling-tokens-{hours}h");
            }
            (Window::Rolling { hours }, _) => return format!("rolling-{hours}h"),
            (Window::InFlight, _) => "concurrent",
            (Window::Day(_), Count::Points { .. }) => "points",
            (Window::Minute, Count::Tokens | Count::FreshTokens) => "tpm",
            (Window::Day(_), Count::Tokens | Count::FreshTokens) => "tpd",
            (Window::Week(_), Count::Tokens | Count::FreshTokens) => "tpweek",
            (Window::Month(_), Count::Tokens | Count::FreshTokens) => "tpmonth",
            (Window::Minute, _) => "rpm",
            (Window::Day(_), Count::Calls) => "rpd",
            (Window::Week(_), _) => "rpweek",
            (Window::Month(_), _) => "rpmonth",
        };
        name.to_owned()
    }
}

impl Network {
    /// Whether the address belongs to the network; an IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = u32::from(network) ^ u32::from(address);
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = u128::from(network) ^ u128::from(address);
                differing.leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

impl Value {
    /// The secret, once [`Catalog::resolve`] has found it.
    pub fn known(&self) -> Option<&Secret> {
        match self {
            Value::Plain(secret) => Some(secret),
            _ => None,
        }
    }
}

/// Only the models of quotas may have their `*` at the beginning, which the document's formats see to.
fn matches(entry: &str, name: &str) -> bool {
    match (entry.strip_suffix('*'), entry.strip_prefix('*')) {
        (Some(stem), _) => name.starts_with(stem),
        (None, Some(end)) => name.ends_with(end),
        (None, None) => entry == name,
    }
}

/// The name without a suffix like `[1m]`, which clients add for themselves.
pub fn without_suffix(requested: &str) -> &str {
    match requested.rfind('[') {
        Some(start) if start > 0 && requested.ends_with(']') => requested.get(..start).unwrap_or(requested),
        _ => requested,
    }
}

/// The SHA-256 of a key. Nothing else of a key is kept.
pub fn hash_key(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

/// A key's hash as documents write it: `sha256:` and 64 hexadecimal digits.
pub fn hash_text(hash: &[u8; 32]) -> String {
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

#[cfg(test)]
mod tests;
