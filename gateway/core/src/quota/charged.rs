//! What a call and its attempts are charged: guessed once for the call, reserved for each attempt before it is sent,
//! and corrected when it is known what was used. Nothing is written here; the store writes what comes out.

use std::cell::OnceCell;

use super::{Adjustment, AnswerSummary, Charge, ExceededLimit, Moment, Prompt, Spend, Spent, Unit};
use crate::call::{Call, Demand};
use crate::candidate::{AttemptParts, Skip, SkipReason};
use crate::catalog::Key;
use crate::operation::Operation;
use crate::outcome::Progress;
use crate::price::{self, Pieces, Price};
use crate::scan::plain_length;

/// What a call is guessed to take. Asked for each candidate and each attempt of it, and worked out once.
pub struct Estimate<'c> {
    call: &'c Call,
    /// How long the body is without the escapes of JSON. Finding them takes a look at all of it.
    body_bytes: OnceCell<u64>,
    /// Reads what the call needs of a target. It reads the whole body, so it is left until somebody asks.
    look: &'c dyn Fn(&Call) -> Demand,
    demand: OnceCell<Demand>,
}

impl<'c> Estimate<'c> {
    /// What `call` is guessed to take; `look` reads what it needs of a target.
    pub fn of(call: &'c Call, look: &'c dyn Fn(&Call) -> Demand) -> Self {
        Estimate { call, body_bytes: OnceCell::new(), look, demand: OnceCell::new() }
    }

    /// What the call needs of a target.
    pub fn demand(&self) -> Demand {
        *self.demand.get_or_init(|| (self.look)(self.call))
    }

    /// What it makes or hears that is not words; the body of any other call is not looked at for it.
    pub fn pieces(&self) -> Pieces {
        if self.call.operation.is_of_pieces() { self.demand().pieces } else { Pieces::None }
    }

    /// What an attempt takes of its provider's quotas; nothing where it has none.
    pub fn of_attempt(&self, to: AttemptParts<'_>, at: Moment) -> Charges {
        if !has_limits(to) {
            return Charges::default();
        }
        let own = to.credential.and_then(|credential| credential.quota.as_ref());
        // The price is looked up only where some quota counts money.
        let counts_money = to.provider.quotas.iter().chain(own).any(|quota| quota.counts_money());
        let price = counts_money.then(|| to.target.priced(to.upstream_model, self.pieces())).flatten();
        let price = price.map(|priced| priced.price);
        let prompt = self.prompt(price.is_some());
        let guess = self.guess(price.map(|price| self.cost(prompt, &price)));
        let list = super::windows(to.provider, to.credential, to.upstream_model, guess, at);
        Charges { list, prompt, price }
    }

    /// The same without a look at prices: what orders targets by when their allowances expire asks for no more.
    pub fn draws_on(&self, to: AttemptParts<'_>, at: Moment) -> Vec<Charge> {
        super::windows(to.provider, to.credential, to.upstream_model, self.guess(None), at)
    }

    /// What the call takes of its key's limits; nothing where it has none. `dearest` finds the largest guess of those it is
    /// given a way to make, one for each target that may serve the call: a budget is asked once, wherever the call goes.
    pub fn of_key(&self, key: &Key, dearest: impl FnOnce(&dyn Fn(&Price) -> u64) -> u64, at: Moment) -> Charges {
        if key.limits.is_empty() {
            return Charges::default();
        }
        let prompt = self.prompt(key.has_budget());
        let cost_nano = key.has_budget().then(|| dearest(&|price| self.cost(prompt, price)));
        Charges { list: super::key_windows(key, self.guess(cost_nano), at), prompt, price: None }
    }

    fn guess(&self, cost_nano: Option<u64>) -> Spend {
        Spend { cost_nano, ..Spend::tokens(self.tokens(self.call.tokens_max)) }
    }

    /// Tokens of the prompt, by the size of the body, and of an answer of so many at most.
    fn tokens(&self, answer_max: Option<u64>) -> u64 {
        let body_bytes = *self.body_bytes.get_or_init(|| plain_length(&self.call.body) as u64);
        super::estimate(body_bytes, answer_max)
    }

    /// Images in the body are not paid for by their bytes, so it is looked at once more; only where money is counted. Only
    /// who writes is paid for writing.
    fn prompt(&self, counts_money: bool) -> Prompt {
        let tokens = if counts_money { self.demand().tokens } else { self.tokens(Some(0)) };
        let operation = self.call.operation;
        let in_pieces = operation.is_of_pieces();
        // A recording is no text of so many bytes.
        let tokens = if counts_money && in_pieces { self.pieces().tokens_heard() } else { tokens };
        Prompt { tokens, in_words: operation.is_chat() || operation == Operation::Completions, in_pieces }
    }

    /// Counting tokens is free everywhere.
    fn cost(&self, prompt: Prompt, price: &Price) -> u64 {
        if self.call.operation.counts_tokens() {
            return 0;
        }
        if prompt.in_pieces {
            let nano = price::estimate(price, prompt.tokens, self.pieces().tokens_made());
            return u64::try_from(nano).unwrap_or(0);
        }
        super::estimate_cost(price, prompt.tokens, if prompt.in_words { self.call.tokens_max } else { Some(0) })
    }
}

/// Whether an attempt has any limits.
pub fn has_limits(to: AttemptParts<'_>) -> bool {
    !to.provider.quotas.is_empty() || to.credential.is_some_and(|credential| credential.quota.is_some())
}

/// What an attempt, or a call of a key, is charged.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// All of it must hold together.
    pub list: Vec<Charge>,
    prompt: Prompt,
    /// What the attempt is paid by, where money is counted.
    price: Option<Price>,
}

impl Charges {
    /// They are made, or are made afterwards where the ledger did not answer in time.
    pub fn made(self, is_late: bool) -> UnsettledCharges {
        UnsettledCharges { charges: self, is_late }
    }

    /// Why the attempt need not be made, where a quota is known to be spent.
    pub fn known_spent(&self, spent: &Spent, now_ms: i64) -> Option<Skip> {
        let (charge, until_ms) = spent.is_spent(&self.list, now_ms)?;
        Some(Skip { reason: SkipReason::QuotaSpent, until_ms, message: Some(charge.describe_spent()) })
    }
}

/// Why an attempt is not made that these limits refuse. Where they do not say when they are free again it is looked for
/// after `look_ms`.
pub fn refused(over: &[ExceededLimit], now_ms: i64, look_ms: u64) -> Skip {
    let said = over.iter().map(ExceededLimit::describe).collect::<Vec<_>>().join(", ");
    // When all of these are over.
    let back_ms = over.iter().filter_map(|over| over.until_ms).max();
    let back_ms = back_ms.unwrap_or(now_ms.saturating_add_unsigned(look_ms));
    Skip {
        reason: SkipReason::QuotaSpent,
        until_ms: (!over.iter().any(|over| over.is_for_good)).then_some(back_ms),
        message: Some(said).filter(|said| !said.is_empty()),
    }
}

/// Charges that were made, or that are to be made afterwards. Each is corrected once: what is asked for a second time is
/// nothing.
#[derive(Debug)]
pub struct UnsettledCharges {
    charges: Charges,
    is_late: bool,
}

impl UnsettledCharges {
    /// The ledger did not answer, and the attempt was made all the same.
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// It should have been paid from a credit, and nobody knows how much.
    pub fn lacks_price(&self) -> bool {
        self.charges.price.is_none() && self.charges.list.iter().any(|charge| charge.unit == Unit::Money)
    }

    /// Whether it is charged by more than what the provider said.
    pub fn is_estimated(&self, seen: &AnswerSummary) -> bool {
        let counts_use = |charge: &Charge| matches!(charge.unit, Unit::Tokens | Unit::Money);
        self.charges.list.iter().any(counts_use) && seen.is_estimated(self.charges.prompt)
    }

    /// Corrects it by what was seen of the answer.
    pub fn settle(&mut self, seen: &AnswerSummary) -> Vec<Adjustment> {
        self.settle_at(seen, self.charges.price)
    }

    /// The same where only the answer shows what it is paid by.
    pub fn settle_at(&mut self, seen: &AnswerSummary, price: Option<Price>) -> Vec<Adjustment> {
        let used = seen.spend(self.charges.prompt, price.as_ref());
        self.correct(used)
    }

    /// Corrects it by how far an attempt came that has no answer.
    pub fn end(&mut self, progress: Progress) -> Vec<Adjustment> {
        match progress {
            // What was never charged need not be given back.
            Progress::Unsent | Progress::TurnedAway if self.is_late => {
                self.take();
                Vec::new()
            }
            Progress::Unsent | Progress::TurnedAway => super::refund(&self.take()),
            Progress::Failed => self.correct(Spend::NOTHING),
            Progress::WorkedOn => self.correct(Spend::default()),
        }
    }

    fn correct(&mut self, used: Spend) -> Vec<Adjustment> {
        let charges = self.take();
        if self.is_late { super::charge_late(&charges, used) } else { super::settle(&charges, used) }
    }

    fn take(&mut self) -> Vec<Charge> {
        std::mem::take(&mut self.charges.list)
    }
}
