//! The subjects of an attempt. A target that passes on any model name has subjects for each name, since one broken
//! model says nothing about the others. Their number is bounded, because clients may send any name.

use std::sync::Arc;

use super::{Health, Models, Subject};
use crate::candidate::AttemptParts;
use crate::catalog::{Patience, Provider, Target};
use crate::operation::Operation;

/// How many targets of a provider, by names that clients sent, are kept apart while they are in trouble or in use.
pub(super) const REQUESTED_TARGETS_MAX: usize = 32;
pub(super) const REQUESTED_WINDOWS_MAX: usize = 256;

/// The subjects of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subjects {
    /// The target.
    pub target: Subject,
    /// The credential; `None` for a provider that is called without one.
    pub credential: Option<Subject>,
    /// The credential on this upstream model.
    pub lane: Subject,
    /// The credential on all models, if the client names the upstream model and too many names are kept apart already.
    pub wide_lane: Option<Subject>,
    /// The credential on all free models of its provider, if this is one of them.
    pub free_lane: Option<Subject>,
    /// The egress proxy or relay, if there is one.
    pub egress: Option<Subject>,
    /// The egress as this provider sees it.
    pub place: Subject,
    /// The address of the provider's host, if it is called without an egress.
    pub address: Option<Subject>,
    /// What is put up with before these are left alone.
    pub patience: Patience,
}

/// The names that subjects are made of, shared with the catalog.
struct Names<'n> {
    provider: &'n Arc<str>,
    /// The model; `None` for a target that passes on any name.
    model: Option<&'n Arc<str>>,
    credential: Option<&'n Arc<str>>,
    egress: Option<&'n Arc<str>>,
    address: Option<&'n Arc<str>>,
}

impl Subjects {
    /// The subjects of an attempt at this target.
    pub fn to(to: AttemptParts<'_>, operation: Operation, health: &Health) -> Self {
        let AttemptParts { target, provider, upstream_model, credential } = to;
        let (egress, address) = (provider.egress_of(credential), to.address(operation));
        let credential = credential.map(|credential| &credential.id);
        let egress = egress.and_then(|egress| egress.key());
        let names = Names { provider: &provider.name, model: target.model.as_ref(), credential, egress, address };
        let of = Subjects { patience: target.patience, ..Subjects::named(&names) };
        match &target.model {
            Some(_) => of,
            None => {
                let requested = of.with_requested_model(credential.unwrap_or(&provider.name), upstream_model);
                Subjects { target: health.target_of(provider, target, upstream_model), ..requested }
            }
        }
    }

    fn named(names: &Names<'_>) -> Self {
        let Names { provider, model, credential, egress, address } = *names;
        let account = credential.unwrap_or(provider);
        let models = models(model);
        Subjects {
            credential: credential.cloned().map(Subject::Credential),
            lane: lane(account, models.clone()),
            wide_lane: None,
            free_lane: free_lane(account, models.name()),
            target: Subject::target(provider.clone(), models),
            egress: egress.cloned().map(Subject::Egress),
            place: Subject::Place { way: egress.cloned(), provider: provider.clone() },
            address: address.cloned().map(Subject::Address),
            patience: Patience::default(),
        }
    }

    /// The subjects for a model name that the client sent.
    fn with_requested_model(self, account: &Arc<str>, upstream_model: &str) -> Self {
        let free_lane = free_lane(account, upstream_model);
        let lane = lane(account, Models::of(upstream_model.into()));
        Subjects { wide_lane: Some(self.lane), lane, free_lane, ..self }
    }

    /// The subjects that must be usable besides the target.
    pub fn beside_target(&self) -> impl Iterator<Item = &Subject> {
        self.account().chain(self.ways())
    }

    /// All subjects.
    pub fn all(&self) -> impl Iterator<Item = &Subject> {
        [&self.target].into_iter().chain(self.beside_target())
    }

    /// The credential and its lanes.
    pub fn account(&self) -> impl Iterator<Item = &Subject> {
        self.credential.iter().chain([&self.lane]).chain(&self.wide_lane).chain(&self.free_lane)
    }

    /// The way to the provider: the egress, for all providers and for this one, or the address of its host.
    pub fn ways(&self) -> impl Iterator<Item = &Subject> {
        self.egresses().chain(&self.address)
    }

    /// The egress, for all providers and for this one.
    pub(super) fn egresses(&self) -> impl Iterator<Item = &Subject> {
        self.egress.iter().chain([&self.place])
    }
}

impl Health {
    /// The target whose breaker an attempt at this model uses.
    pub fn target_of(&self, provider: &Provider, of: &Target, upstream_model: &str) -> Subject {
        let name = &provider.name;
        if of.model.is_some() {
            return Subject::target(name.clone(), models(of.model.as_ref()));
        }
        let (requested, any) = (Models::of(upstream_model.into()), Subject::target(name.clone(), Models::Any));
        let target = Subject::target(name.clone(), requested);
        if self.troubled.contains_key(&target) {
            return target;
        }
        let is_of_provider =
            |subject: &Subject| matches!(subject, Subject::Target { provider, .. } if provider == name);
        let troubled = || self.troubled.range::<Subject, _>(&any..).take_while(|(subject, _)| is_of_provider(subject));
        let windows = || self.windows.range::<Subject, _>(&any..).take_while(|(subject, _)| is_of_provider(subject));
        let is_full = || troubled().count() >= REQUESTED_TARGETS_MAX || windows().count() >= REQUESTED_WINDOWS_MAX;
        let is_known = self.windows.contains_key(&target);
        if self.troubled.contains_key(&any) || (!is_known && is_full()) { any } else { target }
    }

    /// Forgets all that was learned about a provider, because it is another one now. Returns the subjects that were in
    /// trouble.
    pub fn forget_provider(&mut self, provider: &Provider) -> Vec<Subject> {
        let name = &provider.name;
        let is_account = |account: &Arc<str>| provider.credentials.iter().any(|credential| credential.id == *account);
        let is_of = |subject: &Subject| match subject {
            Subject::Credential(id) => is_account(id),
            Subject::Lane { account, .. } => account == name || is_account(account),
            Subject::Place { provider, .. } | Subject::Target { provider, .. } => provider == name,
            Subject::Address(_) | Subject::Egress(_) => false,
        };
        self.latencies.retain(|target, _| !is_of(target));
        self.forget_where(is_of)
    }
}

/// The provider's name for the model, or any model for a target that passes on any name.
fn models(model: Option<&Arc<str>>) -> Models {
    model.map_or(Models::Any, |model| Models::of(model.clone()))
}

fn lane(account: &Arc<str>, models: Models) -> Subject {
    Subject::Lane { account: account.clone(), models }
}

fn free_lane(account: &Arc<str>, upstream_model: &str) -> Option<Subject> {
    Models::is_free(upstream_model).then(|| lane(account, Models::Free))
}

#[cfg(test)]
impl Subjects {
    /// The subjects of an attempt with these names.
    pub(crate) fn of(provider: &str, model: &str, credential: Option<&str>, egress: Option<&str>) -> Self {
        let shared = |name: Option<&str>| name.map(Arc::<str>::from);
        let (provider, model) = (Arc::from(provider), shared(Some(model).filter(|model| *model != "*")));
        let (credential, egress) = (shared(credential), shared(egress));
        let (model, credential, egress) = (model.as_ref(), credential.as_ref(), egress.as_ref());
        Subjects::named(&Names { provider: &provider, model, credential, egress, address: None })
    }

    /// The same subjects for a host at this address, without an egress.
    pub(crate) fn at(self, address: &str) -> Self {
        Subjects { address: Some(Subject::Address(address.into())), ..self }
    }

    pub(super) fn of_requested(self, account: &str, upstream_model: &str) -> Self {
        self.with_requested_model(&account.into(), upstream_model)
    }
}
