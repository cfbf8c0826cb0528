//! The pages, one file each. Each is a type with what it shows, made of core's views, and a template that lays it out.

mod add_provider;
mod connect;
mod conversations;
mod error;
mod figures;
mod hero;
mod history;
mod join;
mod key;
mod keys;
mod me;
mod models;
mod overview;
mod playground;
mod providers;
mod quota;
mod record;
mod records;
mod settings;
mod sign_in;
mod trouble;

pub use add_provider::{AddProviderPage, CheckPieces, Entered};
pub use connect::ConnectPage;
pub use conversations::ConversationsPage;
pub use error::ErrorPage;
pub use figures::{Calls, Counted, last_day, periods};
pub use history::{HistoryPage, VersionPage};
pub use join::{JoinPage, of_form as join_of_form};
pub use key::{KeyPage, key_changes, names, number_or_text};
pub use keys::KeysPage;
pub use me::MePage;
pub use models::{ModelPage, ModelState, ModelsPage};
pub use overview::OverviewPage;
pub use playground::{PlaygroundPage, PlaygroundRequest, playground_request};
pub use providers::{ProviderPage, ProvidersPage};
pub use quota::QuotaPage;
pub use record::{RecordPage, StoredBodies, seen_by};
pub use records::{RecordsPage, Suggested, countable, filter, own_key};
pub use settings::{SettingsPage, Stored};
pub use sign_in::{EnterPage, SignInError, SignInPage};

pub use askama::Template;

/// A page as it is sent. A template of this crate fails only if a writer of text does, and none does.
pub fn html(page: &impl Template) -> String {
    page.render().unwrap_or_default()
}

#[cfg(test)]
mod tests;
