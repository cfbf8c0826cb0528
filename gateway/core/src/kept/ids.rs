//! The files that a request names.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::refusal::Refusal;
use crate::scan::unescaped;

/// The most files that one request may name.
pub const FILE_IDS_MAX: usize = 256;

/// The ids of the files that a JSON body names, at any depth: the values of `file_id`, and those in `file_ids`. A form names
/// none.
pub fn file_ids(body: &[u8]) -> Result<Vec<String>, Refusal> {
    // An escape may hide the name.
    if memchr::memmem::find(&unescaped(body), b"file_id").is_none() || !body.trim_ascii_start().starts_with(b"{") {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(body);
    // Its provider may read what cannot be read here, and then the file of another key.
    Search { found: &mut found, names_files: false }.deserialize(&mut reader).map_err(|error| {
        let message =
            format!("The files that the request names (`file_id`) cannot be read: {error}. Mend the JSON there.");
        Refusal::bad_request(message)
    })?;
    if found.len() > FILE_IDS_MAX {
        let message = format!("The request names more than {FILE_IDS_MAX} files. Split it.");
        return Err(Refusal::bad_request(message));
    }
    Ok(found)
}

/// Walks a value. `names_files` says that its texts are ids of files.
struct Search<'f> {
    found: &'f mut Vec<String>,
    names_files: bool,
}

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let names_files = matches!(&*name, "file_id" | "file_ids");
            map.next_value_seed(Search { found: &mut *self.found, names_files })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let names_files = self.names_files;
        while values.next_element_seed(Search { found: &mut *self.found, names_files })?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.names_files && self.found.len() <= FILE_IDS_MAX && !self.found.iter().any(|known| known == text) {
            self.found.push(text.to_owned());
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
