//! A catalog's text, from a file or standard input, in TOML or JSON. Only the component parses it.

use crate::catalog_file;
use crate::commands::client::{JSON, TOML};
use crate::exit::{self, Exit};
use anyhow::{Context, Result};
use bytes::Bytes;
use std::io::Read;
use std::path::Path;

/// A catalog as it was read, and what to call it.
pub(super) struct CatalogText {
    name: String,
    text: String,
}

/// Reads a file, or standard input for `-`. An empty one is refused, as a server does too: it comes from an editor or
/// pipe that failed, and would change nothing or, with `--replace`, delete everything.
pub(super) fn read(path: &Path) -> Result<CatalogText> {
    let (name, text) = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).context("standard input cannot be read")?;
        ("standard input".to_owned(), text)
    } else {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
        (name, text)
    };
    if catalog_file::is_blank(&text) {
        return Err(Exit::new(exit::CONFIG, format!("{name} cannot be used: {}", catalog_file::BLANK)).into());
    }
    Ok(CatalogText { name, text })
}

impl CatalogText {
    /// Its name in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The text as it is sent.
    pub(super) fn bytes(&self) -> Bytes {
        Bytes::from(self.text.clone())
    }

    /// Its media type.
    pub(super) fn content_type(&self) -> &'static str {
        if self.is_json() { JSON } else { TOML }
    }

    /// The component tells JSON from TOML in the same way: no TOML text begins with a brace.
    fn is_json(&self) -> bool {
        self.text.trim_ascii_start().starts_with('{')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content_type(text: &str) -> &'static str {
        CatalogText { name: "llmio.toml".into(), text: text.into() }.content_type()
    }

    #[test]
    fn a_text_that_begins_like_an_object_is_json_and_any_other_toml() {
        assert_eq!(content_type(r#" {"keys":[]}"#), "application/json");
        assert_eq!(content_type("[[keys]]\nname = \"a\"\n"), "application/toml");
        assert_eq!(content_type(""), "application/toml");
    }
}
