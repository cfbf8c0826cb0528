//! `POST /api/targets/test`: a real call to one target with one credential, whatever health says of them. It takes the
//! steps of the line behind the choice, so that it finds what a client's call would find, is charged to the quotas like
//! one, and leaves a record.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use gateway_core::accept;
use gateway_core::authenticate::Caller;
use gateway_core::call::Call;
use gateway_core::candidate::{Candidate, Candidates};
use gateway_core::catalog::{Credential, Model, Target};
use gateway_core::failover::{AttemptLimits, Decision, Failover};
use gateway_core::health::Subjects;
use gateway_core::pace::Pace;
use gateway_core::quota::Estimate;
use gateway_core::record::DecisionRecord;
use gateway_core::refusal::{Refusal, Shape};
use gateway_core::trial::TrialReport;

use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
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

impl Trial<'_> {
    /// Sends it, reads the answer to its end, and takes back what kept the target and the credential out of use if it was
    /// good.
    pub(crate) async fn run(
        self,
        instance: &Rc<Instance>,
        incoming: &Incoming,
        caller: &Caller,
        snapshot: &Rc<Snapshot>,
    ) -> Result<TrialReport, Refusal> {
        let Trial { call, model, target, credential } = self;
        let open = OpenCall::begin(instance, incoming, call.operation, caller, &snapshot.catalog);
        open.asked(call);
        open.warn(WARNING);
        let look = |call: &Call| accept::demand(call, Pace::default());
        let context = CallContext {
            instance,
            call,
            estimate: Estimate::of(call, &look),
            caller,
            incoming,
            // What an administrator's client says of its own request does not hold for this one.
            headers: &[],
            open: &open,
            snapshot,
            model,
            owner: None,
            is_test: true,
            probing: RefCell::default(),
            wait: Wait::new(instance, model),
        };
        let candidate = candidate(target, credential, &call.model);
        let attempt = candidate.attempt(0);
        let candidates = Candidates { list: vec![candidate], ..Candidates::default() };
        open.decided(model, DecisionRecord::of(&candidates));
        let to = attempt.named();
        let of = health::peek(instance, |health| Subjects::to(to, call.operation, health));
        // A way to the provider that rests is among what is tested.
        let ways = health::troubles(instance, of.ways()).await;
        let troubles = health::troubles(instance, of.beside_target().chain([&of.target])).await;
        health::clear(instance, ways).await;
        let mut report = TrialReport::begin(to, call.operation, open.id());
        if let Err(refusal) = context.try_it(candidates, &mut report).await {
            let reply = refusal.reply(Shape::Problem, &incoming.id);
            open.answered(refusal.state, &reply, Some(&refusal.message));
            report.error.get_or_insert(refusal.message);
        }
        report.finish(to, host::now_ms().saturating_sub(incoming.start_ms));
        if report.passed {
            report.cleared = health::clear(instance, troubles).await;
        }
        Ok(report)
    }
}

impl CallContext<'_> {
    /// Steps 4 to 7 for the only candidate.
    async fn try_it(&self, candidates: Candidates, report: &mut TrialReport) -> Result<(), Refusal> {
        let dialect = self.call.operation.dialect();
        let limits = AttemptLimits { attempts: 1, turned_away: 0 };
        let mut failover = Failover::new(candidates.list, limits, dialect, self.incoming.id.clone());
        let attempt = failover.first().ok_or_else(|| self.exhausted(&[]))?;
        let (made, outcome) = self.attempt(attempt).await;
        report.target.clone_from(&made.target);
        report.attempted(&outcome, made.verdict.class);
        match self.judge(&mut failover, &made, outcome) {
            Decision::Relay => self.read(self.relay(made, failover), report).await,
            Decision::Answer(state, reply) => self.open.answered(state, &reply, None),
            Decision::Refuse(refusal) => return Err(refusal),
            Decision::Exhausted(not_sent) => return Err(self.exhausted(&not_sent)),
            // There is one candidate and one attempt.
            Decision::Try(..) => return Err(self.exhausted(&[])),
        }
        Ok(())
    }

    async fn read(&self, ready: Ready, report: &mut TrialReport) {
        match ready {
            Ready::Answer(answer, mut terms, tail) => {
                // Nobody waits who would want a sign of life.
                terms.keep_alive_ms = self.model.timeouts.total_ms;
                let (ended, beginning) = relay::read(self.instance, *answer, &terms).await;
                report.ended(&ended.observation, ended.error.as_ref(), &beginning);
                tail(ended).await;
            }
            Ready::Reply(reply) => report.replied(&reply),
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
