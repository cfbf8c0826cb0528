//! Members of JSON objects, taken out rather than copied: a picture in base64 may be megabytes. A member of another type
//! than the one asked for stays, so that [`drop_rest`] reports it.

use serde_json::{Number, Value, json};

use super::neutral::{Object, Untranslatable, Warnings};

/// The object `value` is, or a refusal about `param`.
pub(super) fn object(value: Value, param: &str) -> Result<Object, Untranslatable> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(Untranslatable::new(param, "Send a JSON object here.")),
    }
}

/// An object of these members. Unlike `json!` it moves what it is given.
pub(super) fn from_members<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A call's arguments as an object, as all dialects but OpenAI's have them. A model may have written something else: it
/// is shown what it wrote.
pub(super) fn arguments(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Value::Object(members),
        _ if text.trim().is_empty() => json!({}),
        _ => json!({ "arguments": text }),
    }
}

/// Takes a member that is text.
pub(super) fn take_text(members: &mut Object, name: &str) -> Option<String> {
    match members.get_mut(name)? {
        Value::String(text) => {
            let text = std::mem::take(text);
            members.shift_remove(name);
            Some(text)
        }
        _ => None,
    }
}

/// Takes a member that is an object.
pub(super) fn take_object(members: &mut Object, name: &str) -> Option<Object> {
    match members.get_mut(name)? {
        Value::Object(inner) => {
            let inner = std::mem::take(inner);
            members.shift_remove(name);
            Some(inner)
        }
        _ => None,
    }
}

/// Takes a member that is an array.
pub(super) fn take_list(members: &mut Object, name: &str) -> Option<Vec<Value>> {
    match members.get_mut(name)? {
        Value::Array(items) => {
            let items = std::mem::take(items);
            members.shift_remove(name);
            Some(items)
        }
        _ => None,
    }
}

/// Takes a member that is a number.
pub(super) fn take_number(members: &mut Object, name: &str) -> Option<Number> {
    let number = members.get(name)?.as_number()?.clone();
    members.shift_remove(name);
    Some(number)
}

/// Takes a member that is a whole number and not negative.
pub(super) fn take_count(members: &mut Object, name: &str) -> Option<u64> {
    let count = members.get(name)?.as_u64()?;
    members.shift_remove(name);
    Some(count)
}

/// Takes a member that is true or false.
pub(super) fn take_flag(members: &mut Object, name: &str) -> Option<bool> {
    let flag = members.get(name)?.as_bool()?;
    members.shift_remove(name);
    Some(flag)
}

/// A member that is text, where it stands.
pub(super) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

/// Reports every member that was not taken, unless it says nothing: null, false or empty.
pub(super) fn drop_rest(members: &Object, warnings: &mut Warnings) {
    for (name, value) in members {
        let says_nothing = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        if !says_nothing {
            warnings.dropped(name);
        }
    }
}
