//! `/api/catalog`: the whole configuration as one document.

use std::rc::Rc;

use gateway_core::catalog::{Catalog, Document, Draft};
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::views::{CheckedView, DiffView, DraftView, StoredView};
use serde::Deserialize;

use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::{self, Snapshot};
use crate::store::changes::{self, Author};
use crate::store::shutdowns;

/// How long a change is tried again while others are in its way: a little longer than a writer that died half way can
/// block others.
const CHANGE_MS_MAX: u64 = 15_000;

/// The longest pause before the next attempt, which lets another instance finish its own change.
const PAUSE_MS_MAX: u64 = 40;

/// Answers with the catalog in force, as TOML if the request has `accept: application/toml` and as JSON otherwise.
/// Secrets are left out, unless an operator who moves to another machine asks for them with `?with_secrets=true`.
pub(super) async fn read(incoming: &Incoming, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    let document = match incoming.query.as_deref() {
        Some("with_secrets=true") => with_secrets(&snapshot.document).await?,
        None | Some("") => snapshot.document.redacted(),
        // The query is not repeated in the message, since it may be a credential.
        Some(_) => return Err(Refusal::bad_request("GET /api/catalog takes `with_secrets=true` or no parameter.")),
    };
    let toml = incoming.header("accept").is_some_and(|accept| accept.contains("application/toml"));
    let reply = match document.to_toml() {
        Ok(text) if toml => Reply::new(200, "application/toml", text),
        _ => Reply::new(200, "application/json", document.to_json_string()),
    };
    Ok(reply.with("etag", snapshot.etag.clone()))
}

async fn with_secrets(document: &Document) -> Result<Document, Refusal> {
    let sealer = catalog::sealer().await.map_err(Refusal::invalid_catalog)?;
    match sealer {
        Some(sealer) => document.with_secrets(&sealer).map_err(Refusal::invalid_catalog),
        None => Ok(document.clone()),
    }
}

/// Which part of the stored catalog a document replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ImportScope {
    /// The whole catalog.
    Whole,
    /// Only the sections that the document has.
    Sections,
}

impl ImportScope {
    fn stored(self, document: &Document, stored: &Document) -> Document {
        match self {
            Self::Whole => document.clone(),
            Self::Sections => document.overlay(stored),
        }
    }
}

/// Replaces the stored catalog, or only those of its sections that the document has. A credential that gives its `id`
/// but no value keeps its stored secret.
pub(super) async fn update(instance: &Rc<Instance>, incoming: &Incoming, scope: ImportScope) -> Result<Reply, Refusal> {
    let body = incoming.body().await?;
    let document = catalog::parse(&body.bytes).map_err(Refusal::invalid_catalog)?;
    let mut whole = Document::empty();
    let keeps = incoming.header("if-none-match").is_some_and(|etags| etags.trim() == "*");
    let changed = change(instance, incoming, base(incoming), |snapshot| {
        let is_in = |other: &Document| document.as_json().keys().find(|section| other.as_json().contains_key(*section));
        if let Some(section) = is_in(&snapshot.stored).filter(|_| keeps) {
            let message = format!("`{section}` is stored already, and `If-None-Match: *` keeps what is there.");
            return Err(Refusal::precondition_failed(message));
        }
        if let Some(section) = snapshot.file.as_ref().and_then(is_in) {
            snapshot.is_editable(section, "")?;
        }
        whole = scope.stored(&document, &snapshot.stored);
        Ok(whole.clone())
    });
    let changed = changed.await;
    let located = |mut refusal: Refusal| {
        refusal.problems = refusal.problems.map(|problems| Box::new(document.locate(&whole, *problems)));
        refusal
    };
    let snapshot = changed.map_err(located)?;
    let view = StoredView {
        version: snapshot.version,
        etag: &snapshot.etag,
        kept: document.lacks(&whole),
        warnings: snapshot.catalog.warnings(),
    };
    Ok(Reply::json(200, &view).with("etag", snapshot.etag.clone()))
}

/// Says whether a catalog would be accepted, and which sections would stay as they are: as a catalog file or by PATCH,
/// or with `?replace=true` by PUT. Changes nothing.
pub(super) async fn check(instance: &Instance, incoming: &Incoming, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    let CheckedDocument { kept, mut warnings, catalog, .. } = checked(incoming, snapshot).await?;
    warnings.extend(shutdowns::warnings(instance, &catalog).await);
    Ok(Reply::json(200, &CheckedView { ok: true, kept, warnings }))
}

/// Checks a catalog, and says how it differs from the catalog in force. Shows no secret.
pub(super) async fn diff(incoming: &Incoming, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    // The check comes first: a catalog that would be refused changes nothing, and only fields that are known are sure
    // to hold no secret.
    let CheckedDocument { document, scope, kept, warnings, .. } = checked(incoming, snapshot).await?;
    let after = scope.stored(&document, &snapshot.stored.redacted()).or_built_in();
    let changes = snapshot.document.redacted().changes(&after);
    Ok(Reply::json(200, &DiffView { changes, kept, warnings }))
}

/// The one provider that a first catalog is drafted for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DraftRequest {
    /// A preset's name, or a base URL.
    provider: String,
    /// A credential or a reference such as `${NAME}`. Default: none.
    credential: Option<String>,
    /// A model of the provider that gets a public name of its own. Default: none.
    model: Option<String>,
}

/// Answers with the text of the smallest catalog for one provider, as TOML. It is neither validated nor stored.
pub(super) async fn draft(incoming: &Incoming) -> Result<Reply, Refusal> {
    let DraftRequest { provider, credential, model } = super::json(incoming).await?;
    let draft = Draft { provider: &provider, credential: credential.as_deref(), model: model.as_deref() };
    Ok(Reply::json(200, &DraftView::of(&draft)))
}

/// A document that passed the check.
struct CheckedDocument {
    /// The document as it was sent.
    document: Document,
    scope: ImportScope,
    /// The sections that would stay, because the document does not have them.
    kept: Vec<String>,
    /// What is missing for the catalog to work, or doubtful.
    warnings: Vec<String>,
    /// The catalog that would be in force.
    catalog: Catalog,
}

async fn checked(incoming: &Incoming, snapshot: &Snapshot) -> Result<CheckedDocument, Refusal> {
    let scope = match incoming.query.as_deref() {
        Some("replace=true") => ImportScope::Whole,
        None | Some("") => ImportScope::Sections,
        Some(_) => {
            let message = format!("POST {} takes `replace=true` or no parameter.", incoming.path);
            return Err(Refusal::bad_request(message));
        }
    };
    let body = incoming.body().await?;
    let document = catalog::parse(&body.bytes).map_err(Refusal::invalid_catalog)?;
    let mut recalled = document.clone();
    recalled.recall(Some(&snapshot.stored)).map_err(Refusal::invalid_catalog)?;
    let whole = scope.stored(&recalled, &snapshot.stored);
    let located = |problems| Refusal::invalid_catalog(recalled.locate(&whole, problems));
    let in_force = whole.clone().or_built_in();
    let resolved = catalog::resolved(&in_force).await.map_err(located)?;
    let has_master_key = matches!(catalog::sealer().await, Ok(Some(_)));
    resolved.check_bodies(has_master_key).map_err(Refusal::invalid_catalog)?;
    let kept = if scope == ImportScope::Whole { Vec::new() } else { document.lacks(&in_force) };
    let kept = kept.into_iter().map(str::to_owned).collect();
    Ok(CheckedDocument { document, scope, kept, warnings: resolved.warnings(), catalog: resolved })
}

/// The versions (etags) that a change may start from.
pub(super) fn base(incoming: &Incoming) -> Option<&str> {
    incoming.header("if-match").filter(|etags| etags.trim() != "*")
}

/// Stores the catalog that `edit` makes of the one in force, and returns the snapshot that is in force then. `base`
/// names the versions (etags) that the edit may start from. Without it the edit is made again whenever another change
/// came first, so that edits that are sent at the same time all happen, one after the other.
pub(crate) async fn change(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    base: Option<&str>,
    mut edit: impl FnMut(&Snapshot) -> Result<Document, Refusal>,
) -> Result<Rc<Snapshot>, Refusal> {
    let begun_ms = host::now_ms();
    let _turn = catalog::turn(instance).await;
    loop {
        let snapshot = catalog::administered(instance).await?;
        if base.is_some_and(|etags| !etags.split(',').any(|etag| etag.trim() == snapshot.etag)) {
            return Err(catalog::changed_meanwhile());
        }
        match replace(instance, edit(&snapshot)?, &snapshot).await {
            Err(refusal) if refusal == catalog::changed_meanwhile() && base.is_none() => {
                if host::now_ms().saturating_sub(begun_ms) > CHANGE_MS_MAX {
                    return Err(refusal);
                }
                host::wait_ms(1 + instance.random.draw() % PAUSE_MS_MAX).await;
            }
            Ok((version, after)) => {
                changes::save(instance, Author::of(incoming, &snapshot), Some(version)).await;
                return Ok(after);
            }
            Err(refusal) => return Err(refusal),
        }
    }
}

/// Seals, validates and stores a document; returns its version and the snapshot then in force.
async fn replace(
    instance: &Rc<Instance>,
    mut document: Document,
    snapshot: &Snapshot,
) -> Result<(u64, Rc<Snapshot>), Refusal> {
    let sealer = catalog::sealer().await.map_err(Refusal::invalid_catalog)?;
    let sealed = document.seal(Some(&snapshot.stored), sealer.as_ref(), &mut host::random_bytes);
    let whole = catalog::in_force(snapshot.file.as_ref(), &document);
    match (sealed, catalog::validated(&whole).await) {
        (Ok(()), Ok(catalog)) => catalog.check_bodies(sealer.is_some()).map_err(Refusal::invalid_catalog)?,
        (Err(unsealed), Err(invalid)) => return Err(Refusal::invalid_catalog(unsealed.and(invalid))),
        (Err(problems), Ok(_)) | (Ok(()), Err(problems)) => return Err(Refusal::invalid_catalog(problems)),
    }
    let version = catalog::accept(instance, &document, snapshot.version).await?;
    Ok((version, catalog::administered(instance).await?))
}
