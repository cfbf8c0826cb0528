//! The pages, one file each. Each is a type with what it shows, made of core's views, and a template that sets it.

mod connect;
mod error;
mod keys;
mod me;
mod models;
mod overview;
mod providers;
mod quota;
mod record;
mod records;
mod settings;
mod sign_in;
mod trouble;

pub use connect::ConnectPage;
pub use error::ErrorPage;
pub use keys::KeysPage;
pub use me::MePage;
pub use models::{ModelPage, ModelsPage};
pub use overview::OverviewPage;
pub use providers::{ProviderPage, ProvidersPage};
pub use quota::QuotaPage;
pub use record::{RecordPage, seen_by};
pub use records::{RecordsPage, Suggested, filter, own_key};
pub use settings::{SettingsPage, Stored};
pub use sign_in::{EnterPage, SignInError, SignInPage};

pub use askama::Template;

/// A page as it is sent. A template of this crate fails only if a writer of text does, and none does.
pub fn html(page: &impl Template) -> String {
    page.render().unwrap_or_default()
}

#[cfg(test)]
mod tests;
