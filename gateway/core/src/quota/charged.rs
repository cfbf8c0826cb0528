//! What a call and its attempts are charged: estimated once for the call, reserved for each attempt before it is sent,
//! and corrected when the use is known. This only computes; the store writes.

use std::cell::OnceCell;

use super::{Adjustment, AnswerSummary, Charge, ExceededLimit, Moment, Prompt, Spend, Spent, Unit};
use crate::call::{Call, Demand};
use crate::candidate::{AttemptParts, Skip, SkipReason};
use crate::catalog::Key;
use crate::operation::Operation;
use crate::outcome::Progress;
use crate::price::{self, Pieces, Price};
use crate::scan::plain_length;

/// The estimated use of a call, which every candidate and every attempt needs. It is worked out once.
pub struct Estimate<'c> {
    call: &'c Call,
    /// The length of the body without JSON's escapes. Finding them takes a look at the whole body.
    body_bytes: OnceCell<u64>,
    /// Reads what the call needs of a target. It reads the whole body, so it waits until it is needed.
    look: &'c dyn Fn(&Call) -> Demand,
    demand: OnceCell<Demand>,
}

impl<'c> Estimate<'c> {
    /// The estimate of `call`; `look` reads what the call needs of a target.
    pub fn of(call: &'c Call, look: &'c dyn Fn(&Call) -> Demand) -> Self {
        Estimate { call, body_bytes: OnceCell::new(), look, demand: OnceCell::new() }
    }

    /// What the call needs of a target.
    pub fn demand(&self) -> Demand {
        *self.demand.get_or_init(|| (self.look)(self.call))
    }

    /// What the call generates or transcribes apart from text. The body of any other call is not read for this.
    pub fn pieces(&self) -> Pieces {
        if self.call.operation.is_of_pieces() { self.demand().pieces } else { Pieces::None }
    }

    /// The charges of an attempt against its provider's quotas; empty if there are none.
    pub fn of_attempt(&self, to: AttemptParts<'_>, at: Moment) -> Charges {
        if !has_limits(to) {
            return Charges::default();
        }
        let own = to.credential.and_then(|credential| credential.quota.as_ref());
        // The price is looked up only if some quota counts money.
        let counts_money = to.provider.quotas.iter().chain(own).any(|quota| quota.counts_money());
        let price = counts_money.then(|| to.target.priced(to.upstream_model, self.pieces(), at.now.wall_ms)).flatten();
        let price = price.map(|priced| priced.price);
        let prompt = self.prompt(price.is_some());
        let guess = self.guess(price.map(|price| self.cost(prompt, &price)));
        let list = super::windows(to.provider, to.credential, to.upstream_model, guess, at);
        Charges { list, prompt, price }
    }

    /// The charges without their price. The order of targets by expiring allowances needs no more.
    pub fn draws_on(&self, to: AttemptParts<'_>, at: Moment) -> Vec<Charge> {
        super::windows(to.provider, to.credential, to.upstream_model, self.guess(None), at)
    }

    /// The charges of the call against its key's limits; empty if there are none. A budget is only asked once, wherever
    /// the call goes, so `dearest` finds the largest estimate over the targets that may serve the call; it is given a
    /// function that estimates one.
    pub fn of_key(&self, key: &Key, dearest: impl FnOnce(&dyn Fn(&Price) -> u64) -> u64, at: Moment) -> Charges {
        if key.all_limits().next().is_none() {
            return Charges::default();
        }
        let prompt = self.prompt(key.has_budget());
        let cost_nano = key.has_budget().then(|| dearest(&|price| self.cost(prompt, price)));
        Charges { list: super::key_windows(key, self.guess(cost_nano), at), prompt, price: None }
    }

    fn guess(&self, cost_nano: Option<u64>) -> Spend {
        Spend { cost_nano, ..Spend::tokens(self.tokens(self.call.tokens_max)) }
    }

    /// The tokens of the prompt, by the size of the body, and of an answer of at most this many.
    fn tokens(&self, answer_max: Option<u64>) -> u64 {
        let body_bytes = *self.body_bytes.get_or_init(|| plain_length(&self.call.body) as u64);
        super::estimate(body_bytes, answer_max)
    }

    /// The prompt. If money is counted, the body is read once more, since images are not paid for by their bytes, and
    /// only calls that generate text are paid for output.
    fn prompt(&self, counts_money: bool) -> Prompt {
        let tokens = if counts_money { self.demand().tokens } else { self.tokens(Some(0)) };
        let operation = self.call.operation;
        let in_pieces = operation.is_of_pieces();
        // A recording is not a text of so many bytes.
        let tokens = if counts_money && in_pieces { self.pieces().tokens_heard() } else { tokens };
        Prompt { tokens, in_words: operation.is_chat() || operation == Operation::Completions, in_pieces }
    }

    /// The estimated cost. Counting tokens is free everywhere.
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

/// The charges of an attempt, or of a call of a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Charges {
    /// The charges. They are made together or not at all.
    pub list: Vec<Charge>,
    prompt: Prompt,
    /// The price of the attempt, if money is counted.
    price: Option<Price>,
}

impl Charges {
    /// The charges after they were made, or, if the ledger did not answer in time, that will be made afterwards.
    pub fn made(self, is_late: bool) -> UnsettledCharges {
        UnsettledCharges { charges: self, is_late }
    }

    /// Why the attempt need not be made, if a quota is known to be spent.
    pub fn known_spent(&self, spent: &Spent, now_ms: i64) -> Option<Skip> {
        let (charge, until_ms) = spent.is_spent(&self.list, now_ms)?;
        Some(Skip { reason: SkipReason::QuotaSpent, until_ms, message: Some(charge.describe_spent()) })
    }
}

/// Why an attempt is not made that these limits refuse. If they do not say when they are free again, the call looks
/// again after `look_ms`.
pub fn refused(over: &[ExceededLimit], now_ms: i64, look_ms: u64) -> Skip {
    let message = over.iter().map(ExceededLimit::describe).collect::<Vec<_>>().join(", ");
    // The time when all of these are over.
    let back_ms = over.iter().filter_map(|over| over.until_ms).max();
    let back_ms = back_ms.unwrap_or(now_ms.saturating_add_unsigned(look_ms));
    Skip {
        reason: SkipReason::QuotaSpent,
        until_ms: (!over.iter().any(|over| over.is_for_good)).then_some(back_ms),
        message: Some(message).filter(|message| !message.is_empty()),
    }
}

/// Charges that were made, or that will be made afterwards. They are corrected once; a second correction does nothing.
#[derive(Debug)]
pub struct UnsettledCharges {
    charges: Charges,
    is_late: bool,
}

impl UnsettledCharges {
    /// Whether the ledger did not answer, so that the attempt was made without a reservation.
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// Whether a credit should have paid for the attempt, but its price is not known.
    pub fn lacks_price(&self) -> bool {
        self.charges.price.is_none() && self.charges.list.iter().any(|charge| charge.unit == Unit::Money)
    }

    /// Whether it is charged for more than the provider reported.
    pub fn is_estimated(&self, seen: &AnswerSummary) -> bool {
        let counts_use = |charge: &Charge| matches!(charge.unit, Unit::Tokens | Unit::FreshTokens | Unit::Money);
        self.charges.list.iter().any(counts_use) && seen.is_estimated(self.charges.prompt)
    }

    /// The corrections, by what was seen of the answer.
    pub fn settle(&mut self, seen: &AnswerSummary) -> Vec<Adjustment> {
        self.settle_at(seen, self.charges.price)
    }

    /// The corrections for an answer whose price is only known from the answer itself.
    pub fn settle_at(&mut self, seen: &AnswerSummary, price: Option<Price>) -> Vec<Adjustment> {
        let used = seen.spend(self.charges.prompt, price.as_ref());
        self.correct(used)
    }

    /// The corrections for an attempt without an answer, by how far it came.
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
