//! `/api/import`: the files of other gateways, as a part of the catalog. What they mean is decided in
//! `gateway-import`; whoever asks has read the file.

use std::collections::HashMap;
use std::rc::Rc;

use gateway_core::catalog::Document;
use gateway_core::problem::Problems;
use gateway_core::refusal::{Refusal, Reply};
use gateway_import::{Draft, ImportRequest, ImportView, Imported, ImportsView};

use super::catalog::{base, change};
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::{self, Snapshot};

/// Lists the gateways whose files are understood, and which of their tables are read.
pub(super) fn list() -> Reply {
    Reply::json(200, &ImportsView::ALL)
}

/// Tells what a file has and what would become of it, and stores that if it is asked to. With `If-None-Match: *` only
/// where nothing is stored yet.
pub(super) async fn create(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: &Snapshot,
) -> Result<Reply, Refusal> {
    let body: ImportRequest = super::json(incoming).await?;
    let applies = body.apply;
    let draft = || body.draft().map_err(Refusal::bad_request);
    let variables = variables(&draft()?, snapshot).await;
    if !applies {
        let Imported { document, report, kind } = laid(draft()?, snapshot, &variables)?;
        let in_force = catalog::in_force(snapshot.file.as_ref(), &document);
        let warnings = catalog::resolved(&in_force).await.map_err(Refusal::invalid_catalog)?.warnings();
        let (title, etag) = (kind.title(), snapshot.etag.as_str());
        let view = ImportView { kind, title, applied: false, version: None, report, warnings, etag };
        return Ok(Reply::json(200, &view));
    }
    let only_first = incoming.header("if-none-match").is_some_and(|body| body.trim() == "*");
    let mut imported = None;
    let stored = change(instance, incoming, base(incoming), |snapshot| {
        if only_first && (snapshot.file.is_some() || !snapshot.stored.as_json().is_empty()) {
            let message = "There is a catalog already, and `If-None-Match: *` keeps what is there.";
            return Err(Refusal::precondition_failed(message));
        }
        let Imported { document, report, kind } = laid(draft()?, snapshot, &variables)?;
        imported = Some((report, kind));
        Ok(document)
    });
    let stored = stored.await?;
    let Some((report, kind)) = imported else { return Err(catalog::changed_meanwhile()) };
    let (version, warnings, etag) = (Some(stored.version), stored.catalog.warnings(), stored.etag.as_str());
    let view = ImportView { kind, title: kind.title(), applied: true, version, report, warnings, etag };
    Ok(Reply::json(200, &view).with("etag", stored.etag.clone()))
}

/// The catalog with what the draft has, if its sections may be changed at all.
fn laid(draft: Draft, snapshot: &Snapshot, variables: &HashMap<String, String>) -> Result<Imported, Refusal> {
    let sections = draft.sections();
    if let Some(file) = &snapshot.file
        && let Some(section) = sections.iter().find(|section| file.as_json().contains_key(**section))
    {
        let message = format!(
            "`{section}` comes from the catalog file, which is the authority for it. Import without that file, and \
             `llmio catalog export` prints what was taken."
        );
        return Err(Refusal::conflict(message));
    }
    let judge = |document: &Document| -> Result<(), Problems> {
        let whole = catalog::in_force(snapshot.file.as_ref(), document);
        whole.filled(&|name| variables.get(name).cloned())?.validate().map(|_| ())
    };
    draft.onto(&snapshot.stored, &judge).map_err(Refusal::invalid_catalog)
}

/// The variables that texts of the catalog name, with what the draft has.
async fn variables(draft: &Draft, snapshot: &Snapshot) -> HashMap<String, String> {
    let mut names = snapshot.document.text_variables();
    names.extend(draft.text_variables());
    catalog::variables(names).await
}
