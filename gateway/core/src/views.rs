//! What the admin API tells, as types: its JSON is made of them, and whoever shows the same to people starts from them.

mod limits;
mod offer;
mod plan;

pub use limits::{KnownLimitView, LearntView, LimitView, QuotaView, ScopeView};
pub use offer::OfferView;
pub use plan::{PlanView, RefusalView};
