//! Joining: what providers offer under different names becomes one public model.

use askama::Template;
use gateway_core::catalog::{Catalog, ProviderKind};
use gateway_core::join::{Join, JoinedModel, JoinedTarget, NamedTargets, Vanished};
use gateway_core::refusal::Refusal;
use gateway_core::views::JoinPreviewView;

use crate::edit::{Banner, Editing};
use crate::frame::Frame;
use crate::query::Query;
use crate::routes::Page;
use crate::words::model_forms::Words;

/// How many models a page shows.
const SHOWN_MAX: usize = 150;

/// Between the parts of a value that stands for a model and its targets. No name has one.
const SEPARATOR: char = '␟';

/// Which providers are asked, and then what joining their models would do.
#[derive(Debug, Template)]
#[template(path = "join.html")]
pub struct JoinPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    banner: Option<Banner>,
    etag: &'a str,
    /// Every provider, and whether it is asked.
    providers: Vec<(String, bool)>,
    narrow: String,
    plan: Option<PlanPart>,
    wrong: Option<String>,
}

#[derive(Debug)]
struct PlanPart {
    shared: Vec<Row>,
    single: Vec<Row>,
    shared_title: String,
    single_title: String,
    cut: Option<String>,
    vanished: Vec<(String, String)>,
    failed: Vec<(String, String)>,
}

#[derive(Debug)]
struct Row {
    name: String,
    value: String,
    is_new: bool,
    gets: String,
}

impl<'a> JoinPage<'a> {
    /// The page for this query, with the providers' answers if they were asked.
    pub fn of(
        frame: &'a Frame,
        catalog: &Catalog,
        query: &Query,
        editing: &Editing<'a>,
        preview: Option<&JoinPreviewView>,
    ) -> Self {
        let words = Words(frame.language);
        let chosen = query.all("provider");
        let providers = catalog.providers.iter().filter(|provider| matches!(provider.kind, ProviderKind::Http(_)));
        let is_asked = |name: &str, enabled: bool| if chosen.is_empty() { enabled } else { chosen.contains(&name) };
        let narrow = query.get("name").unwrap_or_default().to_owned();
        JoinPage {
            frame,
            here: Some(Page::Models),
            words,
            banner: Banner::of(frame, editing),
            etag: editing.etag,
            providers: providers.map(|it| (it.name.to_string(), is_asked(&it.name, it.enabled))).collect(),
            plan: preview.map(|preview| PlanPart::of(preview, &narrow, words)),
            narrow,
            wrong: editing.refused.as_ref().map(|refused| problem(refused.refusal)),
        }
    }
}

fn problem(refusal: &Refusal) -> String {
    let problems = refusal.problems.iter().flat_map(|problems| problems.0.iter().map(ToString::to_string));
    std::iter::once(refusal.message.clone()).chain(problems).collect::<Vec<_>>().join(" ")
}

impl PlanPart {
    fn of(preview: &JoinPreviewView, narrow: &str, words: Words) -> Self {
        let narrow = narrow.to_lowercase();
        let fits = |model: &&JoinedModel| model.name.to_lowercase().contains(&narrow);
        let fitting: Vec<&JoinedModel> = preview.plan.models.iter().filter(fits).collect();
        let shown = fitting.iter().take(SHOWN_MAX);
        let (shared, single): (Vec<&JoinedModel>, Vec<&JoinedModel>) = shown.partition(|model| model.providers() > 1);
        PlanPart {
            shared_title: words.join_shared(fitting.iter().filter(|model| model.providers() > 1).count()),
            single_title: words.join_single(fitting.iter().filter(|model| model.providers() <= 1).count()),
            cut: (fitting.len() > SHOWN_MAX).then(|| words.join_first(SHOWN_MAX)),
            shared: shared.into_iter().map(|model| Row::of(model, words)).collect(),
            single: single.into_iter().map(|model| Row::of(model, words)).collect(),
            vanished: preview
                .plan
                .vanished
                .iter()
                .map(|it| (value(&[&it.model, &it.target]), format!("{}: {}", it.model, it.target)))
                .collect(),
            failed: preview.failed.iter().map(|it| (words.join_failed(&it.provider), it.message.clone())).collect(),
        }
    }
}

impl Row {
    fn of(model: &JoinedModel, words: Words) -> Self {
        let targets = model.targets.iter().map(|target| {
            let name = format!("{}/{}", target.provider, target.model);
            if target.tier > 1 { words.paid(name) } else { name }
        });
        let mut parts = vec![model.name.clone()];
        for target in &model.targets {
            parts.extend([target.tier.to_string(), target.provider.clone(), target.model.clone()]);
        }
        Row {
            name: model.name.clone(),
            value: value(&parts.iter().map(String::as_str).collect::<Vec<_>>()),
            is_new: !model.exists,
            gets: words.join_targets(targets.collect::<Vec<_>>().join(", ")),
        }
    }
}

fn value(parts: &[&str]) -> String {
    parts.join(&SEPARATOR.to_string())
}

/// What a form of this page asks for.
pub fn of_form(form: &Query) -> Join {
    let models = form.all("model").into_iter().filter_map(|text| {
        let mut parts = text.split(SEPARATOR);
        let name = parts.next()?.to_owned();
        let mut targets = Vec::new();
        while let (Some(tier), Some(provider), Some(model)) = (parts.next(), parts.next(), parts.next()) {
            targets.push(JoinedTarget { provider: provider.into(), model: model.into(), tier: tier.parse().ok()? });
        }
        Some(NamedTargets { name, targets })
    });
    let vanished = form.all("vanished").into_iter().filter_map(|text| {
        let (model, target) = text.split_once(SEPARATOR)?;
        Some(Vanished { model: model.to_owned(), target: target.to_owned() })
    });
    Join { models: models.collect(), vanished: vanished.collect() }
}

#[cfg(test)]
mod tests {
    use gateway_core::uri::encode_parameter;

    use super::*;
    use crate::form;

    #[test]
    fn what_is_ticked_is_what_is_wanted() {
        let value = encode_parameter(&value(&["m", "1", "a", "x/y:free", "2", "b", "Z"]));
        let body = format!("model={value}&vanished={}&other=1", encode_parameter("m␟a/b"));
        let join = of_form(&form::fields(body.as_bytes()).expect("a form"));
        assert_eq!(join.models.len(), 1);
        let targets: Vec<(u32, &str, &str)> =
            join.models[0].targets.iter().map(|it| (it.tier, it.provider.as_str(), it.model.as_str())).collect();
        assert_eq!((join.models[0].name.as_str(), targets), ("m", vec![(1, "a", "x/y:free"), (2, "b", "Z")]));
        assert_eq!(join.vanished, [Vanished { model: "m".into(), target: "a/b".into() }]);
    }
}
