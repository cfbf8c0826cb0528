//! What the admin API tells, as types: its JSON is made of them, and whoever shows the same to people starts from them.

mod health;
mod host;
mod limits;
mod offer;
mod plan;
mod records;

pub use health::{ClearedView, HealthView, LatencyView, SubjectView};
pub use host::{HostView, MaintenanceView, ReadyView};
pub use limits::{KnownLimitView, LearntView, LimitView, QuotaView, ScopeView};
pub use offer::OfferView;
pub use plan::{PlanView, RefusalView};
pub use records::{Kept, RecordView, RecordsView};
