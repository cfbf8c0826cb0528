//! The gateway as its users meet it: the real binary as a child process, the real component inside it, a scripted
//! upstream behind it and raw sockets in front. Nothing here links the runner, so nothing can be tested that a user
//! could not see.
//!
//! `both_hosts!` makes two tests of a rule: one on the runner, one imitating Spin; with the feature `wasi-0-2` a third, imitating
//! a host of WASI 0.2. Rules that only the runner promises (host.md) are plain tests.

mod callers;
mod common;
mod proxy;
mod upstream;

/// Runs each of these rules on both hosts. A rule that is left out is dead code, which the build reports.
macro_rules! both_hosts {
    ($($rule:ident),* $(,)?) => {
        mod runner {
            $(#[test] fn $rule() { super::$rule($crate::common::Host::Runner) })*
        }
        mod spin {
            $(#[test] fn $rule() { super::$rule($crate::common::Host::Spin) })*
        }
        #[cfg(feature = "wasi-0-2")]
        mod wasi_0_2 {
            $(#[test] fn $rule() { $crate::wasi_0_2::run(module_path!(), stringify!($rule), super::$rule) })*
        }
    };
}

mod abuse;
mod bad_input;
mod balancing;
mod bodies;
mod browser;
mod budgets;
mod busy_machine;
mod catalog_api;
mod catalog_file;
mod client_leaves;
mod connections;
mod console;
mod console_edit;
mod cost;
mod counters;
mod credentials;
mod crossings;
mod cuts;
mod damage;
mod dead_providers;
mod dialects;
mod drain;
mod early_heads;
mod egress;
mod egress_relay;
mod ends;
mod expressible;
mod failed_responses;
mod failover;
mod first_provider;
mod forms;
mod health;
mod history;
mod imports;
mod join;
mod kept;
mod kept_connections;
mod key_changes;
mod keys;
mod large_bodies;
mod latencies;
mod learnt;
mod locked_database;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod name_lookups;
mod nouns;
mod other_gateways;
mod overloaded;
mod own_ca;
mod own_connections;
mod parameters;
mod playground;
mod preflight;
mod preview;
mod prices;
mod process;
mod promises;
mod proxying;
mod quota_api;
mod quota_ledger;
mod quota_strategy;
mod quotas;
mod reasoning_seals;
mod records;
mod records_found;
mod relays;
mod route_choice;
mod routes;
mod safeguards;
mod secrecy;
#[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
mod set_clock;
mod shutdowns;
mod slow_clients;
mod spin_manifest;
mod spoilt;
mod stats;
mod streaming;
mod target_tests;
mod timeouts;
mod token_timing;
mod translation;
mod traps;
mod unjudged_settings;
mod unreachable;
mod usage;
mod waiting;
#[cfg(feature = "wasi-0-2")]
mod wasi_0_2;
