//! Which records a page shows: the query of `GET /api/records`, parsed for the store.

use crate::refusal::Refusal;
use crate::state::State;
use crate::uri::decode_parameter;

/// What a record is, of [`Filter::marks`]: bits of the column `marks`.
pub const FAILED_OVER: i64 = 1;
/// No provider served it.
pub const NOT_SERVED: i64 = 2;
/// The client made a mistake, which is why it was not served.
pub const MISTAKEN: i64 = 4;
/// The first content, or the end where there was none, came late.
pub const SLOW: i64 = 8;

/// The size of a page without `limit`.
const PAGE: i64 = 50;

/// The largest size of a page.
pub const PAGE_MAX: i64 = 500;

/// The parameters, in the order in which messages list them.
const PARAMETERS: [&str; 25] = [
    "before",
    "after",
    "since",
    "until",
    "key",
    "model",
    "provider",
    "upstream_model",
    "state",
    "status",
    "session",
    "endpoint",
    "client",
    "streamed",
    "failed_over",
    "not_served",
    "slow",
    "tried",
    "q",
    "not_key",
    "not_model",
    "not_provider",
    "not_state",
    "not_client",
    "limit",
];

/// The most characters of a text that is looked for.
const TEXT_MAX: usize = 200;

/// What the records of a page must match. The times form a half-open span; names are compared for equality.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only records before this one, which is the `next` of the last page.
    pub before: Option<String>,
    /// Only records after this one.
    pub after: Option<String>,
    /// Only calls that were accepted at this time or later, in Unix milliseconds.
    pub since_ms: Option<i64>,
    /// Only calls that were accepted before this time.
    pub until_ms: Option<i64>,
    /// The caller's name.
    pub key: Option<String>,
    /// The model that was asked for.
    pub model: Option<String>,
    /// The provider of the last attempt.
    pub provider: Option<String>,
    /// That provider's own name for the model.
    pub upstream_model: Option<String>,
    /// How the call ended.
    pub state: Option<State>,
    /// The status the client saw.
    pub status: Option<i64>,
    /// The client's session.
    pub session: Option<String>,
    /// The endpoint's name.
    pub endpoint: Option<String>,
    /// Whether a stream was asked for.
    pub streamed: Option<bool>,
    /// The client's address.
    pub client: Option<String>,
    /// Whether it was served, but not by the first attempt.
    pub failed_over: Option<bool>,
    /// Whether no provider served it.
    pub not_served: Option<bool>,
    /// Whether its first content, or its end where there was none, came late.
    pub slow: Option<bool>,
    /// A provider that one of its attempts was made at.
    pub attempt_at: Option<String>,
    /// A text within the model, the error, or the client's address or program.
    pub text: Option<String>,
    /// What it must not be.
    pub not: NotFilter,
    /// The size of the page.
    pub limit: i64,
}

/// What records must not be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the filter")]
pub struct NotFilter {
    pub key: Option<String>,
    pub model: Option<String>,
    pub provider: Option<String>,
    pub state: Option<State>,
    pub client: Option<String>,
}

impl Default for Filter {
    fn default() -> Self {
        Filter {
            before: None,
            after: None,
            since_ms: None,
            until_ms: None,
            key: None,
            model: None,
            provider: None,
            upstream_model: None,
            state: None,
            status: None,
            session: None,
            endpoint: None,
            streamed: None,
            client: None,
            failed_over: None,
            not_served: None,
            slow: None,
            attempt_at: None,
            text: None,
            not: NotFilter::default(),
            limit: PAGE,
        }
    }
}

impl Filter {
    /// Parses a query string. If a parameter occurs twice, the last one counts.
    pub fn parse(query: &str) -> Result<Self, Refusal> {
        let mut filter = Filter::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode_parameter(&value.replace('+', " ")).ok_or_else(|| {
                Refusal::bad_request(format!("The value of `{name}` is not valid percent-encoded UTF-8."))
            })?;
            filter.set(name, value)?;
        }
        Ok(filter)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), Refusal> {
        match name {
            "before" => self.before = Some(id(name, value)?),
            "after" => self.after = Some(id(name, value)?),
            "since" => self.since_ms = Some(integer(name, &value)?),
            "until" => self.until_ms = Some(integer(name, &value)?),
            "key" => self.key = Some(value),
            "model" => self.model = Some(value),
            "provider" => self.provider = Some(value),
            "upstream_model" => self.upstream_model = Some(value),
            "state" => self.state = Some(state(&value)?),
            "status" => self.status = Some(status(&value)?),
            "session" => self.session = Some(value),
            "endpoint" => self.endpoint = Some(value),
            "client" => self.client = Some(value),
            "streamed" => self.streamed = Some(truth(name, &value)?),
            "failed_over" => self.failed_over = Some(truth(name, &value)?),
            "not_served" => self.not_served = Some(truth(name, &value)?),
            "slow" => self.slow = Some(truth(name, &value)?),
            "tried" => self.attempt_at = Some(value),
            "q" => self.text = Some(value.chars().take(TEXT_MAX).collect()).filter(|text: &String| !text.is_empty()),
            "not_key" => self.not.key = Some(value),
            "not_model" => self.not.model = Some(value),
            "not_provider" => self.not.provider = Some(value),
            "not_state" => self.not.state = Some(state(&value)?),
            "not_client" => self.not.client = Some(value),
            "limit" => self.limit = limit(name, &value)?,
            _ => {
                let message = format!("There is no parameter `{name}`. Use {}.", PARAMETERS.join(", "));
                return Err(Refusal::bad_request(message));
            }
        }
        Ok(())
    }
}

impl Filter {
    /// Whether every record of a span of time fits, so that a page is full as soon as it holds enough of them.
    pub fn takes_all(&self) -> bool {
        let place = Filter { before: None, after: None, since_ms: None, until_ms: None, limit: PAGE, ..self.clone() };
        place == Filter::default()
    }

    /// The mark that an index holds, where only records with it are asked for.
    pub fn mark(&self) -> Option<i64> {
        let marked = [(self.not_served, NOT_SERVED), (self.failed_over, FAILED_OVER), (self.slow, SLOW)];
        marked.into_iter().find(|(value, _)| *value == Some(true)).map(|(_, mark)| mark)
    }

    /// The marks that records must have, and those that they must not have.
    pub fn marks(&self) -> (i64, i64) {
        let marked = [(self.not_served, NOT_SERVED), (self.failed_over, FAILED_OVER), (self.slow, SLOW)];
        let of = |value: bool| marked.iter().filter(|(given, _)| *given == Some(value)).map(|(_, mark)| mark).sum();
        (of(true), of(false))
    }
}

fn integer(name: &str, value: &str) -> Result<i64, Refusal> {
    value.parse().map_err(|_| {
        let unit = if matches!(name, "since" | "until") { " of Unix milliseconds" } else { "" };
        Refusal::bad_request(format!("`{name}` must be a whole number{unit}, not {value:?}."))
    })
}

/// Parses an id: a UUID in the only form in which ids sort as text.
fn id(name: &str, value: String) -> Result<String, Refusal> {
    let is_of_form = |(index, byte): (usize, u8)| match index {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase(),
    };
    if value.len() == 36 && value.bytes().enumerate().all(is_of_form) {
        return Ok(value);
    }
    Err(Refusal::bad_request(format!("`{name}` must be the `next` of a page, a record's id, not {value:?}.")))
}

fn limit(name: &str, value: &str) -> Result<i64, Refusal> {
    let limit = integer(name, value)?;
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(Refusal::bad_request(format!("`limit` must be from 1 to {PAGE_MAX}, not {limit}.")))
}

fn status(value: &str) -> Result<i64, Refusal> {
    let status = integer("status", value)?;
    if (100..=599).contains(&status) {
        return Ok(status);
    }
    Err(Refusal::bad_request(format!("`status` must be an HTTP status, from 100 to 599, not {status}.")))
}

fn truth(name: &str, value: &str) -> Result<bool, Refusal> {
    value.parse().map_err(|_| Refusal::bad_request(format!("`{name}` must be true or false, not {value:?}.")))
}

fn state(value: &str) -> Result<State, Refusal> {
    State::named(value).ok_or_else(|| {
        let names: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
        Refusal::bad_request(format!("There is no state {value:?}. States: {}.", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890000-0000-7000-8000-00000000000a";

    #[test]
    fn each_parameter_narrows_the_page_by_its_field() {
        let text = |value: &str| Some(value.to_owned());
        let none = Filter::default;
        for (query, filter) in [
            ("", none()),
            ("&&", none()),
            ("before=01890000-0000-7000-8000-00000000000a", Filter { before: text(ID), ..none() }),
            ("since=-1&until=7", Filter { since_ms: Some(-1), until_ms: Some(7), ..none() }),
            ("key=laptop", Filter { key: text("laptop"), ..none() }),
            ("model=a%2Fb+c%2B", Filter { model: text("a/b c+"), ..none() }),
            ("provider=&upstream_model", Filter { provider: text(""), upstream_model: text(""), ..none() }),
            ("state=guest_trap", Filter { state: Some(State::GuestTrap), ..none() }),
            ("status=100", Filter { status: Some(100), ..none() }),
            ("session=s%201%262", Filter { session: text("s 1&2"), ..none() }),
            ("endpoint=chat/completions", Filter { endpoint: text("chat/completions"), ..none() }),
            ("client=%3A%3A1", Filter { client: text("::1"), ..none() }),
            ("streamed=false", Filter { streamed: Some(false), ..none() }),
            ("after=01890000-0000-7000-8000-00000000000a", Filter { after: text(ID), ..none() }),
            ("failed_over=true&slow=false", Filter { failed_over: Some(true), slow: Some(false), ..none() }),
            ("not_served=true", Filter { not_served: Some(true), ..none() }),
            ("tried=relay-x&q=", Filter { attempt_at: text("relay-x"), ..none() }),
            ("q=no+channel", Filter { text: text("no channel"), ..none() }),
            (
                "not_key=k&not_model=m&not_provider=p&not_state=ok&not_client=c",
                Filter {
                    not: NotFilter {
                        key: text("k"),
                        model: text("m"),
                        provider: text("p"),
                        state: Some(State::Ok),
                        client: text("c"),
                    },
                    ..none()
                },
            ),
            ("limit=500", Filter { limit: 500, ..none() }),
            ("limit=7&limit=1", Filter { limit: 1, ..none() }),
        ] {
            assert_eq!(Filter::parse(query), Ok(filter), "{query}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_and_says_what_is() {
        for (query, message) in [
            ("colour=blue", "There is no parameter `colour`. Use before, after, since, "),
            ("limit=0", "`limit` must be from 1 to 500, not 0."),
            ("limit=501", "`limit` must be from 1 to 500, not 501."),
            ("limit=", "`limit` must be a whole number, not \"\"."),
            ("limit=99999999999999999999", "`limit` must be a whole number, "),
            ("since=yesterday", "`since` must be a whole number of Unix milliseconds, not \"yesterday\"."),
            ("status=99", "`status` must be an HTTP status, from 100 to 599, not 99."),
            ("status=600", "`status` must be an HTTP status, "),
            ("streamed=yes", "`streamed` must be true or false, not \"yes\"."),
            ("state=happy", "There is no state \"happy\". States: running, ok, "),
            ("model=%ff", "The value of `model` is not valid percent-encoded UTF-8."),
            ("before=zzz", "`before` must be the `next` of a page, a record's id, not \"zzz\"."),
            ("before=01890000-0000-7000-8000-00000000000A", "`before` must be "),
            ("before=0189000000000-7000-8000-00000000000a", "`before` must be "),
            ("after=zzz", "`after` must be the `next` of a page, a record's id, not \"zzz\"."),
            ("slow=very", "`slow` must be true or false, not \"very\"."),
        ] {
            let refusal = Filter::parse(query).expect_err(query);
            assert_eq!(refusal.status, 400, "{query}");
            assert!(refusal.message.starts_with(message), "{query}: {}", refusal.message);
        }
    }

    #[test]
    fn marks_are_found_by_their_index_and_bits() {
        let found = |query: &str| {
            let filter = Filter::parse(query).expect(query);
            (filter.takes_all(), filter.mark(), filter.marks())
        };
        assert_eq!(found("since=1&until=9&limit=7&before=01890000-0000-7000-8000-00000000000a"), (true, None, (0, 0)));
        assert_eq!(found("key=k"), (false, None, (0, 0)));
        assert_eq!(found("failed_over=true&slow=true"), (false, Some(FAILED_OVER), (FAILED_OVER | SLOW, 0)));
        assert_eq!(found("not_served=true&slow=false"), (false, Some(NOT_SERVED), (NOT_SERVED, SLOW)));
    }

    #[test]
    fn every_parameter_that_people_are_told_of_is_one() {
        let values = [ID, "1", "true", "ok", "200"];
        for name in PARAMETERS {
            assert!(values.iter().any(|value| Filter::parse(&format!("{name}={value}")).is_ok()), "{name}");
        }
    }
}
