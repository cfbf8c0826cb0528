//! What llmio decides, and nothing else: it does no I/O, reads no clock, draws no random number and knows no host.
//! `now`, the draw and all state are arguments, so every decision can be tested as a table, replayed from a record
//! and fuzzed.
//!
//! A request follows one line; only the component's `proxy.rs` knows the order:
//!
//! 1. [`accept`]: what is asked for: route, dialect, model, streamed or not
//! 2. [`authenticate`]: who asks
//! 3. [`route`](mod@route): which targets can serve it, in which order, and why others cannot
//! 4. [`rewrite`]: the request for one target
//! 5. [`failover`]: after each attempt: relay, try the next, or give up
//! 6. [`observe`]: what the answer's bytes tell as they pass
//! 7. [`record`]: what is kept
//!
//! Beside the line: [`catalog`] (the configuration), [`dialect`] (which API is spoken), [`neutral`] (what all of
//! them have in common), [`profile`] (what a model takes), [`translate`] (from one to another), [`refusal`] (every
//! answer that is llmio's own), [`echo`] (the built-in provider), [`count`] (of tokens), [`headers`], [`models`] (the
//! list of them), [`price`] (what a call costs), [`relays`] (what is passed through),
//! [`trial`] (the smallest request).

pub mod accept;
pub mod authenticate;
pub mod call;
pub mod candidate;
pub mod catalog;
pub mod count;
pub mod dialect;
mod dialects;
pub mod echo;
pub mod endpoint;
pub mod failover;
pub mod headers;
pub mod models;
pub mod neutral;
pub mod observe;
pub mod operation;
pub mod outcome;
pub mod passage;
pub mod price;
pub mod problem;
pub mod profile;
pub mod quota;
pub mod record;
pub mod redact;
pub mod refusal;
pub mod relays;
pub mod rewrite;
pub mod route;
mod scan;
pub mod state;
pub mod translate;
pub mod trial;
pub mod uri;
pub mod usage;
pub mod verdict;
