//! What the component answers of an import, and the lines that a person reads.

use crate::commands::output::plain;
use crate::language::Language;
use serde::Deserialize;

/// The gateways that are understood.
#[derive(Deserialize)]
pub(super) struct KnownFormats {
    imports: Vec<KnownImport>,
}

#[derive(Deserialize)]
struct KnownImport {
    tables: Vec<String>,
}

/// What became of a file.
#[derive(Deserialize)]
pub(super) struct Outcome {
    title: String,
    applied: bool,
    version: Option<u64>,
    taken: Vec<Entry>,
    changed: Vec<Entry>,
    left: Vec<Entry>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Entry {
    what: String,
    note: String,
}

impl KnownFormats {
    /// Every table that one of them reads.
    pub(super) fn tables(self) -> Vec<String> {
        self.imports.into_iter().flat_map(|known| known.tables).collect()
    }
}

impl Outcome {
    /// One line for each thing, under what became of it.
    pub(super) fn report(&self, language: Language) -> String {
        let mut text = format!("{}\n", plain(&self.title));
        let taken = if self.applied { ("Taken", "已导入") } else { ("Would be taken", "将导入") };
        let changed = ("Not quite the same any more", "与原来不完全相同");
        for (heading, entries) in [(taken, &self.taken), (changed, &self.changed), (("Left", "未导入"), &self.left)]
        {
            if entries.is_empty() {
                continue;
            }
            let (english, chinese) = heading;
            let (heading, colon) = (language.pick(english, chinese), language.pick(":", "："));
            text.push_str(&format!("\n{heading} ({}){colon}\n", entries.len()));
            text.extend(entries.iter().map(|entry| format!("  {}\n", entry.line())));
        }
        text
    }

    /// What is doubtful in the catalog.
    pub(super) fn warnings(&self, language: Language) -> Vec<String> {
        let prefix = language.pick("warning", "警告");
        self.warnings.iter().map(|warning| format!("{prefix}: {}", plain(warning))).collect()
    }

    /// What was stored, and what to do next.
    pub(super) fn ending(&self, language: Language, file: &str) -> String {
        match self.version.filter(|_| self.applied) {
            Some(version) => {
                language.pick(format!("Catalog version {version} is in force."), format!("配置版本 {version} 已生效。"))
            }
            None => language.pick(
                format!("Nothing was stored. `llmio import {file} --apply` stores it."),
                format!("未作任何更改。运行 `llmio import {file} --apply` 即可导入。"),
            ),
        }
    }

    /// The same for a log: what was taken in one line, then a line for each thing that needs to be known.
    pub(super) fn log_lines(&self, file: &str) -> Vec<String> {
        let of = |section: &str| self.taken.iter().filter(|entry| entry.what.starts_with(section)).count();
        let (providers, models, keys) = (of("providers["), of("models["), of("keys["));
        let first = format!("imported from {file}: {providers} providers, {models} models, {keys} keys");
        let others = |heading: &'static str, entries| {
            let entries: &Vec<Entry> = entries;
            entries.iter().map(move |entry| format!("import: {heading}: {}", entry.line())).collect::<Vec<_>>()
        };
        let lines = [vec![first], others("changed", &self.changed), others("left", &self.left)];
        lines.concat()
    }
}

impl Entry {
    fn line(&self) -> String {
        format!("{}: {}", plain(&self.what), plain(&self.note))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(applied: bool) -> Outcome {
        let answer = serde_json::json!({
            "kind": "llmio", "title": "llmio (Go)", "applied": applied, "version": applied.then_some(2), "etag": "\"2\"",
            "taken": [{ "what": "providers[a]", "note": "1 credential" }], "changed": [],
            "left": [{ "what": "io\u{1b}[2J", "note": "x" }], "warnings": ["w"],
        });
        serde_json::from_value(answer).expect("an answer")
    }

    #[test]
    fn a_report_has_a_line_for_each_thing_in_either_language() {
        let expected =
            "llmio (Go)\n\nWould be taken (1):\n  providers[a]: 1 credential\n\nLeft (1):\n  io\u{fffd}[2J: x\n";
        assert_eq!(outcome(false).report(Language::English), expected);
        assert!(outcome(true).report(Language::Chinese).contains("已导入 (1)：\n"));
        assert!(outcome(false).ending(Language::English, "f.db").contains("`llmio import f.db --apply`"));
        assert_eq!(outcome(true).ending(Language::English, "f.db"), "Catalog version 2 is in force.");
        assert_eq!(outcome(true).warnings(Language::Chinese), ["警告: w"]);
    }

    #[test]
    fn a_log_has_one_line_for_what_was_taken() {
        let lines = outcome(true).log_lines("f.db");
        assert_eq!(lines[0], "imported from f.db: 1 providers, 0 models, 0 keys");
        assert_eq!(lines[1], "import: left: io\u{fffd}[2J: x");
    }
}
