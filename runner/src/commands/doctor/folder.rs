//! The data folder: whether it can be used, who can read it, whether its files are whole, and how much room there is.

use super::{Check, Finding};
use crate::options::Settings;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Access, access, statvfs};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// With less free space the doctor warns: records and catalog need this much for a good while.
const FREE_BYTES_MIN: u64 = 256 << 20;
/// Larger files are not checked, since reading them takes minutes.
const CHECKED_BYTES_MAX: u64 = 256 << 20;
const MIB: u64 = 1 << 20;

pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    let folder = settings.data.as_path();
    let shown = folder.display();
    if !folder.exists() {
        let parent = folder.ancestors().skip(1).find(|parent| parent.exists() && !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        return vec![match access(parent, Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => Finding::ok(Check::DataFolder, format!("{shown} is not there yet; the first start makes it")),
            Err(error) => Finding::wrong(
                Check::DataFolder,
                format!("{shown} is not there, and cannot be made in {}: {error}", parent.display()),
                "make it and give it to this user, or give --data DIR",
            ),
        }];
    }
    let mut findings = vec![usable(folder)];
    findings.push(permissions(folder));
    findings.extend(files(settings));
    findings.extend(disk(folder));
    findings
}

fn usable(folder: &Path) -> Finding {
    let shown = folder.display();
    if !folder.is_dir() {
        return Finding::wrong(
            Check::DataFolder,
            format!("{shown} is not a folder"),
            "move it away, or give --data DIR",
        );
    }
    match access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::ok(Check::DataFolder, format!("{shown} can be read and written")),
        Err(error) => {
            let user = rustix::process::geteuid().as_raw();
            let todo =
                format!("give it to this user: chown -R {user} {shown}; in a container the folder that is mounted");
            Finding::wrong(Check::DataFolder, format!("{shown} cannot be used by user {user}: {error}"), todo)
        }
    }
}

/// Whether others can read or change what is in the folder.
fn permissions(folder: &Path) -> Finding {
    let mode = |path: &Path| fs::metadata(path).map_or(0, |data| data.permissions().mode() & 0o777);
    let names = ["token", "master.key", "kv.sqlite", "store.db"];
    let open: Vec<&str> = names.into_iter().filter(|name| mode(&folder.join(name)) & 0o077 != 0).collect();
    let shown = folder.display();
    if mode(folder) & 0o022 != 0 {
        let message = format!("{shown} can be changed by others (mode {:o})", mode(folder));
        return Finding::wrong(Check::Permissions, message, format!("chmod 700 {shown}"));
    }
    if !open.is_empty() {
        let paths: Vec<String> = open.iter().map(|name| format!("{shown}/{name}")).collect();
        let message = format!("others can read {}", open.join(", "));
        return Finding::wrong(Check::Permissions, message, format!("chmod 600 {}", paths.join(" ")));
    }
    let user = rustix::process::geteuid().as_raw();
    let foreign = names
        .into_iter()
        .find(|name| user != 0 && fs::metadata(folder.join(name)).is_ok_and(|data| data.uid() != user));
    if let Some(name) = foreign {
        let message = format!("{name} belongs to another user than {user}");
        return Finding::wrong(Check::Permissions, message, format!("chown -R {user} {shown}"));
    }
    Finding::ok(Check::Permissions, "nobody else can read what is secret")
}

fn files(settings: &Settings) -> Vec<Finding> {
    let folder = settings.data.as_path();
    let mut findings = Vec::new();
    for (name, table) in [("kv.sqlite", Some("key_value")), ("store.db", None)] {
        let path = folder.join(name);
        if path.exists() {
            findings.push(match whole(&path, table) {
                Ok(message) => Finding::ok(Check::Files, format!("{name} {message}")),
                Err(error) => Finding::wrong(
                    Check::Files,
                    format!("{name} cannot be used: {error}"),
                    "restore a backup with `llmio restore FILE`; what is there is kept",
                ),
            });
        } else if table.is_some() && folder.join("kv.made").exists() {
            let message = format!("{name} is gone, and with it the catalog and the keys");
            findings.push(Finding::wrong(Check::Files, message, "restore a backup with `llmio restore FILE`"));
        }
    }
    let is_used = folder.join("kv.sqlite").exists();
    let is_given = settings.master_key.as_ref().is_some_and(|key| !key.trim().is_empty());
    if is_used && !is_given && !folder.join("master.key").exists() {
        let message = "master.key is gone: stored credentials cannot be opened";
        let todo = "put its copy back, or set LLMIO_MASTER_KEY; otherwise enter the credentials again";
        findings.push(Finding::wrong(Check::Files, message, todo));
    }
    findings
}

fn whole(path: &Path, table: Option<&str>) -> Result<&'static str, String> {
    let text = |error: rusqlite::Error| error.to_string();
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(text)?;
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(text)?;
    if let Some(table) = table
        && !connection.table_exists(None, table).map_err(text)?
    {
        return Err("it is empty; was it copied without its -wal file?".to_owned());
    }
    if fs::metadata(path).is_ok_and(|data| data.len() > CHECKED_BYTES_MAX) {
        return Ok("can be read; it is too large to be checked as a whole");
    }
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(text)?;
    if verdict == "ok" { Ok("is whole") } else { Err(format!("it is damaged ({verdict})")) }
}

fn disk(folder: &Path) -> Option<Finding> {
    let room = statvfs(folder).ok()?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let message = format!("{} MiB are free", free / MIB);
    if free < FREE_BYTES_MIN {
        let todo = "make room, or let `settings.retention_days` or `settings.max_db_mib` keep less";
        return Some(Finding::wrong(Check::Disk, message, todo));
    }
    if room.f_files > 0 && room.f_favail == 0 {
        return Some(Finding::wrong(
            Check::Disk,
            "no file can be made any more",
            "delete files: the inodes are used up",
        ));
    }
    Some(Finding::ok(Check::Disk, message))
}
