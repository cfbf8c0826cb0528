//! Files that a catalog names, for whoever keeps keys in files: `credentials = [{ file = "keys.txt" }]`.
//!
//! A catalog may come over the API, so it cannot name any file: only those beside the catalog file, in the folder `files` of
//! the data folder, and where container platforms and systemd put secrets. Never what the data folder holds itself.
//!
//! A file is read when it is first asked for, and then looked at again and again; like the catalog file, another text counts
//! once two looks agree on it, since a file that is written in place is half for a moment.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::variables::SECRETS_FOLDER;

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Keys of every provider there is fit in.
const BYTES_MAX: u64 = 4 << 20;

/// Files that are looked after at once. More are read and not watched.
const WATCHED_MAX: usize = 256;

/// The folder of the data folder that files may be in.
const OWN_FOLDER: &str = "files";

/// Where files may be.
#[derive(Clone)]
pub(crate) struct FileFolders {
    /// Where names begin that are not absolute.
    base: PathBuf,
    /// All of them.
    allowed: Vec<PathBuf>,
    /// Where none may be, but for its folder `files`.
    data: PathBuf,
}

impl FileFolders {
    /// Beside the catalog file where there is one, else in the data folder's `files`.
    pub(crate) fn of(
        catalog: Option<&Path>,
        data: &Path,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> FileFolders {
        let own = data.join(OWN_FOLDER);
        let beside = catalog.map(|file| match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        });
        let base = beside.clone().unwrap_or_else(|| own.clone());
        let mounted = environment("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let allowed = [Some(own), beside, Some(PathBuf::from(SECRETS_FOLDER)), mounted].into_iter().flatten().collect();
        FileFolders { base, allowed, data: data.to_owned() }
    }

    /// Where the file of this name is, with every link followed.
    fn find(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.base.join(name);
        let found = path.canonicalize().map_err(|error| in_words(&error))?;
        let real = |folder: &Path| folder.canonicalize().ok();
        let is_allowed = self.allowed.iter().filter_map(|folder| real(folder)).any(|folder| found.starts_with(folder));
        let is_own =
            real(&self.data).is_some_and(|data| found.starts_with(&data) && !found.starts_with(data.join(OWN_FOLDER)));
        if is_allowed && !is_own {
            return Ok(found);
        }
        let folders: Vec<String> = self.allowed.iter().map(|folder| folder.display().to_string()).collect();
        Err(format!("a catalog may name files in {} only", folders.join(", ")))
    }
}

/// The files that were asked for.
pub(crate) struct Files {
    folders: FileFolders,
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    files: HashMap<String, File>,
    /// Grows with each change.
    generation: u64,
    looked_at: Option<Instant>,
}

struct File {
    text: Result<String, String>,
    seen: Option<FileStamp>,
    /// Another state, as the last look found it.
    candidate: Option<Option<FileStamp>>,
}

/// A file as last looked at; none where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    modified: Option<SystemTime>,
    length: u64,
}

impl FileStamp {
    fn of(metadata: &Metadata) -> FileStamp {
        FileStamp { modified: metadata.modified().ok(), length: metadata.len() }
    }
}

impl Files {
    /// None is read yet.
    pub(crate) fn new(folders: FileFolders) -> Files {
        Files { folders, watched: Mutex::default() }
    }

    /// The text of the file of this name, or why there is none.
    pub(crate) fn text(&self, name: &str) -> Result<String, String> {
        let mut watched = self.watched();
        if let Some(file) = watched.files.get(name) {
            return file.text.clone();
        }
        let file = self.read(name);
        let text = file.text.clone();
        if watched.files.len() < WATCHED_MAX {
            watched.files.insert(name.to_owned(), file);
        }
        text
    }

    /// A text that changes when any of them does.
    pub(crate) fn generation(&self) -> String {
        let mut watched = self.watched();
        let now = Instant::now();
        if watched.looked_at.is_none_or(|at| now.duration_since(at) >= LOOK_EVERY) {
            watched.looked_at = Some(now);
            let mut changed: Vec<String> = Vec::new();
            for (name, file) in &mut watched.files {
                if self.has_changed(name, file) {
                    changed.push(name.clone());
                }
            }
            for name in changed {
                let file = self.read(&name);
                watched.files.insert(name, file);
                watched.generation += 1;
            }
        }
        watched.generation.to_string()
    }

    fn has_changed(&self, name: &str, file: &mut File) -> bool {
        let now = self.look(name);
        if now == file.seen {
            file.candidate = None;
            return false;
        }
        file.candidate.replace(now) == Some(now)
    }

    fn look(&self, name: &str) -> Option<FileStamp> {
        fs::metadata(self.folders.find(name).ok()?).ok().map(|metadata| FileStamp::of(&metadata))
    }

    fn read(&self, name: &str) -> File {
        let seen = self.look(name);
        let text = self.folders.find(name).and_then(|path| {
            let metadata = fs::metadata(&path).map_err(|error| in_words(&error))?;
            if !metadata.is_file() {
                return Err("it is not a file".to_owned());
            }
            if metadata.len() > BYTES_MAX {
                return Err(format!("it has more than {} MiB", BYTES_MAX >> 20));
            }
            fs::read_to_string(&path).map_err(|error| in_words(&error))
        });
        File { text, seen, candidate: None }
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it is not there".to_owned(),
        std::io::ErrorKind::PermissionDenied => "llmio may not read it".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(catalog: Option<&Path>, data: &Path) -> Files {
        Files::new(FileFolders::of(catalog, data, |_| None))
    }

    #[test]
    fn a_file_is_found_beside_the_catalog_and_nowhere_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (data, other) = (folder.path().join("beside/data"), folder.path().join("other"));
        fs::create_dir_all(&data).expect("a folder");
        fs::create_dir_all(&other).expect("a folder");
        let catalog = folder.path().join("beside/catalog.toml");
        for (path, text) in [("beside/keys.txt", "sk-1"), ("other/keys.txt", "sk-2"), ("beside/data/token", "secret")] {
            fs::write(folder.path().join(path), text).expect("a file");
        }
        std::os::unix::fs::symlink(other.join("keys.txt"), folder.path().join("beside/link.txt")).expect("a link");
        let files = files(Some(&catalog), &data);
        assert_eq!(files.text("keys.txt").as_deref(), Ok("sk-1"));
        let absolute = folder.path().join("beside/keys.txt");
        assert_eq!(files.text(&absolute.display().to_string()).as_deref(), Ok("sk-1"));
        let elsewhere = other.join("keys.txt").display().to_string();
        for name in ["../other/keys.txt", elsewhere.as_str(), "link.txt", "data/token"] {
            let message = files.text(name).expect_err(name);
            assert!(message.starts_with("a catalog may name files in "), "{name}: {message}");
        }
        assert_eq!(files.text("none.txt"), Err("it is not there".to_owned()));
        assert_eq!(files.text("."), Err("it is not a file".to_owned()));
    }

    #[test]
    fn without_a_catalog_file_names_begin_in_the_data_folders_files() {
        let data = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(data.path().join(OWN_FOLDER)).expect("a folder");
        fs::write(data.path().join("files/keys.txt"), "sk-1").expect("a file");
        fs::write(data.path().join("token"), "secret").expect("a file");
        let files = files(None, data.path());
        assert_eq!(files.text("keys.txt").as_deref(), Ok("sk-1"));
        assert!(files.text("../token").is_err());
    }

    #[test]
    fn a_change_counts_once_two_looks_agree_on_it() {
        let data = tempfile::tempdir().expect("a temporary folder");
        let path = data.path().join("files/keys.txt");
        fs::create_dir(data.path().join(OWN_FOLDER)).expect("a folder");
        fs::write(&path, "sk-1").expect("a file");
        let files = files(None, data.path());
        assert_eq!(files.text("keys.txt").as_deref(), Ok("sk-1"));
        let look = || {
            files.watched().looked_at = None;
            files.generation()
        };
        assert_eq!((look(), look()), ("0".to_owned(), "0".to_owned()));
        fs::write(&path, "sk-1\nsk-2").expect("a file");
        assert_eq!(look(), "0");
        assert_eq!(look(), "1");
        assert_eq!(files.text("keys.txt").as_deref(), Ok("sk-1\nsk-2"));
        fs::remove_file(&path).expect("removed");
        assert_eq!((look(), look()), ("1".to_owned(), "2".to_owned()));
        assert_eq!(files.text("keys.txt"), Err("it is not there".to_owned()));
    }
}
