//! What the documents show is accepted: a sample that does not work is worse than none.

#![expect(clippy::disallowed_methods, reason = "core reads no files; the documents are files")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gateway_core::catalog::{Catalog, Document};
use gateway_core::problem::Problems;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every document for readers, with its path from the root.
fn documents() -> Vec<(String, String)> {
    let mut paths: Vec<String> =
        ["README.md", "README.zh-CN.md", ".github/CONTRIBUTING.md"].map(str::to_owned).to_vec();
    for folder in ["gateway/docs", "gateway/docs/deploy", "runner/docs"] {
        let entries = fs::read_dir(root().join(folder)).expect(folder);
        let names = entries.map(|entry| entry.expect(folder).file_name().into_string().expect("a plain name"));
        paths.extend(names.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}/{name}")));
    }
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// The fenced blocks of a document: the words behind the fence, and the text.
fn blocks(document: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(words) = line.trim_start().strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
        blocks.push((words, body.join("\n")));
    }
    blocks
}

#[test]
fn every_catalog_in_the_documents_is_valid() {
    let mut seen = 0;
    for (path, text) in documents() {
        for (_, sample) in blocks(&text).into_iter().filter(|(words, _)| *words == "toml") {
            if let Err(problems) = accepted(&sample) {
                panic!("{path}\n{sample}\n{problems}");
            }
            seen += 1;
        }
    }
    assert!(seen >= 12, "only {seen} samples were found");
}

/// A catalog where no variable is set: those of texts have defaults, and those of keys need not be there.
fn accepted(text: &str) -> Result<Catalog, Problems> {
    Document::from_toml(text)?.filled(&|_| None)?.validate()
}

#[test]
fn somebody_elses_models_and_deployments_are_all_in_the_sample() {
    let catalog =
        accepted(&read("gateway/docs/samples/free-models.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    let targets: usize = catalog.models.iter().map(|model| model.targets.len()).sum();
    assert_eq!((catalog.providers.len(), catalog.models.len(), targets), (15, 72, 147));
    let model = catalog.model("glm-4.7-flash").expect("one of them");
    let chain: Vec<&str> = catalog.with_fallbacks(model).map(|each| &*each.name).collect();
    assert_eq!(chain, ["glm-4.7-flash", "glm-4.5-flash", "gpt-oss-120b", "deepseek-v4-flash"]);
}

#[test]
fn every_sample_can_be_read_in_the_language_that_it_names() {
    for (path, text) in documents() {
        for (words, sample) in blocks(&text) {
            let is_known = ["sh", "toml", "toml client", "python", "json", "text", "rust", "yaml"].contains(&words);
            assert!(is_known, "{path}: {words:?} before\n{sample}");
            let read = match words {
                "json" => {
                    serde_json::from_str::<serde_json::Value>(&sample).map(drop).map_err(|error| error.to_string())
                }
                // Of catalogs more is asked above.
                "toml" | "toml client" => sample.parse::<toml::Table>().map(drop).map_err(|error| error.to_string()),
                "yaml" => {
                    serde_saphyr::from_str::<serde_json::Value>(&sample).map(drop).map_err(|error| error.to_string())
                }
                "sh" => shell_takes(&sample),
                _ => Ok(()),
            };
            read.unwrap_or_else(|error| panic!("{path}: {error}\n{sample}"));
        }
    }
}

/// Whether a shell can read these lines, of which it runs none.
fn shell_takes(lines: &str) -> Result<(), String> {
    let read = Command::new("sh").args(["-n", "-c", lines]).output().map_err(|error| error.to_string())?;
    if read.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&read.stderr).into_owned()) }
}

#[test]
fn the_real_provider_in_the_readme_takes_four_lines() {
    let readme = read("README.md");
    let blocks = blocks(&readme);
    let (_, first) = blocks.iter().find(|(words, _)| *words == "toml").expect("a catalog");
    assert_eq!(first.lines().count(), 4);
}

#[test]
fn the_readme_has_at_most_130_lines() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 130, "{lines} lines: the reference belongs to gateway/docs and runner/docs");
}

/// The targets of a document's links, without those that lead elsewhere.
fn links(document: &str) -> Vec<&str> {
    let targets = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

/// The anchor that a heading gets on the pages of code hosts.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|each| each.is_alphanumeric() || [' ', '-', '_'].contains(each));
    kept.map(|each| if each == ' ' { '-' } else { each }).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    for (path, text) in documents() {
        let folder = root().join(&path).parent().expect("a folder").to_owned();
        for link in links(&text) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root().join(&path) } else { folder.join(file) };
            assert!(target.exists(), "{path}: {link} leads nowhere");
            if heading.is_empty() {
                continue;
            }
            let target = fs::read_to_string(&target).unwrap_or_else(|error| panic!("{path}: {link}: {error}"));
            let anchors = target
                .lines()
                .filter(|line| line.starts_with('#'))
                .map(|line| anchor(line.trim_start_matches(['#', ' '])));
            assert!(anchors.into_iter().any(|known| known == heading), "{path}: {link} has no such heading");
        }
    }
}

/// What a reader of one language must not miss that a reader of the other has: sections, samples and commands.
#[test]
fn every_path_that_contributing_names_exists() {
    let contributing = read(".github/CONTRIBUTING.md");
    let words = contributing.split('`').skip(1).step_by(2);
    let paths: Vec<&str> = words.filter(|word| word.contains('/') && !word.contains(' ')).collect();
    assert!(paths.len() >= 20, "{paths:?}");
    for path in paths {
        assert!(root().join(path).exists(), "there is no {path}");
    }
}

#[test]
fn the_chinese_readme_has_the_english_sections_samples_and_links() {
    let (english, chinese) = (read("README.md"), read("README.zh-CN.md"));
    let levels = |text: &str| -> Vec<usize> {
        let mut is_code = false;
        let mut levels = Vec::new();
        for line in text.lines() {
            is_code ^= line.starts_with("```");
            if !is_code && line.starts_with('#') {
                levels.push(line.chars().take_while(|each| *each == '#').count());
            }
        }
        levels
    };
    assert_eq!(levels(&english), levels(&chinese), "the sections differ");
    let code = |text: &str| -> Vec<String> {
        let uncommented = |line: &str| line.split(" # ").next().unwrap_or_default().trim_end().to_owned();
        blocks(text)
            .iter()
            .map(|(words, body)| format!("{words}\n{}", body.lines().map(uncommented).collect::<Vec<_>>().join("\n")))
            .collect()
    };
    for (english, chinese) in code(&english).iter().zip(code(&chinese)) {
        assert_eq!(*english, chinese, "a sample differs");
    }
    assert_eq!(blocks(&english).len(), blocks(&chinese).len());
    let mut own: Vec<&str> = links(&english).into_iter().filter(|link| !link.starts_with("README")).collect();
    let mut other: Vec<&str> = links(&chinese).into_iter().filter(|link| !link.starts_with("README")).collect();
    own.sort_unstable();
    other.sort_unstable();
    assert_eq!(own, other, "the links differ");
    let spans = |text: &str| -> Vec<String> {
        let mut spans: Vec<String> = Vec::new();
        let mut is_code = false;
        for line in text.lines() {
            is_code ^= line.starts_with("```");
            if !is_code {
                spans.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
            }
        }
        spans.sort_unstable();
        spans.dedup();
        spans
    };
    assert_eq!(spans(&english), spans(&chinese), "the commands and names in the text differ");
}

/// Every file of the repository below a folder, but for what is built and what others made.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match path.is_dir() {
            true if matches!(name, "target" | ".git" | "node_modules") => {}
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// The documents that a text names; what a URL leads to is none of ours.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| letter.is_whitespace() || "`'\"()[]|,;<>".contains(letter));
    let paths = words.filter(|word| !word.contains("://")).map(|word| word.split('#').next().unwrap_or_default());
    paths.map(|path| path.trim_end_matches(['.', ':'])).filter(|path| path.ends_with(".md") && *path != ".md")
}

#[test]
fn code_cites_only_documents_that_are_in_the_repository() {
    let mut paths = Vec::new();
    for folder in ["gateway", "runner", ".github", ".ci"] {
        files(&root().join(folder), &mut paths);
    }
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut documents: Vec<String> = paths.iter().map(|path| name(path)).filter(|name| name.ends_with(".md")).collect();
    let top = fs::read_dir(root()).expect("the repository").flatten().map(|entry| name(&entry.path()));
    documents.extend(top.filter(|name| name.ends_with(".md")));
    let mut seen = 0;
    for path in &paths {
        let is_code = path
            .extension()
            .is_some_and(|kind| ["rs", "py", "mjs", "toml", "sql", "wit", "c"].iter().any(|code| kind == *code));
        if !is_code || path.ends_with("core/tests/documented.rs") {
            continue;
        }
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for cited in named(&text) {
            assert!(documents.contains(&name(Path::new(cited))), "{}: {cited} is not here", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 20, "only {seen} were found");
}
