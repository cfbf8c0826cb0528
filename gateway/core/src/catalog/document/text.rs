//! Text to a JSON object and back.
//!
//! TOML goes through its parse tree and not through serde, because only the tree has positions: they keep the
//! order of the file without the indexmap the toml crate would need for it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::catalog::schema::join;
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
    let value = Unique
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| Problems::one("", format!("not valid JSON: {error}")))?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Problems::one("", "must be a JSON object with the sections of a catalog")),
    }
}

pub(super) fn to_toml(sections: &Map<String, Value>) -> Result<String, Problems> {
    let mut problems = Problems(Vec::new());
    let sections: Map<String, Value> = sections
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), without_null(value, name, &mut problems)?)))
        .collect();
    problems.into_result()?;
    toml::to_string_pretty(&sections).map_err(|error| Problems::one("", format!("no TOML can express it: {error}")))
}

fn position(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!(" at line {line} column {column}")
}

fn table_to_json(table: DeTable<'_>, path: &str, problems: &mut Problems) -> Map<String, Value> {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
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

/// A JSON value whose objects hold no name twice: serde_json would silently keep the last one, and a catalog
/// with two `keys` would lose the first.
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(Unique)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value_seed(Unique)?;
            if map.contains_key(&name) {
                let shown = join("", &name);
                return Err(serde::de::Error::custom(format!("the name {shown} is in one object twice")));
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}
