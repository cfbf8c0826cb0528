//! `docs/promises.md` says which tests keep which promise; here it is held to it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PROMISES: &str = include_str!("../../docs/promises.md");

/// Every word in backticks that can be no other thing than a test's name.
fn named() -> BTreeSet<&'static str> {
    let is_name = |word: &&str| {
        word.matches('_').count() >= 3 && word.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
    };
    PROMISES.split('`').skip(1).step_by(2).filter(is_name).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let path = entry.path();
        match path.extension() {
            _ if path.is_dir() => sources(&path, found),
            Some(extension) if extension == "rs" => found.push(path),
            _ => {}
        }
    }
}

#[test]
fn every_test_that_a_promise_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for folder in ["runner/src", "runner/tests", "gateway/core/src", "gateway/core/tests"] {
        sources(&root.join(folder), &mut files);
    }
    let text: String = files.iter().map(|file| fs::read_to_string(file).expect("a source file")).collect();
    let missing: Vec<_> = named().into_iter().filter(|name| !text.contains(&format!("fn {name}("))).collect();
    assert!(named().len() > 80, "the page names its tests in backticks");
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

#[test]
fn every_line_of_a_promise_names_a_test_that_keeps_it() {
    let lines = PROMISES.lines().filter(|line| line.starts_with("| F"));
    for line in lines {
        let kept_by = line.trim_end_matches(['|', ' ']).rsplit('|').next().expect("a last column");
        assert!(kept_by.contains('`'), "{line}");
    }
}
