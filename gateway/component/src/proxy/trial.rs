//! `POST /api/targets/test`: a real call to one target with one credential, whatever health says of them. It runs the
//! steps of the line that follow routing, so that it finds what a client's call would find. It counts against quotas
//! and leaves a record like any other call.

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
use gateway_core::reasoning_seals::Makers;
use gateway_core::record::DecisionRecord;
use gateway_core::refusal::{Refusal, Shape};
use gateway_core::trial::TrialReport;

use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::relay::{self, ReadyAnswer};
use crate::store::catalog::Snapshot;
use crate::store::health;

use super::wait::Wait;
use super::{CallContext, OpenCall};

/// The warning in the record of a call that an administrator made as a test.
const WARNING: &str = "test";

/// One target of a model and one of its credentials.
pub(crate) struct Trial<'a> {
    pub(crate) call: &'a Call,
    pub(crate) model: &'a Model,
    pub(crate) target: &'a Arc<Target>,
    pub(crate) credential: Option<&'a Arc<Credential>>,
}

impl Trial<'_> {
    /// Sends the call and reads the answer to its end. If the answer was good, the target and the credential are no
    /// longer paused.
    pub(crate) async fn run(
        self,
        instance: &Rc<Instance>,
        incoming: &Incoming,
        caller: &Caller,
        snapshot: &Rc<Snapshot>,
    ) -> Result<TrialReport, Refusal> {
        let Trial { call, model, target, credential } = self;
        let open = OpenCall::begin(instance, incoming, call.operation, caller, &snapshot.catalog);
        open.set_call(call);
        open.warn(WARNING);
        let look = |call: &Call| accept::demand(call, Pace::default());
        let context = CallContext {
            instance,
            call,
            estimate: Estimate::of(call, &look),
            caller,
            incoming,
            // The headers of the administrator's request say nothing about this one.
            headers: &[],
            open: &open,
            snapshot,
            model,
            owner: None,
            makers: Makers::default(),
            is_test: true,
            probing: RefCell::default(),
            wait: Wait::new(instance, model),
        };
        let candidate = candidate(target, credential, &call.model);
        let attempt = candidate.attempt(0);
        let candidates = Candidates { list: vec![candidate], ..Candidates::default() };
        open.decided(model, DecisionRecord::of(&candidates, model.strategy, snapshot.version, host::now()));
        let to = attempt.parts();
        let of = health::peek(instance, |health| Subjects::to(to, call.operation, health));
        // A paused way to the provider is part of what is tested.
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
            Decision::Relay | Decision::RelayContentless => {
                self.read(self.relay(made, failover).await, report).await;
            }
            Decision::Answer(state, reply) => self.open.answered(state, &reply, None),
            Decision::Refuse(refusal) => return Err(refusal),
            Decision::Exhausted(not_sent) => return Err(self.exhausted(&not_sent)),
            // There is only one candidate, and one attempt.
            Decision::Try(..) => return Err(self.exhausted(&[])),
        }
        Ok(())
    }

    async fn read(&self, ready: ReadyAnswer, report: &mut TrialReport) {
        match ready {
            ReadyAnswer::Answer(answer, mut terms, tail) => {
                // No client waits here that would need keep-alive bytes.
                terms.keep_alive_ms = self.model.timeouts.total_ms;
                let (ended, beginning) = relay::read(self.instance, *answer, &terms).await;
                report.ended(&ended.observation, ended.error.as_ref(), &beginning);
                tail(ended).await;
            }
            ReadyAnswer::Reply(reply) => report.replied(&reply),
        }
    }
}

fn candidate(target: &Arc<Target>, credential: Option<&Arc<Credential>>, requested: &str) -> Candidate {
    Candidate {
        target: Arc::clone(target),
        upstream_model: target.upstream_model(&requested.into()),
        credentials: credential.into_iter().cloned().collect(),
        egress_groups: Vec::new(),
        failing: false,
        context: None,
    }
}
