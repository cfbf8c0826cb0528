//! Step 2: who the caller is. A presented credential is the admin token or a key of the catalog. Both are compared by
//! SHA-256, so that the time of a comparison does not show where two secrets first differ.

pub mod session;
pub mod strength;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::catalog::{ADMIN_NAME, Catalog, Key};
use crate::endpoint::Needs;
use crate::redact;
use crate::refusal::{Refusal, until};

use strength::TokenTrouble;

/// How many wrong credentials an address may present in a minute before it must wait.
const FAILURES_MAX: u32 = 10;
const WINDOW_MS: i64 = 60_000;
const WAIT_MS_FIRST: i64 = 60_000;
const WAIT_MS_MAX: i64 = 3_600_000;

/// How many addresses are remembered. The oldest are forgotten first.
const ADDRESSES_MAX: usize = 1024;

/// Headers that may hold a credential, and what precedes it in the value.
const PLACES: [(&str, &str); 4] =
    [("authorization", "bearer "), ("x-api-key", ""), ("x-goog-api-key", ""), ("api-key", "")];

/// The caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// An unknown caller, on a route that needs no credential.
    Anyone,
    /// The holder of the admin token.
    Admin,
    /// The holder of a key.
    Key(Arc<str>),
}

impl Caller {
    /// The name of the caller's key, if the caller used one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Key(name) => Some(name),
            Self::Anyone | Self::Admin => None,
        }
    }

    /// The caller's name in records.
    pub fn name(&self) -> &str {
        match self {
            Self::Anyone => "",
            Self::Admin => ADMIN_NAME,
            Self::Key(name) => name,
        }
    }
}

/// The hash of the admin token, or nothing while llmio has none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Token {
    hash: Option<[u8; 32]>,
    trouble: Option<TokenTrouble>,
}

impl Token {
    /// Hashes the token. An empty one means that llmio is not configured.
    pub fn new(token: &str) -> Self {
        let hash = (!token.is_empty()).then(|| Sha256::digest(token.as_bytes()).into());
        Token { hash, trouble: strength::trouble(token) }
    }

    /// Whether there is a token at all.
    pub fn is_set(&self) -> bool {
        self.hash.is_some()
    }

    /// What is wrong with it, if anything is.
    pub fn trouble(&self) -> Option<TokenTrouble> {
        self.trouble
    }

    fn is(&self, hash: &[u8; 32]) -> bool {
        self.hash.is_some_and(|token| token.ct_eq(hash).into())
    }
}

/// The shortest word that can be a credential.
const CREDENTIAL_BYTES_MIN: usize = 8;

/// Texts in which a client describes itself, without the credentials of its request and without anything that looks
/// like one.
pub fn without_credentials(text: &str, headers: &[(String, Vec<u8>)], query: Option<&str>) -> String {
    let is_presented = |word: &str| {
        word.len() >= CREDENTIAL_BYTES_MIN && presented(headers, query).iter().any(|credential| credential == word)
    };
    redact::without_keys(text, is_presented)
}

/// The credentials of a request, in the order of the documentation: headers first, then `?key=`.
pub fn presented(headers: &[(String, Vec<u8>)], query: Option<&str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (name, value) in headers {
        let Some((_, prefix)) = PLACES.iter().find(|(place, _)| name.eq_ignore_ascii_case(place)) else { continue };
        let Ok(text) = std::str::from_utf8(value) else { continue };
        let credential = match text.get(..prefix.len()) {
            Some(start) if start.eq_ignore_ascii_case(prefix) => text.get(prefix.len()..).unwrap_or_default(),
            _ => continue,
        };
        push_unique(&mut found, credential.trim());
    }
    let in_query = query.unwrap_or_default().split('&').filter_map(|pair| pair.strip_prefix("key="));
    for credential in in_query.filter_map(crate::uri::decode_parameter) {
        push_unique(&mut found, &credential);
    }
    found
}

/// The query without the credential of this caller. What opens a route is not one of the route's parameters, and must not
/// appear in messages that quote them.
pub fn without_credential(query: &str, caller: &Caller, token: &Token, catalog: &Catalog) -> Option<String> {
    let is_own = |hash: &[u8; 32]| match caller {
        Caller::Admin => token.is(hash),
        Caller::Key(name) => catalog.key(hash).is_some_and(|key| key.name == *name),
        Caller::Anyone => false,
    };
    let is_credential = |pair: &str| {
        let credential = pair.strip_prefix("key=").and_then(crate::uri::decode_parameter);
        credential.is_some_and(|credential| is_own(&Sha256::digest(credential.as_bytes()).into()))
    };
    let others: Vec<&str> = query.split('&').filter(|pair| !is_credential(pair)).collect();
    (!others.is_empty()).then(|| others.join("&"))
}

fn push_unique(found: &mut Vec<String>, credential: &str) {
    if !credential.is_empty() && !found.iter().any(|known| known == credential) {
        found.push(credential.to_owned());
    }
}

/// Decides who the caller is. `now_ms` is the wall clock; `url` is the page where keys are made, for the message.
pub fn authenticate(
    needs: Needs,
    presented: &[String],
    token: &Token,
    catalog: &Catalog,
    now_ms: i64,
) -> Result<Caller, Refusal> {
    // A relay checks its key itself, in a header of its own. All other credentials are meant for its origin. The
    // console checks its session itself.
    if matches!(needs, Needs::Nothing | Needs::Relay | Needs::Session) {
        return Ok(Caller::Anyone);
    }
    let mut caller: Option<Caller> = None;
    let mut not_now: Option<Refusal> = None;
    for credential in presented {
        let hash: [u8; 32] = Sha256::digest(credential.as_bytes()).into();
        let known = match catalog.key(&hash).map(|key| known_now(key, &hash, now_ms)) {
            _ if token.is(&hash) => Caller::Admin,
            Some(Ok(known)) => known,
            Some(Err(refusal)) => {
                not_now.get_or_insert(refusal);
                continue;
            }
            None => continue,
        };
        match &caller {
            Some(other) if *other != known => return Err(two_callers(other, &known)),
            _ => caller = Some(known),
        }
    }
    match caller {
        None => Err(not_now.unwrap_or_else(|| unknown(presented))),
        Some(Caller::Key(name)) if needs == Needs::Admin => Err(Refusal::forbidden(
            "admin_token_needed",
            format!("Key {name:?} may not use the admin API. It takes the admin token; `llmio token` prints it."),
        )),
        Some(caller) => Ok(caller),
    }
}

/// The caller that a secret with this hash stands for, if it may be used now. The old secret of a rotated key has an end of
/// its own.
fn known_now(key: &Key, hash: &[u8; 32], now_ms: i64) -> Result<Caller, Refusal> {
    if let Some(previous) = key.rotated(hash)
        && previous.until_ms <= now_ms
    {
        let since = until(previous.until_ms).map_or_else(String::new, |at| format!(" since {at}"));
        let message =
            format!("Key {:?} was rotated, and this secret is no longer valid{since}. Use the new one.", key.name);
        return Err(Refusal::unauthorized("key_rotated", message));
    }
    allowed_now(key, now_ms)
}

/// The caller that a key stands for, if the key may be used now.
pub fn allowed_now(key: &Key, now_ms: i64) -> Result<Caller, Refusal> {
    if !key.enabled {
        let message = format!("Key {:?} is disabled. Enable it in the catalog or use another.", key.name);
        return Err(Refusal::unauthorized("key_disabled", message));
    }
    if key.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms) {
        let message = format!("Key {:?} has expired. Make another with `llmio keys create`.", key.name);
        return Err(Refusal::unauthorized("key_expired", message));
    }
    Ok(Caller::Key(key.name.clone()))
}

/// Refuses a key that may not be used from where its caller is. Who cannot be told is nowhere.
pub fn check_address(caller: &Caller, catalog: &Catalog, address: Option<IpAddr>) -> Result<(), Refusal> {
    let key = caller.key().and_then(|name| catalog.key_named(name));
    let Some((key, networks)) = key.and_then(|key| Some((key, key.networks.as_ref()?))) else { return Ok(()) };
    if address.is_some_and(|address| networks.iter().any(|network| network.contains(address))) {
        return Ok(());
    }
    let from = address.map_or_else(|| "an address that is not known".to_owned(), |address| address.to_string());
    let message =
        format!("Key {:?} may not be used from {from}; `ips` of the key in the catalog says from where.", key.name);
    Err(Refusal::forbidden("address_not_allowed", message))
}

fn two_callers(one: &Caller, other: &Caller) -> Refusal {
    let message = format!(
        "Two different credentials were presented, of {:?} and of {:?}. Send one of them.",
        one.name(),
        other.name()
    );
    Refusal::unauthorized("two_credentials", message)
}

fn unknown(presented: &[String]) -> Refusal {
    match presented.first() {
        None => Refusal::unauthorized(
            "key_missing",
            "No key was presented. Send `Authorization: Bearer KEY`; `llmio keys create NAME` makes one.",
        ),
        Some(credential) => {
            // Four characters let the owner recognise the key, and are useless to others. Of short keys nothing is
            // shown.
            let count = credential.chars().count();
            let tail: String = credential.chars().skip(count.saturating_sub(if count >= 16 { 4 } else { 0 })).collect();
            let ending = if tail.is_empty() { String::new() } else { format!(" ending {tail}") };
            let message = format!(
                "Unknown key{ending}. `llmio keys list` shows the keys there are; `llmio keys create NAME` makes one."
            );
            Refusal::unauthorized("key_unknown", message)
        }
    }
}

/// Whether the caller may use this model.
pub fn may_use(caller: &Caller, model: &str, catalog: &Catalog) -> bool {
    match caller {
        Caller::Anyone => false,
        Caller::Admin => true,
        Caller::Key(name) => catalog.keys.iter().find(|key| key.name == *name).is_some_and(|key| key.may_use(model)),
    }
}

/// Checks that the caller may use the model `name`, which the request calls `requested`.
pub fn check_model(caller: &Caller, name: &str, requested: &str, catalog: &Catalog) -> Result<(), Refusal> {
    if may_use(caller, name, catalog) || may_use(caller, requested, catalog) {
        return Ok(());
    }
    let message = format!(
        "Key {:?} may not use model {name:?}. Ask for it in the key's `models`, or use one of GET /v1/models.",
        caller.name()
    );
    Err(Refusal::forbidden("model_not_allowed", message).about("model"))
}

/// Slows down addresses that keep presenting wrong credentials. Only wrong credentials are counted and refused: a valid
/// key passes whatever its address did before.
#[derive(Debug, Default)]
pub struct Throttle {
    addresses: HashMap<IpAddr, Failures>,
}

/// The wrong credentials of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    window_from_ms: i64,
    count: u32,
    wait_ms: i64,
    closed_until_ms: i64,
}

impl Failures {
    /// An address that has presented nothing wrong so far.
    pub fn none(now_ms: i64) -> Self {
        Failures { window_from_ms: now_ms, count: 0, wait_ms: WAIT_MS_FIRST, closed_until_ms: 0 }
    }

    /// Notes a wrong credential. `Err` holds the seconds that its address must wait now.
    pub fn failed(&mut self, now_ms: i64) -> Result<(), u64> {
        if now_ms < self.closed_until_ms {
            return Err(seconds_up(self.closed_until_ms - now_ms));
        }
        if now_ms - self.window_from_ms >= WINDOW_MS {
            let calm = now_ms - self.window_from_ms >= self.wait_ms + WINDOW_MS;
            *self = Failures { wait_ms: if calm { WAIT_MS_FIRST } else { self.wait_ms }, ..Failures::none(now_ms) };
        }
        self.count += 1;
        if self.count <= FAILURES_MAX {
            return Ok(());
        }
        self.closed_until_ms = now_ms + self.wait_ms;
        self.window_from_ms = self.closed_until_ms - WINDOW_MS;
        let wait_ms = self.wait_ms;
        self.wait_ms = (wait_ms * 2).min(WAIT_MS_MAX);
        Err(seconds_up(wait_ms))
    }
}

impl Throttle {
    /// Notes a wrong credential. `Err` holds the seconds that its address must wait now.
    pub fn failed(&mut self, address: IpAddr, now_ms: i64) -> Result<(), u64> {
        if self.addresses.len() >= ADDRESSES_MAX {
            self.forget_oldest();
        }
        self.addresses.entry(network_of(address)).or_insert_with(|| Failures::none(now_ms)).failed(now_ms)
    }

    fn forget_oldest(&mut self) {
        let last = |failures: &Failures| failures.closed_until_ms.max(failures.window_from_ms);
        let oldest = self.addresses.iter().min_by_key(|(_, failures)| last(failures)).map(|(address, _)| *address);
        if let Some(address) = oldest {
            self.addresses.remove(&address);
        }
    }
}

/// The network of an address. A customer of IPv6 has at least a /64, so that whole networks are counted.
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn seconds_up(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).div_ceil(1000)
}

#[cfg(test)]
mod tests;
