//! Models, and who shares their calls.

use askama::Template;
use gateway_core::catalog::{Catalog, Model, Target};
use gateway_core::price::Price;
use gateway_core::uri::encode_parameter;
use gateway_core::views::HealthView;

use super::trouble::{self, Trouble};
use crate::frame::Frame;
use crate::parts::{Mark, Mid, Monogram};
use crate::query::Query;
use crate::routes::Page;
use crate::show;
use crate::words::models::Words;
use crate::words::trouble as troubles;

/// Every model.
#[derive(Debug, Template)]
#[template(path = "models.html")]
pub struct ModelsPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    href: String,
    name: Mid,
    providers: Vec<Monogram>,
    said: String,
    strategy: &'static str,
    count: usize,
    state: Mark,
}

impl<'a> ModelsPage<'a> {
    /// The models of a catalog, and what keeps their targets out of use.
    pub fn of(frame: &'a Frame, catalog: &Catalog, health: &HealthView) -> Self {
        let words = Words(frame.language);
        let rows = catalog.models.iter().map(|model| Row::of(model, health, frame, words));
        ModelsPage { frame, here: Some(Page::Models), words, rows: rows.collect() }
    }
}

impl Row {
    fn of(model: &Model, health: &HealthView, frame: &Frame, words: Words) -> Self {
        let mut providers: Vec<&str> = model.targets.iter().map(|target| &*target.provider.name).collect();
        providers.dedup();
        let able = model.targets.iter().filter(|target| can_serve(target, model, health)).count();
        let all = model.targets.len();
        let state = match (model.enabled, able) {
            (false, _) => Mark::of("off", frame.icon("s-off"), troubles::Words(frame.language).off().to_owned()),
            (true, 0) => Mark::of("bad", frame.icon("s-open"), words.can_serve(able, all)),
            (true, able) if able < all => Mark::of("wait", frame.icon("s-rest"), words.can_serve(able, all)),
            (true, able) => Mark::of("ok", frame.icon("s-ok"), words.can_serve(able, all)),
        };
        Row {
            href: href(frame, &model.name),
            name: Mid::of(&model.name),
            said: providers.join(", "),
            providers: providers.into_iter().map(|name| Monogram::of(name, false)).collect(),
            strategy: model.strategy.name(),
            count: all,
            state,
        }
    }
}

/// The page of a model.
pub(super) fn href(frame: &Frame, name: &str) -> String {
    frame.link(&format!("models/{}", encode_parameter(name)))
}

fn upstream_model<'t>(target: &'t Target, model: &'t Model) -> &'t str {
    target.model.as_deref().unwrap_or(&model.name)
}

/// Whether a target is switched on and nothing keeps all of it out of use.
fn can_serve(target: &Target, model: &Model, health: &HealthView) -> bool {
    let upstream_model = upstream_model(target, model);
    let is_kept_out = |subject: &gateway_core::views::SubjectView| {
        !subject.over
            && !trouble::is_of_a_credential(&subject.subject, &target.provider)
            && trouble::is_of_model(&subject.subject, &target.provider, upstream_model)
    };
    let has_credential = target.provider.credentials.is_empty()
        || target
            .provider
            .credentials
            .iter()
            .any(|credential| trouble::can_be_used(credential, upstream_model, health));
    target.enabled && target.provider.enabled && has_credential && !health.subjects.iter().any(is_kept_out)
}

/// One model.
#[derive(Debug, Template)]
#[template(path = "model.html")]
pub struct ModelPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    name: &'a str,
    strategy: &'static str,
    tiers: Vec<Tier>,
    facts: Vec<(&'static str, String)>,
    calls: String,
}

#[derive(Debug)]
struct Tier {
    word: String,
    says: &'static str,
    targets: Vec<TargetRow>,
}

#[derive(Debug)]
struct TargetRow {
    monogram: Monogram,
    provider: String,
    provider_href: String,
    upstream_model: Mid,
    state: Mark,
    share: String,
    /// Its share of the tier, for a bar.
    percent: String,
    price: String,
    context: Option<String>,
    lacks: String,
    troubles: Vec<Trouble>,
}

impl<'a> ModelPage<'a> {
    /// A model of a catalog, and what keeps its targets out of use.
    pub fn of(frame: &'a Frame, catalog: &Catalog, model: &'a Model, health: &HealthView) -> Self {
        let words = Words(frame.language);
        let mut tiers: Vec<u32> = model.targets.iter().map(|target| target.tier).collect();
        tiers.sort_unstable();
        tiers.dedup();
        let first = tiers.first().copied();
        let tiers = tiers.into_iter().map(|number| Tier {
            word: words.tier(number),
            says: if Some(number) == first { words.tier_first() } else { words.tier_later() },
            targets: tier(model, number, health, frame, words),
        });
        let fallbacks: Vec<&str> = catalog.with_fallbacks(model).skip(1).map(|each| &*each.name).collect();
        let listed = |name, list: String| (!list.is_empty()).then_some((name, list));
        let facts = [
            listed(words.also(), model.aliases.join(", ")),
            listed(words.fallback(), fallbacks.join(", ")),
            Some((words.attempts(), model.attempts.to_string())),
            Some((words.affinity(), model.affinity.name().to_owned())),
            Some((words.translation(), model.translation.name().to_owned())),
        ];
        ModelPage {
            frame,
            here: Some(Page::Models),
            words,
            name: &model.name,
            strategy: model.strategy.name(),
            tiers: tiers.collect(),
            facts: facts.into_iter().flatten().collect(),
            calls: Query::default().with("model", &model.name).link(&frame.link("records")),
        }
    }
}

fn tier(model: &Model, number: u32, health: &HealthView, frame: &Frame, words: Words) -> Vec<TargetRow> {
    let of_tier = || model.targets.iter().filter(|target| target.tier == number);
    let whole: u64 = of_tier().filter(|target| target.enabled).map(|target| u64::from(target.weight)).sum();
    of_tier().map(|target| TargetRow::of(target, model, whole, health, frame, words)).collect()
}

impl TargetRow {
    fn of(target: &Target, model: &Model, whole: u64, health: &HealthView, frame: &Frame, words: Words) -> Self {
        let upstream_model = upstream_model(target, model);
        let provider = &*target.provider;
        let percent = if target.enabled { u64::from(target.weight) * 100 / whole.max(1) } else { 0 };
        let price = target
            .price
            .or_else(|| provider.published(upstream_model, frame.clock.now_ms).map(|published| published.price));
        let of_target = health.subjects.iter();
        let of_target = of_target.filter(|each| trouble::is_of_model(&each.subject, provider, upstream_model));
        let able = &target.capabilities;
        let lacks = [(able.tools, words.tools()), (able.structured, words.structured()), (able.images, words.images())];
        TargetRow {
            monogram: Monogram::of(&provider.name, false),
            provider: provider.name.to_string(),
            provider_href: super::providers::href(frame, &provider.name),
            upstream_model: Mid::of(upstream_model),
            state: trouble::standing(target.enabled && provider.enabled, None, frame),
            share: words.weight_share(target.weight, percent),
            percent: format!("{percent}%"),
            price: price.map_or_else(|| words.price_unknown().to_owned(), |price| self::price(price, words)),
            context: able.context.map(|tokens| show::count(i64::try_from(tokens).unwrap_or(i64::MAX))),
            lacks: lacks.iter().filter(|(has, _)| !has).map(|(_, word)| *word).collect::<Vec<_>>().join(", "),
            troubles: of_target.map(|subject| Trouble::of(subject, frame)).collect(),
        }
    }
}

/// Prices are kept in nano-dollars for a million tokens.
fn price(price: Price, words: Words) -> String {
    if price.is_free() {
        return words.free().to_owned();
    }
    let dollars = |nano: u64| show::money(i64::try_from(nano).unwrap_or(i64::MAX));
    words.price_in_out(dollars(price.input), dollars(price.output))
}
