//! Providers: who can answer, credential by credential.

use std::iter;
use std::sync::Arc;

use askama::Template;
use gateway_core::catalog::{Catalog, Credential, Provider};
use gateway_core::uri::encode_parameter;
use gateway_core::views::HealthView;

use super::figures::Calls;
use super::trouble::{self, Trouble};
use crate::edit::{Banner, Editing, Form, Kind};
use crate::frame::Frame;
use crate::parts::{Mark, Mid, Monogram};
use crate::query::Query;
use crate::routes::Page;
use crate::show;
use crate::words::edit;
use crate::words::providers::Words;

/// Every provider with its credentials.
#[derive(Debug, Template)]
#[template(path = "providers.html")]
pub struct ProvidersPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    banner: Option<Banner>,
    providers: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    href: String,
    monogram: Monogram,
    name: String,
    state: Mark,
    addresses: String,
    /// How many calls it answered, or was asked last for.
    calls: String,
    credentials: Vec<CredentialRow>,
    /// What is in trouble beside its credentials.
    troubles: Vec<Trouble>,
}

#[derive(Debug)]
struct CredentialRow {
    label: String,
    pool: Option<String>,
    calls: String,
    state: Mark,
    troubles: Vec<Trouble>,
    form: Option<Form>,
}

impl<'a> ProvidersPage<'a> {
    /// The providers of a catalog, what is in trouble, and how many calls they and their credentials had.
    pub fn of(
        frame: &'a Frame,
        catalog: &Catalog,
        health: &HealthView,
        calls: (&Calls, &Calls),
        editing: &Editing<'_>,
    ) -> Self {
        let providers = catalog.providers.iter().map(|provider| Group::of(provider, health, calls, frame));
        let words = Words(frame.language);
        let banner = Banner::of(frame, editing);
        ProvidersPage { frame, here: Some(Page::Providers), words, banner, providers: providers.collect() }
    }
}

impl Group {
    fn of(provider: &Provider, health: &HealthView, calls: (&Calls, &Calls), frame: &Frame) -> Self {
        let of_provider = health.subjects.iter().filter(|each| {
            trouble::is_of(&each.subject, provider) && !trouble::is_of_a_credential(&each.subject, provider)
        });
        let troubles: Vec<Trouble> = of_provider.map(|subject| Trouble::of(subject, frame)).collect();
        let words = Words(frame.language);
        let row = |credential: &Arc<Credential>| {
            let name = format!("{}/{}", provider.name, credential.label);
            CredentialRow {
                calls: words.calls_in_a_day(calls.1.of(&name)),
                ..CredentialRow::of(credential, health, frame)
            }
        };
        Group {
            href: href(frame, &provider.name),
            monogram: frame.monogram(&provider.name, false),
            name: provider.name.to_string(),
            state: trouble::standing(provider.enabled, None, frame),
            addresses: addresses(provider).join(", "),
            calls: words.calls_in_a_day(calls.0.of(&provider.name)),
            credentials: provider.credentials.iter().map(row).collect(),
            troubles,
        }
    }
}

impl CredentialRow {
    fn of(credential: &Credential, health: &HealthView, frame: &Frame) -> Self {
        let own = health.subjects.iter().filter(|each| trouble::is_this(&each.subject, credential));
        CredentialRow {
            label: credential.label.clone(),
            pool: credential.pool.as_deref().map(str::to_owned),
            calls: String::new(),
            state: trouble::standing(credential.enabled, Some(&credential.value), frame),
            troubles: own.map(|subject| Trouble::of(subject, frame)).collect(),
            form: None,
        }
    }
}

/// The page of a provider.
pub(super) fn href(frame: &Frame, name: &str) -> String {
    frame.link(&format!("providers/{}", encode_parameter(name)))
}

/// Where it is reached, with the dialect spoken there.
fn addresses(provider: &Provider) -> Vec<String> {
    let endpoints = trouble::endpoints(provider).iter();
    endpoints.map(|endpoint| format!("{}{} ({})", endpoint.address, endpoint.path, endpoint.dialect.name())).collect()
}

/// One provider.
#[derive(Debug, Template)]
#[template(path = "provider.html")]
pub struct ProviderPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    banner: Option<Banner>,
    /// What a test of a credential has shown.
    tested: Option<String>,
    group: Group,
    more: String,
    settings: Option<Form>,
    targets: Vec<TargetRow>,
    latencies: Vec<(Mid, &'static str, String)>,
    facts: Vec<(&'static str, String)>,
    calls: String,
}

/// A target that is its.
#[derive(Debug)]
struct TargetRow {
    href: String,
    model: Mid,
    upstream_model: Mid,
    state: Mark,
}

impl<'a> ProviderPage<'a> {
    /// A provider of a catalog, what is in trouble, and how many calls it and its credentials had.
    pub fn of(
        frame: &'a Frame,
        catalog: &Catalog,
        provider: &Provider,
        health: &HealthView,
        calls: (&Calls, &Calls),
        (editing, tested): (&Editing<'_>, Option<(usize, u64)>),
    ) -> Self {
        let words = Words(frame.language);
        let targets = catalog.models.iter().flat_map(|model| {
            let own = model.targets.iter().filter(|target| target.provider.name == provider.name);
            own.map(|target| TargetRow {
                href: super::models::href(frame, &model.name),
                model: Mid::of(&model.name),
                upstream_model: Mid::of(target.model.as_deref().unwrap_or(&model.name)),
                state: trouble::standing(target.enabled && model.enabled, None, frame),
            })
        });
        let prefix = format!("{}/", provider.name);
        let latencies = health.latencies.iter().filter_map(|each| {
            let model = each.target.strip_prefix(&prefix)?;
            let how = if each.streamed { words.streamed() } else { words.whole() };
            #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
            let ms = each.first_content_ms as i64;
            Some((Mid::of(model), how, show::span(ms)))
        });
        let mut group = Group::of(provider, health, calls, frame);
        if editing.locked.is_none() {
            for (index, row) in group.credentials.iter_mut().enumerate() {
                row.form = provider
                    .credentials
                    .get(index)
                    .map(|each| credential_form(frame, editing, provider, (index, &**each)));
            }
        }
        let listed = |name, list: String| (!list.is_empty()).then_some((name, list));
        let egress = provider.egress.as_ref().and_then(gateway_core::catalog::Egress::name);
        let facts = [
            listed(words.addresses(), addresses(provider).join("\n")),
            trouble::endpoints(provider).is_empty().then(|| (words.addresses(), words.built_in().to_owned())),
            provider.local.then(|| (words.reach(), words.local().to_owned())),
            egress.map(|egress| (words.way_out(), egress)),
            listed(words.tags(), provider.tags.join(", ")),
        ];
        ProviderPage {
            frame,
            here: Some(Page::Providers),
            words,
            banner: Banner::of(frame, editing),
            tested: tested.map(|(models, ms)| words.listed(models, show::span(i64::try_from(ms).unwrap_or(i64::MAX)))),
            group,
            more: Query::default().with("to", &provider.name).link(&frame.link("add-provider")),
            settings: editing.locked.is_none().then(|| settings(frame, editing, provider)),
            targets: targets.collect(),
            latencies: latencies.collect(),
            facts: facts.into_iter().flatten().collect(),
            calls: Query::default().with("provider", &provider.name).link(&frame.link("records")),
        }
    }
}

/// What is done with one credential, which is the `index`-th.
fn credential_form(
    frame: &Frame,
    editing: &Editing<'_>,
    provider: &Provider,
    (index, credential): (usize, &Credential),
) -> Form {
    let (words, edit) = (Words(frame.language), edit::Words(frame.language));
    let path = format!("providers/{}", encode_parameter(&provider.name));
    let form = Form::new(frame, editing, &format!("credential-{index}"), &path).in_a_row();
    let form = form.with("credential", &credential.label).button("test", words.test());
    let form = match credential.enabled {
        true => form.button("off", edit.switch_off()),
        false => form.button("on", edit.switch_on()),
    };
    form.ask("remove", edit.remove(), edit.sure_remove(&credential.label)).whole()
}

/// What can be changed of the provider as a whole.
fn settings(frame: &Frame, editing: &Editing<'_>, provider: &Provider) -> Form {
    let (words, edit) = (Words(frame.language), edit::Words(frame.language));
    let path = format!("providers/{}", encode_parameter(&provider.name));
    let by_name = (String::new(), words.by_name().to_owned());
    let hues = iter::once(by_name).chain((1..=8).map(|hue| (hue.to_string(), hue.to_string()))).collect();
    Form::new(frame, editing, "provider", &path)
        .field("tags", words.tags(), Kind::Text(Vec::new()), provider.tags.join(", "))
        .hint(words.tags_hint())
        .field("short", words.short(), Kind::Text(Vec::new()), provider.label.short.as_deref().unwrap_or_default())
        .hint(words.short_hint())
        .field(
            "hue",
            words.hue(),
            Kind::Choice(hues),
            provider.label.hue.map(|hue| hue.to_string()).unwrap_or_default(),
        )
        .field("enabled", words.enabled(), Kind::Box, if provider.enabled { "yes" } else { "" })
        .button("save", edit.save())
        .ask("remove", words.remove_provider(), edit.sure_remove(&provider.name))
        .whole()
}
