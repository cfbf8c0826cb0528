//! The stylesheet, the script and the drawings, as they are built into the binary: gzipped, under a name that changes
//! with what they hold.

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A browser may keep it for as long as it likes, since other contents get another name.
pub const CACHE: &str = "public, max-age=31536000, immutable";

/// A file of the console.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// What it is.
    pub media_type: &'static str,
    /// Its contents, gzipped.
    pub packed: &'static [u8],
}

/// The file of this path below `assets/`: the hash of all of them, and its name.
pub fn find(path: &str) -> Option<Asset> {
    let name = path.strip_prefix(HASH)?.strip_prefix('/')?;
    let (name, packed) = FILES.iter().find(|(known, _)| *known == name)?;
    Some(Asset { media_type: media_type(name), packed })
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_by_its_hash_and_has_a_type_that_browsers_take() {
        for (name, packed) in FILES {
            let asset = find(&format!("{HASH}/{name}")).expect("it is there");
            assert_eq!(asset.packed, *packed);
            assert_ne!(asset.media_type, "application/octet-stream", "{name}");
        }
        for path in ["", HASH, "console.css", "000000000000/console.css"] {
            assert!(find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn no_file_asks_for_anything_from_elsewhere() {
        for (name, packed) in FILES {
            let text = String::from_utf8(crate::pack::unpack(packed).expect("gzip")).expect("text");
            let foreign = text.match_indices("//").filter(|(at, _)| text[..*at].ends_with(':'));
            let foreign: Vec<&str> = foreign.map(|(at, _)| &text[at..(at + 26).min(text.len())]).collect();
            assert!(foreign.iter().all(|found| found.starts_with("//www.w3.org/2000/svg")), "{name}: {foreign:?}");
        }
    }
}
