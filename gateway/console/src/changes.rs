//! What the forms of the console change in the catalog: each form becomes edits of a document. What an edit makes is
//! checked with everything else when the document is validated.

use gateway_core::catalog::{Document, Edit, EditError, Noun, Part};
use serde_json::{Map, Value};

use crate::pages::{names, number_or_text};
use crate::query::Query;

/// What the pressed button asks for.
pub fn action(form: &Query) -> &str {
    form.get("do").unwrap_or("save")
}

/// Whether a form is about the whole noun of its page, and not about one of its parts.
fn is_whole(form: &Query, noun: Noun) -> bool {
    form.get("form") == Some(noun.word())
}

/// Whether a form removes the noun of its page.
pub fn removes(form: &Query, noun: Noun) -> bool {
    is_whole(form, noun) && action(form) == "remove"
}

/// Whether a form asks for a test of one of a provider's credentials, which changes nothing.
pub fn tests_credential(form: &Query) -> bool {
    !is_whole(form, Noun::Provider) && action(form) == "test"
}

/// A new model with one target.
pub fn new_model(document: &mut Document, form: &Query) -> Result<(), EditError> {
    let mut entry = members(form, &[("name", text)]);
    let mut target = members(form, &[("provider", text), ("model", text)]);
    target.retain(|_, value| !value.is_null());
    entry.insert("targets".to_owned(), Value::Array(vec![Value::Object(target)]));
    let name = form.get("name").unwrap_or_default();
    document.edit(Noun::Model, name, &Edit::Create(Value::Object(entry)))
}

/// A change of a model, or of one of its targets.
pub fn change_model(document: &mut Document, name: &str, form: &Query) -> Result<(), EditError> {
    if is_whole(form, Noun::Model) {
        let fields: [Field<'_>; 6] = [
            ("strategy", text),
            ("attempts", number_or_text),
            ("affinity", text),
            ("translation", text),
            ("aliases", list),
            ("fallback", list),
        ];
        return change_whole(document, (Noun::Model, name), form, &fields, []);
    }
    let edit = match action(form) {
        "add" => {
            let fields: [Field<'_>; 4] =
                [("provider", text), ("model", text), ("weight", number_or_text), ("tier", number_or_text)];
            let mut entry = members(form, &fields);
            entry.retain(|_, value| !value.is_null());
            Edit::Create(Value::Object(entry))
        }
        "off" => switched(false),
        "on" => switched(true),
        "remove" => Edit::Delete,
        _ => Edit::Update(members(form, &[("weight", number_or_text), ("tier", number_or_text)])),
    };
    document.edit_part(Part::Target, name, form.get("target").unwrap_or_default(), &edit).map(drop)
}

/// A change of a provider, or of one of its credentials.
pub fn change_provider(document: &mut Document, name: &str, form: &Query) -> Result<(), EditError> {
    if is_whole(form, Noun::Provider) {
        let fields: [Field<'_>; 2] = [("short", text), ("hue", number_or_text)];
        let mut label = members(form, &fields);
        label.retain(|_, value| !value.is_null() && *value != "");
        let label = if label.is_empty() { Value::Null } else { members(form, &fields).into() };
        return change_whole(document, (Noun::Provider, name), form, &[("tags", list)], [("label", label)]);
    }
    let edit = match action(form) {
        "off" => switched(false),
        "remove" => Edit::Delete,
        _ => switched(true),
    };
    document.edit_part(Part::Credential, name, form.get("credential").unwrap_or_default(), &edit).map(drop)
}

/// A new provider, or more credentials of one that is stored.
pub fn add_provider(
    document: &mut Document,
    (name, is_new): (&str, bool),
    entry: &Map<String, Value>,
    credentials: &[Value],
) -> Result<(), EditError> {
    if is_new {
        let mut entry = entry.clone();
        if !credentials.is_empty() {
            entry.insert("credentials".to_owned(), Value::Array(credentials.to_vec()));
        }
        return document.edit(Noun::Provider, name, &Edit::Create(Value::Object(entry)));
    }
    for credential in credentials {
        document.edit_part(Part::Credential, name, "", &Edit::Create(credential.clone()))?;
    }
    Ok(())
}

/// The section that a form of the settings page changes, and the name of the entry in it.
pub fn section_of_settings(form: &Query) -> (&'static str, &str) {
    let relay = form.get("relay").or(form.get("name")).unwrap_or_default();
    if form.get("form") == Some("settings") { ("settings", relay) } else { ("relays", relay) }
}

/// A change of the settings, or of a relay.
pub fn change_settings(document: &mut Document, form: &Query) -> Result<(), EditError> {
    let fields: [Field<'_>; 8] = [
        ("retention_days", number_or_text),
        ("max_db_mib", number_or_text),
        ("record_bodies", text),
        ("bodies_retention_days", number_or_text),
        ("max_bodies_mib", number_or_text),
        ("zone", text),
        ("prices", text_or_table),
        ("trusted_proxies", list),
    ];
    match section_of_settings(form) {
        ("settings", _) => document.change_settings(&members(form, &fields)),
        (_, relay) => document.edit(Noun::Relay, relay, &change_of_relay(form)),
    }
}

fn change_of_relay(form: &Query) -> Edit {
    match action(form) {
        "off" => switched(false),
        "on" => switched(true),
        "remove" => Edit::Delete,
        _ => {
            let mut entry = members(form, &[("name", text), ("origin", text)]);
            if form.get("public").is_some() {
                entry.insert("public".to_owned(), Value::Bool(true));
            }
            entry.retain(|_, value| !value.is_null());
            Edit::Create(Value::Object(entry))
        }
    }
}

fn change_whole(
    document: &mut Document,
    (noun, name): (Noun, &str),
    form: &Query,
    fields: &[Field<'_>],
    more: impl IntoIterator<Item = (&'static str, Value)>,
) -> Result<(), EditError> {
    if action(form) == "remove" {
        return document.edit(noun, name, &Edit::Delete);
    }
    let mut changes = members(form, fields);
    changes.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    changes.insert("enabled".to_owned(), enabled(form.get("enabled").is_some()));
    document.edit(noun, name, &Edit::Update(changes))
}

/// A field of a form, and how its text becomes a value of the catalog.
type Field<'a> = (&'a str, fn(&str) -> Value);

/// The members of a merge patch that a form's fields are. What was left empty is taken away.
fn members(form: &Query, fields: &[Field<'_>]) -> Map<String, Value> {
    let value = |name: &str, read: fn(&str) -> Value| form.get(name).map_or(Value::Null, read);
    fields.iter().map(|(name, read)| ((*name).to_owned(), value(name, *read))).collect()
}

fn text(text: &str) -> Value {
    text.into()
}

fn list(text: &str) -> Value {
    names(text).into()
}

/// A table as JSON, which is how the form shows one, or the text as it is.
fn text_or_table(text: &str) -> Value {
    let table = serde_json::from_str(text).ok().filter(Value::is_object);
    table.unwrap_or_else(|| text.into())
}

fn switched(is_on: bool) -> Edit {
    Edit::Update(Map::from_iter([("enabled".to_owned(), enabled(is_on))]))
}

/// The value of `enabled`: none if it is on, as where nobody has ever switched it off.
fn enabled(is_on: bool) -> Value {
    if is_on { Value::Null } else { Value::Bool(false) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn form(text: &str) -> Query {
        Query::parse(text).expect("a form")
    }

    fn document() -> Document {
        let sections = json!({
            "providers": [{ "preset": "groq", "credentials": [{ "label": "one", "variable": "A" }] }],
            "models": [{ "name": "m", "targets": [{ "provider": "groq", "model": "x", "weight": 2 }] }],
            "relays": [{ "name": "r", "origin": "https://r.example" }],
        });
        Document::of_sections(sections.as_object().expect("sections").clone())
    }

    /// What an edit leaves of a section.
    fn section(name: &str, edit: impl FnOnce(&mut Document) -> Result<(), EditError>) -> Value {
        let mut document = document();
        edit(&mut document).expect("an edit");
        document.as_json()[name].clone()
    }

    #[test]
    fn a_form_of_a_model_changes_it_or_one_of_its_targets() {
        let target = |more: Value| {
            let mut target = json!({ "provider": "groq", "model": "x" });
            target.as_object_mut().expect("a table").extend(more.as_object().expect("a table").clone());
            json!([{ "name": "m", "targets": [target] }])
        };
        for (text, expected) in [
            ("form=model&do=remove", json!([])),
            ("target=groq/x&weight=5", target(json!({ "weight": 5 }))),
            ("target=groq/x&weight=much&tier=2", target(json!({ "weight": "much", "tier": 2 }))),
            ("target=groq/x&do=off", target(json!({ "weight": 2, "enabled": false }))),
            ("target=groq/x&do=on", target(json!({ "weight": 2 }))),
            ("target=groq/x&do=remove", json!([{ "name": "m", "targets": [] }])),
        ] {
            assert_eq!(section("models", |it| change_model(it, "m", &form(text))), expected, "{text}");
        }
        let whole = section("models", |it| change_model(it, "m", &form("form=model&strategy=cost&aliases=a,+b")));
        assert_eq!(
            (&whole[0]["strategy"], &whole[0]["aliases"], &whole[0]["enabled"]),
            (&json!("cost"), &json!(["a", "b"]), &json!(false))
        );
        let added = section("models", |it| change_model(it, "m", &form("do=add&provider=groq&model=y")));
        assert_eq!(added[0]["targets"][1], json!({ "provider": "groq", "model": "y" }));
    }

    #[test]
    fn a_form_makes_a_model_with_one_target() {
        let models = section("models", |it| new_model(it, &form("name=n&provider=groq&model=y")));
        assert_eq!(models[1], json!({ "name": "n", "targets": [{ "provider": "groq", "model": "y" }] }));
    }

    #[test]
    fn a_form_of_a_provider_changes_it_or_one_of_its_credentials() {
        let provider = |text: &str| section("providers", |it| change_provider(it, "groq", &form(text)));
        assert_eq!(provider("form=provider&do=remove"), json!([]));
        assert_eq!(provider("form=provider&tags=a&enabled=yes")[0]["tags"], json!(["a"]));
        assert_eq!(provider("form=provider")[0]["enabled"], json!(false));
        assert_eq!(provider("form=provider&short=&hue=")[0].get("label"), None);
        assert_eq!(provider("form=provider&short=MS&hue=")[0]["label"], json!({ "short": "MS" }));
        assert_eq!(provider("form=provider&short=&hue=3")[0]["label"], json!({ "hue": 3 }));
        assert_eq!(provider("credential=one&do=off")[0]["credentials"][0]["enabled"], json!(false));
        assert_eq!(provider("credential=one&do=on")[0]["credentials"][0].get("enabled"), None);
        assert_eq!(provider("credential=one&do=remove")[0]["credentials"], json!([]));
    }

    #[test]
    fn what_was_entered_is_a_new_provider_or_more_credentials() {
        let entry = json!({ "preset": "deepseek" }).as_object().expect("a table").clone();
        let keys = [json!("k-1")];
        let made = section("providers", |it| add_provider(it, ("deepseek", true), &entry, &keys));
        assert_eq!(made[1], json!({ "preset": "deepseek", "credentials": ["k-1"] }));
        let more = section("providers", |it| add_provider(it, ("groq", false), &Map::new(), &keys));
        assert_eq!(more[0]["credentials"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn a_form_of_the_settings_page_changes_settings_or_a_relay() {
        let settings = section("settings", |it| change_settings(it, &form("form=settings&retention_days=7&zone=UTC")));
        assert_eq!(settings, json!({ "retention_days": 7, "zone": "UTC" }));
        let relays = |text: &str| section("relays", |it| change_settings(it, &form(text)));
        assert_eq!(relays("relay=r&do=remove"), json!([]));
        assert_eq!(relays("relay=r&do=off")[0]["enabled"], json!(false));
        let made = relays("name=s&origin=https://s.example&public=yes");
        assert_eq!(made[1], json!({ "name": "s", "origin": "https://s.example", "public": true }));
        assert_eq!(section_of_settings(&form("relay=r")), ("relays", "r"));
    }

    #[test]
    fn an_address_of_prices_stays_the_table_that_it_was() {
        let table = r#"{"url":"https://p.example","local":true}"#;
        assert_eq!(text_or_table(table), serde_json::json!({ "url": "https://p.example", "local": true }));
        for text in ["prices.json", "https://p.example/p.json", "{", "7"] {
            assert_eq!(text_or_table(text), Value::from(text));
        }
    }

    #[test]
    fn only_a_form_of_the_whole_removes_it() {
        assert!(removes(&form("form=model&do=remove"), Noun::Model));
        assert!(!removes(&form("target=t&do=remove"), Noun::Model));
        assert!(tests_credential(&form("credential=one&do=test")) && !tests_credential(&form("form=provider&do=test")));
    }
}
