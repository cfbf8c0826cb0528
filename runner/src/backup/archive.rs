//! The archive: its manifest first, then the files that the manifest names, each with its size and SHA-256.

use crate::exit::{self, Exit};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The manifest's name.
const MANIFEST: &str = "llmio-backup.json";
/// The secrets, under a passphrase.
pub(super) const SEALED: &str = "secrets.sealed";
/// What this program writes and reads.
const FORMAT: u32 = 1;
/// A manifest is some lines; anything longer is something else.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// What is in an archive.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// The version of llmio that wrote it.
    llmio: String,
    /// When.
    pub(super) at: String,
    files: Vec<Entry>,
    /// Tables that were left empty.
    pub(super) left_out: Vec<String>,
    /// Empty files by which a folder remembers its past.
    pub(super) marks: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    name: String,
    bytes: u64,
    sha256: String,
}

impl Manifest {
    /// The manifest of the files in a folder.
    pub(super) fn of(folder: &Path, marks: Vec<String>, left_out: Vec<String>) -> Result<Manifest> {
        let mut files = Vec::new();
        for name in super::DATABASES.into_iter().chain([SEALED]) {
            let path = folder.join(name);
            if path.exists() {
                let (bytes, sha256) = copied(&mut File::open(path)?, &mut io::sink())?;
                files.push(Entry { name: name.to_owned(), bytes, sha256 });
            }
        }
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Ok(Manifest { format: FORMAT, llmio: env!("CARGO_PKG_VERSION").to_owned(), at, files, left_out, marks })
    }

    /// Whether secrets are in it.
    pub(super) fn has_secrets(&self) -> bool {
        self.files.iter().any(|entry| entry.name == SEALED)
    }
}

/// Writes the manifest and its files.
pub(super) fn write(into: &mut File, folder: &Path, manifest: &Manifest) -> Result<()> {
    let mut archive = tar::Builder::new(into);
    let text = serde_json::to_vec_pretty(manifest)?;
    archive.append_data(&mut header(text.len() as u64), MANIFEST, text.as_slice())?;
    for Entry { name, bytes, .. } in &manifest.files {
        archive.append_data(&mut header(*bytes), name, File::open(folder.join(name))?)?;
    }
    archive.finish()?;
    Ok(())
}

fn header(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header
}

/// Reads an archive into a folder. Only what the manifest names is written, under names that are known here, and all of it
/// must be there as the manifest says.
pub(super) fn read(from: &Path, folder: &Path) -> Result<Manifest> {
    let shown = from.display();
    let file = File::open(from).with_context(|| format!("{shown} cannot be read"))?;
    read_entries(file, folder)
        .map_err(|error| Exit::new(exit::CONFIG, format!("{shown} is not a complete backup: {error:#}")).into())
}

fn read_entries(file: File, folder: &Path) -> Result<Manifest> {
    let mut archive = tar::Archive::new(file);
    let mut entries = archive.entries()?;
    let mut first = entries.next().context("it is empty")??;
    ensure!(first.path()?.as_os_str() == MANIFEST, "it does not begin with {MANIFEST}");
    let mut text = Vec::new();
    (&mut first).take(MANIFEST_BYTES_MAX).read_to_end(&mut text)?;
    let manifest: Manifest = serde_json::from_slice(&text).context("its manifest cannot be understood")?;
    ensure!(manifest.format == FORMAT, "it is of another version of llmio ({})", manifest.llmio);
    let mut missing: Vec<&Entry> = manifest.files.iter().collect();
    for entry in entries {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let at = missing.iter().position(|part| path.as_os_str() == part.name.as_str());
        let Some(part) = at.map(|at| missing.remove(at)) else {
            anyhow::bail!("it has a file that its manifest lacks")
        };
        let is_known = super::DATABASES.contains(&part.name.as_str()) || part.name == SEALED;
        ensure!(is_known, "it has an unknown file");
        let mut written = create(&folder.join(&part.name))?;
        let (bytes, sha256) = copied(&mut entry, &mut written)?;
        ensure!(bytes == part.bytes && sha256 == part.sha256, "{} is not what it was", part.name);
        written.sync_all()?;
    }
    ensure!(missing.is_empty(), "{} is missing", missing.first().map_or("", |entry| entry.name.as_str()));
    Ok(manifest)
}

/// A file that only its owner can read, and that was not there.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Copies; returns how much it was, and its hash.
fn copied(from: &mut impl Read, into: &mut impl Write) -> io::Result<(u64, String)> {
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        let read = from.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { break };
        hash.update(piece);
        into.write_all(piece)?;
        bytes += read as u64;
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, sha256))
}
