//! Of which calls figures are asked for: the query of `GET /api/stats`.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Span as Duration, Timestamp, Zoned};
use serde::Serialize;

use super::MINUTE_MS;
use crate::refusal::Refusal;
use crate::uri::decode_parameter;

/// The parameters, in the order in which messages list them.
const PARAMETERS: [&str; 10] =
    ["step", "since", "until", "by", "model", "provider", "upstream_model", "credential", "key", "client"];

/// For so long minutes are kept: two days. Quarters of an hour are kept for 400 days (`0067_stats_gathered_with_days.sql`).
const MINUTES_KEPT: i64 = 48 * 60;

/// How long each number of a series counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Minutes, which are kept for two days.
    Minute,
    /// Hours of the zone.
    Hour,
    /// Days of the zone.
    Day,
}

impl Step {
    /// How many of them a period has where nothing is said, and how many it may have.
    fn counts(self) -> (i64, i64) {
        match self {
            Self::Minute => (60, MINUTES_KEPT),
            Self::Hour => (24, 92 * 24),
            Self::Day => (30, 400),
        }
    }

    fn duration(self, count: i64) -> Duration {
        let none = Duration::new();
        match self {
            Self::Minute => none.minutes(count),
            Self::Hour => none.hours(count),
            Self::Day => none.days(count),
        }
    }

    /// Where the step that holds this moment begins.
    fn start(self, at: &Zoned) -> Zoned {
        let time = at.time();
        let floored = match self {
            Self::Minute => Time::constant(time.hour(), time.minute(), 0, 0),
            Self::Hour => Time::constant(time.hour(), 0, 0, 0),
            Self::Day => Time::midnight(),
        };
        let civil = at.date().to_datetime(floored);
        // Where clocks are set back an hour occurs twice; the offset tells which of the two it is.
        let same_offset = at.offset().to_timestamp(civil).map(|start| start.to_zoned(at.time_zone().clone()));
        let by_zone = || civil.to_zoned(at.time_zone().clone()).unwrap_or_else(|_| at.clone());
        match (self, same_offset) {
            (Self::Day, _) | (_, Err(_)) => by_zone(),
            (_, Ok(start)) => start,
        }
    }
}

/// What totals are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum By {
    Model,
    Provider,
    Target,
    Credential,
    Key,
    Client,
}

impl By {
    /// Each of them.
    pub const ALL: [By; 6] = [Self::Model, Self::Provider, Self::Target, Self::Credential, Self::Key, Self::Client];

    /// Its name in queries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Target => "target",
            Self::Credential => "credential",
            Self::Key => "key",
            Self::Client => "client",
        }
    }
}

/// Which calls are counted; all of them where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of a series")]
pub struct Narrowed {
    pub model: Option<String>,
    pub provider: Option<String>,
    pub upstream_model: Option<String>,
    pub credential: Option<String>,
    pub key: Option<String>,
    pub client: Option<String>,
}

impl Narrowed {
    /// Whether any call is left out.
    pub fn is_narrowed(&self) -> bool {
        *self != Self::default()
    }
}

/// A step of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning, Unix milliseconds.
    pub from_ms: i64,
    /// The beginning of the next one.
    pub until_ms: i64,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// How long each number of the series counts.
    pub step: Step,
    /// What the totals are told apart by, if by anything.
    pub by: Option<By>,
    /// Which calls are counted.
    pub narrowed: Narrowed,
    /// Its steps, oldest first. There is at least one.
    spans: Vec<Span>,
    zone: TimeZone,
}

impl Period {
    /// Reads a query. Steps are those of this zone; the first holds `since`, and the last ends where `until` lies.
    pub fn parse(query: &str, zone: &TimeZone, now_ms: i64) -> Result<Self, Refusal> {
        let (mut step, mut by, mut narrowed) = (Step::Hour, None, Narrowed::default());
        let (mut since_ms, mut until_ms) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode_parameter(&value.replace('+', " ")).ok_or_else(|| {
                Refusal::bad_request(format!("The value of `{name}` is not valid percent-encoded UTF-8."))
            })?;
            match name {
                "step" => step = named_step(&value)?,
                "since" => since_ms = Some(milliseconds(name, &value)?),
                "until" => until_ms = Some(milliseconds(name, &value)?),
                "by" => by = Some(named_by(&value)?),
                "model" => narrowed.model = Some(value),
                "provider" => narrowed.provider = Some(value),
                "upstream_model" => narrowed.upstream_model = Some(value),
                "credential" => narrowed.credential = Some(value),
                "key" => narrowed.key = Some(value),
                "client" => narrowed.client = Some(value),
                _ => {
                    let message = format!("There is no parameter `{name}`. Use {}.", PARAMETERS.join(", "));
                    return Err(Refusal::bad_request(message));
                }
            }
        }
        let until_ms = until_ms.unwrap_or(now_ms.saturating_add(1)).min(now_ms.saturating_add(1));
        let spans = spans(step, (since_ms, until_ms), zone)?;
        Ok(Period { step, by, narrowed, spans, zone: zone.clone() })
    }

    /// The last so many steps up to now, of these calls.
    pub fn last(step: Step, count: i64, zone: &TimeZone, now_ms: i64, narrowed: Narrowed) -> Self {
        let since_ms = moment(now_ms, zone)
            .and_then(|now| now.checked_sub(step.duration(count.saturating_sub(1))).ok())
            .map_or(now_ms, |since| since.timestamp().as_millisecond());
        let spans = spans(step, (Some(since_ms), now_ms.saturating_add(1)), zone).unwrap_or_default();
        Period { step, by: None, narrowed, spans, zone: zone.clone() }
    }

    /// The steps that hold these moments and those between them, of these calls; `None` where they are too many.
    pub fn between(step: Step, moments: (i64, i64), zone: &TimeZone, narrowed: Narrowed) -> Option<Self> {
        let spans = spans(step, (Some(moments.0), moments.1.saturating_add(1)), zone).ok()?;
        Some(Period { step, by: None, narrowed, spans, zone: zone.clone() })
    }

    /// Its steps, oldest first.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Its first moment.
    pub fn from_ms(&self) -> i64 {
        self.spans.first().map_or(0, |span| span.from_ms)
    }

    /// The first moment behind it.
    pub fn until_ms(&self) -> i64 {
        self.spans.last().map_or(0, |span| span.until_ms)
    }

    /// What its zone is called.
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }
}

/// The steps that hold these moments.
fn spans(step: Step, (since_ms, until_ms): (Option<i64>, i64), zone: &TimeZone) -> Result<Vec<Span>, Refusal> {
    let out_of_time = || Refusal::bad_request("`since` and `until` must be Unix milliseconds of our time.");
    let (count, most) = step.counts();
    let last = step.start(&moment(until_ms.saturating_sub(1), zone).ok_or_else(out_of_time)?);
    let first = match since_ms {
        Some(since_ms) => step.start(&moment(since_ms, zone).ok_or_else(out_of_time)?),
        None => last.checked_sub(step.duration(count - 1)).map_err(|_| out_of_time())?,
    };
    if first > last {
        return Err(Refusal::bad_request("`since` must not be after `until`, nor in the future.").about("since"));
    }
    let mut spans: Vec<Span> = Vec::new();
    let mut start = first.clone();
    while start <= last {
        if i64::try_from(spans.len()).unwrap_or(i64::MAX) >= most {
            let message =
                format!("{most} steps at most can be asked for at once. Ask for longer steps or a shorter time.");
            return Err(Refusal::bad_request(message).about("since"));
        }
        let next = start.checked_add(step.duration(1)).map_err(|_| out_of_time())?;
        spans.push(Span { from_ms: start.timestamp().as_millisecond(), until_ms: next.timestamp().as_millisecond() });
        start = next;
    }
    Ok(spans)
}

fn moment(at_ms: i64, zone: &TimeZone) -> Option<Zoned> {
    // What is kept in cells is kept by minutes, and none lies before 1970.
    let at_ms = Some(at_ms).filter(|at_ms| (0..=253_402_300_799_000 - MINUTE_MS).contains(at_ms))?;
    Some(Timestamp::from_millisecond(at_ms).ok()?.to_zoned(zone.clone()))
}

fn milliseconds(name: &str, value: &str) -> Result<i64, Refusal> {
    value.parse().map_err(|_| {
        Refusal::bad_request(format!("`{name}` must be a whole number of Unix milliseconds, not {value:?}."))
    })
}

fn named_step(value: &str) -> Result<Step, Refusal> {
    match value {
        "minute" => Ok(Step::Minute),
        "hour" => Ok(Step::Hour),
        "day" => Ok(Step::Day),
        _ => Err(Refusal::bad_request(format!("`step` must be minute, hour or day, not {value:?}."))),
    }
}

fn named_by(value: &str) -> Result<By, Refusal> {
    By::ALL.into_iter().find(|by| by.name() == value).ok_or_else(|| {
        let names = By::ALL.map(By::name).join(", ");
        Refusal::bad_request(format!("`by` must be one of {names}, not {value:?}."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-30T10:20:30Z.
    const NOW_MS: i64 = 1_796_034_030_000;
    const HOUR_MS: i64 = 3_600_000;

    fn period(query: &str) -> Period {
        Period::parse(query, &TimeZone::UTC, NOW_MS).expect(query)
    }

    #[test]
    fn a_period_is_of_whole_steps_up_to_the_present_one() {
        for (query, count, from_ms, until_ms) in [
            ("", 24, NOW_MS - 1_230_000 - 23 * HOUR_MS, NOW_MS - 1_230_000 + HOUR_MS),
            ("step=minute", 60, NOW_MS - 30_000 - 59 * MINUTE_MS, NOW_MS - 30_000 + MINUTE_MS),
            ("step=day", 30, NOW_MS - 37_230_000 - 29 * 24 * HOUR_MS, NOW_MS - 37_230_000 + 24 * HOUR_MS),
            ("since=1796029200000&until=1796029200001", 1, 1_796_029_200_000, 1_796_032_800_000),
            ("since=1796029200000&until=1796032800000", 1, 1_796_029_200_000, 1_796_032_800_000),
            ("until=9999999999999", 24, NOW_MS - 1_230_000 - 23 * HOUR_MS, NOW_MS - 1_230_000 + HOUR_MS),
        ] {
            let period = period(query);
            assert_eq!(
                (period.spans().len(), period.from_ms(), period.until_ms()),
                (count, from_ms, until_ms),
                "{query}"
            );
            assert!(period.spans().windows(2).all(|pair| pair[0].until_ms == pair[1].from_ms), "{query}");
        }
    }

    #[test]
    fn what_is_counted_and_told_apart_is_named() {
        let parsed = period("by=target&model=a%2Fb&provider=p&upstream_model=u&credential=c&key=k&client=Claude+Code");
        let text = |value: &str| Some(value.to_owned());
        let narrowed = Narrowed {
            model: text("a/b"),
            provider: text("p"),
            upstream_model: text("u"),
            credential: text("c"),
            key: text("k"),
            client: text("Claude Code"),
        };
        assert_eq!((parsed.by, parsed.narrowed), (Some(By::Target), narrowed));
    }

    #[test]
    fn what_is_not_understood_is_refused_and_says_what_is() {
        for (query, message) in [
            ("colour=blue", "There is no parameter `colour`. Use step, since, "),
            ("step=week", "`step` must be minute, hour or day, not \"week\"."),
            ("by=colour", "`by` must be one of model, provider, target, credential, key, client, not \"colour\"."),
            ("since=yesterday", "`since` must be a whole number of Unix milliseconds, not \"yesterday\"."),
            ("since=-1", "`since` and `until` must be "),
            ("since=9223372036854775807", "`since` and `until` must be "),
            ("since=1796037630000", "`since` must not be after `until`, nor in the future."),
            ("step=minute&since=0", "2880 steps at most "),
            ("step=hour&since=0", "2208 steps at most "),
            ("step=day&since=0", "400 steps at most "),
            ("model=%ff", "The value of `model` is not valid percent-encoded UTF-8."),
        ] {
            let refusal = Period::parse(query, &TimeZone::UTC, NOW_MS).expect_err(query);
            assert_eq!(refusal.status, 400, "{query}");
            assert!(refusal.message.starts_with(message), "{query}: {}", refusal.message);
        }
    }

    #[test]
    fn days_are_as_long_as_their_zone_makes_them() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        // 2026-03-29, whose night has no third hour, and 2026-10-25, whose night has it twice.
        for (at_ms, hours) in [(1_774_778_400_000, 23), (1_792_922_400_000, 25), (NOW_MS - 24 * HOUR_MS, 24)] {
            let day = Period::last(Step::Day, 1, &zone, at_ms, Narrowed::default());
            assert_eq!(day.until_ms() - day.from_ms(), hours * HOUR_MS, "{at_ms}");
            let query = format!("since={}&until={}", day.from_ms(), day.until_ms());
            let hourly = Period::parse(&query, &zone, NOW_MS).expect("hours");
            assert_eq!(i64::try_from(hourly.spans().len()), Ok(hours), "{at_ms}");
            assert!(hourly.spans().iter().all(|span| span.until_ms - span.from_ms == HOUR_MS));
        }
        let kathmandu = TimeZone::get("Asia/Kathmandu").expect("a zone");
        let day = Period::last(Step::Day, 2, &kathmandu, NOW_MS, Narrowed::default());
        assert!(
            day.spans().iter().all(|span| span.from_ms % (15 * MINUTE_MS) == 0),
            "quarters make up any zone's days"
        );
    }
}
