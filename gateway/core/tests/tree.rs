//! The modules of core are a tree: each imports only from layers above its own in the list that opens `lib.rs`.
//!
//! Read from the text and not from the compiler: a path through a re-export would hide where an item lives, and so the
//! paths that are written are the ones that count. Tests may import what they like.

#![expect(clippy::disallowed_methods, reason = "core reads no files; the sources are files")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Imports that are known to go upwards, with the reason why they are still there.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// The layer of every module, by the order of the list in `lib.rs`.
fn layers(lib: &str) -> BTreeMap<String, usize> {
    let items = lib.lines().filter_map(|line| line.strip_prefix("//! - "));
    let names = |item: &str| {
        let (names, _) = item.split_once(':').expect("an item says what its modules are");
        let name = |text: &str| text.split('`').nth(1).expect("a module's name in backticks").to_owned();
        names.replace("](mod@route)", "]").split(", ").map(name).collect::<Vec<_>>()
    };
    items.enumerate().flat_map(|(layer, item)| names(item).into_iter().map(move |name| (name, layer))).collect()
}

/// Every `crate::module` that a text names, outside of comments and of its tests.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String =
        code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for (_, rest) in code.match_indices("crate::").map(|(at, path)| (at, &code[at + path.len()..])) {
        match rest.strip_prefix('{') {
            Some(list) => found.extend(list.split('}').next().unwrap_or_default().split(',').filter_map(first_name)),
            None => found.extend(first_name(rest)),
        }
    }
    found
}

fn first_name(path: &str) -> Option<String> {
    let path = path.trim_start();
    let end = path.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(path.len());
    (end > 0).then(|| path[..end].to_owned())
}

/// Whether a file holds nothing but tests: `tests.rs`, all in `tests/`, and the samples that only tests read.
fn is_test(path: &Path) -> bool {
    path.iter().any(|part| matches!(part.to_str(), Some("tests" | "tests.rs" | "samples" | "samples.rs")))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the crate") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What is wrong with an import of `to` in `from`, by these layers.
fn fault(layers: &BTreeMap<String, usize>, from: &str, to: &str) -> Option<String> {
    if from == to {
        return None;
    }
    let layer = |name: &str| layers.get(name).copied();
    match (layer(from), layer(to)) {
        (None, _) => Some(format!("`{from}` is not in the list of `lib.rs`")),
        (_, None) => Some(format!("`{from}` imports `{to}`, which is not in the list of `lib.rs`")),
        (Some(own), Some(other)) if other > own => Some(format!("`{from}` imports `{to}`, which is of a later layer")),
        (Some(own), Some(other)) if other == own => {
            Some(format!("`{from}` imports `{to}`, which is of the same layer"))
        }
        (Some(_), Some(_)) => None,
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn listed() -> BTreeMap<String, usize> {
    layers(&fs::read_to_string(source().join("lib.rs")).expect("lib.rs"))
}

#[test]
fn every_module_imports_only_from_the_layers_before_its_own() {
    let (layers, mut paths, mut faults) = (listed(), Vec::new(), BTreeSet::new());
    files(&source(), &mut paths);
    let mut excused = BTreeSet::new();
    for path in paths {
        let inside = path.strip_prefix(source()).expect("a file of the crate").to_owned();
        if inside == Path::new("lib.rs") || is_test(&inside) {
            continue;
        }
        let module = inside.iter().next().and_then(|part| part.to_str()).expect("a name").trim_end_matches(".rs");
        for import in imports(&fs::read_to_string(&path).expect("a source file")) {
            let Some(fault) = fault(&layers, module, &import) else { continue };
            match EXCEPTIONS.iter().find(|exception| **exception == (module, &import)) {
                Some(exception) => _ = excused.insert(*exception),
                None => _ = faults.insert(format!("{}: {fault}", inside.display())),
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    let idle: Vec<_> = EXCEPTIONS.iter().filter(|exception| !excused.contains(*exception)).collect();
    assert!(idle.is_empty(), "exceptions that nothing needs any more: {idle:?}");
}

#[test]
fn the_list_names_every_module_once() {
    let lib = fs::read_to_string(source().join("lib.rs")).expect("lib.rs");
    let declared: BTreeSet<&str> = lib
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let listed = listed();
    assert_eq!(listed.keys().map(String::as_str).collect::<BTreeSet<_>>(), declared);
    let written = lib.lines().filter(|line| line.starts_with("//! - ")).flat_map(|line| {
        let (names, _) = line.split_once(':').expect("an item");
        names.replace("](mod@route)", "]").split(", ").map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(written.count(), declared.len());
}

#[test]
fn an_import_that_goes_the_wrong_way_is_found() {
    let layers = listed();
    let faults =
        |from: &str, text: &str| imports(text).into_iter().filter_map(|import| fault(&layers, from, &import)).count();
    assert_eq!(faults("route", "use crate::catalog::Catalog;\nuse crate::route::way;"), 0);
    assert_eq!(faults("route", "use crate::rewrite::Outgoing;"), 1, "a step imports a step");
    assert_eq!(faults("catalog", "use crate::route::route;"), 1, "a noun imports a step");
    assert_eq!(faults("price", "fn of(target: &crate::catalog::Target) {}"), 1, "without a `use`");
    assert_eq!(faults("price", "use crate::{catalog::Target, usage::Usage, record};"), 2, "in a list");
    assert_eq!(faults("price", "use crate::unheard_of;"), 1, "a module that the list lacks");
    assert_eq!(faults("price", "/// See [`crate::catalog`].\n// crate::route\n"), 0, "in a comment");
    let tested = "use crate::usage::Usage;\n#[cfg(test)]\nmod tests {\n    use crate::catalog::Catalog;\n}\n";
    assert_eq!(faults("price", tested), 0, "in a test");
}

#[test]
fn no_layer_lets_two_modules_import_each_other() {
    let layers = listed();
    for (one, other) in layers.keys().flat_map(|one| layers.keys().map(move |other| (one, other))) {
        let both_ways = fault(&layers, one, other).is_none() && fault(&layers, other, one).is_none();
        assert!(one == other || !both_ways, "{one} and {other}");
    }
}
