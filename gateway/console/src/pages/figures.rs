//! Figures: six numbers of a span of time, of which each can be the chart, and who shares the calls.

use gateway_core::stats::{By, Narrowed, Period, SeriesSums, SpanSums, Step, Sums};
use gateway_core::views::StatsRowView;
use jiff::tz::TimeZone;

use crate::chart::{self, Chart, Measured};
use crate::frame::Frame;
use crate::parts::{Mid, Monogram};
use crate::query::Query;
use crate::show;
use crate::words::figures::Words;

/// A word in the reader's language.
type Word = fn(Words) -> &'static str;

/// The spans of time that can be looked at: name, steps, how many of them, and word.
const SPANS: [(&str, Step, i64, Word); 4] = [
    ("1h", Step::Minute, 60, Words::last_hour),
    ("24h", Step::Hour, 24, Words::last_day),
    ("7d", Step::Hour, 7 * 24, Words::last_week),
    ("30d", Step::Day, 30, Words::last_month),
];

/// What is looked at where the address says nothing.
const SPAN: usize = 1;

/// A line that shows how a number went has so many points.
const SPARK_POINTS: usize = 28;

/// How many rows of a share are shown by name.
const SHARES_MAX: usize = 6;

/// What the address asks for: a span of time up to now, and the one before it.
pub fn periods(query: &Query, zone: &TimeZone, now_ms: i64, narrowed: &Narrowed) -> (Period, Period) {
    let (_, step, count, _) = span(query);
    let period = Period::last(step, count, zone, now_ms, narrowed.clone());
    let before = Period::last(step, count, zone, period.from_ms().saturating_sub(1), narrowed.clone());
    (period, before)
}

/// The last 24 hours, for rows that say how many calls they had.
pub fn last_day(zone: &TimeZone, now_ms: i64) -> Period {
    Period::last(Step::Hour, 24, zone, now_ms, Narrowed::default())
}

fn span(query: &Query) -> (&'static str, Step, i64, Word) {
    let chosen = query.get("span").and_then(|name| SPANS.iter().find(|span| span.0 == name));
    *chosen.unwrap_or(&SPANS[SPAN])
}

/// What was counted in a period, and in the one before it.
#[derive(Debug)]
pub struct Counted {
    /// The period.
    pub period: Period,
    /// Its calls by step.
    pub by_step: Vec<SpanSums>,
    /// Its calls by series.
    pub by_series: Vec<SeriesSums>,
    /// The number of calls in the period before.
    pub calls_before: u64,
}

/// What a chart can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    Calls,
    FailedOver,
    NotServed,
    First,
    Tokens,
    Cost,
}

impl Figure {
    const ALL: [Self; 6] = [Self::Calls, Self::FailedOver, Self::NotServed, Self::First, Self::Tokens, Self::Cost];

    fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::FailedOver => "failed_over",
            Self::NotServed => "not_served",
            Self::First => "first",
            Self::Tokens => "tokens",
            Self::Cost => "cost",
        }
    }

    fn word(self, words: Words) -> &'static str {
        match self {
            Self::Calls => words.calls(),
            Self::FailedOver => words.failed_over(),
            Self::NotServed => words.not_served(),
            Self::First => words.first(),
            Self::Tokens => words.tokens(),
            Self::Cost => words.cost(),
        }
    }

    fn of(self, sums: &Sums) -> u64 {
        match self {
            Self::Calls => sums.calls,
            Self::FailedOver => sums.failed_over,
            Self::NotServed => sums.not_served,
            Self::First => sums.first.percentile(50).unwrap_or(0),
            Self::Tokens => sums.input_tokens.saturating_add(sums.output_tokens),
            Self::Cost => sums.cost_nano,
        }
    }

    fn text(self, value: u64) -> String {
        let value = signed(value);
        match self {
            Self::First => show::span(value),
            Self::Tokens => show::count(value),
            Self::Cost => show::money(value),
            Self::Calls | Self::FailedOver | Self::NotServed => show::whole(value),
        }
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The figures of a page.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) words: Words,
    /// Address, word, and whether it is the present one.
    pub(super) spans: Vec<(String, &'static str, bool)>,
    pub(super) numbers: Vec<Number>,
    pub(super) chart: Chart,
    pub(super) chart_word: String,
    pub(super) is_of_calls: bool,
    pub(super) heads: Vec<&'static str>,
    pub(super) table: Vec<(String, Vec<String>)>,
    pub(super) shares: Vec<Shares>,
    /// How many calls there were.
    pub(super) calls: u64,
    pub(super) span_word: &'static str,
}

/// One of the numbers.
#[derive(Debug)]
pub(super) struct Number {
    pub(super) href: String,
    pub(super) is_here: bool,
    pub(super) word: &'static str,
    pub(super) value: String,
    pub(super) note: String,
    pub(super) spark: String,
}

/// Who shares the calls.
#[derive(Debug)]
pub(super) struct Shares {
    pub(super) word: &'static str,
    pub(super) rows: Vec<Share>,
}

/// A row of it.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) monogram: Option<Monogram>,
    pub(super) hue: Option<u32>,
    pub(super) name: Mid,
    pub(super) href: Option<String>,
    pub(super) percent: String,
    pub(super) calls: String,
    pub(super) tokens: String,
    pub(super) cost: String,
}

impl Figures {
    /// The figures for this page, with the calls told apart by these.
    pub(super) fn of(frame: &Frame, page: &str, query: &Query, counted: &Counted, by: &[By]) -> Self {
        let words = Words(frame.language);
        let (span_name, _, _, span_word) = span(query);
        let here = Figure::ALL.into_iter().find(|figure| query.get("show") == Some(figure.name()));
        let here = here.unwrap_or(Figure::Calls);
        let link = |query: Query| query.link(&frame.link(page));
        let spans =
            SPANS.iter().map(|(name, _, _, word)| (link(query.with("span", name)), word(words), *name == span_name));
        let steps = steps(counted);
        let total = sum(&steps);
        let number = |figure: Figure| Number {
            href: link(query.with("show", figure.name())),
            is_here: figure == here,
            word: figure.word(words),
            value: value(figure, &total, words),
            note: note(figure, &total, counted.calls_before, words),
            spark: spark(figure, &steps),
        };
        let bars = bars(here, counted, &steps, frame, words);
        Figures {
            words,
            spans: spans.collect(),
            numbers: Figure::ALL.map(number).into(),
            chart: Chart::of(&bars, |height| here.text(height), &frame.clock),
            chart_word: words.bar_of(here.word(words), span_word(words)),
            is_of_calls: here == Figure::Calls,
            heads: match here {
                Figure::Calls => vec![words.first_target(), words.after_failover(), words.not_served()],
                other => vec![other.word(words)],
            },
            table: bars.iter().map(|bar| row(here, bar, frame)).collect(),
            shares: by.iter().map(|by| Shares::of(*by, &counted.by_series, frame, words)).collect(),
            calls: total.calls,
            span_word: span_word(words),
        }
    }
}

/// The chart of the calls of a period, and in words what they come to.
pub(super) fn chart_of_calls(frame: &Frame, counted: &Counted) -> (Chart, String) {
    let words = Words(frame.language);
    let steps = steps(counted);
    let bars = bars(Figure::Calls, counted, &steps, frame, words);
    let total = sum(&steps);
    let whole = |number: u64| show::whole(signed(number));
    let from = frame.clock.day_and_minute(counted.period.from_ms());
    let says = words.counted(whole(total.calls), from, whole(total.failed_over), whole(total.not_served));
    (Chart::of(&bars, |height| Figure::Calls.text(height), &frame.clock), says)
}

/// The calls of every step, those without calls among them.
fn steps(counted: &Counted) -> Vec<Sums> {
    let mut steps = vec![Sums::default(); counted.period.spans().len()];
    for SpanSums { span, sums } in &counted.by_step {
        if let Some(step) = steps.get_mut(*span) {
            step.add(sums);
        }
    }
    steps
}

fn sum(steps: &[Sums]) -> Sums {
    let mut whole = Sums::default();
    steps.iter().for_each(|step| whole.add(step));
    whole
}

fn value(figure: Figure, total: &Sums, words: Words) -> String {
    match figure {
        Figure::First if total.first.count() == 0 => words.not_told().to_owned(),
        figure => figure.text(figure.of(total)),
    }
}

fn note(figure: Figure, total: &Sums, calls_before: u64, words: Words) -> String {
    match figure {
        Figure::Calls => match total.calls.cmp(&calls_before) {
            _ if calls_before == 0 => String::new(),
            std::cmp::Ordering::Equal => words.the_same().to_owned(),
            std::cmp::Ordering::Greater => words.more(show::percent(total.calls - calls_before, calls_before)),
            std::cmp::Ordering::Less => words.less(show::percent(calls_before - total.calls, calls_before)),
        },
        Figure::FailedOver => words.of_all(show::percent(total.failed_over, total.calls)),
        Figure::NotServed => {
            words.not_served_of(show::percent(total.not_served, total.calls), show::whole(signed(total.mistaken)))
        }
        Figure::First => total.first.percentile(95).map_or_else(String::new, |ms| words.within(show::span(signed(ms)))),
        Figure::Tokens => words.read_from_caches(show::percent(total.cache_read_tokens, total.input_tokens)),
        Figure::Cost if total.unpriced == 0 => words.all_priced().to_owned(),
        Figure::Cost => words.unpriced(show::whole(signed(total.unpriced))),
    }
}

/// A line through the steps, within 100 by 22.
fn spark(figure: Figure, steps: &[Sums]) -> String {
    let together = steps.len().div_ceil(SPARK_POINTS).max(1);
    let values: Vec<u64> = steps.chunks(together).map(|chunk| figure.of(&sum(chunk))).collect();
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let last = values.len().saturating_sub(1).max(1);
    let point = |(index, value): (usize, &u64)| {
        let height = u128::from(*value) * 190 / u128::from(most);
        let (x, y) = (index * 1000 / last, 220 - height);
        format!("{}{}.{} {}.{}", if index == 0 { 'M' } else { 'L' }, x / 10, x % 10, y / 10, y % 10)
    };
    values.iter().enumerate().map(point).collect::<Vec<_>>().join(" ")
}

/// The bars of the chart. Several steps are one bar where there are many.
fn bars(figure: Figure, counted: &Counted, steps: &[Sums], frame: &Frame, words: Words) -> Vec<Measured> {
    let together = chart::together(steps.len());
    let spans = counted.period.spans().chunks(together);
    let bar = |(spans, steps): (&[gateway_core::stats::Span], &[Sums])| {
        let (at_ms, sums) = (spans.first().map_or(0, |span| span.from_ms), sum(steps));
        let time = time(at_ms, counted, frame);
        let later = sums.failed_over;
        let served = sums.served();
        let measured = Measured { at_ms, ..Measured::default() };
        match figure {
            Figure::Calls => Measured {
                filled: served.saturating_sub(later),
                outlined: later,
                below: sums.not_served,
                says: words.bar(time, show::whole(signed(served)), later, sums.not_served),
                ..measured
            },
            other => {
                let value = other.of(&sums);
                Measured { filled: value, says: words.bar_of(time, other.text(value)), ..measured }
            }
        }
    };
    spans.zip(steps.chunks(together)).map(bar).collect()
}

fn time(at_ms: i64, counted: &Counted, frame: &Frame) -> String {
    match (counted.period.step, counted.period.spans().len()) {
        (Step::Day, _) => frame.clock.day(at_ms),
        (Step::Hour, 25..) => frame.clock.day_and_minute(at_ms),
        (Step::Hour | Step::Minute, _) => frame.clock.minute(at_ms),
    }
}

fn row(figure: Figure, bar: &Measured, frame: &Frame) -> (String, Vec<String>) {
    let values = match figure {
        Figure::Calls => vec![bar.filled, bar.outlined, bar.below],
        _ => vec![bar.filled],
    };
    (frame.clock.day_and_minute(bar.at_ms), values.into_iter().map(|value| figure.text(value)).collect())
}

impl Shares {
    fn of(by: By, by_series: &[SeriesSums], frame: &Frame, words: Words) -> Self {
        let word = match by {
            By::Model => words.model(),
            By::Provider | By::Target | By::Credential => words.provider(),
            By::Key => words.key(),
            By::Client => words.client(),
        };
        let all = StatsRowView::all(by, by_series);
        let most = all.first().map_or(1, |row| row.figures.calls);
        let is_cut = all.len() > SHARES_MAX;
        let shown = if is_cut { SHARES_MAX - 1 } else { all.len() };
        let mut rows: Vec<Share> = all.iter().take(shown).map(|row| Share::of(by, row, most, frame, words)).collect();
        if is_cut {
            let rest = all.get(shown..).unwrap_or_default();
            rows.push(Share::of_others(rest, most, words));
        }
        Shares { word, rows }
    }
}

impl Share {
    fn of(by: By, row: &StatsRowView, most: u64, frame: &Frame, words: Words) -> Self {
        let figures = &row.figures;
        let name = row.name.as_deref().filter(|name| !name.is_empty());
        let records = |filter: &str| name.map(|name| Query::default().with(filter, name).link(&frame.link("records")));
        let unnamed = match by {
            By::Model => words.no_model(),
            By::Provider | By::Target | By::Credential => words.nobody(),
            By::Key | By::Client => words.unnamed(),
        };
        let is_provider = by == By::Provider;
        let monogram = name.filter(|_| is_provider).map(|name| frame.monogram(name, false));
        Share {
            hue: monogram.as_ref().map(Monogram::hue),
            monogram,
            name: Mid::of(name.unwrap_or(unnamed)),
            href: match by {
                By::Model => records("model"),
                By::Provider => records("provider"),
                By::Key => records("key"),
                By::Target | By::Credential | By::Client => None,
            },
            percent: show::percent(figures.calls, most).replace(' ', ""),
            calls: show::whole(signed(figures.calls)),
            tokens: show::count(signed(figures.input_tokens.saturating_add(figures.output_tokens))),
            cost: show::money(signed(figures.cost_nano)),
        }
    }

    fn of_others(rest: &[StatsRowView], most: u64, words: Words) -> Self {
        let sum = |value: fn(&StatsRowView) -> u64| rest.iter().map(value).fold(0, u64::saturating_add);
        let calls = sum(|row| row.figures.calls);
        Share {
            monogram: None,
            hue: None,
            name: Mid::of(&words.others(rest.len())),
            href: None,
            percent: show::percent(calls.min(most), most).replace(' ', ""),
            calls: show::whole(signed(calls)),
            tokens: show::count(signed(sum(|row| row.figures.input_tokens.saturating_add(row.figures.output_tokens)))),
            cost: show::money(signed(sum(|row| row.figures.cost_nano))),
        }
    }
}

/// How many calls each of some names had.
#[derive(Debug, Default)]
pub struct Calls(Vec<StatsRowView>);

impl Calls {
    /// Of these series, told apart by this.
    pub fn by(by: By, by_series: &[SeriesSums]) -> Self {
        Calls(StatsRowView::all(by, by_series))
    }

    pub(super) fn of(&self, name: &str) -> String {
        let row = self.0.iter().find(|row| row.name.as_deref() == Some(name));
        show::whole(signed(row.map_or(0, |row| row.figures.calls)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_from_edge_to_edge_and_is_highest_where_there_is_most() {
        let calls = |calls| Sums { calls, ..Sums::default() };
        assert_eq!(spark(Figure::Calls, &[calls(0), calls(10), calls(5)]), "M0.0 22.0 L50.0 3.0 L100.0 12.5");
        assert_eq!(spark(Figure::Calls, &[]), "");
        assert_eq!(spark(Figure::Calls, &[calls(1)]), "M0.0 3.0");
        assert!(spark(Figure::Calls, &vec![calls(1); 168]).matches('L').count() < SPARK_POINTS);
    }

    #[test]
    fn the_time_before_is_as_long_and_ends_where_the_present_one_begins() {
        for span in ["", "1h", "7d", "30d", "odd"] {
            let query = Query::default().with("span", span);
            let (period, before) = periods(&query, &TimeZone::UTC, 1_796_034_030_000, &Narrowed::default());
            assert_eq!(before.until_ms(), period.from_ms(), "{span}");
            assert_eq!(before.spans().len(), period.spans().len(), "{span}");
        }
    }
}
