//! What calls come to when they are added up.

use super::FirstContent;

/// The sums of some calls. Unknown numbers are not in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// The calls that have ended.
    pub calls: u64,
    /// Those that were served, but not by the first attempt.
    pub failed_over: u64,
    /// Those that no provider served.
    pub not_served: u64,
    /// Of these, those whose client made a mistake.
    pub mistaken: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Of these, read from a cache.
    pub cache_read_tokens: u64,
    /// Of these, written to a cache.
    pub cache_write_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// Of these, reasoning.
    pub reasoning_tokens: u64,
    /// What they cost, in billionths of a dollar.
    pub cost_nano: u64,
    /// Those whose cost is not known.
    pub unpriced: u64,
    /// How long they took together, in milliseconds.
    pub duration_ms: u64,
    /// When their first content came.
    pub first: FirstContent,
}

impl Sums {
    /// How many numbers a cell holds.
    pub const COUNT: usize = 12;

    /// Calls whose first content came so, and nothing else of them.
    pub fn of_first(bucket: u8, calls: u64) -> Self {
        let mut sums = Sums::default();
        sums.first.add(bucket, calls);
        sums
    }

    /// The sums of cells, in the order of their columns.
    pub fn of_cell(numbers: [u64; Self::COUNT]) -> Self {
        let [
            calls,
            failed_over,
            not_served,
            mistaken,
            input_tokens,
            cache_read_tokens,
            cache_write_tokens,
            output_tokens,
            reasoning_tokens,
            cost_nano,
            unpriced,
            duration_ms,
        ] = numbers;
        Sums {
            calls,
            failed_over,
            not_served,
            mistaken,
            input_tokens,
            cache_read_tokens,
            cache_write_tokens,
            output_tokens,
            reasoning_tokens,
            cost_nano,
            unpriced,
            duration_ms,
            first: FirstContent::default(),
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: &Self) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.calls, other.calls);
        add(&mut self.failed_over, other.failed_over);
        add(&mut self.not_served, other.not_served);
        add(&mut self.mistaken, other.mistaken);
        add(&mut self.input_tokens, other.input_tokens);
        add(&mut self.cache_read_tokens, other.cache_read_tokens);
        add(&mut self.cache_write_tokens, other.cache_write_tokens);
        add(&mut self.output_tokens, other.output_tokens);
        add(&mut self.reasoning_tokens, other.reasoning_tokens);
        add(&mut self.cost_nano, other.cost_nano);
        add(&mut self.unpriced, other.unpriced);
        add(&mut self.duration_ms, other.duration_ms);
        self.first.add_all(&other.first);
    }

    /// Those of the calls that a provider served, or that their clients left.
    pub fn served(&self) -> u64 {
        self.calls.saturating_sub(self.not_served)
    }

    /// How long a call took in the mean.
    pub fn mean_ms(&self) -> Option<u64> {
        self.duration_ms.checked_div(self.calls)
    }
}

/// The calls of one span of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanSums {
    /// The position of the span.
    pub span: usize,
    /// What they come to.
    pub sums: Sums,
}

/// The calls of one series, by the names of the series; without names where it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeriesSums {
    /// The caller's name.
    pub key: Option<String>,
    /// The model's name in the catalog.
    pub model: Option<String>,
    /// Who answered, or was asked last.
    pub provider: Option<String>,
    /// That provider's own name for the model.
    pub upstream_model: Option<String>,
    /// The credential's label.
    pub credential: Option<String>,
    /// The family of the client's program.
    pub client: Option<String>,
    /// What they come to.
    pub sums: Sums,
}
