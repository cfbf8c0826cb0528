//! The way back: a backup is unpacked beside the data folder and verified there before it takes its place. What was there is
//! kept.

use super::{DATABASES, MARKS, SECRET_FILES, SECRETS, archive, check, sealed, tables};
use crate::data_folder::{self, DataFolder};
use crate::exit::{self, Exit};
use anyhow::{Context, Result};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What was done.
pub(crate) struct Restored {
    /// When the backup was made.
    pub(crate) at: String,
    /// Where what was there is kept; `None`: there was nothing.
    pub(crate) kept: Option<PathBuf>,
    /// Limits of which more had been spent since.
    pub(crate) raised: usize,
    /// Whether there is a key that opens the stored secrets.
    pub(crate) has_master_key: bool,
    /// Tables that are empty.
    pub(crate) left_out: Vec<String>,
}

/// Puts a backup in the place of a data folder that no server uses, or makes one. `passphrase` is asked for where there are
/// secrets.
pub(crate) fn restore(file: &Path, folder: &Path, passphrase: impl FnOnce() -> Result<String>) -> Result<Restored> {
    // Held until all is done: no server may start on half of it.
    let held = if folder.exists() { Some(DataFolder::open(folder)?) } else { None };
    let draft = draft_folder(folder)?;
    let manifest = archive::read(file, draft.path())?;
    for name in DATABASES {
        let path = draft.path().join(name);
        if path.exists() {
            verify(&path).with_context(|| format!("{name} of the backup cannot be used"))?;
        }
    }
    let secrets = match manifest.has_secrets() {
        true => {
            let path = draft.path().join(archive::SEALED);
            let secrets = sealed::open(&fs::read(&path)?, &passphrase()?)?;
            fs::remove_file(path)?;
            secrets
        }
        // The folder's own secrets go on being its own.
        false if folder.exists() => super::secrets(folder)?,
        false => BTreeMap::new(),
    };
    write_secrets(draft.path(), &secrets)?;
    let raised = keep_spent(folder, draft.path())?;
    for mark in manifest.marks.iter().filter(|mark| MARKS.contains(&mark.as_str())) {
        archive::create(&draft.path().join(mark))?;
    }
    let kept = swap(draft, folder)?;
    drop(held);
    Ok(Restored {
        at: manifest.at,
        kept,
        raised,
        has_master_key: secrets.contains_key("master.key"),
        left_out: manifest.left_out,
    })
}

/// Beside the folder, or in it where nothing can be made beside: a volume of a container has no beside.
fn draft_folder(folder: &Path) -> Result<TempDir> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or("data");
    let beside = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = format!(".{name}.restore-");
    let mut builder = tempfile::Builder::new();
    // It is the data folder soon.
    builder.permissions(Permissions::from_mode(0o700));
    let made = builder.prefix(&prefix).tempdir_in(beside);
    match made {
        Ok(draft) => Ok(draft),
        Err(_) if folder.exists() => Ok(builder.prefix(&prefix).tempdir_in(folder)?),
        Err(error) => {
            let message = format!("{} cannot be written: {error}; give --data DIR", beside.display());
            Err(Exit::new(exit::IO, message).into())
        }
    }
}

fn verify(path: &Path) -> Result<()> {
    let connection = Connection::open(path)?;
    check(&connection)?;
    if path.ends_with("kv.sqlite") {
        anyhow::ensure!(connection.table_exists(None, "key_value")?, "it has no catalog");
    }
    connection.close().map_err(|(_, error)| error.into())
}

fn write_secrets(folder: &Path, secrets: &BTreeMap<String, String>) -> Result<()> {
    for (name, text) in secrets {
        let is_file = name.strip_prefix(SECRET_FILES).and_then(|rest| rest.strip_prefix('/'));
        let is_plain = |name: &str| !name.is_empty() && !name.contains('/') && name != "." && name != "..";
        if !SECRETS.contains(&name.as_str()) && !is_file.is_some_and(is_plain) {
            anyhow::bail!("the backup has an unknown secret");
        }
        if is_file.is_some() {
            fs::create_dir_all(folder.join(SECRET_FILES))?;
        }
        let mut file = archive::create(&folder.join(name))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    Ok(())
}

/// What was spent since the backup stays spent.
fn keep_spent(folder: &Path, draft: &Path) -> Result<usize> {
    let (older, newer) = (folder.join("store.db"), draft.join("store.db"));
    if !older.exists() || !newer.exists() {
        if older.exists() {
            fs::copy(&older, &newer)?;
        }
        return Ok(0);
    }
    let path = older.to_str().context("the path of the data folder is no text")?;
    let connection = Connection::open(&newer)?;
    let raised = tables::keep_spent(&connection, path).with_context(|| {
        format!("what was spent cannot be read from {}; move that file away to restore without it", older.display())
    })?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(raised)
}

/// Puts the draft in the place of the folder. Returns where what was there is.
pub(super) fn swap(draft: TempDir, folder: &Path) -> Result<Option<PathBuf>> {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    data_folder::sync(draft.path())?;
    if !folder.exists() {
        fs::rename(draft.keep(), folder)?;
        return Ok(None);
    }
    let is_empty = entries(folder, draft.path())?.is_empty();
    let beside = PathBuf::from(format!("{}.before-{time}", folder.display()));
    if !is_empty && !draft.path().starts_with(folder) && fs::rename(folder, &beside).is_ok() {
        let draft = draft.keep();
        if let Err(error) = fs::rename(&draft, folder) {
            // Back as it was.
            fs::rename(&beside, folder)?;
            return Err(error).with_context(|| format!("{} cannot be replaced", folder.display()));
        }
        return Ok(Some(beside));
    }
    // A mounted folder cannot be renamed, so its content is.
    let inside = folder.join(format!("before-{time}"));
    if !is_empty {
        fs::create_dir(&inside)?;
        for name in entries(folder, draft.path())? {
            if name != inside {
                fs::rename(&name, inside.join(name.file_name().unwrap_or_default()))?;
            }
        }
    }
    for path in entries(draft.path(), Path::new(""))? {
        let target = folder.join(path.file_name().unwrap_or_default());
        if fs::rename(&path, &target).is_err() {
            // Another file system than the folder beside the mounted one.
            copy(&path, &target)?;
        }
    }
    data_folder::sync(folder)?;
    Ok((!is_empty).then_some(inside))
}

/// What is in a folder, but for its lock, what earlier restores kept, and this.
fn entries(folder: &Path, but: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path != but && name != "lock" && !name.starts_with("before-") {
            entries.push(path);
        }
    }
    Ok(entries)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::copy(from, to)?;
        return Ok(());
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        copy(&path, &to.join(path.file_name().unwrap_or_default()))?;
    }
    Ok(())
}
