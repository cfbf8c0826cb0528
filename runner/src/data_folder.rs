//! The data folder: one process at a time, and nothing in it that others may read. The lock is a file of its own and
//! not SQLite's, because SQLite's would keep backups and the `sqlite3` shell out too.

use crate::exit::{self, Exit};
use crate::token;
use anyhow::{Context, Result};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file that says that `kv.sqlite` was once made.
const KEY_VALUE_MARK: &str = "kv.made";

/// The file that says that Go llmio's database was imported.
const IMPORT_MARK: &str = "imported";

/// A data folder that this process holds while the value lives.
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
    is_new: bool,
}

impl DataFolder {
    /// Makes the folder if needed and locks it.
    pub(crate) fn open(path: &Path) -> Result<DataFolder> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| unwritable(path, &error))?;
        let lock = private().create(true).truncate(false).open(path.join("lock"));
        let lock = lock.map_err(|error| unwritable(path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(path).into()),
            Err(TryLockError::Error(error)) => return Err(unwritable(path, &error).into()),
        }
        // Left behind by `kill -9`. Another process may listen there now, and must not be sent the admin token.
        let _ = fs::remove_file(path.join("address"));
        let is_new = !["store.db", "master.key"].iter().any(|name| path.join(name).exists());
        let folder = DataFolder { path: path.to_owned(), _lock: lock, is_new };
        folder.probe().map_err(|error| unwritable(path, &error))?;
        Ok(folder)
    }

    /// Whether the folder was empty before this process.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether a start has told the operator all that is needed to go on. A folder that was used before may still lack
    /// this: a command may have made it, or a start may have failed early.
    pub(crate) fn is_greeted(&self) -> bool {
        self.path.join("greeted").exists()
    }

    /// Notes that from now on a start prints one line.
    pub(crate) fn set_greeted(&self) {
        // If this fails, the next start simply tells it again.
        let _ = private().create(true).truncate(true).open(self.path.join("greeted"));
    }

    /// Whether there was ever a `kv.sqlite` in it.
    pub(crate) fn had_key_value(&self) -> bool {
        self.path.join(KEY_VALUE_MARK).exists()
    }

    /// Notes that from now on a missing `kv.sqlite` is a lost one.
    pub(crate) fn set_key_value(&self) {
        if !self.had_key_value() {
            // If this fails, rows in `store.db` say the same.
            let _ = private().create(true).truncate(true).open(self.path.join(KEY_VALUE_MARK));
        }
    }

    /// The path of the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file for catalog and health.
    pub(crate) fn key_value(&self) -> PathBuf {
        self.path.join("kv.sqlite")
    }

    /// The file for records and quota.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("store.db")
    }

    /// The admin token. It is made if there is none.
    pub(crate) fn token(&self) -> Result<String> {
        self.secret("token")
    }

    /// The master key. It is made if there is none.
    pub(crate) fn master_key(&self) -> Result<String> {
        self.secret("master.key")
    }

    /// Tells the client commands the address of the server.
    pub(crate) fn announce(&self, address: SocketAddr) -> Result<()> {
        let (file, draft) = (self.path.join("address"), self.path.join("address.new"));
        fs::write(&draft, address.to_string()).map_err(|error| unwritable(&self.path, &error))?;
        fs::rename(draft, file).map_err(|error| unwritable(&self.path, &error))?;
        Ok(())
    }

    fn secret(&self, name: &str) -> Result<String> {
        let file = self.path.join(name);
        match fs::read_to_string(&file) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unwritable(&self.path, &error)).context(name.to_owned()),
        }
        let secret = token::generate()?;
        let write = || -> io::Result<()> {
            // It is written to another file first, so that a crash does not leave half a master key.
            let draft = self.path.join(format!("{name}.new"));
            let mut opened = private().create(true).truncate(true).open(&draft)?;
            opened.write_all(secret.as_bytes())?;
            opened.write_all(b"\n")?;
            opened.sync_all()?;
            fs::rename(draft, &file)?;
            sync(&self.path)
        };
        write().map_err(|error| unwritable(&self.path, &error))?;
        Ok(secret)
    }

    /// Checks that the folder can be written: even if its lock can be opened, the disk may be full or read-only.
    fn probe(&self) -> io::Result<()> {
        let file = self.path.join("probe");
        private().create(true).truncate(true).open(&file)?.write_all(b"x")?;
        fs::remove_file(file)
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.path.join("address"));
    }
}

/// Whether what Go llmio left behind was taken over.
pub(crate) fn has_imported(path: &Path) -> bool {
    path.join(IMPORT_MARK).exists()
}

/// Notes that it was, so that it is not done again.
pub(crate) fn set_imported(path: &Path) -> Result<()> {
    private().create(true).truncate(true).open(path.join(IMPORT_MARK)).map_err(|error| unwritable(path, &error))?;
    Ok(())
}

/// The address that a server announced last. The server may have ended; only [`running_server`] tells whether it runs.
pub(crate) fn announced(path: &Path) -> Option<SocketAddr> {
    fs::read_to_string(path.join("address")).ok()?.trim().parse().ok()
}

/// The admin token in the folder, for commands that cannot lock the folder because a server runs on it.
pub(crate) fn kept_token(path: &Path) -> Result<Option<String>, Exit> {
    let file = path.join("token");
    match fs::read_to_string(&file) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|token| !token.is_empty())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => {
            let file = file.display();
            let message = format!("{file} cannot be read: {error}; run this as the server's user, or set LLMIO_TOKEN");
            Err(Exit::new(exit::IO, message))
        }
    }
}

/// The address of the server that runs on this folder, if one does.
pub(crate) fn running_server(path: &Path) -> Option<SocketAddr> {
    // The address is read first: trying the lock of a folder without a server could make a server that is just starting
    // believe that the folder is in use.
    let address = announced(path)?;
    let lock = File::open(path.join("lock")).ok()?;
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(address),
        // No process holds the lock, so the address was left behind by `kill -9`.
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// Syncs a folder. A renamed file survives a power cut only if its folder is on the disk too.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

fn in_use(path: &Path) -> Exit {
    let running = match running_server(path) {
        Some(address) => format!(" (it serves http://{address})"),
        None => String::new(),
    };
    let message = format!("another llmio uses {}{running}; stop it, or give this one --data DIR", path.display());
    Exit::new(exit::TEMPORARY, message)
}

fn unwritable(path: &Path, error: &io::Error) -> Exit {
    let path = path.display();
    let message = format!("the data folder {path} cannot be written: {error}; make it writable, or give --data DIR");
    Exit::new(exit::IO, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_second_process_is_told_who_is_there_and_gets_75() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let path = parent.path().join("deep/data");
        let first = DataFolder::open(&path).expect("the first");
        let address: SocketAddr = "127.0.0.1:7071".parse().expect("an address");
        first.announce(address).expect("an announcement");
        assert_eq!(running_server(&path), Some(address));
        let second = DataFolder::open(&path).err().expect("the second is refused");
        let exit = second.downcast_ref::<Exit>().expect("an exit");
        assert_eq!(exit.code, 75);
        assert!(exit.message.contains("127.0.0.1:7071"), "{}", exit.message);
        drop(first);
        assert_eq!(running_server(&path), None);
        fs::write(path.join("address"), "127.0.0.1:7071").expect("what kill -9 leaves behind");
        let _third = DataFolder::open(&path).expect("the third");
        assert_eq!(running_server(&path), None, "an old address is not taken for the new holder's");
    }

    #[test]
    fn a_folder_that_cannot_be_made_gets_74_and_what_to_do() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let file = parent.path().join("file");
        fs::write(&file, "").expect("a file");
        let error = DataFolder::open(&file.join("data")).err().expect("no folder inside a file");
        let exit = error.downcast_ref::<Exit>().expect("an exit");
        assert_eq!(exit.code, 74);
        assert!(exit.message.contains("--data"), "{}", exit.message);
    }

    #[test]
    fn secrets_are_made_once_and_only_their_owner_can_read_them() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let folder = DataFolder::open(&parent.path().join("data")).expect("a folder");
        let token = folder.token().expect("a token");
        assert_eq!(folder.token().expect("the same token"), token);
        assert_ne!(folder.master_key().expect("a master key"), token);
        let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&folder.path().join("token")), 0o600);
        assert_eq!(mode(&folder.path().join("master.key")), 0o600);
    }
}
