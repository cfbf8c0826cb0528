//! What the admin API answers when the file of another gateway is imported.

use serde::Serialize;

use crate::{KNOWN, Kind, KnownFormat, Report};

/// The answer of `GET /api/import`.
#[derive(Debug, Serialize)]
pub struct ImportsView {
    /// The gateways whose files are understood, and the tables of theirs that are read.
    pub imports: &'static [KnownFormat],
}

/// The answer of `POST /api/import`.
#[derive(Debug, Serialize)]
pub struct ImportView<'a> {
    /// The gateway whose file it is.
    pub kind: Kind,
    /// What people call that.
    pub title: &'static str,
    /// Whether it is stored now.
    pub applied: bool,
    /// The version that is stored now; of one that is only looked at nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What was or would be taken, changed and left.
    #[serde(flatten)]
    pub report: Report,
    /// What is missing for the catalog to work, or doubtful.
    pub warnings: Vec<String>,
    /// The entity tag of the catalog in force.
    pub etag: &'a str,
}

impl ImportsView {
    /// Every gateway that is understood.
    pub const ALL: Self = ImportsView { imports: &KNOWN };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_understood_and_what_became_of_it_are_told_in_the_promised_form() {
        let known = serde_json::to_value(ImportsView::ALL).expect("JSON");
        assert_eq!(known["imports"][0]["kind"], "llmio");
        assert_eq!(known["imports"][5]["kind"], "claude-code-router");
        assert_eq!(known["imports"][1]["tables"], serde_json::json!([]));
        let (report, kind) = (Report::default(), Kind::NewApi);
        let view = ImportView {
            kind,
            title: kind.title(),
            applied: false,
            version: None,
            report,
            warnings: Vec::new(),
            etag: "\"1\"",
        };
        assert_eq!(
            serde_json::to_string(&view).expect("JSON"),
            r#"{"kind":"new-api","title":"new-api","applied":false,"taken":[],"changed":[],"left":[],"warnings":[],"etag":"\"1\""}"#
        );
    }
}
