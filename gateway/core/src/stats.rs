//! What is counted of calls, so that figures cost the same with a thousand records and with ten million. A call that has
//! ended is added to one cell: those of its minute, of its [`Series`] and of the time to its first content. Minutes are
//! gathered into quarters of an hour, which every time zone's days are made of.
//!
//! A cell is one number, which stands in the record beside its [`marks`](Counted::marks): the host's database adds a record
//! to its cell by a trigger, in the statement that writes the record. So no record is counted twice or not at all, whatever
//! ends in between, and a record that is deleted with age has been counted all the same.

mod family;
mod first;
mod period;
mod sums;
mod uncounted;

use crate::record::{AttemptRecord, Record};
use crate::state::State;

pub use crate::record::{FAILED_OVER, MISTAKEN, NOT_SERVED, SLOW};
pub use family::{OTHER, family};
pub use first::{FirstContent, bucket};
pub use period::{By, Narrowed, Period, Span, Step};
pub use sums::{SeriesSums, SpanSums, Sums};
pub use uncounted::Uncounted;

/// From here on a call is slow.
pub const SLOW_MS: u64 = 10_000;

/// A minute, in which the time of cells is counted.
pub const MINUTE_MS: i64 = 60_000;

/// The bits of a cell that say when the first content came; those above them are of its series.
const BUCKET_BITS: u32 = 6;

/// The bits of a series' id, so that a cell is a positive number of 63 bits.
const SERIES_MASK: u64 = (1 << (63 - BUCKET_BITS)) - 1;

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series<'r> {
    /// The caller's name.
    pub key: &'r str,
    /// The model by the catalog's own name, however the client wrote it, so that there are no more names than models.
    /// `None`: the catalog has no such model.
    pub model: Option<&'r str>,
    /// Who answered, or was asked last; a relay's name.
    pub provider: Option<&'r str>,
    /// That provider's own name for the model.
    pub upstream_model: Option<&'r str>,
    /// The credential's label.
    pub credential: Option<&'r str>,
    /// The family of the client's program.
    pub client: &'static str,
}

impl Series<'_> {
    /// Its id: FNV-1a of its names, which come from the catalog and from the table of families.
    pub fn id(&self) -> i64 {
        let Series { key, model, provider, upstream_model, credential, client } = *self;
        let texts = [Some(key), model, provider, upstream_model, credential, Some(client)];
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut step = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        for text in texts {
            // No text holds these bytes, so that neighbours cannot be taken for each other.
            step(if text.is_some() { 0xff } else { 0xfe });
            text.unwrap_or_default().bytes().for_each(&mut step);
        }
        i64::try_from(hash & SERIES_MASK).unwrap_or_default()
    }
}

/// What a record adds to, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted<'r> {
    /// Whose calls it is counted with.
    pub series: Series<'r>,
    /// The number of its cell.
    pub cell: i64,
    /// What it is: [`FAILED_OVER`] and the other bits.
    pub marks: i64,
}

/// What of a call decides where it is counted.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'r> {
    /// The caller's name.
    pub key: &'r str,
    /// The model that was asked for.
    pub requested: &'r str,
    /// Its name in the catalog.
    pub model: Option<&'r str>,
    /// Whether the request was passed to a relay.
    pub is_relayed: bool,
    /// Every attempt.
    pub attempts: &'r [AttemptRecord],
    /// The position of the attempt that decided.
    pub decided_by: Option<usize>,
    /// The client's user agent.
    pub user_agent: Option<&'r str>,
    /// How it ended.
    pub state: State,
    /// The status the client saw.
    pub status: u16,
    /// When the first content came.
    pub first_content_ms: Option<u64>,
    /// How long it took.
    pub duration_ms: Option<u64>,
}

impl<'r> Counted<'r> {
    /// Where a record counts.
    pub fn of(record: &'r Record) -> Self {
        Counted::by(&Facts {
            key: &record.key,
            requested: &record.model,
            model: record.catalog_model.as_deref(),
            is_relayed: record.dialect.is_empty(),
            attempts: &record.attempts,
            decided_by: record.served_by.or(record.attempts.len().checked_sub(1)),
            user_agent: record.user_agent.as_deref(),
            state: record.state,
            status: record.status,
            first_content_ms: record.first_content_ms,
            duration_ms: record.duration_ms,
        })
    }

    /// Where a call of these facts counts.
    pub fn by(facts: &Facts<'r>) -> Self {
        let deciding = facts.decided_by.and_then(|position| facts.attempts.get(position));
        let upstream_model = deciding.filter(|_| !facts.is_relayed).map(|attempt| {
            // A pattern passes on any name that a client asks for.
            match facts.model {
                Some(model) if attempt.model == facts.requested => model,
                _ => &attempt.model,
            }
        });
        let series = Series {
            key: facts.key,
            model: facts.model,
            provider: deciding.map(|attempt| attempt.provider.as_str()),
            upstream_model,
            credential: deciding.and_then(|attempt| attempt.credential.as_deref()),
            client: family(facts.user_agent.unwrap_or_default()),
        };
        let first = bucket(facts.first_content_ms);
        Counted { series, cell: series.id() << BUCKET_BITS | i64::from(first), marks: marks(facts) }
    }
}

fn marks(facts: &Facts<'_>) -> i64 {
    let served = match facts.state {
        State::Running => return 0,
        State::Ok if facts.decided_by.is_some_and(|position| position > 0) => FAILED_OVER,
        State::Ok => 0,
        state => marks_of(state, facts.status),
    };
    let late = facts.first_content_ms.or(facts.duration_ms).is_some_and(|ms| ms >= SLOW_MS);
    served | if late { SLOW } else { 0 }
}

/// What a call is that ended so, as far as its end alone tells. Of a call whose client left nobody
/// knows whether it would have been served.
pub fn marks_of(state: State, status: u16) -> i64 {
    match state {
        State::Running | State::Ok | State::ClientClosed | State::ClientStalled => 0,
        State::ClientError | State::Rejected | State::Untranslatable => NOT_SERVED | MISTAKEN,
        State::NoTarget if (400..500).contains(&status) => NOT_SERVED | MISTAKEN,
        State::UpstreamConnect
        | State::TlsError
        | State::FirstByteTimeout
        | State::IdleTimeout
        | State::TotalTimeout
        | State::UpstreamReset
        | State::UpstreamTruncated
        | State::UpstreamError
        | State::UpstreamAuth
        | State::RateLimitedUpstream
        | State::NoTarget
        | State::QuotaSpent
        | State::GuestTrap
        | State::Drained
        | State::Interrupted => NOT_SERVED,
    }
}

/// The id of a cell's series, and when the first content of its calls came.
pub fn parts_of(cell: i64) -> (i64, u8) {
    (cell >> BUCKET_BITS, u8::try_from(cell & ((1 << BUCKET_BITS) - 1)).unwrap_or(0))
}

#[cfg(test)]
mod tests;
