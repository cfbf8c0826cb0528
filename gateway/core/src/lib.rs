//! What llmio decides, and nothing else: it does no I/O, reads no clock, draws no random number and knows no host.
//! `now`, the draw and all state are arguments, so every decision can be tested as a table, replayed from a record
//! and fuzzed.
//!
//! So far: the [`catalog`] (the whole configuration) and the [`dialect`]s it names.

pub mod catalog;
pub mod dialect;
