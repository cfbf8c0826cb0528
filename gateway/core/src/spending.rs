//! `GET /v1/usage`: what the holder of a key is told of that key: its limits with what is spent and when they reset, and
//! what its calls used, by day and model. It never shows other keys, or where calls were sent.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Serialize, Serializer};
use serde_json::Number;

use crate::authenticate::Caller;
use crate::catalog::{Key, Settings};
use crate::clock::Now;
use crate::quota::{Charge, Row, Scope, Unit, status};
use crate::refusal::Refusal;
use crate::uri::decode_parameter;

/// How many days are shown by default.
const DAYS: i32 = 7;

/// How many days can be shown at most.
const DAYS_MAX: i32 = 92;

/// How many models of a day are shown.
const MODELS_MAX: usize = 100;

const NANO: f64 = 1e9;

/// The days that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// The first one.
    pub from: Date,
    /// The last one.
    pub to: Date,
    /// The time zone of the days.
    zone: TimeZone,
}

/// A day as a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaySpan {
    /// The date.
    pub date: Date,
    /// Its beginning, Unix milliseconds.
    pub from_ms: i64,
    /// The beginning of the next one.
    pub until_ms: i64,
}

impl Period {
    /// Reads `from` and `to`, which are dates, from a query. The default is the last seven days. Days are those of
    /// `settings.zone`, like the days of the key's limits.
    pub fn parse(query: Option<&str>, settings: &Settings, now_ms: i64) -> Result<Self, Refusal> {
        let (mut from, mut to) = (None, None);
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "from" => from = Some(date("from", value)?),
                "to" => to = Some(date("to", value)?),
                // A client may present its key here.
                "key" => {}
                _ => {
                    let message = "GET /v1/usage takes `from` and `to`, dates such as 2026-11-30, or no parameter.";
                    return Err(Refusal::bad_request(message));
                }
            }
        }
        let zone = settings.zone.clone();
        let now = Timestamp::from_millisecond(now_ms).unwrap_or_default();
        let today = now.to_zoned(zone.clone()).date();
        let to = to.unwrap_or(today).min(today);
        let days_before = |count: i32| to.checked_sub(Span::new().days(count - 1)).unwrap_or(to);
        let from = from.unwrap_or_else(|| days_before(DAYS));
        if from > to {
            let message = format!("`from` must not be after `to`, which is {to} here.");
            return Err(Refusal::bad_request(message).about("from"));
        }
        if from < days_before(DAYS_MAX) {
            let message =
                format!("{DAYS_MAX} days at most can be asked for at once. Ask for less with `from` and `to`.");
            return Err(Refusal::bad_request(message).about("from"));
        }
        Ok(Period { from, to, zone })
    }

    /// Its days, oldest first.
    pub fn days(&self) -> Vec<DaySpan> {
        let begins = |date: Date| Some(date.to_zoned(self.zone.clone()).ok()?.timestamp().as_millisecond());
        let span = |date: Date| {
            let next = date.tomorrow().ok()?;
            Some(DaySpan { date, from_ms: begins(date)?, until_ms: begins(next)? })
        };
        let dates = self.from.series(Span::new().days(1)).take_while(|date| *date <= self.to);
        dates.filter_map(span).collect()
    }

    fn zone_name(&self) -> String {
        self.zone.iana_name().map_or_else(|| "UTC".to_owned(), str::to_owned)
    }
}

fn date(name: &'static str, value: &str) -> Result<Date, Refusal> {
    let text = decode_parameter(value).unwrap_or_default();
    text.parse().map_err(|_| {
        Refusal::bad_request(format!("`{name}` must be a date such as 2026-11-30, not {text:?}.")).about(name)
    })
}

/// What calls have used. Unknown numbers are not in the sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Used {
    /// The number of calls that have ended.
    pub calls: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Of these, read from a cache.
    pub cache_read_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// What they cost, in billionths of a dollar; told in dollars.
    #[serde(rename = "cost_usd", serialize_with = "in_usd")]
    pub cost_nano: u64,
    /// The number of calls whose cost is not known.
    pub unpriced_calls: u64,
}

/// What the calls of one day used of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedOf {
    /// The index of the day.
    pub day: usize,
    /// The model's name in the catalog; `None`: the catalog has no such model.
    pub model: Option<String>,
    /// What was used.
    pub used: Used,
}

impl Used {
    fn add(&mut self, other: &Used) {
        self.calls = self.calls.saturating_add(other.calls);
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.cache_read_tokens = self.cache_read_tokens.saturating_add(other.cache_read_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cost_nano = self.cost_nano.saturating_add(other.cost_nano);
        self.unpriced_calls = self.unpriced_calls.saturating_add(other.unpriced_calls);
    }
}

/// Billionths of a dollar as dollars.
#[expect(clippy::cast_precision_loss, reason = "what is spent is below 2^53 billionths")]
fn usd(nano: u64) -> f64 {
    nano as f64 / NANO
}

fn in_usd<S: Serializer>(nano: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(usd(*nano))
}

/// What `GET /v1/usage` answers.
#[derive(Debug, Serialize)]
pub struct SpendingView {
    /// `usage`, as every object of OpenAI's says what it is.
    pub object: &'static str,
    /// The key's name.
    pub key: String,
    /// The models it may use; all where there are none.
    pub models: Option<Vec<String>>,
    /// When it expires.
    pub expires_at: Option<String>,
    /// Its limits; none where it may spend what it likes.
    pub limits: Vec<OwnLimitView>,
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// Where these days begin.
    pub zone: String,
    /// All of these days.
    pub total: Used,
    /// Each of them on which there were calls, oldest first.
    pub days: Vec<DayView>,
}

/// A limit, and what is spent of it.
#[derive(Debug, PartialEq, Serialize)]
pub struct OwnLimitView {
    /// Such as `rpd`.
    pub name: String,
    /// The team whose keys share it, if it is not the key's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// What is counted.
    pub unit: &'static str,
    /// The most of it: dollars, or a whole number.
    pub limit: Number,
    /// What is spent of it within its present window.
    pub spent: Number,
    /// What is left of it.
    pub remaining: Number,
    /// When the first of what is spent stops counting.
    pub resets_at: Option<String>,
}

/// A day's calls.
#[derive(Debug, Serialize)]
pub struct DayView {
    /// The date.
    pub date: String,
    /// All of them.
    #[serde(flatten)]
    pub used: Used,
    /// By model, those with most calls first.
    pub models: Vec<ModelView>,
}

/// A day's calls of a model.
#[derive(Debug, Serialize)]
pub struct ModelView {
    /// Its name in the catalog, whichever of its names was asked for; none for calls that asked for no model there is.
    pub model: Option<String>,
    /// Its calls.
    #[serde(flatten)]
    pub used: Used,
}

impl SpendingView {
    /// The view for this caller, given the limits of its key and their rows in the ledger. `found` holds the sums of each
    /// day and model.
    pub fn of(
        (caller, key): (&Caller, Option<&Key>),
        (limits, rows): (&[Charge], &[Row]),
        (period, found): (&Period, &[UsedOf]),
        now: Now,
    ) -> Self {
        let mut total = Used::default();
        found.iter().for_each(|found| total.add(&found.used));
        let days = period.days();
        let days = days.iter().enumerate().filter_map(|(index, day)| DayView::of(index, day, found)).collect();
        SpendingView {
            object: "usage",
            key: caller.name().to_owned(),
            models: key.and_then(|key| key.models.clone()),
            expires_at: key.and_then(|key| key.expires_ms).and_then(time),
            limits: limits.iter().map(|limit| OwnLimitView::of(limit, rows, now)).collect(),
            from: period.from.to_string(),
            to: period.to.to_string(),
            zone: period.zone_name(),
            total,
            days,
        }
    }
}

impl DayView {
    fn of(index: usize, day: &DaySpan, found: &[UsedOf]) -> Option<Self> {
        let of_day = || found.iter().filter(|found| found.day == index);
        let mut used = Used::default();
        of_day().for_each(|found| used.add(&found.used));
        let models = of_day().map(|found| ModelView { model: found.model.clone(), used: found.used });
        let models: Vec<ModelView> = models.take(MODELS_MAX).collect();
        (!models.is_empty()).then(|| DayView { date: day.date.to_string(), used, models })
    }
}

impl OwnLimitView {
    fn of(limit: &Charge, rows: &[Row], now: Now) -> Self {
        let status = status(limit, rows, now.steady_ms);
        let amount = |amount: u64| match limit.unit {
            Unit::Money => Number::from_f64(usd(amount)).unwrap_or_else(|| amount.into()),
            _ => amount.into(),
        };
        OwnLimitView {
            name: limit.limit_name.clone(),
            team: match &limit.scope {
                Scope::Team { team } => Some(team.to_string()),
                _ => None,
            },
            unit: match limit.unit {
                Unit::Money => "usd",
                Unit::Calls => "calls",
                Unit::Tokens => "tokens",
                Unit::FreshTokens => "tokens without cache reads",
                Unit::Points => "points",
                Unit::InFlight => "calls under way",
            },
            limit: amount(limit.limit),
            spent: amount(status.spent),
            remaining: amount(limit.limit.saturating_sub(status.spent)),
            resets_at: status.resets_at_ms.map(|at_ms| now.shown_ms(at_ms)).and_then(time),
        }
    }
}

fn time(at_ms: i64) -> Option<String> {
    Timestamp::from_millisecond(at_ms).ok().map(|at| format!("{at:.0}"))
}

#[cfg(test)]
mod tests;
