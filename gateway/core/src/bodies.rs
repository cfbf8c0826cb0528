//! What was said in a call, where that is kept: what the client sent, what the last attempt sent to its provider, and what
//! came back.
//!
//! Bodies are cut, lose their secrets, are packed together and sealed; none of that happens before the call has ended, and
//! nothing that goes wrong with them is the call's trouble. What a body says is only read again when somebody looks at it.

mod answer;
mod call;
mod clean;
mod delta;
mod talk;

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use crate::pace::Pace;

use answer::AnswerKeeper;
pub use call::CallBodies;
pub use clean::Cleaner;
use clean::copied;
use delta::{Step, apart, together};
pub use talk::{Conversation, Piece, Turn, Who};

/// The most that is kept of one body.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// The most that is kept of a stream as it came. Of a longer one only the whole answer is kept that it comes to.
pub const EVENTS_BYTES_MAX: usize = 64 << 10;

/// A call has four bodies at most, and what is said of them.
const PLAIN_BYTES_MAX: u64 = 5 << 20;

/// How much is packed at a time.
const STEP_BYTES: usize = 64 << 10;

/// One of the bodies of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// What the client sent.
    Request,
    /// What the last attempt sent to its provider.
    Sent,
    /// What came back: from that provider, or from llmio itself where none answered.
    Answer,
    /// The events of a streamed answer as they came.
    Events,
}

impl What {
    /// Every body, in the order in which they come about.
    pub const ALL: [What; 4] = [Self::Request, Self::Sent, Self::Answer, Self::Events];

    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Sent => "sent",
            Self::Answer => "answer",
            Self::Events => "events",
        }
    }

    /// The body of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.name() == name)
    }
}

/// A body that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBody {
    /// Which of them it is.
    pub what: What,
    /// The dialect it is written in.
    pub dialect: String,
    /// The provider that it went to or came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// That provider's own name for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How many bytes there were.
    pub bytes: u64,
    /// Whether more came than is kept.
    #[serde(default)]
    pub cut: bool,
    /// Whether it was put together from the events of a stream.
    #[serde(default)]
    pub merged: bool,
    /// Whether that stream broke off.
    #[serde(default)]
    pub broken: bool,
    /// What was said.
    #[serde(skip)]
    pub text: String,
}

/// What stands before the texts of packed bodies.
#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(flatten)]
    body: KeptBody,
    /// How long its text is, or what of it does not stand in the request.
    length: usize,
    /// The pieces of the request that it consists of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Step>,
}

/// Bodies in the form in which they are sealed: small.
pub fn packed(bodies: Vec<KeptBody>, pace: Pace<'_>) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    let mut texts: Vec<String> = Vec::with_capacity(bodies.len());
    let mut heads = Vec::with_capacity(bodies.len());
    for mut body in bodies {
        let text = std::mem::take(&mut body.text);
        let (steps, text) = match texts.first() {
            Some(request) if body.what == What::Sent => apart(request, &text),
            _ => (Vec::new(), text),
        };
        heads.push(Head { body, length: text.len(), steps });
        texts.push(text);
    }
    serde_json::to_writer(&mut encoder, &heads).ok()?;
    encoder.write_all(b"\n").ok()?;
    for text in texts {
        for piece in text.as_bytes().chunks(STEP_BYTES) {
            encoder.write_all(piece).ok()?;
            pace.step(piece.len());
        }
    }
    encoder.finish().ok()
}

/// The bodies that were [`packed`]; `None`: they are damaged.
pub fn unpacked(packed: &[u8]) -> Option<Vec<KeptBody>> {
    let mut plain = String::new();
    ZlibDecoder::new(packed).take(PLAIN_BYTES_MAX).read_to_string(&mut plain).ok()?;
    let (heads, mut rest) = plain.split_once('\n')?;
    let heads: Vec<Head> = serde_json::from_str(heads).ok()?;
    let mut bodies: Vec<KeptBody> = Vec::with_capacity(heads.len());
    for Head { body, length, steps } in heads {
        let (text, behind) = rest.split_at_checked(length)?;
        let text = match bodies.first() {
            Some(request) if !steps.is_empty() => together(&steps, &request.text, text)?,
            _ => text.to_owned(),
        };
        bodies.push(KeptBody { text, ..body });
        rest = behind;
    }
    Some(bodies)
}

/// Why there are no bodies of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// None were to be kept of it.
    Off,
    /// There was no room for them in memory, or they could not be written.
    Dropped,
    /// They were older than they may be, or the oldest of too many.
    Expired,
    /// An admin deleted them.
    Deleted,
    /// They cannot be opened with this master key.
    Sealed,
}

impl Gone {
    /// Its word in the database, in the admin API and in codes of refusals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Dropped => "dropped",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Sealed => "sealed",
        }
    }

    /// What this word means.
    pub fn named(name: &str) -> Self {
        let all = [Self::Dropped, Self::Expired, Self::Deleted, Self::Sealed];
        all.into_iter().find(|gone| gone.name() == name).unwrap_or(Self::Off)
    }

    /// What to do about it.
    pub fn says(self) -> &'static str {
        match self {
            Self::Off => {
                "The request and answer of this call were not kept: `settings.record_bodies`, or `record_bodies` of its \
                 key, was off for it."
            }
            Self::Dropped => {
                "The request and answer of this call could not be kept: there was no room for them, or they could not \
                 be written."
            }
            Self::Expired => {
                "The request and answer of this call are no longer kept; see `bodies_retention_days` and `max_bodies_mib` of the settings."
            }
            Self::Deleted => "The request and answer of this call were deleted.",
            Self::Sealed => {
                "The request and answer of this call were sealed with another master key. Set that one as `master_key_previous`."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(what: What, text: &str) -> KeptBody {
        KeptBody {
            what,
            dialect: "openai-chat".into(),
            provider: Some("a".into()),
            model: None,
            bytes: text.len() as u64,
            cut: false,
            merged: false,
            broken: false,
            text: text.to_owned(),
        }
    }

    #[test]
    fn what_is_packed_can_be_read_again() {
        let bodies = vec![
            body(What::Request, "{\"a\":\"主\n\"}"),
            body(What::Sent, "{\"b\":\"主\n\"}"),
            body(What::Answer, &"x".repeat(200_000)),
        ];
        let packed = packed(bodies.clone(), Pace::default()).expect("room");
        assert!(packed.len() < 2_000, "{}", packed.len());
        assert_eq!(unpacked(&packed).expect("bodies"), bodies);
    }

    #[test]
    fn what_is_damaged_is_nothing() {
        let packed = packed(vec![body(What::Request, "{}")], Pace::default()).expect("room");
        assert_eq!(unpacked(&packed[..packed.len() / 2]), None);
        assert_eq!(unpacked(b"{}"), None);
        assert_eq!(unpacked(b""), None);
    }

    #[test]
    fn every_name_says_one_thing() {
        for what in What::ALL {
            assert_eq!(What::named(what.name()), Some(what));
            assert_eq!(serde_json::to_value(what).expect("JSON"), what.name());
        }
        for gone in [Gone::Off, Gone::Dropped, Gone::Expired, Gone::Deleted, Gone::Sealed] {
            assert_eq!(Gone::named(gone.name()), gone);
            assert!(gone.says().ends_with('.'));
        }
    }
}
