//! `[[relays]]`: a named pass-through to one origin.

use crate::catalog::Relay;
use crate::catalog::schema::{Place, format};

use super::name_of;

pub(super) fn read(place: &Place<'_>) -> Relay {
    let nothing = |name: String| Relay {
        name: name.into(),
        enabled: false,
        tls: true,
        authority: String::new(),
        public: false,
        local: false,
    };
    let Some(mut fields) = place.fields() else { return nothing(String::new()) };
    let mut relay = nothing(name_of(&mut fields, format::path_segment));
    if let Some(origin) = fields.needed("origin").and_then(|place| place.parsed(format::origin)) {
        (relay.tls, relay.authority) = (origin.scheme == "https", origin.authority);
    }
    relay.public = fields.flag("public");
    relay.local = fields.flag("local");
    relay.enabled = fields.enabled();
    fields.finish();
    relay
}
