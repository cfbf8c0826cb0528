//! `[[relays]]`: a named pass-through to one origin. Checked; refused as not built yet by `unbuilt.rs`.

use crate::catalog::schema::{Place, format};

use super::name_of;

/// The relay's name.
pub(super) fn read(place: &Place<'_>) -> String {
    let Some(mut fields) = place.fields() else {
        return String::new();
    };
    let name = name_of(&mut fields, format::path_segment);
    fields.needed("origin").and_then(|place| place.parsed(format::origin));
    fields.field("public").and_then(|place| place.boolean());
    fields.enabled();
    fields.finish();
    name
}
