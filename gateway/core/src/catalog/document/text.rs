//! Text to a JSON object and back.
//!
//! TOML goes through its parse tree and not through serde, because only the tree has positions: they keep the
//! order of the file without the indexmap the toml crate would need for it.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::catalog::schema::join;
use crate::order;
use crate::problem::{Problem, Problems};

pub(super) fn from_toml(text: &str) -> Result<Map<String, Value>, Problems> {
    let table = DeTable::parse(text).map_err(|error| {
        // Not the error's Display: that repeats the line, and the line may hold a secret.
        let place = error.span().map(|span| position(text, span.start)).unwrap_or_default();
        Problems::one("", format!("not valid TOML{place}: {}", error.message().replace('\n', ", ")))
    })?;
    let mut problems = Problems(Vec::new());
    let map = table_to_json(table.into_inner(), "", &mut problems);
    problems.into_result().map(|()| map)
}

pub(super) fn from_json(text: &[u8]) -> Result<Map<String, Value>, Problems> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = UniqueNames
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .and_then(|()| serde_json::from_slice(text))
        .map_err(|error| Problems::one("", format!("not valid JSON: {error}")))?;
    match with_plain_numbers(value) {
        Value::Object(map) => Ok(map),
        _ => Err(Problems::one("", "must be a JSON object with the sections of a catalog")),
    }
}

pub(super) fn to_toml(sections: &Map<String, Value>) -> Result<String, Problems> {
    let mut problems = Problems(Vec::new());
    let sections = sections
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), without_null(value, name, &mut problems)?)))
        .collect();
    problems.into_result()?;
    toml::to_string_pretty(&InToml(&Value::Object(sections)))
        .map_err(|error| Problems::one("", format!("no TOML can express it: {error}")))
}

/// The line of a TOML text on which the entry of this name in a section begins, or else the section.
pub(super) fn line_of(text: &str, section: &str, name: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?.into_inner();
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == section)?;
    let named = |entry: &Spanned<DeValue<'_>>| {
        let DeValue::Table(members) = entry.get_ref() else { return None };
        let own = ["name", "preset"].iter().find_map(|member| members.get(*member))?;
        (own.get_ref().as_str() == Some(name)).then(|| own.span().start)
    };
    let entry = match value.get_ref() {
        DeValue::Array(entries) => entries.iter().find_map(named),
        _ => None,
    };
    let before = text.get(..entry.unwrap_or(key.span().start))?;
    Some(before.matches('\n').count() + 1)
}

fn position(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!(" at line {line} column {column}")
}

fn table_to_json(table: DeTable<'_>, path: &str, problems: &mut Problems) -> Map<String, Value> {
    let mut entries: Vec<_> = table.into_iter().collect();
    order::by_key(&mut entries, |(name, _)| name.span().start);
    entries
        .into_iter()
        .map(|(name, value)| {
            let name = name.into_inner().into_owned();
            let value = value_to_json(value, &join(path, &name), problems);
            (name, value)
        })
        .collect()
}

fn value_to_json(value: Spanned<DeValue<'_>>, path: &str, problems: &mut Problems) -> Value {
    let mut refuse = |message: &str| {
        problems.0.push(Problem::new(path, message));
        Value::Null
    };
    match value.into_inner() {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::from(number),
            Err(_) => refuse("is a whole number beyond 64 bits"),
        },
        DeValue::Float(number) => match number.as_str().parse().ok().and_then(Number::from_f64) {
            Some(number) => Value::Number(number),
            None => refuse("must be a finite number"),
        },
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(values) => values
            .into_iter()
            .enumerate()
            .map(|(index, value)| value_to_json(value, &format!("{path}[{index}]"), problems))
            .collect(),
        DeValue::Table(table) => Value::Object(table_to_json(table, path, problems)),
    }
}

fn without_null(value: &Value, path: &str, problems: &mut Problems) -> Option<Value> {
    Some(match value {
        Value::Null => return None,
        Value::Array(values) => {
            let mut kept = Vec::with_capacity(values.len());
            for (index, value) in values.iter().enumerate() {
                let path = format!("{path}[{index}]");
                match without_null(value, &path, problems) {
                    Some(value) => kept.push(value),
                    None => problems.0.push(Problem::new(path, "is null, which TOML cannot express")),
                }
            }
            Value::Array(kept)
        }
        Value::Object(map) => map
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), without_null(value, &join(path, name), problems)?)))
            .collect(),
        Value::Number(number) if number.is_u64() && number.as_i64().is_none() => {
            problems.0.push(Problem::new(path, "is a whole number beyond TOML's 64 bits with sign"));
            return None;
        }
        other => other.clone(),
    })
}

/// A number as TOML's reader gives it, so that documents in both forms compare: `1e3` is what `1000.0` is.
fn with_plain_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) if !number.is_u64() && !number.is_i64() => {
            let plain = number.as_f64().and_then(Number::from_f64);
            Value::Number(plain.unwrap_or(number))
        }
        Value::Array(values) => values.into_iter().map(with_plain_numbers).collect(),
        Value::Object(map) => map.into_iter().map(|(name, value)| (name, with_plain_numbers(value))).collect(),
        other => other,
    }
}

/// A value for TOML's writer, which does not know the form in which serde_json gives numbers away.
struct InToml<'v>(&'v Value);

impl Serialize for InToml<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => serializer.serialize_i64(whole),
                (None, Some(number)) => serializer.serialize_f64(number),
                (None, None) => Err(serde::ser::Error::custom(format_args!("{number} is beyond TOML's numbers"))),
            },
            Value::Array(values) => serializer.collect_seq(values.iter().map(InToml)),
            Value::Object(map) => serializer.collect_map(map.iter().map(|(name, value)| (name, InToml(value)))),
            other => other.serialize(serializer),
        }
    }
}

/// Looks for an object that holds a name twice: serde_json would silently keep the last one, and a catalog with two
/// `keys` would lose the first.
struct UniqueNames;

impl<'de> DeserializeSeed<'de> for UniqueNames {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueNames {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _value: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _value: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _value: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i128<E>(self, _value: i128) -> Result<(), E> {
        Ok(())
    }

    fn visit_u128<E>(self, _value: u128) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _value: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _value: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while access.next_element_seed(UniqueNames)?.is_some() {}
        Ok(())
    }

    /// Numbers with more digits than a float holds arrive here too, as an object of one member.
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = access.next_key::<String>()? {
            access.next_value_seed(UniqueNames)?;
            let shown = join("", &name);
            if !names.insert(name) {
                return Err(serde::de::Error::custom(format_args!("the name {shown} is in one object twice")));
            }
        }
        Ok(())
    }
}
