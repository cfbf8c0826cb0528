//! Overview: what is happening. While there is nothing, how to begin.

use askama::Template;
use gateway_core::catalog::Catalog;
use gateway_core::order;
use gateway_core::stats::By;
use gateway_core::views::{HealthView, QuotaView, RecordView};

use super::figures::{Counted, Figures};
use super::hero::Hero;
use super::quota;
use super::records::Row;
use super::trouble::Trouble;
use crate::frame::Frame;
use crate::query::Query;
use crate::routes::Page;
use crate::words::overview::Words;
use crate::words::{quota as quotas, records as calls};

/// What is happening.
#[derive(Debug, Template)]
#[template(path = "overview.html")]
pub struct OverviewPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    calls: calls::Words,
    says: String,
    /// The figures, once the gateway has been called.
    figures: Option<Figures>,
    hero: Option<Hero>,
    troubles: Vec<Trouble>,
    dry: Vec<String>,
    rows: Vec<Row>,
    steps: Vec<(&'static str, bool)>,
    curl: String,
}

/// How many of the limits that run dry first are shown.
const DRY_MAX: usize = 3;

impl<'a> OverviewPage<'a> {
    /// The state of things, what was counted, and the latest calls. `address` is where the reader reaches llmio.
    pub fn of(
        frame: &'a Frame,
        catalog: &Catalog,
        (health, quota): (&HealthView, &QuotaView),
        (query, counted): (&Query, &Counted),
        latest: &[RecordView],
        address: &str,
    ) -> Self {
        let words = Words(frame.language);
        let troubles: Vec<Trouble> =
            health.subjects.iter().filter(|each| !each.over).map(|each| Trouble::of(each, frame)).collect();
        let says = match troubles.len() {
            0 => words.nothing_wrong().to_owned(),
            1 => words.one_wrong().to_owned(),
            count => words.some_wrong(count),
        };
        let has_providers = catalog.providers.iter().any(|each| !super::trouble::endpoints(each).is_empty());
        let steps = vec![
            (words.step_provider(), has_providers),
            (words.step_model(), has_providers && !catalog.models.is_empty()),
            (words.step_key(), !catalog.keys.is_empty()),
        ];
        let by = [By::Model, By::Provider, By::Key, By::Client];
        let figures = (!latest.is_empty()).then(|| Figures::of(frame, "overview", query, counted, &by));
        let model = catalog.models.first().map_or("demo", |model| &*model.name);
        OverviewPage {
            frame,
            here: Some(Page::Overview),
            words,
            calls: calls::Words(frame.language),
            says,
            hero: figures.as_ref().map(|figures| Hero::of(quota, figures, frame)),
            figures,
            troubles,
            dry: dry(quota, frame, words),
            rows: latest.iter().map(|record| Row::of(record, frame)).collect(),
            steps,
            curl: curl(address, model),
        }
    }
}

/// The limits that run dry before there is more again, the first of them first.
fn dry(quota: &QuotaView, frame: &Frame, words: Words) -> Vec<String> {
    let dry = quota.quota.iter().filter_map(|limit| {
        let at_ms = limit.runs_dry_at_ms.filter(|dry| limit.resets_at_ms.is_none_or(|back| *dry < back))?;
        Some((at_ms, limit))
    });
    let mut dry: Vec<_> = dry.collect();
    order::by_key(&mut dry, |(at_ms, _)| *at_ms);
    let line = |(at_ms, limit): (i64, &gateway_core::views::LimitView)| {
        let name = quota::name(&limit.name, quotas::Words(frame.language));
        words.dry_at(name, quota::owner(&limit.scope), frame.clock.short(at_ms))
    };
    dry.into_iter().take(DRY_MAX).map(line).collect()
}

/// A line for a shell that makes a call. Names of models have no quotes or control characters, so they cannot end the
/// quoted text.
fn curl(address: &str, model: &str) -> String {
    let model = model.replace('\\', "\\\\").replace('"', "\\\"").replace('\'', "'\\''");
    format!(
        "curl {}/v1/chat/completions -H \"Authorization: Bearer $LLMIO_KEY\" -H \"Content-Type: application/json\" \\\n  -d \
         '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"hello\"}}]}}'",
        address.trim_end_matches('/')
    )
}
