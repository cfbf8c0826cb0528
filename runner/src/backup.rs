//! Backups: one file that holds a data folder as it was at one moment, and the way back. A tar archive, so that what is in
//! it can be looked at with what every system has; secrets stand in it under a passphrase or not at all.
//!
//! The files of a running server are read through SQLite, which gives each as it was at one moment, and never copied as
//! they are: their WAL would be missing.

mod archive;
mod restore;
mod sealed;
mod tables;

pub(crate) use restore::{Restored, restore};

use crate::exit::{self, Exit};
use anyhow::{Context, Result};
use archive::Manifest;
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// The two files that are always in a backup.
const DATABASES: [&str; 2] = ["kv.sqlite", "store.db"];
/// What is only there under a passphrase: the files of this name, and those of the folder `files`.
const SECRETS: [&str; 2] = ["master.key", "token"];
const SECRET_FILES: &str = "files";
/// What the folder remembers of its past by empty files.
const MARKS: [&str; 3] = ["kv.made", "greeted", "imported"];
/// A writer holds the files for a moment only.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// What a backup is to have.
pub(crate) struct BackupOptions<'w> {
    /// What the secrets are kept under; `None`: they are left out.
    pub(crate) passphrase: Option<&'w str>,
    /// Whether what clients said and were answered is in it.
    pub(crate) bodies: bool,
}

/// What was made.
pub(crate) struct Made {
    /// Its size.
    pub(crate) bytes: u64,
    /// Tables that were left empty.
    pub(crate) left_out: Vec<&'static str>,
    /// The secrets that are in it.
    pub(crate) secrets: Vec<String>,
}

/// Writes a backup of a data folder, whether a server runs on it or not. A file that is there is not replaced.
pub(crate) fn backup(folder: &Path, file: &Path, options: &BackupOptions<'_>) -> Result<Made> {
    if !folder.join("kv.sqlite").exists() {
        let message = format!("{} holds nothing yet: there is no kv.sqlite in it; give --data DIR", folder.display());
        return Err(Exit::new(exit::CONFIG, message).into());
    }
    if file.exists() {
        let message = format!("{} exists already and is not replaced; give another name", file.display());
        return Err(Exit::new(exit::IO, message).into());
    }
    let beside = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Beside the file, where its room is, and readable by nobody else.
    let drafts = tempfile::tempdir_in(beside).with_context(|| format!("{} cannot be written", beside.display()))?;
    let mut left_out = Vec::new();
    for name in DATABASES {
        let source = folder.join(name);
        if source.exists() {
            left_out.extend(snapshot(&source, &drafts.path().join(name), options.bodies)?);
        }
    }
    let secrets = match options.passphrase {
        Some(passphrase) => {
            let secrets = secrets(folder)?;
            fs::write(drafts.path().join(archive::SEALED), sealed::seal(&secrets, passphrase)?)?;
            secrets.into_keys().collect()
        }
        None => Vec::new(),
    };
    let marks = MARKS.into_iter().filter(|name| folder.join(name).exists()).map(str::to_owned).collect();
    let manifest = Manifest::of(drafts.path(), marks, left_out.iter().map(|table| (*table).to_owned()).collect())?;
    let mut made = tempfile::NamedTempFile::new_in(beside)?;
    made.as_file().set_permissions(Permissions::from_mode(0o600))?;
    archive::write(made.as_file_mut(), drafts.path(), &manifest)?;
    made.as_file().sync_all()?;
    let bytes = made.as_file().metadata()?.len();
    made.persist_noclobber(file)
        .map_err(|error| error.error)
        .with_context(|| format!("{} cannot be written", file.display()))?;
    crate::data_folder::sync(beside)?;
    Ok(Made { bytes, left_out, secrets })
}

/// A database as it is at one moment, in a file of its own, whole and checked. Returns the tables that were left empty.
fn snapshot(source: &Path, copy: &Path, bodies: bool) -> Result<Vec<&'static str>> {
    let shown = source.display();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(source, flags).with_context(|| format!("{shown} cannot be opened"))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let into = copy.to_str().context("the path of the backup is no text")?;
    connection.execute("VACUUM INTO ?1", [into]).with_context(|| format!("{shown} cannot be read"))?;
    let copied = Connection::open(copy)?;
    let emptied = tables::empty(&copied, bodies)?;
    check(&copied).with_context(|| format!("{shown} is damaged"))?;
    copied.close().map_err(|(_, error)| error)?;
    fs::set_permissions(copy, Permissions::from_mode(0o600))?;
    Ok(emptied)
}

/// Whether SQLite finds a file whole.
fn check(connection: &Connection) -> Result<()> {
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    anyhow::ensure!(verdict == "ok", "{verdict}");
    Ok(())
}

/// The secrets of a folder, by their names in it.
fn secrets(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut secrets = BTreeMap::new();
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()));
    for name in SECRETS {
        let path = folder.join(name);
        if path.exists() {
            secrets.insert(name.to_owned(), read(&path)?);
        }
    }
    for entry in fs::read_dir(folder.join(SECRET_FILES)).into_iter().flatten() {
        let path = entry?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_file()) {
            secrets.insert(format!("{SECRET_FILES}/{name}"), read(&path)?);
        }
    }
    Ok(secrets)
}

#[cfg(test)]
mod tests;
