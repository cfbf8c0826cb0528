//! Bodies as the admin API shows them, and what is kept of a key's.

use serde::Serialize;

use crate::bodies::{Conversation, KeptBody, What};
use crate::catalog::{Catalog, Key, RecordBodies};
use crate::refusal::Refusal;

/// The answer of `GET /api/records/{id}/bodies`.
#[derive(Debug, Serialize)]
pub struct BodiesView {
    /// The record's id.
    pub id: String,
    /// Every body that is kept, in the order in which they came about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bodies: Vec<BodyView>,
    /// The same as a conversation, where that was asked for; `null`: they are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Option<Conversation>>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub struct BodyView {
    /// What is said of it.
    #[serde(flatten)]
    pub body: KeptBody,
    /// Its text.
    pub text: String,
}

impl BodiesView {
    /// These bodies, as they are or read as a conversation.
    pub fn of(id: &str, bodies: Vec<KeptBody>, query: Option<&str>) -> Result<Self, Refusal> {
        let id = id.to_owned();
        match query {
            None | Some("") => {
                let view = |mut body: KeptBody| BodyView { text: std::mem::take(&mut body.text), body };
                Ok(BodiesView { id, bodies: bodies.into_iter().map(view).collect(), conversation: None })
            }
            Some("as=conversation") => {
                Ok(BodiesView { id, conversation: Some(conversation(&bodies)), bodies: Vec::new() })
            }
            Some(_) => {
                Err(Refusal::bad_request("GET /api/records/{id}/bodies takes `as=conversation` or no parameter."))
            }
        }
    }
}

/// The body of this sort.
pub fn body(bodies: &[KeptBody], what: What) -> Option<&KeptBody> {
    bodies.iter().find(|body| body.what == what)
}

/// What was said, where it can be read as a conversation.
pub fn conversation(bodies: &[KeptBody]) -> Option<Conversation> {
    Conversation::of(body(bodies, What::Request), body(bodies, What::Answer))
}

/// The answer of `DELETE /api/records/{id}/bodies` and of `DELETE /api/records/bodies`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct DeletedBodiesView {
    /// Of how many calls the bodies were deleted.
    pub deleted: usize,
    /// The `before` of the next request, where it took too long to look at all calls.
    pub next: Option<String>,
}

/// The answer of `/v1/record_bodies`: what is kept of the calls of a key.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct KeptOfKeyView {
    /// Which calls' bodies are kept: `off`, `errors` or `all`.
    pub record_bodies: &'static str,
    /// What the admin lets be kept, which the key can only lower.
    pub most: &'static str,
    /// For how many days.
    pub days: u32,
    /// Whether the key may read them.
    pub see_bodies: bool,
}

impl KeptOfKeyView {
    /// What is kept of this key's calls, or of the admin's.
    pub fn of(catalog: &Catalog, key: Option<&Key>) -> Self {
        let settings = &catalog.settings;
        KeptOfKeyView {
            record_bodies: catalog.record_bodies(key.map(|key| &*key.name)).name(),
            most: key.map_or(settings.record_bodies, |key| key.may_keep_bodies(settings.record_bodies)).name(),
            days: settings.bodies.days,
            see_bodies: key.is_none_or(|key| key.see_bodies),
        }
    }
}

/// What the holder of a key may set: nothing above what the admin says.
pub fn lowered(catalog: &Catalog, key: &Key, level: &str) -> Result<RecordBodies, Refusal> {
    let most = key.may_keep_bodies(catalog.settings.record_bodies);
    let level = RecordBodies::named(level).ok_or_else(|| {
        Refusal::bad_request("`record_bodies` must be `off`, `errors` or `all`.").about("record_bodies")
    })?;
    if level > most {
        let message = format!(
            "The bodies of this key's calls are kept as {:?} at most. Only an admin can raise that, in the settings or for \
             the key.",
            most.name()
        );
        return Err(Refusal::forbidden("only_an_admin_raises", message));
    }
    Ok(level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Document;

    fn catalog(setting: &str, key: &str) -> Catalog {
        let hash = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let toml = format!("settings.record_bodies = {setting:?}\nkeys = [{{ name = \"k\", hash = {hash:?}{key} }}]");
        Document::from_toml(&toml).expect("TOML").validate().expect("a catalog")
    }

    #[test]
    fn the_admin_says_what_is_kept_and_a_key_can_only_lower_it() {
        for (setting, key, kept, most) in [
            ("off", "", "off", "off"),
            ("all", "", "all", "all"),
            ("all", ", record_bodies = \"off\"", "off", "off"),
            ("off", ", record_bodies = \"errors\"", "errors", "errors"),
            ("all", ", record_bodies_at_most = \"errors\"", "errors", "all"),
            ("off", ", record_bodies_at_most = \"all\"", "off", "off"),
            ("errors", ", record_bodies = \"all\", record_bodies_at_most = \"off\"", "off", "all"),
        ] {
            let catalog = catalog(setting, key);
            let held = catalog.key_named("k").expect("the key");
            let view = KeptOfKeyView::of(&catalog, Some(held));
            assert_eq!((view.record_bodies, view.most, view.days), (kept, most, 7), "{setting} {key}");
            assert_eq!(KeptOfKeyView::of(&catalog, None).record_bodies, setting);
            let most = RecordBodies::named(most).expect("a word");
            for level in RecordBodies::ALL {
                let allowed = lowered(&catalog, held, level.name());
                assert_eq!(allowed.map_err(|refusal| refusal.status), if level <= most { Ok(level) } else { Err(403) });
            }
            assert_eq!(lowered(&catalog, held, "some").map_err(|refusal| refusal.status), Err(400));
        }
    }

    #[test]
    fn bodies_are_kept_of_somebody_where_the_settings_or_a_key_say_so() {
        for (setting, key, keeps) in [
            ("off", "", false),
            ("errors", "", true),
            ("off", ", record_bodies = \"all\"", true),
            ("off", ", record_bodies_at_most = \"all\"", false),
        ] {
            assert_eq!(catalog(setting, key).keeps_bodies(), keeps, "{setting} {key}");
        }
    }
}
