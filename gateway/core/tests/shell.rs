//! The component's seam. For hosts of WASI 0.2 the files that speak to the host are compiled against `gateway/p2` in place of
//! spin-sdk: the fewer they are, the less it has to offer. So no other file may name the host's interfaces, and what an
//! instance remembers must be passed on, not found.

#![expect(clippy::disallowed_methods, reason = "core reads no files; the sources are files")]

use std::fs;
use std::path::{Path, PathBuf};

/// The files that speak to the host.
const SEAM: [&str; 11] = [
    "carry.rs",
    "host.rs",
    "host/body.rs",
    "host/clock.rs",
    "host/task.rs",
    "incoming.rs",
    "lib.rs",
    "response.rs",
    "send/exchange.rs",
    "store/database.rs",
    "store/key_value.rs",
];

/// The component's files by their path below `src`, with their text.
fn component() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../component/src");
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the component stands beside core") {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("it was found there").to_string_lossy().into_owned();
                found.push((name, fs::read_to_string(&path).expect("source files are text")));
            }
        }
    }
    found.sort();
    found
}

/// The files in which any of these stands.
fn naming<'f>(files: &'f [(String, String)], words: &[&str]) -> Vec<&'f str> {
    let names = |(_, text): &&(String, String)| words.iter().any(|word| text.contains(word));
    files.iter().filter(names).map(|(name, _)| name.as_str()).collect()
}

#[test]
fn only_the_seam_names_the_hosts_interfaces() {
    assert_eq!(naming(&component(), &["spin_sdk", "wasip3", "wit_bindgen"]), SEAM);
}

#[test]
fn only_the_instance_the_turn_and_the_allocator_are_global() {
    let files = component();
    let is_global =
        |line: &&str| ["thread_local!", "static ", "pub(crate) static "].iter().any(|word| line.starts_with(word));
    let globals: Vec<(&str, &str)> = files
        .iter()
        .flat_map(|(name, text)| {
            text.lines().map(str::trim_start).filter(is_global).map(move |line| (name.as_str(), line))
        })
        .collect();
    let [
        ("host/task.rs", "thread_local! {"),
        ("host/task.rs", turn),
        ("lib.rs", allocator),
        ("lib.rs", "thread_local! {"),
        ("lib.rs", instance),
    ] = globals[..]
    else {
        panic!("{globals:?}")
    };
    assert!(turn.starts_with("static TURN: Turn "), "{turn}");
    assert!(allocator.starts_with("static ALLOCATOR:"), "{allocator}");
    assert!(instance.starts_with("static INSTANCE:"), "{instance}");
}

#[test]
fn what_hosts_can_do_is_asked_once() {
    let files = component();
    assert_eq!(naming(&files, &["variable(\"boot\")"]), ["host.rs"]);
    assert_eq!(naming(&files, &["is_runner"]), Vec::<&str>::new());
}

#[test]
fn the_component_makes_no_json_by_hand() {
    assert_eq!(naming(&component(), &["json!"]), Vec::<&str>::new(), "answers are types of core's `views`");
}

#[test]
fn the_line_fits_into_three_hundred_lines() {
    let (_, line) = component().into_iter().find(|(name, _)| name == "proxy.rs").expect("the line");
    assert!(line.lines().count() <= 300, "{} lines: what is no step belongs below proxy/", line.lines().count());
}
