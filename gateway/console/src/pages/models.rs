//! Models, and who shares their calls.

mod forms;

use std::sync::Arc;

use askama::Template;
use gateway_core::catalog::{Catalog, Document, Model, Part, Target};
use gateway_core::price::Price;
use gateway_core::uri::encode_parameter;
use gateway_core::views::{HealthView, PlanView};

use super::figures::Calls;
use super::trouble::{self, Trouble};
use crate::edit::{Banner, Editing, Form};
use crate::frame::Frame;
use crate::parts::{Mark, Mid, Monogram};
use crate::query::Query;
use crate::routes::Page;
use crate::show;
use crate::words::figures;
use crate::words::model_forms;
use crate::words::models::Words;
use crate::words::trouble as troubles;

/// Every model.
#[derive(Debug, Template)]
#[template(path = "models.html")]
pub struct ModelsPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    form_words: model_forms::Words,
    banner: Option<Banner>,
    figures: figures::Words,
    rows: Vec<Row>,
    new: Option<Form>,
}

#[derive(Debug)]
struct Row {
    href: String,
    name: Mid,
    providers: Vec<Monogram>,
    provider_names: String,
    strategy: &'static str,
    count: usize,
    calls: String,
    state: Mark,
}

impl<'a> ModelsPage<'a> {
    /// The models of a catalog, what keeps their targets out of use, and how many calls they had.
    pub fn of(frame: &'a Frame, catalog: &Catalog, health: &HealthView, calls: &Calls, editing: &Editing<'_>) -> Self {
        let (words, form_words) = (Words(frame.language), model_forms::Words(frame.language));
        let row = |model: &Arc<Model>| Row { calls: calls.of(&model.name), ..Row::of(model, health, frame, words) };
        let rows = catalog.models.iter().map(row).collect();
        let new = editing.locked.is_none().then(|| forms::new(frame, editing, catalog));
        let banner = Banner::of(frame, editing);
        let figures = figures::Words(frame.language);
        ModelsPage { frame, here: Some(Page::Models), words, form_words, banner, figures, rows, new }
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
            provider_names: providers.join(", "),
            providers: providers.into_iter().map(|name| frame.monogram(name, false)).collect(),
            strategy: model.strategy.name(),
            count: all,
            calls: String::new(),
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
    form_words: model_forms::Words,
    banner: Option<Banner>,
    tiers: Vec<Tier>,
    facts: Vec<(&'static str, String)>,
    calls: String,
    settings: Option<Form>,
    add: Option<Form>,
    /// The keys that a planned call can use, and for each whether it is the chosen one.
    keys: Vec<(String, bool)>,
    path: String,
    plan: Option<forms::Plan>,
}

/// What the page of a model shows besides the model.
#[derive(Debug)]
pub struct ModelState<'a> {
    /// The catalog as it is written, whose names of targets forms use.
    pub document: &'a Document,
    /// What keeps targets out of use.
    pub health: &'a HealthView,
    /// For its forms.
    pub editing: &'a Editing<'a>,
    /// Where a call would go, and with which key.
    pub plan: Option<(&'a PlanView, Option<&'a str>)>,
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
    /// Parameters that it refuses, each with what leaves it out.
    refused: Vec<(String, Option<Form>)>,
    form: Option<Form>,
}

impl<'a> ModelPage<'a> {
    /// A model of a catalog.
    pub fn of(frame: &'a Frame, catalog: &Catalog, model: &'a Model, state: &ModelState<'_>) -> Self {
        let ModelState { document, health, editing, plan } = state;
        let words = Words(frame.language);
        let path = format!("models/{}", encode_parameter(&model.name));
        let named = document.parts(Part::Target, &model.name).unwrap_or_default();
        let form = |index: usize, target: &Target| {
            let (name, _) = named.get(index)?;
            let is_open = editing.locked.is_none();
            is_open.then(|| forms::target(frame, editing, (model, target), (index, name.as_str()), &path))
        };
        let refused =
            |index: usize, target: &Target| forms::refused(frame, editing, (model, target, index), health, &path);
        let mut tiers: Vec<u32> = model.targets.iter().map(|target| target.tier).collect();
        tiers.sort_unstable();
        tiers.dedup();
        let first = tiers.first().copied();
        let tiers = tiers.into_iter().map(|number| Tier {
            word: words.tier(number),
            says: if Some(number) == first { words.tier_first() } else { words.tier_later() },
            targets: tier(model, number, health, frame, (&form, &refused)),
        });
        let asked_with = plan.and_then(|(_, key)| key);
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
            form_words: model_forms::Words(frame.language),
            banner: Banner::of(frame, editing),
            tiers: tiers.collect(),
            facts: facts.into_iter().flatten().collect(),
            calls: Query::default().with("model", &model.name).link(&frame.link("records")),
            settings: editing.locked.is_none().then(|| forms::settings(frame, editing, catalog, model, &path)),
            add: editing.locked.is_none().then(|| forms::add(frame, editing, catalog, &path)),
            keys: catalog.keys.iter().map(|key| (key.name.to_string(), asked_with == Some(&*key.name))).collect(),
            path: frame.link(&path),
            plan: plan.map(|(view, _)| forms::Plan::of(view, frame)),
        }
    }
}

/// The form of a target, and the parameters that it refuses, by its place.
type FormOf<'f> = dyn Fn(usize, &Target) -> Option<Form> + 'f;
type RefusedOf<'f> = dyn Fn(usize, &Target) -> Vec<(String, Option<Form>)> + 'f;

fn tier(
    model: &Model,
    number: u32,
    health: &HealthView,
    frame: &Frame,
    (form, refused): (&FormOf<'_>, &RefusedOf<'_>),
) -> Vec<TargetRow> {
    let of_tier = || model.targets.iter().enumerate().filter(|(_, target)| target.tier == number);
    let whole: u64 = of_tier().filter(|(_, target)| target.enabled).map(|(_, target)| u64::from(target.weight)).sum();
    let row = |(index, target): (usize, &Arc<Target>)| TargetRow {
        form: form(index, target),
        refused: refused(index, target),
        ..TargetRow::of(target, model, whole, health, frame)
    };
    of_tier().map(row).collect()
}

impl TargetRow {
    fn of(target: &Target, model: &Model, whole: u64, health: &HealthView, frame: &Frame) -> Self {
        let words = Words(frame.language);
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
            monogram: frame.monogram(&provider.name, false),
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
            refused: Vec::new(),
            form: None,
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
