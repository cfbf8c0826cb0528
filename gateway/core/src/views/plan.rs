//! Where a request would be sent now, and why not elsewhere.

use std::sync::Arc;

use serde::Serialize;

use crate::candidate::{Candidate, Candidates};
use crate::catalog::{Catalog, Model};
use crate::clock::Now;
use crate::record::DecisionRecord;
use crate::refusal::Refusal;

/// The answer of `POST /api/route`.
#[derive(Debug, Serialize)]
pub struct PlanView {
    /// The model's name in the catalog.
    pub model: String,
    /// The strategy that orders its targets.
    pub strategy: &'static str,
    /// Its own targets, in the order of the catalog, as `provider/upstream-model`.
    pub targets: Vec<String>,
    /// The candidates, in the order in which they would be tried.
    pub candidates: Vec<CandidateView>,
    /// The decision, in the form that records have.
    pub decision: DecisionRecord,
    /// What the client would be told if no target can serve the request.
    pub refusal: Option<RefusalView>,
}

/// A target that would be tried.
#[derive(Debug, Serialize)]
pub struct CandidateView {
    /// `provider/upstream-model`
    pub target: String,
    /// The fallback model that the target belongs to; `None` if it belongs to the model itself.
    pub fallback: Option<String>,
    /// Its tier.
    pub tier: u32,
    /// Its weight.
    pub weight: u32,
    /// The labels of the credentials that would be tried, in this order.
    pub credentials: Vec<String>,
    /// Whether its last attempt failed.
    pub failing: bool,
}

/// A refusal as a client would get it.
#[derive(Debug, Serialize)]
pub struct RefusalView {
    /// The HTTP status.
    pub status: u16,
    /// The message for people.
    pub message: String,
    /// After how many seconds it is worth trying again.
    pub retry_after_s: Option<u64>,
}

impl PlanView {
    /// The view of the candidates of a call that asks for `model` by the name `requested`.
    pub fn of(
        (model, requested): (&Model, &str),
        (catalog, version): (&Catalog, u64),
        (candidates, now): (&Candidates, Now),
        refusal: Option<Refusal>,
    ) -> Self {
        let name = |upstream: Option<&str>, provider: &str| format!("{provider}/{}", upstream.unwrap_or(requested));
        let targets = model.targets.iter().map(|target| name(target.model.as_deref(), &target.provider.name));
        let shown = candidates.list.iter().map(|candidate| CandidateView::of(candidate, model, catalog));
        PlanView {
            model: model.name.to_string(),
            strategy: model.strategy.name(),
            targets: targets.collect(),
            candidates: shown.collect(),
            decision: DecisionRecord::of(candidates, model.strategy, version, now),
            refusal: refusal.map(RefusalView::from),
        }
    }
}

impl CandidateView {
    fn of(candidate: &Candidate, model: &Model, catalog: &Catalog) -> Self {
        let has = |model: &Model| model.targets.iter().any(|target| Arc::ptr_eq(target, &candidate.target));
        let owner = catalog.with_fallbacks(model).find(|each| has(each)).filter(|owner| owner.name != model.name);
        CandidateView {
            target: candidate.parts().name(),
            fallback: owner.map(|owner| owner.name.to_string()),
            tier: candidate.target.tier,
            weight: candidate.target.weight,
            credentials: candidate.credentials.iter().map(|credential| credential.label.clone()).collect(),
            failing: candidate.failing,
        }
    }
}

impl From<Refusal> for RefusalView {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, message, retry_after_s, .. } = refusal;
        RefusalView { status, message, retry_after_s }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Document;

    fn catalog() -> Catalog {
        let text = "providers = [{ name = \"p\", base_url = \"https://p.example\", credentials = \
                    [{ variable = \"A\", label = \"one\" }] }]\n\
                    [[models]]\nname = \"m\"\nfallback = [\"n\"]\ntargets = [{ provider = \"p\", weight = 3 }, \"p/x\"]\n\
                    [[models]]\nname = \"n\"\ntargets = [{ provider = \"p\", model = \"y\", tier = 2 }]\n";
        Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog")
    }

    #[test]
    fn candidates_are_shown_with_what_puts_them_where_they_are() {
        let catalog = catalog();
        let candidate = |model: usize, target: usize| {
            let target = &catalog.models[model].targets[target];
            Candidate {
                target: Arc::clone(target),
                upstream_model: target.model.clone().unwrap_or_else(|| "asked".into()),
                credentials: target.provider.credentials.clone(),
                egress_groups: Vec::new(),
                failing: model == 1,
                context: None,
            }
        };
        let candidates = Candidates { list: vec![candidate(0, 0), candidate(1, 0)], ..Candidates::default() };
        let view = PlanView::of((&catalog.models[0], "asked"), (&catalog, 7), (&candidates, Now::of_wall(0)), None);
        let shown = serde_json::to_value(&view).expect("JSON");
        assert_eq!((&view.decision.tiers[..], &view.decision.weights[..]), (&[1, 2][..], &[3, 1][..]));
        assert_eq!(shown["targets"], serde_json::json!(["p/asked", "p/x"]));
        assert_eq!(
            shown["candidates"],
            serde_json::json!([
                { "target": "p/asked", "fallback": null, "tier": 1, "weight": 3, "credentials": ["one"], "failing": false },
                { "target": "p/y", "fallback": "n", "tier": 2, "weight": 1, "credentials": ["one"], "failing": true },
            ])
        );
    }

    #[test]
    fn a_refusal_is_told_as_its_client_would_get_it() {
        let catalog = catalog();
        let refusal = Refusal::unavailable("no_target", "None can.").after(3);
        let view = PlanView::of(
            (&catalog.models[1], "n"),
            (&catalog, 7),
            (&Candidates::default(), Now::of_wall(0)),
            Some(refusal),
        );
        assert_eq!(
            serde_json::to_string(&view).expect("JSON"),
            r#"{"model":"n","strategy":"weighted","targets":["p/y"],"candidates":[],"decision":{"candidates":[],"strategy":"weighted","catalog":7,"draw":"0"},"refusal":{"status":503,"message":"None can.","retry_after_s":3}}"#
        );
    }
}
