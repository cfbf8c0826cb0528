//! Figures as the admin API shows them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::order;
use crate::stats::{By, Period, SeriesSums, SpanSums, Step, Sums};

/// How many rows are told; those with fewest calls are left out.
const ROWS_MAX: usize = 500;

/// The answer of `GET /api/stats`.
#[derive(Debug, Serialize)]
pub struct StatsView {
    /// The first moment, Unix milliseconds.
    pub since_ms: i64,
    /// The first moment behind it.
    pub until_ms: i64,
    /// The zone of the steps.
    pub zone: String,
    /// All of these calls.
    pub total: FiguresView,
    /// How long each number of the series counts.
    pub step: Step,
    /// Each step in which calls ended, oldest first.
    pub series: Vec<PointView>,
    /// What the rows are told apart by.
    pub by: Option<By>,
    /// Totals by that, most calls first.
    pub rows: Vec<StatsRowView>,
}

/// What some calls come to. Unknown numbers are not in the sums.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FiguresView {
    /// Calls that have ended, by the time at which they were accepted.
    pub calls: u64,
    /// Served, but not by the first attempt.
    pub failed_over: u64,
    /// Served by no provider.
    pub not_served: u64,
    /// Of these, by a mistake of the client.
    pub client_mistakes: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Of these, read from a cache.
    pub cache_read_tokens: u64,
    /// Of these, written to a cache.
    pub cache_write_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Of these, reasoning.
    pub reasoning_tokens: u64,
    /// What they cost, in nano-dollars.
    pub cost_nano: u64,
    /// The number of calls whose cost is not known.
    pub unpriced_calls: u64,
    /// How long a call took, in the mean.
    pub duration_ms: Option<u64>,
    /// Half of the calls with a content had its beginning within this time.
    pub first_content_p50_ms: Option<u64>,
    /// 95 of a hundred had it within this time.
    pub first_content_p95_ms: Option<u64>,
}

/// The calls of a step.
#[derive(Debug, Serialize)]
pub struct PointView {
    /// Its beginning, Unix milliseconds.
    pub at_ms: i64,
    /// What its calls come to.
    #[serde(flatten)]
    pub figures: FiguresView,
}

/// The calls of a model, provider, target, credential, key or family of clients.
#[derive(Debug, Serialize)]
pub struct StatsRowView {
    /// Its name; a target as `provider/upstream-model`, a credential as `provider/label`. None: of calls that had none, such as
    /// those that nobody was asked to serve.
    pub name: Option<String>,
    /// What its calls come to.
    #[serde(flatten)]
    pub figures: FiguresView,
}

impl From<&Sums> for FiguresView {
    fn from(sums: &Sums) -> Self {
        FiguresView {
            calls: sums.calls,
            failed_over: sums.failed_over,
            not_served: sums.not_served,
            client_mistakes: sums.mistaken,
            input_tokens: sums.input_tokens,
            cache_read_tokens: sums.cache_read_tokens,
            cache_write_tokens: sums.cache_write_tokens,
            output_tokens: sums.output_tokens,
            reasoning_tokens: sums.reasoning_tokens,
            cost_nano: sums.cost_nano,
            unpriced_calls: sums.unpriced,
            duration_ms: sums.mean_ms(),
            first_content_p50_ms: sums.first.percentile(50),
            first_content_p95_ms: sums.first.percentile(95),
        }
    }
}

impl StatsView {
    /// The figures of a period, given its calls by step, and by series where they are to be told apart.
    pub fn of(period: &Period, by_step: &[SpanSums], by_series: &[SeriesSums]) -> Self {
        let mut total = Sums::default();
        by_step.iter().for_each(|found| total.add(&found.sums));
        let mut points: BTreeMap<usize, Sums> = BTreeMap::new();
        by_step.iter().for_each(|found| points.entry(found.span).or_default().add(&found.sums));
        let point = |(span, sums): (usize, Sums)| {
            let span = period.spans().get(span)?;
            Some(PointView { at_ms: span.from_ms, figures: FiguresView::from(&sums) })
        };
        StatsView {
            since_ms: period.from_ms(),
            until_ms: period.until_ms(),
            zone: period.zone_name().to_owned(),
            total: FiguresView::from(&total),
            step: period.step,
            series: points.into_iter().filter_map(point).collect(),
            by: period.by,
            rows: period.by.map_or_else(Vec::new, |by| StatsRowView::all(by, by_series)),
        }
    }
}

impl StatsRowView {
    /// Totals by one of the names of series, most calls first.
    pub fn all(by: By, by_series: &[SeriesSums]) -> Vec<Self> {
        let mut found: BTreeMap<Option<String>, Sums> = BTreeMap::new();
        by_series.iter().for_each(|series| found.entry(name(by, series)).or_default().add(&series.sums));
        let row = |(name, sums): (Option<String>, Sums)| StatsRowView { name, figures: FiguresView::from(&sums) };
        let mut rows: Vec<Self> = found.into_iter().map(row).filter(|row| row.figures.calls > 0).collect();
        order::by_key(&mut rows, |row| std::cmp::Reverse(row.figures.calls));
        rows.truncate(ROWS_MAX);
        rows
    }
}

fn name(by: By, series: &SeriesSums) -> Option<String> {
    let of_provider = |name: &Option<String>| Some(format!("{}/{}", series.provider.as_ref()?, name.as_ref()?));
    match by {
        By::Model => series.model.clone(),
        By::Provider => series.provider.clone(),
        By::Target => of_provider(&series.upstream_model),
        By::Credential => of_provider(&series.credential),
        By::Key => series.key.clone(),
        By::Client => series.client.clone(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::stats::bucket;

    fn sums(calls: u64, first_ms: u64) -> Sums {
        let numbers = [calls, 1, 2, 1, 10 * calls, 3, 2, 5, 1, 7, 1, 100 * calls];
        let mut sums = Sums::of_cell(numbers);
        sums.add(&Sums::of_first(bucket(Some(first_ms)), calls));
        sums
    }

    fn series(model: &str, provider: Option<&str>, calls: u64) -> SeriesSums {
        let text = |text: &str| Some(text.to_owned());
        SeriesSums {
            key: text("k"),
            model: text(model),
            provider: provider.and_then(text),
            upstream_model: provider.and_then(|_| text("up")),
            credential: provider.and_then(|_| text("main")),
            client: text("curl"),
            sums: sums(calls, 100),
        }
    }

    #[test]
    fn cells_of_one_name_are_told_as_one_row_and_the_largest_first() {
        let cells = [series("a", Some("p"), 2), series("b", Some("p"), 5), series("a", None, 1), series("a", None, 1)];
        let rows = |by: By| -> Vec<(Option<String>, u64)> {
            StatsRowView::all(by, &cells).into_iter().map(|row| (row.name, row.figures.calls)).collect()
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(rows(By::Model), [(text("b"), 5), (text("a"), 4)]);
        assert_eq!(rows(By::Provider), [(text("p"), 7), (None, 2)]);
        assert_eq!(rows(By::Target), [(text("p/up"), 7), (None, 2)]);
        assert_eq!(rows(By::Credential), [(text("p/main"), 7), (None, 2)]);
        assert_eq!(rows(By::Key), [(text("k"), 9)]);
        assert_eq!(rows(By::Client), [(text("curl"), 9)]);
    }

    #[test]
    fn steps_are_told_by_their_time_and_totals_are_of_all() {
        let now_ms = 1_796_034_030_000;
        let period = Period::parse("by=model", &TimeZone::UTC, now_ms).expect("a period");
        let point = |span, calls, first_ms| SpanSums { span, sums: sums(calls, first_ms) };
        let steps = [point(3, 1, 100), point(0, 2, 100), point(3, 1, 9_000)];
        let view = StatsView::of(&period, &steps, &[series("a", None, 2), series("b", None, 2)]);
        let points: Vec<(i64, u64)> = view.series.iter().map(|point| (point.at_ms, point.figures.calls)).collect();
        assert_eq!(points, [(period.from_ms(), 2), (period.from_ms() + 3 * 3_600_000, 2)]);
        let total = &view.total;
        assert_eq!((total.calls, total.failed_over, total.not_served, total.client_mistakes), (4, 3, 6, 3));
        assert_eq!(
            (total.input_tokens, total.cost_nano, total.unpriced_calls, total.duration_ms),
            (40, 21, 3, Some(100))
        );
        assert!(total.first_content_p50_ms.is_some_and(|ms| (88..=112).contains(&ms)), "{total:?}");
        assert_eq!(view.rows.len(), 2);
        let text = serde_json::to_string(&view).expect("JSON");
        assert!(text.contains("\"step\":\"hour\"") && text.contains("\"by\":\"model\""), "{text}");
    }
}
