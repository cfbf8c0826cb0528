//! `llmio records`: what became of calls, as a table for people or JSON lines for programs, newest first.

use super::client::{Call, Client, encoded, with_client};
use super::clock::Clock;
use super::moment::Moment;
use super::output::{print, print_part, remark};
use super::table::{Align, layout};
use crate::exit::{Exit, USAGE};
use crate::language::{self, Language};
use crate::options::Settings;
use anyhow::Result;
use http::Method;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt::Write;

/// The most records of one page of the component.
const PAGE_MAX: usize = 500;

const NANO_PER_USD: u64 = 1_000_000_000;
const DIGITS_SHOWN: u32 = 6;

/// How many records fit a screen.
const LIMIT: u32 = 20;

/// Which records, and how they are shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List records (the default)
    List(Box<List>),
    /// Show one record in full
    Show {
        /// The record's id, from the list or an answer's x-llmio-record header
        id: String,
        /// Show the recorded request and answer as well, if they were kept
        #[arg(long)]
        bodies: bool,
    },
}

#[derive(Debug, Default, PartialEq, clap::Args)]
#[command(next_help_heading = "Which records")]
struct List {
    /// Calls for this model, by the name asked for
    #[arg(long, value_name = "NAME")]
    model: Option<String>,

    /// Calls of this key, by its name
    #[arg(long, value_name = "NAME")]
    key: Option<String>,

    /// Calls that ended at this provider
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,

    /// Calls that ended in this state: ok, client_error, upstream_connect, …
    #[arg(long, value_name = "STATE")]
    state: Option<String>,

    /// Calls answered with this status
    #[arg(long, value_name = "CODE")]
    status: Option<u16>,

    /// Calls of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,

    /// Calls since then: 1h or 2d ago, 2026-11-23, 2026-11-23T08:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,

    /// Calls before then, in the same forms
    #[arg(long, value_name = "WHEN")]
    until: Option<Moment>,

    /// At most this many [default: 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,

    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Page {
    records: Vec<Map<String, Value>>,
    next: Option<String>,
}

/// Runs the command.
pub(crate) fn run(settings: &Settings, arguments: Arguments) -> Result<()> {
    // Not by clap's own rule, which would refuse --data and the other options of all commands here too.
    let has_filter = arguments.list != List::default();
    let chosen = match arguments.command {
        Some(Command::Show { .. }) if has_filter => {
            return Err(Exit::new(USAGE, "`records show` takes an id and no filter").into());
        }
        Some(Command::List(_)) if has_filter => {
            let text = language::of_process().pick(
                "filters come after `records list`, or without `list`",
                "筛选条件应写在 `records list` 之后，或省略 `list`",
            );
            return Err(Exit::new(USAGE, text).into());
        }
        Some(Command::Show { id, bodies }) => {
            return with_client(settings, async |client| show(client, &id, bodies).await);
        }
        Some(Command::List(list)) => *list,
        None => arguments.list,
    };
    let clock = Clock::of(settings);
    let filter = filter(&chosen, clock.now, &clock.zone)?;
    with_client(settings, async |client| list(client, &chosen, &filter, &clock).await)
}

async fn show(client: &mut Client, id: &str, bodies: bool) -> Result<()> {
    let mut record: Map<String, Value> =
        client.read(Call::new(Method::GET, format!("/api/records/{}", encoded(id)))).await?;
    if let Some(cost) = usd(&record) {
        record.insert("cost_usd".to_owned(), Value::String(cost));
    }
    if bodies {
        let path = format!("/api/records/{}/bodies", encoded(id));
        let mut stored: Map<String, Value> = client.read(Call::new(Method::GET, path)).await?;
        record.extend(stored.remove_entry("bodies"));
    }
    print(&format!("{:#}\n", Value::Object(record)))
}

async fn list(client: &mut Client, list: &List, filter: &str, clock: &Clock) -> Result<()> {
    let mut rows = Vec::new();
    let mut left = usize::try_from(list.limit.unwrap_or(LIMIT)).unwrap_or(usize::MAX);
    let mut before: Option<String> = None;
    loop {
        let mut path = format!("/api/records?limit={}{filter}", left.min(PAGE_MAX));
        if let Some(before) = &before {
            let _ = write!(path, "&before={}", encoded(before));
        }
        let page: Page = client.read(Call::new(Method::GET, path)).await?;
        left = left.saturating_sub(page.records.len());
        if list.json {
            if print_part(&json_lines(&page.records))?.is_break() {
                return Ok(());
            }
        } else {
            rows.extend(page.records.iter().map(|record| row(record, clock)));
        }
        before = page.next;
        if left == 0 || before.is_none() {
            break;
        }
    }
    if list.json { Ok(()) } else { print_table(&rows) }
}

fn print_table(rows: &[[String; 11]]) -> Result<()> {
    let language = language::of_process();
    if rows.is_empty() {
        remark(language.pick("There are no such records.", "没有符合条件的记录。"));
        return Ok(());
    }
    print(&layout(columns(language), rows))
}

/// The query's parameters behind the first one.
fn filter(list: &List, now: Timestamp, zone: &TimeZone) -> Result<String, Exit> {
    let time = |name: &str, moment: Option<Moment>| {
        let time = moment.map(|moment| moment.before(now, zone)).transpose();
        let time = time.map_err(|text| Exit::new(USAGE, format!("--{name}: {text}")))?;
        Ok::<_, Exit>(time.map(|time| time.as_millisecond().to_string()))
    };
    let parameters = [
        ("model", list.model.clone()),
        ("key", list.key.clone()),
        ("provider", list.provider.clone()),
        ("state", list.state.clone()),
        ("status", list.status.map(|status| status.to_string())),
        ("session", list.session.clone()),
        ("since", time("since", list.since)?),
        ("until", time("until", list.until)?),
    ];
    let present = parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    Ok(present.map(|(name, value)| format!("&{name}={}", encoded(value))).collect())
}

fn json_lines(records: &[Map<String, Value>]) -> String {
    records.iter().fold(String::new(), |mut lines, record| {
        let line = serde_json::to_string(record).unwrap_or_default();
        lines.push_str(&line);
        lines.push('\n');
        lines
    })
}

fn columns(language: Language) -> [(&'static str, Align); 11] {
    use Align::{Left, Right};
    let names = language.pick(
        ["time", "id", "key", "model", "served by", "state", "status", "ms", "in", "out", "usd"],
        ["时间", "编号", "密钥", "模型", "服务方", "结果", "状态码", "毫秒", "输入", "输出", "美元"],
    );
    let aligned = [Left, Left, Left, Left, Left, Left, Right, Right, Right, Right, Right];
    std::array::from_fn(|index| (names[index], aligned[index]))
}

/// The table row of a record. Unknown values stay empty, since unknown is not zero.
fn row(record: &Map<String, Value>, clock: &Clock) -> [String; 11] {
    let text = |name: &str| match record.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let time = record.get("at_ms").and_then(Value::as_i64).map(|at_ms| clock.show_ms(at_ms));
    let provider = text("provider");
    let served_by = if provider.is_empty() { provider } else { format!("{provider}/{}", text("upstream_model")) };
    [
        time.unwrap_or_default(),
        text("id"),
        text("key"),
        text("model"),
        served_by,
        text("state"),
        text("status"),
        text("duration_ms"),
        text("input_tokens"),
        text("output_tokens"),
        usd(record).unwrap_or_default(),
    ]
}

/// The cost of a call in dollars with six significant digits: one call may cost a dollar and the next a millionth.
fn usd(record: &Map<String, Value>) -> Option<String> {
    let nano = record.get("cost_nano").and_then(Value::as_u64)?;
    let digits = nano.checked_ilog10().map_or(1, |digits| digits + 1);
    let unit = 10_u64.pow(digits.saturating_sub(DIGITS_SHOWN));
    let nano = nano.saturating_add(unit / 2) / unit * unit;
    let text = format!("{}.{:09}", nano / NANO_PER_USD, nano % NANO_PER_USD);
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options;
    use serde_json::json;

    fn parsed(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        match options::tests::parsed(&[&["records"], arguments].concat())?.command {
            Some(options::Command::Records(arguments)) => Ok(arguments),
            other => panic!("{other:?}"),
        }
    }

    fn record() -> Map<String, Value> {
        let record = json!({
            "id": "01-a", "at_ms": 1_795_435_200_000_i64, "key": "laptop", "model": "demo", "provider": "echo",
            "upstream_model": "echo-a", "state": "ok", "status": 200, "duration_ms": 12, "input_tokens": 3,
            "output_tokens": null, "cost_nano": 37_500,
        });
        record.as_object().expect("an object").clone()
    }

    #[test]
    fn every_filter_becomes_a_parameter_with_its_value_encoded() {
        let arguments = ["--model", "a b&c", "--status", "429", "--since", "1h", "--until", "2026-11-23T11:30:00Z"];
        let list = parsed(&arguments).expect("arguments").list;
        let now = "2026-11-23T12:00:00Z".parse().expect("a time");
        let expected = "&model=a%20b%26c&status=429&since=1795431600000&until=1795433400000";
        assert_eq!(filter(&list, now, &TimeZone::UTC).expect("a filter"), expected);
        assert_eq!(filter(&parsed(&[]).expect("arguments").list, now, &TimeZone::UTC).expect("a filter"), "");
    }

    #[test]
    fn show_takes_an_id_and_no_filter() {
        let arguments = parsed(&["--data", "x", "show", "01-a"]).expect("arguments");
        assert!(matches!(arguments.command, Some(Command::Show { id, bodies: false }) if id == "01-a"));
        assert!(arguments.list == List::default());
        let settings = options::tests::parsed(&[]).expect("arguments").settings;
        for filter in [["--model", "x"], ["--limit", "20"]] {
            let arguments = parsed(&[filter.as_slice(), &["show", "01-a"]].concat()).expect("arguments");
            let error = run(&settings, arguments).expect_err("a filter that would be ignored");
            assert_eq!(error.downcast_ref::<Exit>().map(|exit| exit.code), Some(2), "{error}");
        }
    }

    #[test]
    fn records_list_is_records() {
        let filters = ["--model", "x", "--limit", "3", "--json"];
        let arguments = parsed(&[&["list"], filters.as_slice()].concat()).expect("arguments");
        let Some(Command::List(list)) = arguments.command else { panic!("{arguments:?}") };
        assert_eq!(*list, parsed(&filters).expect("arguments").list);
        let settings = options::tests::parsed(&[]).expect("arguments").settings;
        let error =
            run(&settings, parsed(&["--model", "x", "list"]).expect("arguments")).expect_err("it would be ignored");
        assert_eq!(error.downcast_ref::<Exit>().map(|exit| exit.code), Some(2), "{error}");
    }

    #[test]
    fn values_that_are_no_time_or_no_count_are_refused() {
        assert!(parsed(&["--since", "yesterdayish"]).is_err());
        assert!(parsed(&["--limit", "0"]).is_err());
    }

    #[test]
    fn a_row_has_local_time_and_leaves_unknown_numbers_empty() {
        let clock = Clock::at("2026-11-23T12:00:00Z", TimeZone::fixed(jiff::tz::offset(8)), false);
        let rows = [row(&record(), &clock)];
        let expected = "time                 id    key     model  served by    state  status  ms  in  out        usd\n\
                        2026-11-23 20:00:00  01-a  laptop  demo   echo/echo-a  ok        200  12   3       0.0000375\n";
        assert_eq!(layout(columns(Language::English), &rows), expected);
    }

    #[test]
    fn a_cost_has_six_digits_that_count() {
        let cases = [
            (0_u64, "0"),
            (1, "0.000000001"),
            (37_500, "0.0000375"),
            (1_234_567, "0.00123457"),
            (999_999_999, "1"),
            (2_500_000_000, "2.5"),
            (12_345_678_901, "12.3457"),
            (1_000_000_000_000_000, "1000000"),
        ];
        for (nano, expected) in cases {
            let record = json!({ "cost_nano": nano });
            assert_eq!(usd(record.as_object().expect("an object")).as_deref(), Some(expected));
        }
        assert_eq!(usd(json!({ "cost_nano": null }).as_object().expect("an object")), None);
    }

    #[test]
    fn json_lines_are_the_records_as_they_came() {
        let lines = json_lines(&[record(), record()]);
        assert_eq!(lines.lines().count(), 2);
        let line: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
        assert_eq!(line, Value::Object(record()));
    }
}
