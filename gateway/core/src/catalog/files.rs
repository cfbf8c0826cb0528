//! Credentials from files, one a line: `credentials = [{ file = "keys.txt", pool = "a" }]`.
//!
//! The entry of the document stands for one credential per line of its file. The identity of each follows its secret,
//! so that lines may move. The other members of the entry apply to all of them.

use std::collections::HashSet;
use std::sync::Arc;

use super::schema::format;
use super::{Catalog, Credential, Secret, Value, seal};

/// The most credentials of a file: a bound that no pool reaches.
const LINES_MAX: usize = 10_000;

/// The beginning of a comment.
const COMMENT: char = '#';

impl Catalog {
    /// The files that the catalog names, each once, sorted.
    pub fn files(&self) -> Vec<&str> {
        let credentials = self.providers.iter().flat_map(|provider| &provider.credentials);
        let mut names: Vec<&str> = credentials.filter_map(|credential| file_of(credential)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Replaces each such entry by the credentials of its file. `file` returns the text of a file, or why it cannot be
    /// read. Call this before [`Catalog::resolve`].
    pub fn expand(&mut self, file: &dyn Fn(&str) -> Result<String, String>) {
        for provider in &mut self.providers {
            if provider.credentials.iter().any(|credential| file_of(credential).is_some()) {
                let provider = Arc::make_mut(provider);
                provider.credentials = expanded(&provider.name, &provider.credentials, file);
            }
        }
    }
}

fn file_of(credential: &Credential) -> Option<&str> {
    match &credential.value {
        Value::File(name) => Some(name),
        _ => None,
    }
}

fn expanded(
    provider: &str,
    credentials: &[Arc<Credential>],
    file: &dyn Fn(&str) -> Result<String, String>,
) -> Vec<Arc<Credential>> {
    // A key that is in two places is one credential.
    let mut ids: HashSet<Arc<str>> = credentials.iter().map(|credential| Arc::clone(&credential.id)).collect();
    let mut all = Vec::with_capacity(credentials.len());
    for credential in credentials {
        let Some(name) = file_of(credential) else {
            all.push(Arc::clone(credential));
            continue;
        };
        let lines = match file(name) {
            Ok(text) => of_lines(provider, credential, &text),
            Err(reason) => Err(format!("The file {name:?} cannot be read: {reason}.")),
        };
        match lines {
            Ok(lines) => all.extend(lines.into_iter().filter(|line| ids.insert(Arc::clone(&line.id))).map(Arc::new)),
            Err(reason) => all.push(Arc::new(Credential { value: Value::Missing(reason), ..(**credential).clone() })),
        }
    }
    all
}

/// A credential for each line that holds one. Its label contains the line's number.
fn of_lines(provider: &str, entry: &Credential, text: &str) -> Result<Vec<Credential>, String> {
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let secrets = lines.map(|(index, line)| (index + 1, line.trim()));
    let secrets: Vec<(usize, &str)> =
        secrets.filter(|(_, line)| !line.is_empty() && !line.starts_with(COMMENT)).take(LINES_MAX + 1).collect();
    if secrets.len() > LINES_MAX {
        return Err(format!("The file of {} holds more than {LINES_MAX} keys.", entry.label));
    }
    if secrets.is_empty() {
        return Err(format!("The file of {} holds no key; write one a line.", entry.label));
    }
    let credential = |(number, line): (usize, &str)| {
        let id: Arc<str> = seal::credential_id("credential", provider, line).into();
        let value = match format::credential(line) {
            Ok(()) => Value::Plain(Secret::new(line)),
            Err(message) => Value::Missing(format!("Line {number} holds no usable secret: it {message}.")),
        };
        Credential { account: Arc::clone(&id), id, label: format!("{}:{number}", entry.label), value, ..entry.clone() }
    };
    Ok(secrets.into_iter().map(credential).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Document;

    fn catalog(credentials: &str, text: Result<&str, &str>) -> Catalog {
        let toml = format!(
            "providers = [{{ name = \"p\", base_url = \"https://p.example\", credentials = [{credentials}] }}]\n\
            models = [{{ name = \"m\", targets = [\"p/x\"] }}]"
        );
        let mut catalog = Document::from_toml(&toml).and_then(|document| document.validate()).expect("a valid catalog");
        assert_eq!(catalog.files(), ["keys.txt"]);
        catalog.expand(&|_| text.map(str::to_owned).map_err(str::to_owned));
        catalog.resolve(None, &|_| None);
        catalog
    }

    fn known(catalog: &Catalog) -> Vec<(&str, &str)> {
        let credentials = catalog.providers[0].credentials.iter();
        credentials.filter_map(|each| Some((each.label.as_str(), each.value.known()?.expose()))).collect()
    }

    #[test]
    fn each_line_is_a_credential_and_comments_and_blank_lines_are_none() {
        let text = "\u{feff}# ours\nsk-1\n\n  sk-2  \r\n#sk-3\nsk-1\n";
        let found = catalog("{ file = \"keys.txt\", pool = \"a\", quota = { rpm = 5 } }", Ok(text));
        assert_eq!(known(&found), [("keys.txt:2", "sk-1"), ("keys.txt:4", "sk-2")]);
        for credential in &found.providers[0].credentials {
            assert_eq!((credential.pool.as_deref(), credential.quota.is_some()), (Some("a"), true));
        }
        assert_eq!(found.models[0].targets[0].provider.credentials.len(), 2, "targets have the same provider");
        assert!(found.warnings().is_empty());
    }

    #[test]
    fn a_key_of_a_file_is_the_same_credential_as_if_it_were_written_out() {
        let written = Document::from_toml(
            "providers = [{ name = \"p\", base_url = \"https://p.example\", credentials = [\"sk-1\"] }]",
        );
        let mut written = written.and_then(|document| document.validate()).expect("a valid catalog");
        written.resolve(None, &|_| None);
        let (one, other) = (catalog("{ file = \"keys.txt\" }", Ok("sk-1")), written);
        let of = |catalog: &Catalog| {
            let credential = &catalog.providers[0].credentials[0];
            (credential.id.clone(), credential.account.clone())
        };
        assert_eq!(of(&one), of(&other));
        let both = catalog("\"sk-1\", { file = \"keys.txt\", label = \"more\" }", Ok("sk-1\nsk-2"));
        assert_eq!(known(&both), [("#1", "sk-1"), ("more:2", "sk-2")]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_and_shows_no_secret() {
        for (text, message) in [
            (Err("it is not there"), "The file \"keys.txt\" cannot be read: it is not there."),
            (Ok("# nothing\n"), "The file of keys.txt holds no key; write one a line."),
        ] {
            let found = catalog("{ file = \"keys.txt\" }", text);
            assert_eq!(found.warnings(), [format!("provider p, credential keys.txt: {message}")]);
        }
        let found = catalog("{ file = \"keys.txt\" }", Ok("sk 1\nsk-2"));
        assert_eq!(known(&found), [("keys.txt:2", "sk-2")]);
        assert!(!found.warnings().concat().contains("sk 1"), "{:?}", found.warnings());
        assert!(found.warnings()[0].starts_with("provider p, credential keys.txt:1: Line 1 holds no usable secret"));
    }
}
