//! What the admin API answers when a catalog is stored, checked, compared or drafted.

use serde::Serialize;

use crate::catalog::{Change, Draft, presets};

/// The answer of `PUT` and `PATCH /api/catalog`.
#[derive(Debug, Serialize)]
pub struct StoredView<'a> {
    /// The version that is stored now.
    pub version: u64,
    /// The entity tag of the catalog in force.
    pub etag: &'a str,
    /// Sections that stayed as they were, because the document does not have them.
    pub kept: Vec<&'a str>,
    /// What is missing for the catalog to work, or doubtful.
    pub warnings: Vec<String>,
}

/// The answer of `POST /api/catalog/check`, which refuses every other catalog.
#[derive(Debug, Serialize)]
pub struct CheckedView {
    /// Always true.
    pub ok: bool,
    /// Sections that would stay as they are.
    pub kept: Vec<String>,
    /// What would be missing for the catalog to work, or doubtful.
    pub warnings: Vec<String>,
}

/// The answer of `POST /api/catalog/diff`.
#[derive(Debug, Serialize)]
pub struct DiffView {
    /// Everything that would be different from the catalog in force.
    pub changes: Vec<Change>,
    /// Sections that would stay as they are.
    pub kept: Vec<String>,
    /// What would be missing for the catalog to work, or doubtful.
    pub warnings: Vec<String>,
}

/// The answer of `POST /api/catalog/draft`.
#[derive(Debug, Serialize)]
pub struct DraftView<'a> {
    /// The name of the provider in the draft.
    pub provider: &'a str,
    /// The draft as TOML.
    pub catalog: String,
}

/// The answer of `GET /api/presets`.
#[derive(Debug, Serialize)]
pub struct PresetsView {
    /// The names that a provider's `preset` takes.
    pub presets: Vec<&'static str>,
}

impl<'a> DraftView<'a> {
    /// The view of a draft.
    pub fn of(draft: &'a Draft<'a>) -> Self {
        DraftView { provider: draft.provider_name(), catalog: draft.to_toml() }
    }
}

impl PresetsView {
    /// Every preset.
    pub fn all() -> Self {
        PresetsView { presets: presets().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Difference;

    fn json(view: &impl Serialize) -> String {
        serde_json::to_string(view).expect("JSON")
    }

    #[test]
    fn what_is_stored_checked_and_compared_is_told_in_the_promised_form() {
        let (kept, warnings) = (vec!["keys".to_owned()], vec!["w".to_owned()]);
        let stored = StoredView { version: 3, etag: "\"3\"", kept: vec!["keys"], warnings: warnings.clone() };
        assert_eq!(json(&stored), r#"{"version":3,"etag":"\"3\"","kept":["keys"],"warnings":["w"]}"#);
        let checked = CheckedView { ok: true, kept: kept.clone(), warnings: warnings.clone() };
        assert_eq!(json(&checked), r#"{"ok":true,"kept":["keys"],"warnings":["w"]}"#);
        let change = |path: &str, difference| Change { path: path.to_owned(), difference };
        let changes = vec![
            change("models[m]", Difference::Added { value: None }),
            change("settings.a", Difference::Changed { before: "1".into(), after: "2".into() }),
        ];
        assert_eq!(
            json(&DiffView { changes, kept, warnings }),
            r#"{"changes":[{"path":"models[m]","change":"added"},{"path":"settings.a","change":"changed","before":"1","after":"2"}],"kept":["keys"],"warnings":["w"]}"#
        );
    }

    #[test]
    fn a_draft_and_the_presets_are_told_in_the_promised_form() {
        let draft = Draft { provider: "groq", credential: None, model: None };
        let shown = json(&DraftView::of(&draft));
        assert!(shown.starts_with(r#"{"provider":"groq","catalog":"[[providers]]\npreset = \"groq\"\n"#), "{shown}");
        let shown = json(&PresetsView::all());
        assert!(shown.starts_with(r#"{"presets":["#) && shown.contains("\"groq\""), "{shown}");
    }
}
