//! The operator's own prices: where they come from, what is in force and what waits.

use serde::Serialize;

use crate::catalog::PriceOrigin;
use crate::price::{Amounts, PriceState, Waiting};

/// The answer of `GET /api/prices`.
#[derive(Debug, Serialize)]
pub struct PricesView {
    /// The file or address of `settings.prices`; absent without one.
    pub origin: Option<String>,
    /// The version of the file in force, as records name it; absent before one was taken.
    pub version: Option<String>,
    /// When it was taken, Unix milliseconds.
    pub taken_at_ms: Option<i64>,
    /// When the origin was asked last, Unix milliseconds.
    pub asked_at_ms: Option<i64>,
    /// Why what it answered last was not taken; what was in force before is in force still.
    pub problem: Option<String>,
    /// How many prices of the file are in force.
    pub models: usize,
    /// Prices that fell by more than half and wait for `POST /api/prices/accept`.
    pub waiting: Vec<WaitingPriceView>,
}

/// A price that waits for the operator's yes.
#[derive(Debug, PartialEq, Serialize)]
pub struct WaitingPriceView {
    /// The provider, by its name in lists of prices.
    pub provider: String,
    /// The model.
    pub model: String,
    /// What holds until then.
    pub now: AmountsView,
    /// What the file says.
    pub new: AmountsView,
}

/// Prices in USD for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AmountsView {
    /// Tokens of the prompt.
    pub input: f64,
    /// Tokens read from a cache.
    pub cache_read: f64,
    /// Tokens written to a cache.
    pub cache_write: f64,
    /// Tokens generated.
    pub output: f64,
}

/// The answer of `POST /api/prices/accept`.
#[derive(Debug, Serialize)]
pub struct AcceptedPricesView {
    /// How many prices hold now.
    pub accepted: usize,
}

impl PricesView {
    /// What is known, where it is about the origin of the settings.
    pub fn of(origin: Option<&PriceOrigin>, state: Option<PriceState>) -> PricesView {
        let origin = origin.map(ToString::to_string);
        let state = state.filter(|state| Some(&state.origin) == origin.as_ref()).unwrap_or_default();
        let known = |at_ms: i64| Some(at_ms).filter(|at_ms| *at_ms > 0);
        PricesView {
            origin,
            version: state.version,
            taken_at_ms: known(state.taken_at_ms),
            asked_at_ms: known(state.asked_at_ms),
            problem: state.problem,
            models: state.models,
            waiting: state.waiting.iter().map(WaitingPriceView::of).collect(),
        }
    }

    /// What an operator has to be told.
    pub fn warnings(&self) -> Vec<String> {
        let waiting = match self.waiting.len() {
            0 => None,
            1 => Some(
                "prices: 1 price fell by more than half and waits for your yes (POST /api/prices/accept).".to_owned(),
            ),
            count => Some(format!(
                "prices: {count} prices fell by more than half and wait for your yes (POST /api/prices/accept)."
            )),
        };
        let origin = self.origin.as_deref().unwrap_or_default();
        let problem = self.problem.as_ref().map(|problem| format!("prices: {origin} {problem}."));
        problem.into_iter().chain(waiting).collect()
    }
}

impl WaitingPriceView {
    fn of(waiting: &Waiting) -> Self {
        WaitingPriceView {
            provider: waiting.provider.clone(),
            model: waiting.model.clone(),
            now: AmountsView::of(waiting.now),
            new: AmountsView::of(waiting.new.usual),
        }
    }
}

impl AmountsView {
    fn of([input, cache_read, cache_write, output]: Amounts) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "prices have far fewer digits than a double")]
        let usd = |nano: u64| nano as f64 / 1e9;
        AmountsView {
            input: usd(input),
            cache_read: usd(cache_read),
            cache_write: usd(cache_write),
            output: usd(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::Row;

    #[test]
    fn what_is_known_of_another_origin_is_not_shown() {
        let origin = PriceOrigin::File("p.json".to_owned());
        let waiting = Waiting {
            provider: "a".to_owned(),
            model: "x".to_owned(),
            now: [10_000_000_000; 4],
            new: Row { usual: [1_500_000_000; 4], hours: Vec::new() },
        };
        let state = PriceState {
            origin: "p.json".to_owned(),
            version: Some("1".to_owned()),
            problem: Some("answered 500".to_owned()),
            waiting: vec![waiting],
            ..PriceState::default()
        };
        let view = PricesView::of(Some(&origin), Some(state.clone()));
        assert_eq!((view.waiting[0].now.input, view.waiting[0].new.output), (10.0, 1.5));
        assert_eq!(
            view.warnings(),
            [
                "prices: p.json answered 500.",
                "prices: 1 price fell by more than half and waits for your yes (POST /api/prices/accept)."
            ]
        );
        let other = PricesView::of(Some(&PriceOrigin::File("q.json".to_owned())), Some(state.clone()));
        assert_eq!((other.version, other.waiting), (None, Vec::new()));
        assert!(PricesView::of(None, Some(state)).warnings().is_empty());
    }
}
