//! What the author of a new dialect has to write, and where: one room, and the places listed here. A match on all
//! dialects does not compile without the new one; this list also holds what the compiler cannot find.

#![expect(clippy::disallowed_methods, reason = "core reads no files; the sources are files")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gateway_core::dialect::Dialect;

/// The files of every room, in its folder or as a folder with what lies beneath.
const ROOM: [&str; 9] =
    ["answer", "error", "facts", "finish", "read", "stream_reader", "stream_writer", "usage", "write"];

/// Files outside the rooms that tell dialects apart, and what a new one has to say there.
const PLACES: [(&str, &str); 18] = [
    (
        "core/src/dialect.rs",
        "its name, how a credential is presented, the version in its paths, and its nearest others",
    ),
    ("core/src/dialects.rs", "where its room is"),
    ("core/src/operation.rs", "its endpoints"),
    ("core/src/accept.rs", "paths and headers by which a caller is known to speak it"),
    ("core/src/accept/body.rs", "where a request names the model, and parameters of its URL"),
    ("core/src/count.rs", "how a number of tokens is answered"),
    ("core/src/kept.rs", "which files and batches are its own, and how they are listed"),
    ("core/src/kept/batch.rs", "where the calls of a batch stand"),
    ("core/src/models.rs", "how models are listed"),
    ("core/src/observe/events.rs", "whether a provider keeps answers under an id"),
    ("core/src/observe/json.rs", "whether a provider keeps answers under an id"),
    ("core/src/rewrite/headers.rs", "headers of its own"),
    ("core/src/trial/conversation.rs", "how what a person says in the console is written"),
    ("core/src/translate/cache.rs", "whether requests mark what is to be kept"),
    ("core/src/translate/ids.rs", "which ids of calls it takes"),
    ("core/src/translate/native.rs", "where other providers' seals stand in its requests"),
    ("core/src/translate/tool_names.rs", "which names of tools it takes"),
    ("core/src/translate/tool_schemas.rs", "which schemas of tools it takes"),
];

/// Files that name a dialect because they are about that one: a new dialect changes nothing there.
const ABOUT_ONE: [(&str, &str); 10] = [
    ("core/src/candidate.rs", "the review of tool calls that clients of Anthropic's dialect rely on"),
    ("core/src/providers/rows.rs", "the addresses of known providers"),
    ("core/src/catalog/validate/provider.rs", "a provider speaks OpenAI chat unless it says otherwise"),
    ("core/src/echo.rs", "the built-in provider speaks OpenAI chat"),
    ("core/src/outcome/lesson.rs", "an error within an answer is judged alike in every dialect"),
    ("core/src/profile/", "what models take, by the dialect they are asked in"),
    ("core/src/rewrite.rs", "Responses that a provider keeps, and tools that OpenAI takes there alone"),
    ("core/src/trial.rs", "the smallest request"),
    ("component/src/console/playground.rs", "what is wrong with a form is said as OpenAI chat says it"),
    ("component/src/proxy/stored.rs", "Responses that a provider keeps"),
];

#[test]
fn every_room_has_the_same_files() {
    for dialect in Dialect::ALL {
        let room = source().join("core/src/dialects").join(dialect.name().replace('-', "_"));
        for name in ROOM {
            assert!(room.join(name).with_extension("rs").is_file(), "{} lacks {name}.rs", room.display());
        }
    }
}

#[test]
fn what_tells_dialects_apart_stands_in_a_room_or_in_a_listed_place() {
    let mut files = Vec::new();
    collect(&source().join("core/src"), &mut files);
    collect(&source().join("component/src"), &mut files);
    let listed: BTreeSet<&str> = PLACES.iter().chain(&ABOUT_ONE).map(|(path, _)| *path).collect();
    let mut found = BTreeSet::new();
    for path in &files {
        let inside = path.strip_prefix(source()).expect("a file of the gateway").to_str().expect("a plain name");
        if inside.starts_with("core/src/dialects/") || !names_a_dialect(inside, &code(path)) {
            continue;
        }
        let place =
            listed.iter().find(|place| inside == **place || place.ends_with('/') && inside.starts_with(**place));
        match place {
            Some(place) => _ = found.insert(*place),
            None => panic!("{inside} tells dialects apart: move that into the rooms, or list it with what it says"),
        }
    }
    let idle: Vec<_> = listed.difference(&found).collect();
    assert!(idle.is_empty(), "places that tell no dialects apart any more: {idle:?}");
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the gateway's folder").to_owned()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            files.push(path);
        }
    }
}

/// A file without its tests and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn names_a_dialect(inside: &str, code: &str) -> bool {
    let own = if inside.starts_with("core/src/dialect") { "Self::" } else { "Dialect::" };
    ["OpenaiChat", "OpenaiResponses", "Anthropic", "Gemini"].iter().any(|name| code.contains(&format!("{own}{name}")))
}
