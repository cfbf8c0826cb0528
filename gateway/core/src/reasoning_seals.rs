//! Who sealed which reasoning. A seal can only be read by the model, and often the account, that made it, and nothing
//! in it says so. So what llmio relays is remembered by its hash, and a conversation that moves to another model or
//! account goes on without the reasoning that nobody there could read.
//!
//! Marking the seals themselves would need no memory, but then no answer could pass byte for byte.

mod scan;

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose;
use sha2::{Digest, Sha256};

use crate::candidate::AttemptParts;
use crate::dialect::Dialect;
use crate::neutral::{SEAL_PREFIX, SEAL_PREFIX_BASE64, UNSIGNED};
use crate::operation::Operation;
use crate::profile::{Family, ModelName, Profile, Seals};

pub(crate) use scan::{SealScan, has_trace};

/// The warning in a record whose request went on without them.
pub(crate) const LEFT_OUT: &str = "reasoning that another model or account sealed";

/// The seals of a request that are looked up, the last ones.
const REQUEST_SEALS_MAX: usize = 2048;

/// What stands for a seal: the first 64 bits of its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SealId(pub i64);

impl SealId {
    /// The id of a seal as it stands in a body of any dialect. SDKs decode base64 in one alphabet and encode it in
    /// another, so both count as one.
    pub(crate) fn of(seal: &str) -> Option<SealId> {
        if let Some(inside) = seal.starts_with(SEAL_PREFIX_BASE64).then(|| decoded(seal)).flatten() {
            return SealId::of(&inside);
        }
        // Behind the last of its prefixes, or of the id of the call that it belongs to.
        let own = if seal.starts_with(SEAL_PREFIX) { seal.rsplit([':', ' ']).next()? } else { seal };
        if own.is_empty() || seal == UNSIGNED {
            return None;
        }
        let letter = |byte: u8| match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => byte,
        };
        let text: Vec<u8> = own.trim_end_matches('=').bytes().map(letter).collect();
        Sha256::digest(&text).first_chunk::<8>().map(|bytes| SealId(i64::from_be_bytes(*bytes)))
    }
}

fn decoded(seal: &str) -> Option<String> {
    let text: String = seal.trim_end_matches('=').replace('-', "+").replace('_', "/");
    String::from_utf8(general_purpose::STANDARD_NO_PAD.decode(text).ok()?).ok()
}

/// The seals in the body of a conversation's request, in order.
pub fn in_request(body: &[u8]) -> Vec<SealId> {
    if !has_trace(body) {
        return Vec::new();
    }
    let mut scan = SealScan::default();
    scan.feed(body);
    let mut found = scan.take();
    found.drain(..found.len().saturating_sub(REQUEST_SEALS_MAX));
    found
}

/// Who makes seals and reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealMaker {
    /// The host that is asked: two providers with one address are one.
    pub place: String,
    /// The account that is asked, if a credential is used.
    pub account: Option<String>,
    /// The name of the model's profile.
    pub profile: String,
}

impl SealMaker {
    /// Who answers an attempt; `None` if the answer is made inside the gateway.
    pub fn of(to: AttemptParts<'_>, operation: Operation) -> Option<SealMaker> {
        let place = to.provider.serving(operation)?.authority.clone();
        let account = to.credential.map(|credential| credential.account.to_string());
        Some(SealMaker { place, account, profile: to.profile().to_owned() })
    }

    /// Whether it reads what `maker` sealed in this dialect.
    fn reads(&self, maker: &SealMaker, dialect: Dialect) -> bool {
        if self.place != maker.place {
            return false;
        }
        let (is_model, is_account) = (self.profile == maker.profile, self.account == maker.account);
        match Profile::of(&maker.profile, dialect).seals {
            Seals::OfMaker => is_model || is_family(&self.profile, &maker.profile),
            Seals::OfModel => is_model,
            Seals::OfModelAndAccount => is_model && is_account,
            Seals::OfAccount => is_account && (is_model || is_family(&self.profile, &maker.profile)),
        }
    }
}

/// Whether two models are known to be of one maker.
fn is_family(one: &str, other: &str) -> bool {
    let family = |name: &str| ModelName::read(&name.to_ascii_lowercase()).family;
    let shared = family(one);
    shared != Family::Other && shared == family(other)
}

/// Who made the seals of a request, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Makers {
    known: HashMap<SealId, SealMaker>,
    /// The last seal of the conversation whose maker is known.
    last: Option<SealId>,
}

impl Makers {
    /// The makers that were found of these seals, which are in the order of the conversation.
    pub fn new(seals: &[SealId], known: HashMap<SealId, SealMaker>) -> Self {
        let last = seals.iter().rev().find(|seal| known.contains_key(seal)).copied();
        Makers { known, last }
    }

    /// Whether `reader` can read what was sealed last, which the conversation needs most. So can everybody if nobody
    /// knows who sealed it.
    pub fn last_is_read_by(&self, reader: &SealMaker, dialect: Dialect) -> bool {
        self.last.and_then(|last| self.known.get(&last)).is_none_or(|maker| reader.reads(maker, dialect))
    }

    /// Whether no maker is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// Which seals of a request one target can read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Readable<'a> {
    by: Option<(&'a Makers, &'a SealMaker, Dialect)>,
}

impl<'a> Readable<'a> {
    /// Those that `reader`, which is asked in this dialect, can read.
    pub fn by(makers: &'a Makers, reader: &'a SealMaker, dialect: Dialect) -> Self {
        Readable { by: Some((makers, reader, dialect)) }
    }

    /// Whether it is known that the target cannot read this seal.
    pub(crate) fn refuses(self, seal: &str) -> bool {
        let Some((makers, reader, dialect)) = self.by.filter(|(makers, ..)| !makers.is_empty()) else { return false };
        let maker = SealId::of(seal).and_then(|seal| makers.known.get(&seal));
        maker.is_some_and(|maker| !reader.reads(maker, dialect))
    }

    /// Whether it refuses none.
    pub(crate) fn is_all(self) -> bool {
        self.by.is_none_or(|(makers, reader, dialect)| makers.known.values().all(|maker| reader.reads(maker, dialect)))
    }
}

#[cfg(test)]
mod tests;
