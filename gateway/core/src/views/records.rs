//! Records as the admin API shows them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::record::{AttemptRecord, DecisionRecord, Filter};
use crate::state::State;

/// A page of records, newest first.
#[derive(Debug, Serialize)]
pub struct RecordsView {
    /// The records of the page.
    pub records: Vec<RecordView>,
    /// The `before` of the next page, if there may be one.
    pub next: Option<String>,
    /// How far the look went, where it ended before the page was full or everything was looked at.
    pub looked: Option<LookedView>,
}

/// How far a look went that was ended because it took too long. It goes on with the page's `next`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct LookedView {
    /// The most calls that were looked at.
    pub calls: u64,
    /// Back to this time, Unix milliseconds.
    pub back_to_ms: i64,
}

impl RecordsView {
    /// The page of these records. Only a full page may be followed by another one, or one whose look was ended at this
    /// record after so many calls.
    pub fn of(records: Vec<RecordView>, stopped: Option<(String, u64)>, filter: &Filter) -> Self {
        let is_full = i64::try_from(records.len()).is_ok_and(|count| count >= filter.limit);
        if is_full {
            let next = records.last().map(|record| record.id.clone());
            return RecordsView { records, next, looked: None };
        }
        let looked = stopped.as_ref().map(|(id, calls)| LookedView { calls: *calls, back_to_ms: at_of_id(id) });
        RecordsView { records, next: stopped.map(|(id, _)| id), looked }
    }
}

/// The time that an id begins with, Unix milliseconds (UUID of version 7).
pub fn at_of_id(id: &str) -> i64 {
    let digits: String = id.chars().filter(|letter| *letter != '-').take(12).collect();
    i64::from_str_radix(&digits, 16).unwrap_or(0)
}

/// The record of a call. Times count in milliseconds from when the call was accepted, unless they are absolute. Of a
/// call that only the host reported, hardly more than its end is known.
#[derive(Debug, Default, Serialize)]
pub struct RecordView {
    /// The record's id.
    pub id: String,
    /// When the call was accepted, in Unix milliseconds.
    pub at_ms: i64,
    /// The caller's name.
    pub key: Option<String>,
    /// The model that was asked for, as the client wrote it.
    pub model: Option<String>,
    /// The dialect's name.
    pub dialect: Option<String>,
    /// The endpoint's name.
    pub endpoint: Option<String>,
    /// Whether a stream was asked for.
    pub streamed: Option<bool>,
    /// The client's session.
    pub session: Option<String>,
    /// The client's address.
    pub client: Option<String>,
    /// The client's user agent.
    pub user_agent: Option<String>,
    /// How the call ended.
    pub state: String,
    /// The status the client saw.
    pub status: Option<i64>,
    /// Why it did not end well.
    pub error: Option<String>,
    /// The provider of the last attempt.
    pub provider: Option<String>,
    /// That provider's own name for the model.
    pub upstream_model: Option<String>,
    /// Which targets could serve the call, and why others could not.
    pub decision: Option<StoredJson<DecisionRecord>>,
    /// Every attempt.
    pub attempts: Option<StoredJson<Vec<AttemptRecord>>>,
    /// When the response head came.
    pub first_byte_ms: Option<i64>,
    /// When the first content came.
    pub first_content_ms: Option<i64>,
    /// How long the call took.
    pub duration_ms: Option<i64>,
    /// Bytes of the client's body.
    pub bytes_in: Option<i64>,
    /// Bytes of the answer that the client got.
    pub bytes_out: Option<i64>,
    /// Tokens of the request, if the provider counted them.
    pub input_tokens: Option<i64>,
    /// How many of these were read from a cache.
    pub cache_read_tokens: Option<i64>,
    /// How many of these were written to a cache.
    pub cache_write_tokens: Option<i64>,
    /// Tokens of the answer.
    pub output_tokens: Option<i64>,
    /// How many of these were reasoning.
    pub reasoning_tokens: Option<i64>,
    /// What it cost, in nano-dollars.
    pub cost_nano: Option<i64>,
    /// Where its price comes from.
    pub price: Option<String>,
    /// Tokens per second of the generation.
    pub tokens_per_second: Option<f64>,
    /// Warnings for the reader.
    pub warnings: Option<StoredJson<Vec<String>>>,
}

impl RecordView {
    /// The record as of now. On a host that reports no ends, a call that ran for longer than it may is shown as
    /// interrupted.
    #[must_use]
    pub fn now(mut self, until_ms: Option<i64>, steady_ms: i64) -> Self {
        if until_ms.is_some_and(|until_ms| until_ms < steady_ms) && self.state == State::Running.name() {
            self.state = State::Interrupted.name().to_owned();
        }
        self
    }
}

impl RecordView {
    /// The providers that were tried, each once where it was tried several times in a row.
    pub fn attempted_providers(&self) -> Vec<&str> {
        let Some(StoredJson::Read(attempts)) = &self.attempts else { return Vec::new() };
        let mut attempted_providers: Vec<&str> = attempts.iter().map(|attempt| attempt.provider.as_str()).collect();
        attempted_providers.dedup();
        attempted_providers
    }
}

/// A value that is stored as JSON.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum StoredJson<T> {
    /// A value in this version's form.
    Read(T),
    /// A value that another version wrote, which is shown as it is.
    Other(Value),
}

impl<T: DeserializeOwned> StoredJson<T> {
    /// Reads the stored text.
    pub fn read(text: String) -> Self {
        match serde_json::from_str(&text) {
            Ok(read) => StoredJson::Read(read),
            Err(_) => StoredJson::Other(serde_json::from_str(&text).unwrap_or(Value::String(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate::{SkipReason, Skipped};

    fn page(count: usize, limit: i64) -> RecordsView {
        let record = |index: usize| RecordView { id: format!("r-{index}"), ..RecordView::default() };
        RecordsView::of((0..count).map(record).collect(), None, &Filter { limit, ..Filter::default() })
    }

    #[test]
    fn a_full_page_names_where_the_next_one_begins() {
        for (count, limit, next) in [(0, 1, None), (1, 2, None), (2, 2, Some("r-1"))] {
            assert_eq!(page(count, limit).next.as_deref(), next, "{count} of {limit}");
        }
        let stopped = Some(("019ab3c5-0000-7000-8000-000000000000".to_owned(), 20_000));
        let bounded = RecordsView::of(Vec::new(), stopped, &Filter::default());
        assert_eq!(bounded.next.as_deref(), Some("019ab3c5-0000-7000-8000-000000000000"));
        assert_eq!(bounded.looked, Some(LookedView { calls: 20_000, back_to_ms: 0x019a_b3c5_0000 }));
        let last = serde_json::to_value(page(1, 2)).expect("JSON");
        assert!(last["next"].is_null() && last["records"][0]["model"].is_null(), "{last}");
    }

    #[test]
    fn a_call_that_runs_longer_than_it_may_is_shown_as_interrupted() {
        for (state, until_ms, shown) in [
            ("running", Some(9), "interrupted"),
            ("running", Some(10), "running"),
            ("running", None, "running"),
            ("ok", Some(9), "ok"),
        ] {
            let record = RecordView { state: state.to_owned(), ..RecordView::default() };
            assert_eq!(record.now(until_ms, 10).state, shown, "{state} {until_ms:?}");
        }
    }

    #[test]
    fn what_is_kept_is_read_and_shown_in_the_same_form() {
        let skipped = Skipped {
            target: "a/x".to_owned(),
            reason: SkipReason::OtherOwner,
            until_ms: Some(7),
            message: Some("said".to_owned()),
        };
        let decision =
            DecisionRecord { skipped: vec![skipped], draw: "18446744073709551615".into(), ..Default::default() };
        let text = serde_json::to_string(&decision).expect("JSON");
        let kept: StoredJson<DecisionRecord> = StoredJson::read(text.clone());
        assert!(matches!(&kept, StoredJson::Read(read) if read.skipped == decision.skipped));
        assert_eq!(serde_json::to_string(&kept).expect("JSON"), text);
        let text = r#"[{"provider":"p","model":"m","credential":"first","translated_to":"anthropic","egress":"e:80","status":200,"class":"ok","start_ms":1,"end_ms":2},{"provider":"p","model":"m","class":"target","error":"e","start_ms":3,"end_ms":4}]"#;
        let kept: StoredJson<Vec<AttemptRecord>> = StoredJson::read(text.to_owned());
        assert!(matches!(&kept, StoredJson::Read(attempts) if attempts.len() == 2));
        assert_eq!(serde_json::to_string(&kept).expect("JSON"), text);
    }

    #[test]
    fn what_another_version_kept_is_shown_as_it_is() {
        for text in [r#"{"candidates":[],"draw":"1","mood":"good"}"#, r#"["a",1.50]"#, "null"] {
            let kept: StoredJson<DecisionRecord> = StoredJson::read(text.to_owned());
            assert_eq!(serde_json::to_string(&kept).expect("JSON"), text);
        }
        assert_eq!(StoredJson::<Vec<String>>::read("half".to_owned()), StoredJson::Other("half".into()));
    }
}
