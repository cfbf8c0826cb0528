//! What can be changed of a model, and where a call would go now.

use gateway_core::candidate::Skipped;
use gateway_core::catalog::{Affinity, Catalog, Model, Strategy, Target, Translation};
use gateway_core::views::{HealthView, PlanView, RefusedParameterView};

use super::super::record::skip_reason;
use super::upstream_model;
use crate::edit::{Editing, Form, Kind};
use crate::frame::Frame;
use crate::show;
use crate::words::{edit, model_forms::Words, states};

/// Weight, tier and switch of one target, which is the `index`-th of its model.
pub(super) fn target(
    frame: &Frame,
    editing: &Editing<'_>,
    (model, target): (&Model, &Target),
    (index, name): (usize, &str),
    path: &str,
) -> Form {
    let (words, edit) = (Words(frame.language), edit::Words(frame.language));
    let form = Form::new(frame, editing, &format!("target-{index}"), path).in_a_row().with("target", name);
    let form = form.field("weight", words.weight(), Kind::Number, target.weight);
    let form = form.field("tier", words.tier(), Kind::Number, target.tier).button("save", edit.save());
    let form = match target.enabled {
        true => form.button("off", edit.switch_off()),
        false => form.button("on", edit.switch_on()),
    };
    match model.targets.len() {
        // The last one goes with its model.
        1 => form.whole(),
        _ => form.ask("remove", edit.remove(), edit.sure_remove(name)).whole(),
    }
}

/// The parameters that a target refuses, each with the button that leaves it out.
pub(super) fn refused(
    frame: &Frame,
    editing: &Editing<'_>,
    (model, target, index): (&Model, &Target, usize),
    health: &HealthView,
    path: &str,
) -> Vec<(String, Option<Form>)> {
    let words = Words(frame.language);
    let (provider, upstream) = (&*target.provider.name, upstream_model(target, model));
    let own = health.refused_parameters.iter().filter(|each| each.provider == provider && each.model == upstream);
    let row = |(number, each): (usize, &RefusedParameterView)| {
        let calls = show::whole(i64::try_from(each.calls).unwrap_or(i64::MAX));
        let sentence = words.refuses(&each.parameter, calls, frame.clock.short(each.last_ms));
        let form = Form::new(frame, editing, &format!("refused-{index}-{number}"), path).in_a_row();
        let form = form.with("provider", provider).with("upstream", upstream).with("parameter", &each.parameter);
        (sentence, editing.locked.is_none().then(|| form.button("leave-out", words.leave_out()).whole()))
    };
    own.enumerate().map(row).collect()
}

/// How the model shares calls among its targets.
pub(super) fn settings(frame: &Frame, editing: &Editing<'_>, catalog: &Catalog, model: &Model, path: &str) -> Form {
    let (words, edit) = (Words(frame.language), edit::Words(frame.language));
    let named =
        |names: &[&'static str]| Kind::Choice(names.iter().map(|it| ((*it).to_owned(), (*it).to_owned())).collect());
    let fallbacks: Vec<&str> = catalog.with_fallbacks(model).skip(1).map(|each| &*each.name).collect();
    let strategies = [
        (Strategy::Weighted, words.weighted()),
        (Strategy::RoundRobin, words.round_robin()),
        (Strategy::Latency, words.latency()),
        (Strategy::Cost, words.cost()),
        (Strategy::Quota, words.quota()),
    ];
    let strategies = strategies.map(|(strategy, word)| (strategy.name().to_owned(), word.to_owned()));
    Form::new(frame, editing, "model", path)
        .field("strategy", words.strategy(), Kind::Choice(strategies.into()), model.strategy.name())
        .field("attempts", words.attempts(), Kind::Number, model.attempts)
        .field("affinity", words.affinity(), named(&Affinity::ALL.map(Affinity::name)), model.affinity.name())
        .field(
            "translation",
            words.translation(),
            named(&Translation::ALL.map(Translation::name)),
            model.translation.name(),
        )
        .field("aliases", words.aliases(), Kind::Text(Vec::new()), model.aliases.join(", "))
        .hint(words.aliases_hint())
        .field("fallback", words.fallback(), Kind::Text(Vec::new()), fallbacks.join(", "))
        .field("enabled", words.enabled(), Kind::Box, if model.enabled { "yes" } else { "" })
        .button("save", edit.save())
        .ask("remove", words.remove_model(), edit.sure_remove(&model.name))
        .whole()
}

/// A target that is added.
pub(super) fn add(frame: &Frame, editing: &Editing<'_>, catalog: &Catalog, path: &str) -> Form {
    let words = Words(frame.language);
    let providers = catalog.providers.iter().map(|provider| (provider.name.to_string(), provider.name.to_string()));
    Form::new(frame, editing, "add", path)
        .field("provider", words.provider(), Kind::Choice(providers.collect()), "")
        .field("model", words.upstream_name(), Kind::Text(Vec::new()), "")
        .field("weight", words.weight(), Kind::Number, 1)
        .field("tier", words.tier(), Kind::Number, 1)
        .button("add", words.add_target())
        .whole()
}

/// A model that is made.
pub(super) fn new(frame: &Frame, editing: &Editing<'_>, catalog: &Catalog) -> Form {
    let words = Words(frame.language);
    let providers = catalog.providers.iter().map(|provider| (provider.name.to_string(), provider.name.to_string()));
    Form::new(frame, editing, "new", "models")
        .field("name", words.name(), Kind::Text(Vec::new()), "")
        .field("provider", words.provider(), Kind::Choice(providers.collect()), "")
        .field("model", words.upstream_name(), Kind::Text(Vec::new()), "")
        .button("add", words.new_model())
        .whole()
}

/// Where a call would go now.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) order: Vec<String>,
    pub(super) left_out: Vec<String>,
    pub(super) refusal: Option<String>,
}

impl Plan {
    pub(super) fn of(view: &PlanView, frame: &Frame) -> Self {
        let words = Words(frame.language);
        let order = view.candidates.iter().map(|each| {
            let credentials = each.credentials.join(", ");
            let outcome = words.would_try(&each.target, each.tier, each.weight);
            let with = (!credentials.is_empty()).then(|| words.with_credentials(credentials));
            let of = each.fallback.as_ref().map(|model| words.of_fallback(model));
            [Some(outcome), of, with].into_iter().flatten().collect::<Vec<_>>().join(" ")
        });
        let left_out = |skipped: &Skipped| {
            let reason = skip_reason(skipped.reason, states::Words(frame.language));
            let message = skipped.message.clone().map(|message| format!(" {message}")).unwrap_or_default();
            format!("{}: {reason}{message}", skipped.target)
        };
        Plan {
            order: order.collect(),
            left_out: view.decision.skipped.iter().map(left_out).collect(),
            refusal: view.refusal.as_ref().map(|refusal| words.would_be_answered(refusal.status, &refusal.message)),
        }
    }
}
