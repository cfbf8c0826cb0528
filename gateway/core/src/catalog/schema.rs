//! Reading a document value by value, with its path, collecting every problem on the way.
//!
//! Not serde: a derived `Deserialize` stops at the first mistake, and a person fixing a catalog wants all of them.
//! The names a table knows are the names its reader asked for, so the schema is written down once.

pub(super) mod format;

use std::cell::RefCell;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::problem::{Problem, Problems};

/// Longer names are cut in problems and never compared with known ones, since nobody mistypes 64 characters.
const NAME_CHARACTERS_MAX: usize = 64;

/// The problems found so far. Shared by every [`Place`] of a document.
#[derive(Default)]
pub(super) struct Report {
    problems: RefCell<Vec<Problem>>,
}

impl Report {
    pub(super) fn problem(&self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem::new(path, message));
    }

    pub(super) fn into_problems(self) -> Problems {
        Problems(self.problems.into_inner())
    }
}

/// A value and where it stands.
pub(super) struct Place<'a> {
    pub(super) path: String,
    pub(super) value: &'a Value,
    report: &'a Report,
}

impl<'a> Place<'a> {
    /// Reports that something is wrong here.
    pub(super) fn problem(&self, message: impl Into<String>) {
        self.report.problem(self.path.clone(), message);
    }

    /// The table here. Its names are checked by [`Fields::finish`].
    pub(super) fn fields(&self) -> Option<Fields<'a>> {
        let Value::Object(map) = self.value else {
            return self.wrong_type("a table");
        };
        Some(Fields { path: self.path.clone(), map, report: self.report, known: Vec::new() })
    }

    /// The values of a table whose names are free, with these names.
    pub(super) fn entries(&self) -> Vec<(&'a str, Place<'a>)> {
        let Value::Object(map) = self.value else {
            self.wrong_type::<()>("a table");
            return Vec::new();
        };
        map.iter().map(|(name, value)| (name.as_str(), self.under(join(&self.path, name), value))).collect()
    }

    /// The values of the list here.
    pub(super) fn list(&self) -> Vec<Place<'a>> {
        let Value::Array(values) = self.value else {
            self.wrong_type::<()>("a list");
            return Vec::new();
        };
        values.iter().enumerate().map(|(index, value)| self.under(format!("{}[{index}]", self.path), value)).collect()
    }

    /// The string here.
    pub(super) fn text(&self) -> Option<&'a str> {
        match self.value {
            Value::String(text) => Some(text),
            _ => self.wrong_type("a string"),
        }
    }

    /// The string here in its own format. The format's message must not repeat the text.
    pub(super) fn parsed<T>(&self, format: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        format(self.text()?).map_err(|message| self.problem(message)).ok()
    }

    /// The strings of the list here, each in its own format. Those that are not are left out, and reported.
    pub(super) fn all_parsed<T>(&self, format: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        self.list().iter().filter_map(|place| place.parsed(&format)).collect()
    }

    /// One of these words.
    pub(super) fn choice(&self, words: &[&'static str]) -> Option<&'static str> {
        let text = self.text()?;
        let found = words.iter().copied().find(|word| *word == text);
        if found.is_none() {
            self.problem(format!("must be {}{}", alternatives(words), did_you_mean(text, words.iter().copied())));
        }
        found
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(*value),
            _ => self.wrong_type("true or false"),
        }
    }

    /// A whole number in this range.
    pub(super) fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let Value::Number(number) = self.value else {
            return self.wrong_type("a whole number");
        };
        let found = number.as_u64().filter(|number| range.contains(number));
        if found.is_none() {
            self.problem(format!("must be a whole number from {} to {}", range.start(), range.end()));
        }
        found
    }

    /// A whole number in this range that fits 32 bits.
    pub(super) fn small_integer(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let number = self.integer(u64::from(*range.start())..=u64::from(*range.end()))?;
        u32::try_from(number).ok()
    }

    /// A finite number of at least zero.
    pub(super) fn amount(&self) -> Option<f64> {
        let Value::Number(number) = self.value else {
            return self.wrong_type("a number");
        };
        let found = number.as_f64().filter(|number| number.is_finite() && *number >= 0.0);
        if found.is_none() {
            self.problem("must be a number of at least 0");
        }
        found
    }

    /// A duration within this range, in milliseconds.
    pub(super) fn duration_ms(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let found = self.parsed(format::duration_ms)?;
        if range.contains(&found) {
            return Some(found);
        }
        self.problem(format!(
            "must be from {} to {}",
            format::human_duration(*range.start()),
            format::human_duration(*range.end())
        ));
        None
    }

    fn under(&self, path: String, value: &'a Value) -> Place<'a> {
        Place { path, value, report: self.report }
    }

    /// Names the type only: what stands here may be a secret in the wrong place.
    fn wrong_type<T>(&self, expected: &str) -> Option<T> {
        self.problem(format!("must be {expected}, not {}", type_name(self.value)));
        None
    }
}

/// A table being read: it remembers which names were asked for.
pub(super) struct Fields<'a> {
    pub(super) path: String,
    map: &'a Map<String, Value>,
    pub(super) report: &'a Report,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The whole document.
    pub(super) fn root(map: &'a Map<String, Value>, report: &'a Report) -> Fields<'a> {
        Fields { path: String::new(), map, report, known: Vec::new() }
    }

    /// The value of this name, if there is one. The name then counts as known.
    pub(super) fn field(&mut self, name: &'static str) -> Option<Place<'a>> {
        self.known.push(name);
        let value = self.map.get(name)?;
        Some(Place { path: join(&self.path, name), value, report: self.report })
    }

    /// The value of this name. A missing one is a problem.
    pub(super) fn needed(&mut self, name: &'static str) -> Option<Place<'a>> {
        let place = self.field(name);
        if place.is_none() {
            self.report.problem(join(&self.path, name), "is missing");
        }
        place
    }

    /// The places of a list of this name; none when there is no such name.
    pub(super) fn list(&mut self, name: &'static str) -> Vec<Place<'a>> {
        self.field(name).map(|place| place.list()).unwrap_or_default()
    }

    /// Whether there is a value of this name. The name does not count as known by that.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// `enabled`, which every noun has.
    pub(super) fn enabled(&mut self) -> bool {
        self.field("enabled").and_then(|place| place.boolean()).unwrap_or(true)
    }

    /// A field that is true or false, and false if it is not written.
    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        self.field(name).and_then(|place| place.boolean()).unwrap_or(false)
    }

    /// Reports something wrong with the table as a whole.
    pub(super) fn problem(&self, message: impl Into<String>) {
        self.report.problem(self.path.clone(), message);
    }

    /// Reports something wrong with the value of this name.
    pub(super) fn problem_at(&self, name: &str, message: impl Into<String>) {
        self.report.problem(join(&self.path, name), message);
    }

    /// Reports every unknown name. Call it once, after the last [`Fields::field`].
    pub(super) fn finish(self) {
        for name in self.map.keys().filter(|name| !self.known.contains(&name.as_str())) {
            let hint = did_you_mean(name, self.known.iter().copied());
            self.report.problem(join(&self.path, name), format!("unknown field{hint}"));
        }
    }
}

/// `; did you mean "…"?` when one of the candidates is near, else nothing.
pub(super) fn did_you_mean<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    match nearest(name, candidates) {
        Some(candidate) => format!("; did you mean \"{candidate}\"?"),
        None => String::new(),
    }
}

/// The candidate a person may have meant: at most a third of the characters differ.
pub(super) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let length = name.chars().count();
    if length > NAME_CHARACTERS_MAX {
        return None;
    }
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count() <= NAME_CHARACTERS_MAX)
        .map(|candidate| (strsim::damerau_levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= (length / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A path with one more name. A name that is no plain word, or looks like a key, is not shown.
pub(super) fn join(path: &str, name: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
    let shown = !name.is_empty()
        && name.len() <= NAME_CHARACTERS_MAX
        && name.chars().all(plain)
        && !name.to_ascii_lowercase().starts_with("sk-");
    let name = if shown { name } else { "(name not shown)" };
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `"a", "b" or "c"`.
pub(super) fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}
