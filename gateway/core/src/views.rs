//! The answers of the admin API as types. Its JSON is written from them, and a page that shows the same to people can be
//! made of them too.

mod bodies;
mod catalog;
mod check;
mod conversations;
mod export;
mod health;
mod history;
mod host;
mod join;
mod keys;
mod limits;
mod nouns;
mod offer;
mod plan;
mod prices;
mod records;
mod reported;
mod sessions;
mod stats;
mod tail;

pub use bodies::{BodiesView, BodyView, DeletedBodiesView, KeptOfKeyView, body, conversation, lowered};
pub use catalog::{CheckedView, DiffView, DraftView, PresetsView, StoredView};
pub use check::{CheckBegunView, CheckDoneView, CredentialCheckView};
pub use conversations::{ConversationView, ConversationsView};
pub use export::Export;
pub use health::{ClearedView, HealthView, LatencyView, LeftOutView, RefusedParameterView, SubjectView};
pub use history::{ChangeView, HistoryView, VersionView};
pub use host::{AliveView, HostView, MaintenanceView, ReadyView};
pub use join::{FailedProviderView, JoinPreviewView};
pub use keys::{KeyView, KeysView, NewKeyView};
pub use limits::{KnownLimitView, LearntView, LimitView, QuotaView, ScopeView};
pub use nouns::{EntryView, NounsView, PartView, PartsView, SectionSource, SettingsView};
pub use offer::OfferView;
pub use plan::{CandidateView, PlanView, RefusalView};
pub use prices::{AcceptedPricesView, AmountsView, PricesView, WaitingPriceView};
pub use records::{LookedView, RecordView, RecordsView, StoredJson, at_of_id};
pub use reported::ReportedLimitView;
pub use sessions::{LinkView, SessionView, SessionsView};
pub use stats::{FiguresView, PointView, StatsRowView, StatsView};
pub use tail::RecordTail;
