//! Quota: what is left, till when it lasts, and when there is more again.

use askama::Template;
use gateway_core::outcome::limits::Span;
use gateway_core::providers::CounterPer;
use gateway_core::views::{LearntView, LimitView, QuotaView, ReportedLimitView, ScopeView};

use crate::frame::Frame;
use crate::parts::{Mark, Monogram, Time};
use crate::routes::Page;
use crate::show;
use crate::words::quota::Words;

/// Every limit.
#[derive(Debug, Template)]
#[template(path = "quota.html")]
pub struct QuotaPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    says: String,
    groups: Vec<Group>,
    learnt: Vec<LearntRow>,
    reported: Vec<ReportedRow>,
}

/// The limits of a provider, or those of keys.
#[derive(Debug)]
struct Group {
    provider: Option<(Monogram, String, String)>,
    rows: Vec<Row>,
}

/// A limit, with what is left of it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) whose: String,
    pub(super) models: String,
    pub(super) left: String,
    /// In percent, and the words for it.
    pub(super) percent: (String, String),
    pub(super) tone: &'static str,
    pub(super) lasts: Mark,
    pub(super) back: Option<Time>,
    pub(super) back_word: &'static str,
    pub(super) source: (String, Option<&'static str>),
}

/// What a provider told.
#[derive(Debug)]
struct LearntRow {
    whom: String,
    what: String,
    left: String,
    back: Option<Time>,
    reported: Time,
}

/// What a provider counts itself.
#[derive(Debug)]
struct ReportedRow {
    monogram: Monogram,
    whom: String,
    what: String,
    spent: String,
    left: String,
    reported: Time,
    source: Option<&'static str>,
}

impl<'a> QuotaPage<'a> {
    /// The limits as they stand.
    pub fn of(frame: &'a Frame, quota: &QuotaView) -> Self {
        let words = Words(frame.language);
        let mut groups: Vec<Group> = Vec::new();
        for limit in &quota.quota {
            let name = provider_of(&limit.scope);
            let row = Row::of(limit, frame);
            match groups.iter_mut().find(|group| group.name() == name) {
                Some(group) => group.rows.push(row),
                None => groups.push(Group { provider: name.map(|name| heading(name, frame)), rows: vec![row] }),
            }
        }
        let learnt = quota.learnt.iter().filter(|each| !each.over).map(|each| LearntRow::of(each, frame)).collect();
        let says = words.says(frame.clock.zone_name());
        let reported = quota.reported.iter().map(|each| ReportedRow::of(each, frame)).collect();
        QuotaPage { frame, here: Some(Page::Quota), words, says, groups, learnt, reported }
    }
}

impl Group {
    fn name(&self) -> Option<&str> {
        self.provider.as_ref().map(|(_, name, _)| name.as_str())
    }
}

fn heading(name: &str, frame: &Frame) -> (Monogram, String, String) {
    (frame.monogram(name, false), name.to_owned(), super::providers::href(frame, name))
}

/// Whose a limit is, in short: the provider, or the key.
pub(super) fn owner(scope: &ScopeView) -> &str {
    match scope {
        ScopeView::Key { key } | ScopeView::Team { team: key } => key,
        other => provider_of(other).unwrap_or_default(),
    }
}

pub(super) fn provider_of(scope: &ScopeView) -> Option<&str> {
    match scope {
        ScopeView::Credential { provider, .. }
        | ScopeView::Pool { provider, .. }
        | ScopeView::Provider { provider } => Some(provider),
        ScopeView::Key { .. } | ScopeView::Team { .. } => None,
    }
}

impl Row {
    pub(super) fn of(limit: &LimitView, frame: &Frame) -> Self {
        let words = Words(frame.language);
        let left = limit.limit.saturating_sub(limit.spent);
        let percent = u128::from(left) * 100 / u128::from(limit.limit.max(1));
        let is_money = limit.unit == "nano-dollars";
        let amount = |number: u64| {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            if is_money { show::money(number) } else { show::whole(number) }
        };
        let (tone, lasts) = lasts(limit, left, frame, words);
        let whose = match &limit.scope {
            ScopeView::Credential { credential: Some(label), .. } => words.credential(label),
            ScopeView::Credential { credential: None, .. } => words.no_credential().to_owned(),
            ScopeView::Pool { pool: Some(pool), .. } => words.pool(pool),
            ScopeView::Pool { pool: None, .. } => words.the_pool().to_owned(),
            ScopeView::Provider { .. } => words.whole_provider().to_owned(),
            ScopeView::Key { key } | ScopeView::Team { team: key } => key.clone(),
        };
        let is_key = matches!(limit.scope, ScopeView::Key { .. } | ScopeView::Team { .. });
        let models = match limit.models.as_slice() {
            [] if is_key => String::new(),
            [] => words.all_models().to_owned(),
            models => models.join(", "),
        };
        Row {
            name: name(&limit.name, words),
            whose,
            models,
            left: words.of(amount(left), amount(limit.limit)),
            percent: (format!("{percent}%"), words.left_percent(percent)),
            tone,
            lasts,
            back: limit.resets_at_ms.map(|at_ms| frame.time(at_ms)),
            back_word: match limit.name.as_str() {
                "credit" => words.never(),
                "rpm" | "tpm" => words.slides(),
                _ => words.unused(),
            },
            source: match &limit.known {
                Some(known) => {
                    (words.published(known.as_of), Some(known.source).filter(|url| url.starts_with("https://")))
                }
                None => (words.yours().to_owned(), None),
            },
        }
    }
}

/// Until when it lasts: the tone of its bar, and the words.
fn lasts(limit: &LimitView, left: u64, frame: &Frame, words: Words) -> (&'static str, Mark) {
    let dry = limit.runs_dry_at_ms.filter(|dry_ms| limit.resets_at_ms.is_none_or(|back_ms| *dry_ms < back_ms));
    match dry {
        _ if left == 0 => ("spent", Mark::of("spent", frame.icon("s-spent"), words.spent().to_owned())),
        Some(at_ms) => ("wait", Mark::of("wait", frame.icon("s-warn"), words.dry_at(frame.clock.short(at_ms)))),
        None => ("", Mark::of("ok", frame.icon("s-ok"), words.enough().to_owned())),
    }
}

/// What a limit is called.
pub(super) fn name(name: &str, words: Words) -> String {
    let known = match name {
        "rpm" => words.calls_a_minute(),
        "rpd" => words.calls_a_day(),
        "tpm" => words.tokens_a_minute(),
        "tpd" => words.tokens_a_day(),
        "points" => words.points_a_day(),
        "concurrent" => words.at_once(),
        "credit" => words.credit(),
        "budget-hour" => words.dollars_hours(),
        "budget-day" => words.dollars_a_day(),
        "budget-week" => words.dollars_a_week(),
        "budget-month" => words.dollars_a_month(),
        other => other,
    };
    known.to_owned()
}

impl LearntRow {
    fn of(learnt: &LearntView, frame: &Frame) -> Self {
        let words = Words(frame.language);
        let amount = |number: Option<u64>| {
            number.map_or_else(|| "?".to_owned(), |number| show::whole(i64::try_from(number).unwrap_or(i64::MAX)))
        };
        let per = learnt.per.map(|span| match span {
            Span::Minute => words.a_minute(),
            Span::Day => words.a_day(),
        });
        LearntRow {
            whom: learnt.name.clone(),
            what: per.map_or_else(|| learnt.what.clone(), |per| format!("{}, {per}", learnt.what)),
            left: words.of(amount(learnt.remaining), amount(learnt.limit)),
            back: learnt.resets_at_ms.map(|at_ms| frame.time(at_ms)),
            reported: frame.time(learnt.as_of_ms),
        }
    }
}

impl ReportedRow {
    fn of(reported: &ReportedLimitView, frame: &Frame) -> Self {
        let words = Words(frame.language);
        let amount = |number: u64| {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            match reported.currency.as_deref() {
                None => show::whole(number),
                Some("USD") => show::money(number),
                Some(currency) => format!("{} {currency}", show::billionths(number)),
            }
        };
        let per = reported.per.map(|per| match per {
            CounterPer::Day => words.a_day(),
            CounterPer::Week => words.a_week(),
            CounterPer::Month => words.a_month(),
            CounterPer::Ever => words.in_all(),
        });
        let models = reported.models.join(", ");
        let what = [Some(reported.what.as_str()), per, Some(models.as_str()).filter(|models| !models.is_empty())];
        let left = reported.remaining.map(amount);
        ReportedRow {
            monogram: frame.monogram(&reported.provider, false),
            whom: format!("{} {}", reported.provider, reported.credential),
            what: what.into_iter().flatten().collect::<Vec<_>>().join(", "),
            spent: reported.spent.map(amount).unwrap_or_default(),
            left: match (left, reported.limit.map(amount)) {
                (Some(left), Some(limit)) => words.of(left, limit),
                (left, limit) => left.or(limit).unwrap_or_default(),
            },
            reported: frame.time(reported.as_of_ms),
            source: Some(reported.source).filter(|url| url.starts_with("https://")),
        }
    }
}
