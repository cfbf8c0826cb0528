//! `--catalog FILE`: the component judges a text before it is published to it. The file is looked at twice a second
//! instead of through inotify, which misses what editors, ConfigMaps and network mounts do to files.

use crate::admin;
use crate::gateway::Handle;
use crate::log;
use anyhow::{Context, Result};
use http::Method;
use serde_json::Value;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The watched file.
pub(crate) struct CatalogFile {
    path: PathBuf,
    seen: Option<Seen>,
}

/// The file as last looked at. The time alone would miss two changes within its grain.
#[derive(PartialEq, Clone, Copy)]
struct Seen {
    modified: Option<SystemTime>,
    length: u64,
    hash: u64,
}

/// What the component says of a text.
pub(crate) enum Verdict {
    /// It can be served.
    Accepted,
    /// It cannot, for these reasons.
    Refused(Vec<String>),
}

impl CatalogFile {
    /// Nothing is read yet.
    pub(crate) fn new(path: &Path) -> CatalogFile {
        CatalogFile { path: path.to_owned(), seen: None }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's text, for the first time.
    pub(crate) fn read(&mut self) -> Result<String> {
        let cannot = || format!("the catalog file {} cannot be read", self.path.display());
        let text = fs::read_to_string(&self.path).with_context(cannot)?;
        self.seen = Some(Seen::of(fs::metadata(&self.path).ok().as_ref(), &text));
        Ok(text)
    }

    /// The new text, if there is one. A file that is gone for the moment (an editor replaces it) is no change.
    pub(crate) fn changed(&mut self) -> Option<String> {
        let metadata = fs::metadata(&self.path).ok()?;
        let same = |seen: &Seen| seen.modified == metadata.modified().ok() && seen.length == metadata.len();
        if self.seen.as_ref().is_some_and(same) && !is_recent(&metadata) {
            return None;
        }
        let text = fs::read_to_string(&self.path).ok()?;
        let now = Seen::of(Some(&metadata), &text);
        let changed = self.seen.is_none_or(|seen| seen.hash != now.hash);
        self.seen = Some(now);
        changed.then_some(text)
    }
}

/// Within a file system's time grain a second change may keep length and time; then the text itself is compared.
fn is_recent(metadata: &Metadata) -> bool {
    let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
    age.is_none_or(|age| age.as_secs() < 3)
}

impl Seen {
    fn of(metadata: Option<&Metadata>, text: &str) -> Seen {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Seen {
            modified: metadata.and_then(|metadata| metadata.modified().ok()),
            length: text.len() as u64,
            hash: hasher.finish(),
        }
    }
}

/// Asks the component about a text and publishes it if it is accepted.
pub(crate) async fn publish(gateway: &Handle, text: String) -> Result<Verdict> {
    let verdict = check(gateway, &text).await?;
    if matches!(verdict, Verdict::Accepted) {
        gateway.stores().variables.set("catalog", text);
    }
    Ok(verdict)
}

/// Publishes a changed text, or says what is wrong with it; the last good one stays then.
pub(crate) async fn publish_change(gateway: &Handle, path: &Path, text: String) {
    match publish(gateway, text).await {
        Ok(Verdict::Accepted) => log::note(format_args!("{} changed; the new catalog is in use", path.display())),
        Ok(Verdict::Refused(problems)) => {
            log::warn(format_args!("{} changed but is invalid; the last good catalog stays", path.display()));
            problems.iter().for_each(log::warn);
        }
        Err(error) => log::warn(format_args!("{} changed but could not be checked: {error:#}", path.display())),
    }
}

async fn check(gateway: &Handle, text: &str) -> Result<Verdict> {
    let stores = gateway.stores();
    let request = admin::request(stores, Method::POST, "/api/catalog/check", "application/toml", text.to_owned())?;
    let response = gateway.send(request).await?;
    if response.status().is_success() {
        return Ok(Verdict::Accepted);
    }
    Ok(Verdict::Refused(problems(response.body())))
}

/// The problems of a problem-details answer, one line each; whatever else came back, as it is.
pub(crate) fn problems(body: &[u8]) -> Vec<String> {
    let text = || vec![String::from_utf8_lossy(body).into_owned()];
    let Ok(details) = serde_json::from_slice::<Value>(body) else { return text() };
    let listed = ["problems", "errors"].iter().find_map(|name| details.get(name)?.as_array());
    let lines: Vec<String> = listed.into_iter().flatten().filter_map(line).collect();
    if !lines.is_empty() {
        return lines;
    }
    let detail = ["detail", "title"].iter().find_map(|name| details.get(name)?.as_str());
    detail.map_or_else(text, |detail| detail.lines().map(str::to_owned).collect())
}

fn line(problem: &Value) -> Option<String> {
    if let Some(text) = problem.as_str() {
        return Some(text.to_owned());
    }
    let message = problem.get("message")?.as_str()?;
    match problem.get("path").and_then(Value::as_str).filter(|path| !path.is_empty()) {
        Some(path) => Some(format!("{path}: {message}")),
        None => Some(message.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_becomes_a_line_with_its_path() {
        let body = br#"{"title":"invalid","problems":[{"path":"models[2].name","message":"is missing"},"two"]}"#;
        assert_eq!(problems(body), ["models[2].name: is missing", "two"]);
        assert_eq!(problems(br#"{"detail":"a\nb"}"#), ["a", "b"]);
        assert_eq!(problems(b"plain"), ["plain"]);
    }

    #[test]
    fn a_change_is_seen_once_even_within_the_grain_of_file_times() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("llmio.toml");
        fs::write(&path, "a = 1").expect("a file");
        let mut file = CatalogFile::new(&path);
        assert_eq!(file.read().expect("the text"), "a = 1");
        assert_eq!(file.changed(), None);
        fs::write(&path, "a = 2").expect("a change of the same length");
        assert_eq!(file.changed().as_deref(), Some("a = 2"));
        assert_eq!(file.changed(), None);
        fs::remove_file(&path).expect("the file");
        assert_eq!(file.changed(), None, "a file that is gone is no change");
        fs::write(&path, "a = 3").expect("it came back");
        assert_eq!(file.changed().as_deref(), Some("a = 3"));
    }
}
