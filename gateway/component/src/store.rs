//! What llmio keeps: the catalog and health in key-value, records in SQLite. Every statement is a literal with bound parameters,
//! and one statement is one transaction (`host.md`): a cached connection is shared by concurrent calls.

mod believed;
pub(crate) mod bodies;
pub(crate) mod catalog;
pub(crate) mod changes;
pub(crate) mod counters;
pub(crate) mod database;
mod failures;
pub(crate) mod health;
pub(crate) mod kept;
mod key_value;
pub(crate) mod looks;
pub(crate) mod parameters;
pub(crate) mod prices;
pub(crate) mod quota;
pub(crate) mod records;
pub(crate) mod responses;
pub(crate) mod seals;
pub(crate) mod sessions;
pub(crate) mod shutdowns;
pub(crate) mod signals;
pub(crate) mod stats;
pub(crate) mod turns;
pub(crate) mod wrong_credentials;

/// The stores of an instance: their connections, and what the instance remembers of their contents.
#[derive(Default)]
pub(crate) struct Stores {
    database: database::Database,
    key_value: key_value::KeyValue,
    catalog: catalog::CatalogStore,
    health: health::HealthStore,
    signals: signals::SignalStore,
    quota: quota::QuotaStore,
    records: records::RecordStore,
    stats: stats::StatsStore,
}
