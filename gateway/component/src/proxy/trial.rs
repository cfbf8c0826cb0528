//! `POST /api/targets/test`: a real call to one target with one credential, whatever health says of them. It takes the
//! steps of the line behind the choice, so that it finds what a client's call would find, is charged to the quotas like
//! one, and leaves a record.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use gateway_core::authenticate::Caller;
use gateway_core::call::Call;
use gateway_core::candidate::{Candidate, Candidates};
use gateway_core::catalog::{Credential, Model, Target};
use gateway_core::failover::{Decision, Failover};
use gateway_core::health::{Subject, Subjects};
use gateway_core::outcome::Outcome;
use gateway_core::record::{DecisionRecord, kept_text};
use gateway_core::redact;
use gateway_core::refusal::{Refusal, Shape};
use gateway_core::usage::Usage;
use serde::Serialize;

use crate::host;
use crate::incoming::Incoming;
use crate::relay::{self, Ready};
use crate::store::catalog::Snapshot;
use crate::store::health;

use super::wait::Wait;
use super::{CallContext, OpenCall};

/// What a record says of a call that nobody but an administrator made.
const WARNING: &str = "test";

/// One target of a model and one of its credentials.
pub(crate) struct Trial<'a> {
    pub(crate) call: &'a Call,
    pub(crate) model: &'a Model,
    pub(crate) target: &'a Arc<Target>,
    pub(crate) credential: Option<&'a Arc<Credential>>,
}

/// What came of it.
#[derive(Serialize)]
pub(crate) struct TrialResult {
    /// It answered to its end.
    passed: bool,
    /// `provider/upstream-model`
    target: String,
    /// The credential's label.
    credential: Option<String>,
    endpoint: &'static str,
    /// What the provider answered with.
    status: Option<u16>,
    /// How that is classed, where it was sent.
    class: Option<&'static str>,
    /// Why it did not pass, where the answer does not say it.
    error: Option<String>,
    /// Milliseconds since the test began.
    first_content_ms: Option<u64>,
    duration_ms: u64,
    usage: Usage,
    /// The beginning of the answer, as a client would have got it.
    answer: String,
    /// What health takes back now.
    cleared: Vec<Subject>,
    /// The record's id.
    record: String,
}

impl Trial<'_> {
    /// Sends it, reads the answer to its end, and takes back what kept the target and the credential out of use if it was
    /// good.
    pub(crate) async fn run(
        self,
        incoming: &Incoming,
        caller: &Caller,
        snapshot: &Rc<Snapshot>,
    ) -> Result<TrialResult, Refusal> {
        let Trial { call, model, target, credential } = self;
        let open = OpenCall::begin(incoming, call.operation, caller, &snapshot.catalog);
        open.asked(call);
        open.warn(WARNING.to_owned());
        let (is_test, probing) = (true, RefCell::default());
        // What an administrator's client says of its own request does not hold for this one.
        let headers: &[(String, Vec<u8>)] = &[];
        let (open, wait, owner) = (&open, Wait::new(model), None);
        let context =
            CallContext { is_test, probing, wait, call, caller, incoming, headers, open, snapshot, model, owner };
        let candidate = candidate(target, credential, &call.model);
        let attempt = candidate.attempt(0);
        let candidates = Candidates { list: vec![candidate], ..Candidates::default() };
        open.decided(model, DecisionRecord::of(&candidates));
        let to = attempt.named();
        let of = health::peek(|health| Subjects::to(to, health));
        // A way out that rests is among what is tested.
        let ways = health::troubles(of.ways()).await;
        let troubles = health::troubles(of.beside_target().chain([&of.target])).await;
        health::clear(ways).await;
        let mut found = TrialResult {
            passed: false,
            target: String::new(),
            credential: to.credential.map(|credential| credential.label.clone()),
            endpoint: call.operation.name(),
            status: None,
            class: None,
            error: None,
            first_content_ms: None,
            duration_ms: 0,
            usage: Usage::default(),
            answer: String::new(),
            cleared: Vec::new(),
            record: open.id(),
        };
        if let Err(refusal) = context.try_it(candidates, &mut found).await {
            let reply = refusal.reply(Shape::Problem, &incoming.id);
            open.answered(refusal.state, &reply, Some(refusal.message.clone()));
            found.error.get_or_insert(refusal.message);
        }
        found.answer = redact::without_secret(&found.answer, to.credential);
        found.duration_ms = host::now_ms().saturating_sub(incoming.start_ms);
        if found.passed {
            found.cleared = health::clear(troubles).await;
        }
        Ok(found)
    }
}

impl CallContext<'_> {
    /// Steps 4 to 7 for the only candidate.
    async fn try_it(&self, candidates: Candidates, found: &mut TrialResult) -> Result<(), Refusal> {
        let dialect = self.call.operation.dialect();
        let mut failover = Failover::new(candidates.list, 1, dialect, self.incoming.id.clone());
        let attempt = failover.first().ok_or_else(|| self.exhausted(&[]))?;
        let mut result = self.attempt(attempt).await;
        found.target.clone_from(&result.target);
        found.class = Some(result.verdict.class.name());
        match &result.outcome {
            Outcome::Head(status) => found.status = Some(*status),
            Outcome::Answered(error) => {
                found.status = Some(error.status);
                found.answer = String::from_utf8_lossy(&error.body).into_owned();
            }
            Outcome::Failed(error) => found.error = Some(format!("The provider {}.", error.describe())),
            Outcome::NotSent(_) => found.class = None,
        }
        match self.judge(&mut failover, &mut result) {
            Decision::Relay => self.read(self.relay(result, failover), found).await,
            Decision::Answer(state, reply) => self.open.answered(state, &reply, None),
            Decision::Refuse(refusal) => return Err(refusal),
            Decision::Exhausted(not_sent) => return Err(self.exhausted(&not_sent)),
            // There is one candidate and one attempt.
            Decision::Try(..) => return Err(self.exhausted(&[])),
        }
        Ok(())
    }

    async fn read(&self, ready: Ready, found: &mut TrialResult) {
        match ready {
            Ready::Answer(answer, mut terms, ended) => {
                // Nobody waits who would want a sign of life.
                terms.keep_alive_ms = self.model.timeouts.total_ms;
                let (seen, beginning) = relay::read(*answer, &terms).await;
                let said = seen.observation.error.as_ref().map(|error| error.message.clone());
                let error = seen.error.as_ref().map(|error| format!("The provider {}.", error.describe()));
                found.passed = error.is_none() && said.is_none();
                found.error = error.or(said.map(|said| kept_text(&said)));
                found.first_content_ms = seen.observation.first_content_ms;
                found.usage = seen.observation.usage;
                found.answer = String::from_utf8_lossy(&beginning).into_owned();
                ended(seen).await;
            }
            Ready::Reply(reply) => {
                found.passed = reply.status < 300;
                found.answer = String::from_utf8_lossy(&reply.body).into_owned();
            }
        }
    }
}

fn candidate(target: &Arc<Target>, credential: Option<&Arc<Credential>>, asked: &str) -> Candidate {
    Candidate {
        target: Arc::clone(target),
        upstream_model: target.model.clone().unwrap_or_else(|| asked.into()),
        credentials: credential.into_iter().cloned().collect(),
        egress_groups: Vec::new(),
        failing: false,
        context: None,
    }
}
