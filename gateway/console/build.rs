//! Packs the files of `assets` for the pages: gzipped, under a folder that is named by what they hold, so that browsers may
//! keep them for ever. It is one name for all of them, and modules import each other by their own names.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    let variable = |name: &str| env::var(name).map_err(io::Error::other);
    let folder = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("assets");
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-changed={}", folder.display());
    let files = fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = files.collect::<io::Result<Vec<PathBuf>>>()?;
    files.sort();
    let (mut hash, mut rows) = (Sha256::new(), String::new());
    for file in &files {
        let name =
            file.file_name().and_then(|name| name.to_str()).ok_or_else(|| io::Error::other("a name is no text"))?;
        let bytes = fs::read(file)?;
        hash.update(name.as_bytes());
        hash.update(&bytes);
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&bytes)?;
        let packed_file = out.join(format!("{name}.gz"));
        fs::write(&packed_file, packed.finish()?)?;
        rows.push_str(&format!("({name:?}, include_bytes!({packed_file:?})),"));
    }
    let hash: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let text = format!("pub(crate) const HASH: &str = {hash:?};\nconst FILES: &[(&str, &[u8])] = &[{rows}];\n");
    fs::write(out.join("assets.rs"), text)
}
