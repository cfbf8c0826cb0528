//! What all forms that change the catalog have in common.

use std::rc::Rc;

use gateway_console::edit::{Editing, Refused};
use gateway_console::query::Query;
use gateway_core::refusal::Refusal;

use super::{Answer, Visit};
use crate::store::catalog::{self, Snapshot};
use crate::store::looks;

/// A form that was refused, and why.
pub(super) type Failed<'a> = (&'a Query, &'a Refusal);

impl Visit<'_> {
    /// What a page about a section needs for its forms.
    pub(super) async fn editing<'a>(
        &'a self,
        section: &'static str,
        name: &str,
        failed: Option<Failed<'a>>,
    ) -> Editing<'a> {
        let refused = match failed {
            None => None,
            Some((sent, refusal)) => {
                let changes = if refusal.status == 412 { self.changed_since(sent).await } else { Vec::new() };
                Some(Refused { sent, refusal, changes })
            }
        };
        Editing { refused, ..self.unchanged(section, name) }
    }

    /// The same where no form was refused.
    pub(super) fn unchanged<'a>(&'a self, section: &'static str, name: &str) -> Editing<'a> {
        Editing {
            etag: &self.snapshot.etag,
            locked: self.snapshot.place_in_file(section, name).map(|place| (section, place)),
            refused: None,
            saved: self.query.get("saved").and_then(|version| version.parse().ok()),
        }
    }

    /// What somebody else has changed since the form was shown.
    async fn changed_since(&self, sent: &Query) -> Vec<gateway_core::catalog::Change> {
        // An entity tag has a quote before the version and perhaps the hash of a catalog file after it.
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let base = sent.get("base").and_then(|etag| etag.split('-').next()).map(digits);
        let version = base.and_then(|digits| digits.parse().ok()).unwrap_or_default();
        match catalog::version(self.instance, version).await {
            Ok(Some(before)) => before.redacted().changes(&self.snapshot.stored.redacted()),
            Ok(None) | Err(_) => Vec::new(),
        }
    }

    /// Leads to a page that says what was saved, once every instance serves by it.
    pub(super) async fn saved(&self, page: &str, snapshot: &Rc<Snapshot>) -> Answer {
        looks::seen_by_all().await;
        self.to(&format!("{page}?saved={}", snapshot.version))
    }
}

/// Whether a refusal belongs beside the form that was sent, and is no trouble of the page itself.
pub(super) fn is_of_the_form(refusal: &Refusal) -> bool {
    matches!(refusal.status, 400 | 404 | 409 | 412 | 422 | 502 | 504)
}

/// The version of the catalog that a form was shown with.
pub(super) fn base(form: &Query) -> Option<&str> {
    form.get("base")
}
