//! Reading of a price file: llmio's own form, or that of <https://models.dev/api.json>. It is taken as a whole or not at all.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::hours::{DAYS, Hours};
use super::list::{Amounts, Row, RowHours, Rows};
use super::{USD_MAX, nano};

/// How large a file may be.
pub const BYTES_MAX: usize = 4 << 20;

const PROVIDERS_MAX: usize = 1000;
const MODELS_MAX: usize = 100_000;
const NAME_MAX: usize = 256;
const VERSION_MAX: usize = 64;
const HOURS_MAX: usize = 16;

/// Other names for providers that the bundled table knows. Source: <https://models.dev> (2026-12-01)
const ALIASES: [(&str, &str); 4] =
    [("amazon-bedrock", "aws"), ("fireworks-ai", "fireworks"), ("togetherai", "together"), ("xai", "x-ai")];

/// A file that was accepted.
#[derive(Debug, PartialEq, Eq)]
pub struct PriceFile {
    /// Its version: what it says, else the beginning of its hash.
    pub version: String,
    /// The rows of each provider.
    pub lists: BTreeMap<String, Rows>,
}

#[derive(Deserialize)]
struct Probe {
    providers: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct OwnFile {
    version: Option<String>,
    providers: BTreeMap<String, BTreeMap<String, Option<OwnRow>>>,
}

/// Prices in USD for a million tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnRow {
    input: f64,
    output: f64,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
    #[serde(default)]
    hours: Vec<OwnHours>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnHours {
    utc: Vec<String>,
    #[serde(default)]
    days: Vec<String>,
    input: f64,
    output: f64,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
}

/// A provider in the form of models.dev.
#[derive(Deserialize)]
struct Maker {
    models: BTreeMap<String, MakerModel>,
}

#[derive(Deserialize)]
struct MakerModel {
    cost: Option<MakerCost>,
}

#[derive(Deserialize)]
struct MakerCost {
    input: Option<f64>,
    output: Option<f64>,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
}

impl PriceFile {
    /// Reads a file, or says what is wrong with it and where.
    pub fn read(text: &[u8]) -> Result<PriceFile, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("is larger than {} MiB", BYTES_MAX >> 20));
        }
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err("is not a JSON object".to_owned());
        }
        let Probe { providers } = parsed(text)?;
        let (version, lists) = if providers.is_some() { own(text)? } else { (None, makers(text)?) };
        let models: usize = lists.values().map(Rows::len).sum();
        if lists.len() > PROVIDERS_MAX || models > MODELS_MAX {
            return Err(format!("has more than {PROVIDERS_MAX} providers or {MODELS_MAX} models"));
        }
        if models == 0 {
            return Err("names no price".to_owned());
        }
        let version = version.unwrap_or_else(|| hash(text));
        if version.is_empty() || version.len() > VERSION_MAX || version.chars().any(char::is_control) {
            return Err(format!("version: must be 1 to {VERSION_MAX} plain characters"));
        }
        Ok(PriceFile { version, lists })
    }
}

fn parsed<'t, T: Deserialize<'t>>(text: &'t [u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

fn hash(text: &[u8]) -> String {
    Sha256::digest(text).iter().take(6).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn own(text: &[u8]) -> Result<(Option<String>, BTreeMap<String, Rows>), String> {
    let OwnFile { version, providers } = parsed(text)?;
    let mut lists = BTreeMap::new();
    for (provider, models) in providers {
        let mut rows = Rows::new();
        for (model, row) in models {
            let place = || format!("providers.{provider}.{model}");
            let row = row.map(|row| own_row(row).map_err(|problem| format!("{}: {problem}", place()))).transpose()?;
            rows.insert(name(&model).map_err(|problem| format!("{}: {problem}", place()))?, row);
        }
        lists.insert(name(&provider).map_err(|problem| format!("providers.{provider}: {problem}"))?, rows);
    }
    Ok((version, lists))
}

fn own_row(row: OwnRow) -> Result<Row, String> {
    let usual = amounts([Some(row.input), row.cache_read, row.cache_write, Some(row.output)])?;
    if row.hours.len() > HOURS_MAX {
        return Err(format!("hours: at most {HOURS_MAX}"));
    }
    let hours = row.hours.into_iter().map(own_hours).collect::<Result<_, _>>()?;
    Ok(Row { usual, hours })
}

fn own_hours(hours: OwnHours) -> Result<RowHours, String> {
    let span = |text: &String| {
        Hours::span(text)
            .ok_or_else(|| format!("hours: {text:?} must be two times of a day in UTC, such as \"01:00-04:00\""))
    };
    let spans: Vec<(u16, u16)> = hours.utc.iter().map(span).collect::<Result<_, _>>()?;
    if spans.is_empty() || spans.len() > HOURS_MAX {
        return Err(format!("hours: utc must have 1 to {HOURS_MAX} spans"));
    }
    let mut days = [hours.days.is_empty(); 7];
    for day in &hours.days {
        let known = DAYS.iter().position(|known| known == day).and_then(|index| days.get_mut(index));
        *known.ok_or_else(|| format!("hours: {day:?} must be one of {}", DAYS.join(", ")))? = true;
    }
    let amounts = amounts([Some(hours.input), hours.cache_read, hours.cache_write, Some(hours.output)])?;
    Ok(RowHours { hours: Hours { spans, days }, amounts })
}

/// Only models whose prices of input and output are told; of the others the bundled table may know more.
fn makers(text: &[u8]) -> Result<BTreeMap<String, Rows>, String> {
    let makers: BTreeMap<String, Maker> = parsed(text).map_err(|error| {
        format!("has no `providers`, and is not in the form of https://models.dev/api.json either: {error}")
    })?;
    let mut lists = BTreeMap::new();
    for (maker, Maker { models }) in makers {
        let mut rows = Rows::new();
        for (model, MakerModel { cost }) in models {
            let Some(MakerCost { input: Some(input), output: Some(output), cache_read, cache_write }) = cost else {
                continue;
            };
            let place = |problem: String| format!("{maker}.models.{model}: {problem}");
            let usual = amounts([Some(input), cache_read, cache_write, Some(output)]).map_err(place)?;
            rows.insert(name(&model).map_err(place)?, Some(Row { usual, hours: Vec::new() }));
        }
        lists.insert(name(&maker)?, rows);
    }
    Ok(lists)
}

/// A provider's or model's name as lists have it.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > NAME_MAX || text.chars().any(char::is_control) {
        return Err(format!("a name must be 1 to {NAME_MAX} plain characters"));
    }
    let name = text.to_ascii_lowercase();
    let known = ALIASES.iter().find(|(alias, _)| *alias == name);
    Ok(known.map_or(name, |(_, known)| (*known).to_owned()))
}

/// Input, cache reads, cache writes and output. Tokens of a cache cost what others do where nothing else is said.
fn amounts([input, cache_read, cache_write, output]: [Option<f64>; 4]) -> Result<Amounts, String> {
    let mut amounts = [0; 4];
    for (amount, usd) in amounts.iter_mut().zip([input, cache_read.or(input), cache_write.or(input), output]) {
        let nano = usd.and_then(nano);
        *amount = nano.ok_or_else(|| format!("a price must be from 0 to {USD_MAX} USD for a million tokens"))?;
    }
    Ok(amounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PriceFile, String> {
        PriceFile::read(text.as_bytes())
    }

    #[test]
    fn prices_are_read_in_usd_for_a_million_tokens() {
        let file = read(
            r#"{"version": "2026-12-01", "providers": {"OpenAI": {"GPT-6": {"input": 1.25, "output": 10, "cache_read": 0.125},
            "gone": null}, "deepseek": {"x": {"input": 1, "output": 2, "hours": [{"utc": ["01:00-04:00"], "days": ["mon"],
            "input": 2, "output": 4}]}}}, "note": "ours"}"#,
        )
        .expect("a good file");
        assert_eq!(file.version, "2026-12-01");
        let row = file.lists["openai"]["gpt-6"].as_ref().expect("a price");
        assert_eq!(row.usual, [1_250_000_000, 125_000_000, 1_250_000_000, 10_000_000_000]);
        assert_eq!(file.lists["openai"]["gone"], None);
        let hours = &file.lists["deepseek"]["x"].as_ref().expect("a price").hours[0];
        assert_eq!((hours.hours.spans.as_slice(), hours.amounts[3]), ([(60, 240)].as_slice(), 4_000_000_000));
        assert_eq!(hours.hours.days, [false, true, false, false, false, false, false]);
    }

    #[test]
    fn the_form_of_models_dev_is_read_too() {
        let file = read(
            r#"{"xai": {"id": "xai", "npm": "@ai-sdk/xai", "models": {"grok-5": {"id": "grok-5", "limit": {"context": 1},
            "cost": {"input": 2, "output": 6, "cache_read": 0.5, "context_over_200k": {"input": 4}}},
            "free": {"id": "free"}, "half": {"cost": {"input": 1}}}}}"#,
        )
        .expect("a good file");
        let rows: Vec<_> = file.lists["x-ai"].iter().map(|(name, row)| (name.as_str(), row.clone())).collect();
        let row = Row { usual: [2_000_000_000, 500_000_000, 2_000_000_000, 6_000_000_000], hours: Vec::new() };
        assert_eq!(rows, [("grok-5", Some(row))]);
        assert_eq!(file.version.len(), 12, "the beginning of its hash: {}", file.version);
    }

    #[test]
    fn a_file_with_anything_wrong_is_refused_with_its_place() {
        let row = |row: &str| format!(r#"{{"providers": {{"p": {{"m": {row}}}}}}}"#);
        for (text, expected) in [
            ("".to_owned(), "is not a JSON object"),
            ("<html>".to_owned(), "is not a JSON object"),
            ("{".to_owned(), "EOF while parsing"),
            ("[]".to_owned(), "is not a JSON object"),
            ("{}".to_owned(), "names no price"),
            (r#"{"providers": {}}"#.to_owned(), "names no price"),
            (r#"{"error": "not found"}"#.to_owned(), "has no `providers`"),
            (row(r#"{"input": 1}"#), "missing field `output`"),
            (row(r#"{"input": "1", "output": 1}"#), "invalid type: string"),
            (row(r#"{"input": 1, "output": 1, "ouput": 1}"#), "unknown field `ouput`"),
            (row(r#"{"input": -1, "output": 1}"#), "providers.p.m: a price must be from 0"),
            (row(r#"{"input": 1, "output": 2000000}"#), "providers.p.m: a price must be from 0"),
            (
                row(r#"{"input": 1, "output": 1, "hours": [{"utc": ["1-2"], "input": 1, "output": 1}]}"#),
                "\"1-2\" must be",
            ),
            (row(r#"{"input": 1, "output": 1, "hours": [{"utc": [], "input": 1, "output": 1}]}"#), "utc must have 1"),
            (
                row(
                    r#"{"input": 1, "output": 1, "hours": [{"utc": ["01:00-02:00"], "days": ["Mon"], "input": 1, "output": 1}]}"#,
                ),
                "\"Mon\" must be one of",
            ),
            (r#"{"version": "", "providers": {"p": {"m": null}}}"#.to_owned(), "version: must be"),
            (r#"{"providers": {"p": {"": null}}}"#.to_owned(), "a name must be"),
        ] {
            let problem = read(&text).expect_err(&text);
            assert!(problem.contains(expected), "{text}: {problem}");
        }
        assert!(PriceFile::read(&vec![b' '; BYTES_MAX + 1]).is_err_and(|problem| problem.contains("4 MiB")));
    }
}
