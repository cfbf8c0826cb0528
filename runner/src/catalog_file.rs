//! `--catalog FILE`: the component checks a text before it is published. The file is read twice a second instead of
//! being watched through inotify, which misses what editors, ConfigMaps and network mounts do to files. A text counts
//! once two reads in a row find it, because a file that is written in place is empty or half written for a moment, and
//! may be valid then.

use crate::admin;
use crate::gateway::Handle;
use crate::log;
use anyhow::{Context, Result, bail};
use http::{Method, StatusCode};
use serde_json::Value;
use std::convert::Infallible;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::time::{MissedTickBehavior, interval, timeout};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long the component may take. If it does not answer, it is asked again at the next look.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The watched file.
pub(crate) struct CatalogFile {
    path: PathBuf,
    /// The text that was published or refused last.
    settled: Option<FileStamp>,
    /// Another text, found by the last look.
    candidate: Option<FileStamp>,
    /// Why the last look could not read a text, and whether that was logged.
    unreadable: Option<(String, bool)>,
    /// Why the candidate could not be checked, as it was logged.
    unchecked: Option<String>,
    /// Whether the settled text was refused.
    refused: bool,
}

/// The file as the last look found it. The time alone would miss two changes that come too fast for the file system's
/// clock.
#[derive(PartialEq, Clone, Copy)]
struct FileStamp {
    modified: Option<SystemTime>,
    length: u64,
    hash: u64,
}

/// What the component says about a text.
pub(crate) enum Verdict {
    /// It can be served. The texts are warnings.
    Accepted(Vec<String>),
    /// It cannot be served, for these reasons.
    Refused(Vec<String>),
}

impl CatalogFile {
    /// A file that has not been read yet.
    pub(crate) fn new(path: &Path) -> CatalogFile {
        CatalogFile {
            path: path.to_owned(),
            settled: None,
            candidate: None,
            unreadable: None,
            unchecked: None,
            refused: false,
        }
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file for the first time.
    pub(crate) fn read(&mut self) -> Result<String> {
        let cannot = || format!("the catalog file {} cannot be used", self.path.display());
        let metadata = fs::metadata(&self.path).with_context(cannot)?;
        let text = self.text().map_err(anyhow::Error::msg).with_context(cannot)?;
        self.settled = Some(FileStamp::of(&metadata, &text));
        Ok(text)
    }

    /// The new text, if there is one. Every look returns it again until it is settled.
    pub(crate) fn changed(&mut self) -> Option<String> {
        match self.look() {
            Ok(text) => {
                if let Some((_, true)) = self.unreadable.take() {
                    log::note(format_args!("{} can be read again", self.path.display()));
                }
                text
            }
            Err(reason) => {
                // It is logged once, and not if it only lasts for the moment in which an editor replaces the file.
                let logged = match self.unreadable.take() {
                    Some((before, false)) if before == reason => {
                        log::warn(format_args!("{}: {reason}; the last good catalog stays", self.path.display()));
                        true
                    }
                    Some((before, true)) => before == reason,
                    _ => false,
                };
                self.unreadable = Some((reason, logged));
                None
            }
        }
    }

    /// Notes that the last text was published or refused.
    pub(crate) fn settle(&mut self) {
        self.settled = self.candidate.take().or(self.settled);
        self.unchecked = None;
    }

    /// Why the file is not served as it is now; empty if it is. It names neither the path nor the problems, since
    /// anybody may ask whether the gateway is ready; the log has both.
    fn trouble(&self) -> &'static str {
        match (&self.unreadable, &self.unchecked) {
            (Some((_, true)), _) => "the catalog file cannot be read; the last good catalog stays (see the log)",
            (_, Some(_)) => "the catalog file changed but could not be checked yet (see the log)",
            _ if self.refused => "the catalog file changed but is invalid; the last good catalog stays (see the log)",
            _ => "",
        }
    }

    fn look(&mut self) -> Result<Option<String>, String> {
        let metadata = fs::metadata(&self.path).map_err(|error| error.to_string())?;
        let same = |seen: &FileStamp| seen.modified == metadata.modified().ok() && seen.length == metadata.len();
        if self.candidate.is_none() && self.settled.as_ref().is_some_and(same) && !is_recent(&metadata) {
            return Ok(None);
        }
        let text = self.text().inspect_err(|_| self.candidate = None)?;
        let now = FileStamp::of(&metadata, &text);
        if self.settled.is_some_and(|settled| settled.hash == now.hash) {
            (self.settled, self.candidate) = (Some(now), None);
            return Ok(None);
        }
        let agreed = self.candidate.replace(now) == Some(now);
        Ok(agreed.then_some(text))
    }

    /// The text of the file. An empty one is an error, since the component takes it for "no file" and would serve the
    /// built-in catalog.
    fn text(&self) -> Result<String, String> {
        let text = fs::read_to_string(&self.path).map_err(|error| error.to_string())?;
        if is_blank(&text) { Err(BLANK.to_owned()) } else { Ok(text) }
    }

    fn warn_unchecked(&mut self, reason: String) {
        if self.unchecked.as_ref() != Some(&reason) {
            let path = self.path.display();
            log::warn(format_args!("{path} changed but could not be checked yet: {reason}; it is tried again"));
            self.unchecked = Some(reason);
        }
    }
}

/// The message about a file without a text.
pub(crate) const BLANK: &str = "it is empty";

/// Whether a file holds no text. A comment is a text.
pub(crate) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Whether the file changed so recently that another change may have kept its length and time. Then the text itself is
/// compared.
fn is_recent(metadata: &Metadata) -> bool {
    let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
    age.is_none_or(|age| age.as_secs() < 3)
}

impl FileStamp {
    fn of(metadata: &Metadata, text: &str) -> FileStamp {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        FileStamp { modified: metadata.modified().ok(), length: metadata.len(), hash: hasher.finish() }
    }
}

/// Asks the component about a text and publishes it if it is accepted.
pub(crate) async fn publish(gateway: &Handle, text: String) -> Result<Verdict> {
    let verdict = check(gateway, &text).await?;
    if matches!(verdict, Verdict::Accepted(_)) {
        gateway.stores().variables.set_catalog(text);
    }
    Ok(verdict)
}

/// Publishes what changes from now on. Never ends.
pub(crate) async fn watch(gateway: &Handle, mut file: CatalogFile) -> Infallible {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        if let Some(text) = file.changed() {
            publish_change(gateway, &mut file, text).await;
        }
        gateway.stores().variables.set("catalog_trouble", file.trouble());
    }
}

/// Publishes a changed text, or says what is wrong with it; the last good one stays then.
async fn publish_change(gateway: &Handle, file: &mut CatalogFile, text: String) {
    let path = file.path.display();
    match timeout(ANSWER_TIMEOUT, publish(gateway, text)).await {
        Ok(Ok(Verdict::Accepted(warnings))) => {
            log::note(format_args!("{path} changed; the new catalog is in use"));
            warnings.iter().for_each(log::warn);
            file.refused = false;
            file.settle();
        }
        Ok(Ok(Verdict::Refused(problems))) => {
            log::warn(format_args!("{path} changed but is invalid; the last good catalog stays"));
            problems.iter().for_each(log::warn);
            file.refused = true;
            file.settle();
        }
        Ok(Err(error)) => file.warn_unchecked(format!("{error:#}")),
        Err(_) => file.warn_unchecked("no answer in time".to_owned()),
    }
}

/// Asks the component to check a text. An answer that is neither yes nor no says nothing about the text.
async fn check(gateway: &Handle, text: &str) -> Result<Verdict> {
    let stores = gateway.stores();
    let request = admin::request(stores, Method::POST, "/api/catalog/check", "application/toml", text.to_owned())?;
    let response = gateway.send(request).await?;
    match response.status() {
        status if status.is_success() => Ok(Verdict::Accepted(warnings(response.body()))),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Ok(Verdict::Refused(problems(response.body()))),
        status => bail!("{status}: {}", problems(response.body()).join("; ")),
    }
}

fn warnings(body: &[u8]) -> Vec<String> {
    let Ok(accepted) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let listed = accepted.get("warnings").and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(line).collect()
}

/// The problems in a problem-details answer, one line each. Any other answer is returned as it is.
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

    fn file(text: &str) -> (tempfile::TempDir, CatalogFile) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("llmio.toml");
        fs::write(&path, text).expect("a file");
        let mut file = CatalogFile::new(&path);
        file.read().expect("the text");
        (folder, file)
    }

    /// What two looks find, neither of which sees the file change.
    fn changed(file: &mut CatalogFile) -> Option<String> {
        assert_eq!(file.changed(), None, "one look is not enough");
        file.changed()
    }

    #[test]
    fn a_change_within_the_grain_of_file_times_is_seen_once() {
        let (_folder, mut file) = file("a = 1");
        assert_eq!(changed(&mut file), None);
        fs::write(&file.path, "a = 2").expect("a change of the same length");
        assert_eq!(changed(&mut file).as_deref(), Some("a = 2"));
        assert_eq!(file.changed().as_deref(), Some("a = 2"), "what was not settled comes again");
        file.settle();
        assert_eq!(changed(&mut file), None);
        fs::remove_file(&file.path).expect("the file");
        assert_eq!(changed(&mut file), None, "a file that is gone is no change");
        fs::write(&file.path, "a = 2").expect("the same text");
        assert_eq!(changed(&mut file), None, "nor is one that came back as it was");
        fs::write(&file.path, "a = 3").expect("another text");
        assert_eq!(changed(&mut file).as_deref(), Some("a = 3"));
    }

    #[test]
    fn a_text_that_is_still_being_written_is_waited_for() {
        let (_folder, mut file) = file("a = 1");
        for half in ["a", "a = 1\nb", "a = 1\nb = "] {
            fs::write(&file.path, half).expect("a part of the text");
            assert_eq!(file.changed(), None);
        }
        fs::write(&file.path, "a = 1\nb = 2").expect("the whole text");
        assert_eq!(changed(&mut file).as_deref(), Some("a = 1\nb = 2"));
        fs::write(&file.path, "a = 1").expect("the text before");
        assert_eq!(changed(&mut file), None, "nothing is left of a change that was taken back");
    }

    #[test]
    fn a_blank_or_unreadable_file_is_never_a_text_and_told_once() {
        let (_folder, mut file) = file("a = 1");
        for (bytes, reason) in [(b"".as_slice(), "empty"), (b" \n\t", "empty"), (b"\xff\xfe", "UTF-8")] {
            fs::write(&file.path, bytes).expect("no text");
            file.unreadable = None;
            assert_eq!(file.changed(), None);
            let first = file.unreadable.clone().expect("a reason");
            assert!(first.0.contains(reason) && !first.1, "{first:?}");
            assert_eq!(file.changed(), None);
            assert_eq!(file.unreadable, Some((first.0, true)), "the second look tells it");
            assert!(CatalogFile::new(&file.path).read().is_err(), "at the start it is an error");
        }
        fs::write(&file.path, "a = 1").expect("the text again");
        assert_eq!(file.changed(), None);
        assert_eq!(file.unreadable, None);
    }
}
