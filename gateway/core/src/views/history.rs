//! The history of the catalog: who changed it, when and how, and what an old version would change.

use serde::Serialize;

use crate::catalog::Change;

/// The answer of `GET /api/catalog/history`.
#[derive(Debug, Serialize)]
pub struct HistoryView {
    /// The version that is stored now, or 0.
    pub version: u64,
    /// The changes, newest first.
    pub changes: Vec<ChangeView>,
    /// Where the next page begins: `?before=` this.
    pub next: Option<i64>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeView {
    /// Its number among all changes.
    pub id: i64,
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// The version that it made; absent where nothing was stored.
    pub version: Option<u64>,
    /// The address that asked for it.
    pub client: Option<String>,
    /// What the client said of itself.
    pub user_agent: Option<String>,
    /// Method and path of the request that made it.
    pub action: String,
}

/// The answer of `GET /api/catalog/history/{version}`.
#[derive(Debug, Serialize)]
pub struct VersionView {
    /// The version.
    pub version: u64,
    /// The version that is stored now.
    pub current: u64,
    /// Who made it and when; absent for one that an older llmio stored.
    pub made: Option<ChangeView>,
    /// What it changed; absent where the version before it is not there any more.
    pub changed: Option<Vec<Change>>,
    /// What restoring it would change now. Keys and teams stay as they are.
    pub restoring: Vec<Change>,
}

impl HistoryView {
    /// A page of changes, of which there may be more.
    pub fn of(version: u64, changes: Vec<ChangeView>, limit: usize) -> Self {
        let next = changes.last().filter(|_| changes.len() == limit).map(|change| change.id);
        HistoryView { version, changes, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_of_changes_names_where_the_next_one_begins() {
        let change = |id| ChangeView {
            id,
            at_ms: 5,
            version: Some(3),
            client: None,
            user_agent: None,
            action: "PATCH /api/models/m".into(),
        };
        let view = HistoryView::of(3, vec![change(9), change(7)], 2);
        assert_eq!(view.next, Some(7));
        assert_eq!(HistoryView::of(3, vec![change(9)], 2).next, None);
        assert_eq!(
            serde_json::to_string(&view.changes[0]).expect("JSON"),
            r#"{"id":9,"at_ms":5,"version":3,"client":null,"user_agent":null,"action":"PATCH /api/models/m"}"#
        );
    }
}
