//! What llmio decides, and nothing else: it does no I/O, reads no clock, draws no random number and knows no host.
//! `now`, the draw and all state are arguments, so every decision can be tested as a table, replayed from a record
//! and fuzzed.
//!
//! Its modules are layers. Each imports only from those above it in this list, which `tests/tree.rs` reads and holds
//! every `use` to: first what everything is said in, then what is done with it. Modules of one line know nothing of
//! each other.
//!
//! Nouns, which every step may share:
//!
//! - `scan`, [`headers`], [`uri`], [`problem`], [`order`], [`state`], [`memory`], [`pace`], [`clock`]: bytes, header lists,
//!   paths, what is wrong, sorting, how a call ends, what is kept for calls, long work in pieces, and the time
//! - [`redact`], [`carry`]: texts without secrets, and messages between the component and its host
//! - [`usage`], [`verdict`], [`dialect`], [`unpack`]: tokens used, of whom an outcome speaks, the APIs spoken, codings
//! - [`profile`]: what a model takes and refuses
//! - [`providers`]: what is public of the providers known by name
//! - [`price`], [`operation`]: what tokens cost, and what is asked of a provider
//! - [`catalog`]: the whole configuration
//! - [`endpoint`], [`call`]: what llmio answers, and the request that is balanced
//! - [`refusal`]: every answer that is llmio's own
//! - [`candidate`]: targets and attempts
//! - [`neutral`]: what the dialects have in common
//! - [`reasoning_seals`]: who sealed which reasoning, and who can read it
//! - [`observation`]: what was seen of an answer
//! - `dialects`: how each of them is read and written, errors included
//! - [`translate`]: requests, answers and streams from one dialect to another
//! - [`transform`], [`echo`]: what becomes of an answer's bytes, and the built-in provider
//! - [`outcome`]: what one attempt came to, and what it says
//! - [`health`]: what recent attempts say of targets, credentials, ways out and addresses
//! - [`quota`]: what may still be spent
//!
//! The steps of a request, in the order that only the component's `proxy.rs` knows:
//!
//! - [`accept`], [`authenticate`], [`route`](mod@route), [`rewrite`], [`failover`], [`observe`], [`record`]: what is
//!   asked for; who asks; which targets can serve it, in which order, and why others cannot; the request for one target;
//!   what follows from an attempt; what the answer's bytes tell as they pass; what is kept
//!
//! Beside the line:
//!
//! - [`stats`]: what calls come to when they are added up
//! - [`bodies`]: what was said in a call, where that is kept
//! - [`count`], [`join`], [`models`], [`offer`], [`readiness`], [`pass_through`], [`spending`], [`trial`]: tokens of a prompt, what
//!   providers offer as models of one name, the list of models, a provider's own list, what is in trouble, what is passed
//!   through, what a key's holder has used, and the smallest request
//! - [`kept`]: files and batches that providers keep for keys
//! - [`views`]: what the admin API tells, as types

pub mod accept;
pub mod authenticate;
pub mod bodies;
pub mod call;
pub mod candidate;
pub mod carry;
pub mod catalog;
pub mod clock;
pub mod count;
pub mod dialect;
mod dialects;
pub mod echo;
pub mod endpoint;
pub mod failover;
pub mod headers;
pub mod health;
pub mod join;
pub mod kept;
pub mod memory;
pub mod models;
pub mod neutral;
pub mod observation;
pub mod observe;
pub mod offer;
pub mod operation;
pub mod order;
pub mod outcome;
pub mod pace;
pub mod pass_through;
pub mod price;
pub mod problem;
pub mod profile;
pub mod providers;
pub mod quota;
pub mod readiness;
pub mod reasoning_seals;
pub mod record;
pub mod redact;
pub mod refusal;
pub mod rewrite;
pub mod route;
mod scan;
pub mod spending;
pub mod state;
pub mod stats;
pub mod transform;
pub mod translate;
pub mod trial;
pub mod unpack;
pub mod uri;
pub mod usage;
pub mod verdict;
pub mod views;
