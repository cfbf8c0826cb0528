//! `/api/providers`, `/api/models` and `/api/relays`, what stands in them, and `/api/settings`: the catalog one entry at a time.

use std::cell::Cell;
use std::rc::Rc;

use gateway_core::catalog::{Document, Edit, EditError, Noun, Part};
use gateway_core::endpoint::Verb;
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::uri::decode_parameter;
use gateway_core::views::{EntryView, NounsView, PartsView, SettingsView};
use serde_json::{Map, Value};

use super::catalog::{base, change};
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;

/// Shows or edits entries of a section. `parameter` is the name of one.
pub(super) async fn serve(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: &Snapshot,
    (noun, verb): (Noun, Verb),
    parameter: &str,
) -> Result<Reply, Refusal> {
    let mut name = decode_parameter(parameter).unwrap_or_default();
    let Some(edit) = edit(incoming, verb).await? else {
        return Ok(if verb == Verb::List {
            let source = snapshot.source(noun.section());
            with_etag(Reply::json(200, &NounsView::of(&snapshot.document, noun, source)), snapshot)
        } else {
            let view = EntryView::of(&snapshot.document, noun, &name).map_err(|error| Refusal::edit(&error))?;
            with_etag(Reply::json(200, &view), snapshot)
        });
    };
    if let Edit::Create(entry) = &edit {
        if !entry.is_object() {
            return Err(Refusal::bad_request(format!("A new {} is a JSON object.", noun.word())));
        }
        name = noun.name_of(entry).unwrap_or_default().to_owned();
    }
    let place = (noun.section(), name.as_str());
    let edited = |document: &mut Document| document.edit(noun, &name, &edit);
    let snapshot = change_entry(instance, incoming, base(incoming), place, edited).await?;
    if verb == Verb::Delete {
        return Ok(gone(&snapshot));
    }
    let view = EntryView::of(&snapshot.document, noun, &name).map_err(|error| Refusal::edit(&error))?;
    Ok(with_etag(Reply::json(if verb == Verb::Create { 201 } else { 200 }, &view), &snapshot))
}

/// Shows or edits what stands in an entry. `parameter` is the entry's name, and before and after its list's that of one part.
pub(super) async fn serve_part(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: &Snapshot,
    (part, verb): (Part, Verb),
    parameter: &str,
) -> Result<Reply, Refusal> {
    let between = format!("/{}/", part.list());
    let (owner, name) = parameter.split_once(&between).unwrap_or((parameter, ""));
    let (owner, name) = (decode_parameter(owner).unwrap_or_default(), decode_parameter(name).unwrap_or_default());
    let view =
        |snapshot: &Snapshot| PartsView::of(&snapshot.document, part, &owner).map_err(|error| Refusal::edit(&error));
    let Some(edit) = edit(incoming, verb).await? else {
        return Ok(with_etag(Reply::json(200, &view(snapshot)?), snapshot));
    };
    let place = (part.noun().section(), owner.as_str());
    // The edit may give it another name, and leaves it where it stands.
    let place_in_list = Cell::new(0);
    let edited =
        |document: &mut Document| document.edit_part(part, &owner, &name, &edit).map(|place| place_in_list.set(place));
    let snapshot = change_entry(instance, incoming, base(incoming), place, edited).await?;
    if verb == Verb::Delete {
        return Ok(gone(&snapshot));
    }
    let part = view(&snapshot)?.at(place_in_list.get());
    Ok(with_etag(Reply::json(if verb == Verb::Create { 201 } else { 200 }, &part), &snapshot))
}

/// Shows the settings, or changes some of them.
pub(super) async fn settings(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: &Snapshot,
    verb: Verb,
) -> Result<Reply, Refusal> {
    let shown = |snapshot: &Snapshot| {
        with_etag(Reply::json(200, &SettingsView::of(&snapshot.document, snapshot.source("settings"))), snapshot)
    };
    let Some(Edit::Update(changes)) = edit(incoming, verb).await? else { return Ok(shown(snapshot)) };
    let edited = |document: &mut Document| document.change_settings(&changes);
    Ok(shown(&*change_entry(instance, incoming, base(incoming), ("settings", ""), edited).await?))
}

/// What a request asks to be edited; `None` where it only asks to be shown something.
async fn edit(incoming: &Incoming, verb: Verb) -> Result<Option<Edit>, Refusal> {
    Ok(match verb {
        Verb::List | Verb::Read => None,
        Verb::Create => Some(Edit::Create(super::json::<Value>(incoming).await?)),
        Verb::Replace => Some(Edit::Replace(super::json::<Map<String, Value>>(incoming).await?)),
        Verb::Update => Some(Edit::Update(super::json::<Map<String, Value>>(incoming).await?)),
        Verb::Delete => Some(Edit::Delete),
    })
}

/// Stores the catalog after an edit of a section's entry.
pub(crate) async fn change_entry(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    base: Option<&str>,
    (section, name): (&'static str, &str),
    edit: impl Fn(&mut Document) -> Result<(), EditError>,
) -> Result<Rc<Snapshot>, Refusal> {
    change(instance, incoming, base, |snapshot| {
        snapshot.is_editable(section, name)?;
        // What is stored alone, so that an edit copies neither the catalog file nor the built-in catalog into the store.
        let mut document = snapshot.stored.clone();
        edit(&mut document).map_err(|error| Refusal::edit(&error))?;
        Ok(document)
    })
    .await
}

fn with_etag(reply: Reply, snapshot: &Snapshot) -> Reply {
    reply.with("etag", snapshot.etag.clone())
}

fn gone(snapshot: &Snapshot) -> Reply {
    with_etag(Reply { status: 204, headers: Vec::new(), body: Vec::new() }, snapshot)
}
