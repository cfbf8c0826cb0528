//! What is translated, as files: `golden/<from>-to-<to>/<case>/` holds what a caller of the dialect `from` sends, what a
//! provider of the dialect `to` answers, and what has to come out of both.
//!
//! | file | what it is |
//! |---|---|
//! | `request.json` | the caller's request |
//! | `expected.request.json` | what the provider gets, |
//! | `expected.refusal.json` | or why it gets nothing: `param` and `message` |
//! | `expected.warnings.json` | what was left out; absent: nothing |
//! | `upstream.json` | the provider's whole answer |
//! | `expected.json` | what the caller gets; with `"streamed": true` in `case.json` it is `expected.sse` |
//! | `upstream.sse` | the provider's stream |
//! | `expected.sse` | what the caller gets |
//! | `upstream.error.json` | the provider's error, with the status of `case.json` |
//! | `expected.error.json` | what the caller gets |
//! | `case.json` | `model` (the provider's name for it), `streamed`, `include_usage`, `as_array`, `status`, where they differ from what the request says |
//!
//! `UPDATE_GOLDEN=1 cargo test -p gateway-core --test golden` writes the expectations that are missing or differ: read
//! them before they are committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gateway_core::dialect::Dialect;
use gateway_core::neutral::Untranslatable;
use gateway_core::reasoning_seals::Readable;
use gateway_core::translate::{self, AnswerContext, Direction, Stream, Translated};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One folder.
struct Case {
    folder: PathBuf,
    from: Dialect,
    to: Dialect,
    settings: Value,
    request: Option<Value>,
}

impl Case {
    fn open(folder: PathBuf) -> Case {
        let pair = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        let (from, to) = pair.and_then(|pair| pair.split_once("-to-")).expect("golden/<from>-to-<to>/<case>");
        let dialect = |name: &str| Dialect::named(name).unwrap_or_else(|| panic!("{name} is no dialect"));
        let (from, to) = (dialect(from), dialect(to));
        let read = |name: &str| read(&folder.join(name)).map(|text| parse(&text, &folder.join(name)));
        let settings = read("case.json").unwrap_or_default();
        Case { settings, request: read("request.json"), folder, from, to }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.settings.get(name).and_then(Value::as_bool)
    }

    fn streamed(&self) -> bool {
        let streams = self.request.as_ref().and_then(|request| request.get("stream")?.as_bool());
        self.flag("streamed").or(streams).unwrap_or_else(|| self.has("upstream.sse"))
    }

    fn translated(&self) -> Option<Result<Translated, Untranslatable>> {
        let request = self.request.as_ref()?;
        let model = self.settings.get("model").and_then(Value::as_str).unwrap_or("upstream-model");
        let direction = Direction {
            from: self.from,
            to: self.to,
            model,
            profile: model,
            streamed: self.streamed(),
            readable: Readable::default(),
        };
        Some(translate::request(direction, request.to_string().as_bytes()))
    }

    fn context(&self) -> AnswerContext {
        let include_usage = self.request.as_ref().and_then(|request| request.pointer("/stream_options/include_usage"));
        let translated = self.translated().and_then(Result::ok);
        AnswerContext {
            model: "the-model".to_owned(),
            id: "0198c0de-0000-7000-8000-000000000001".to_owned(),
            created_s: 1_750_000_000,
            include_usage: self.flag("include_usage").or(include_usage.and_then(Value::as_bool)).unwrap_or(false),
            legacy_functions: self.request.as_ref().is_some_and(|request| request.get("functions").is_some()),
            hides_reasoning: translated.as_ref().is_some_and(|translated| translated.hides_reasoning),
            call_ids: translated.as_ref().map(|translated| translated.call_ids.clone()).unwrap_or_default(),
            renamed_keys: translated.as_ref().map(|translated| translated.renamed_keys.clone()).unwrap_or_default(),
            aliases: translated.map(|translated| translated.aliases).unwrap_or_default(),
            as_array: self.flag("as_array").unwrap_or(false),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        read(&self.folder.join(name)).map(String::into_bytes)
    }

    fn stream(&self) -> Stream {
        Stream::new(self.to, self.from, self.context())
    }
}

/// Does what the folder asks for and compares it with every expectation in it.
fn check(case: &Case) {
    let mut produced = vec![];
    if let Some(translated) = case.translated() {
        match translated {
            Ok(translated) => {
                produced.push(("expected.request.json", pretty(&translated.body)));
                if !translated.warnings.is_empty() {
                    produced
                        .push(("expected.warnings.json", pretty(json!(translated.warnings).to_string().as_bytes())));
                }
            }
            Err(refused) => {
                let refused = json!({ "param": refused.param, "message": refused.message });
                produced.push(("expected.refusal.json", pretty(refused.to_string().as_bytes())));
            }
        }
    }
    let answer = "upstream.json is no answer of its dialect";
    if let Some(body) = case.bytes("upstream.json") {
        if case.streamed() {
            let written = translate::answer_as_stream(case.to, case.from, &case.context(), &body).expect(answer);
            produced.push(("expected.sse", text(written)));
        } else {
            let written = translate::answer(case.to, case.from, &case.context(), &body).expect(answer);
            produced.push(("expected.json", pretty(&written)));
        }
    }
    if let Some(body) = case.bytes("upstream.sse") {
        produced.push(("expected.sse", text(in_pieces(case, &[&body]))));
    }
    if let Some(body) = case.bytes("upstream.error.json") {
        let status = case.settings.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        let error = case.to.read_error(status.expect("`status` in case.json"), &body);
        let written = case.from.error(&error, &case.context().id).to_string();
        produced.push(("expected.error.json", pretty(written.as_bytes())));
    }
    compare(case, &produced);
}

fn compare(case: &Case, produced: &[(&str, String)]) {
    assert!(!produced.is_empty(), "{} asks for nothing", case.folder.display());
    for (name, is) in produced {
        let path = case.folder.join(name);
        let expected = read(&path);
        if is_updating() && expected.as_ref() != Some(is) {
            update(&path, is);
            continue;
        }
        let expected = expected.unwrap_or_else(|| panic!("{} is missing; it would be:\n{is}", path.display()));
        let is_same = if path.extension().is_some_and(|ending| ending == "json") {
            parse(&expected, &path) == parse(is, &path)
        } else {
            expected == *is
        };
        assert!(is_same, "{}:\nexpected {expected}\ncame     {is}", path.display());
    }
    const INPUTS: [&str; 5] = ["case.json", "request.json", "upstream.json", "upstream.sse", "upstream.error.json"];
    for name in list(&case.folder).iter().filter_map(|path| path.file_name()?.to_str()) {
        let is_used = INPUTS.contains(&name) || produced.iter().any(|(produced, _)| *produced == name);
        assert!(is_used, "{}: nothing makes {name}", case.folder.display());
    }
}

fn in_pieces(case: &Case, pieces: &[&[u8]]) -> Vec<u8> {
    let mut stream = case.stream();
    let mut out: Vec<u8> = pieces.iter().flat_map(|piece| stream.feed(piece)).collect();
    out.extend(stream.end());
    out
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    list(&root).iter().flat_map(|pair| list(pair)).map(Case::open).collect()
}

fn list(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

#[expect(clippy::disallowed_methods, reason = "core reads no files; its goldens are files")]
fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[expect(clippy::disallowed_methods, reason = "asked for by who runs the test")]
fn is_updating() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok()
}

#[expect(clippy::disallowed_methods, reason = "asked for by who runs the test")]
fn update(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn parse(text: &str, path: &Path) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn pretty(json: &[u8]) -> String {
    let value: Value = serde_json::from_slice(json).expect("JSON comes out");
    format!("{value:#}\n")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8 comes out")
}

#[test]
fn every_case_comes_out_as_its_files_say() {
    for case in cases() {
        check(&case);
    }
}

#[test]
fn every_stream_comes_out_the_same_byte_by_byte_and_with_any_line_end() {
    for case in cases() {
        let Some(body) = case.bytes("upstream.sse") else { continue };
        let whole = in_pieces(&case, &[&body]);
        for line_end in ["\n", "\r\n", "\r"] {
            let body = text(body.clone()).replace('\n', line_end).into_bytes();
            let bytes: Vec<&[u8]> = body.chunks(1).collect();
            assert_eq!(text(in_pieces(&case, &bytes)), text(whole.clone()), "{}", case.folder.display());
        }
    }
}

proptest! {
    #[test]
    fn every_stream_comes_out_the_same_however_it_is_cut(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        for case in cases() {
            let Some(body) = case.bytes("upstream.sse") else { continue };
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
            ends.extend([0, body.len()]);
            ends.sort_unstable();
            let pieces: Vec<&[u8]> = ends.windows(2).map(|ends| &body[ends[0]..ends[1]]).collect();
            prop_assert_eq!(in_pieces(&case, &pieces), in_pieces(&case, &[&body]), "{}", case.folder.display());
        }
    }
}
