//! `llmio test`: a small real call to one target of a model, or to each of them, whatever health says of it.

use super::client::{Call, Client, JSON, with_client};
use super::output::{plain, print, remark};
use super::route;
use super::table::{Align, layout};
use crate::exit::{self, Exit};
use crate::language::{self, Language};
use crate::options::Settings;
use anyhow::Result;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

/// What is tested.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The model, as a client asks for it
    model: String,

    /// One of its targets, as provider/upstream-model or by its provider alone [default: each of them]
    target: Option<String>,

    /// A credential of the provider, by its label [default: the first one]
    #[arg(long, value_name = "LABEL")]
    credential: Option<String>,

    /// The endpoint, as records call it [default: a streamed conversation in the provider's own dialect]
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,

    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// The result of a test, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Report {
    passed: bool,
    target: String,
    credential: Option<String>,
    status: Option<u16>,
    class: Option<String>,
    error: Option<String>,
    first_content_ms: Option<u64>,
    duration_ms: u64,
    answer: String,
    #[serde(default)]
    cleared: Vec<String>,
    record: String,
}

/// Runs the command.
pub(crate) fn run(settings: &Settings, arguments: &Arguments) -> Result<()> {
    with_client(settings, async |client| test(client, arguments).await)
}

async fn test(client: &mut Client, arguments: &Arguments) -> Result<()> {
    let targets = match &arguments.target {
        Some(target) => vec![target.clone()],
        None => route::plan(client, &arguments.model).await?.targets,
    };
    let language = language::of_process();
    let mut reports = Vec::new();
    for target in &targets {
        let answer: Value = client.read(call(arguments, target)?).await?;
        if arguments.json {
            print(&format!("{answer}\n"))?;
        }
        reports.push(serde_json::from_value::<Report>(answer)?);
    }
    if !arguments.json {
        print(&table(&reports, language))?;
        reports.iter().filter_map(|report| summary(report, language)).for_each(|summary| remark(&summary));
    }
    let failed = reports.iter().filter(|report| !report.passed).count();
    if failed == 0 {
        return Ok(());
    }
    let text = language.pick(
        format!("{failed} of {} did not pass", reports.len()),
        format!("{} 个中有 {failed} 个未通过", reports.len()),
    );
    Err(Exit::new(exit::REFUSED, text).into())
}

fn call(arguments: &Arguments, target: &str) -> Result<Call> {
    let mut body = json!({ "model": arguments.model, "target": target });
    for (name, member) in [("credential", &arguments.credential), ("endpoint", &arguments.endpoint)] {
        if let Some(member) = member {
            body[name] = json!(member);
        }
    }
    Ok(Call::new(Method::POST, "/api/targets/test").with_body(JSON, serde_json::to_vec(&body)?))
}

fn table(reports: &[Report], language: Language) -> String {
    use Align::{Left, Right};
    let names = language.pick(
        ["target", "credential", "result", "status", "first content ms", "ms", "record"],
        ["目标", "凭据", "结果", "状态码", "首个内容毫秒", "毫秒", "记录"],
    );
    let rows: Vec<[String; 7]> = reports
        .iter()
        .map(|report| {
            let result = match (report.passed, &report.class) {
                (true, _) => language.pick("passed", "通过").to_owned(),
                (false, Some(class)) => language.pick(format!("failed ({class})"), format!("失败（{class}）")),
                (false, None) => language.pick("not sent", "未发送").to_owned(),
            };
            let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
            let credential = report.credential.clone().unwrap_or_default();
            let (status, first) = (number(report.status.map(u64::from)), number(report.first_content_ms));
            [
                report.target.clone(),
                credential,
                result,
                status,
                first,
                report.duration_ms.to_string(),
                report.record.clone(),
            ]
        })
        .collect();
    let aligned = [Left, Left, Left, Right, Right, Right, Left];
    layout(std::array::from_fn::<_, 7, _>(|index| (names[index], aligned[index])), &rows)
}

/// Why it failed, in the provider's words, or which health was reset because it passed.
fn summary(report: &Report, language: Language) -> Option<String> {
    let target = plain(&report.target);
    if report.passed {
        let cleared = report.cleared.iter().map(|subject| plain(subject)).collect::<Vec<_>>().join(", ");
        let text = language.pick(format!("{target} is used again: {cleared}"), format!("{target} 恢复使用：{cleared}"));
        return Some(text).filter(|_| !cleared.is_empty());
    }
    let words = [report.error.as_deref().unwrap_or_default().trim(), report.answer.trim()];
    let words = words.into_iter().filter(|words| !words.is_empty()).map(plain).collect::<Vec<_>>().join(" ");
    Some(format!("{target}: {words}")).filter(|_| !words.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(report: Value) -> Report {
        serde_json::from_value(report).expect("a report")
    }

    #[test]
    fn each_test_is_a_row_and_failures_are_told_in_the_providers_words() {
        let good = report(json!({
            "passed": true, "target": "a/up", "credential": "one", "endpoint": "chat/completions", "status": 200,
            "class": "ok", "error": null, "first_content_ms": 12, "duration_ms": 30, "usage": {}, "answer": "OK",
            "cleared": ["credential/c-1"], "record": "01-a",
        }));
        let bad = report(json!({
            "passed": false, "target": "b/up", "credential": null, "status": 401, "class": "credential", "error": "It refused.",
            "first_content_ms": null, "duration_ms": 5, "answer": "{\"error\":\"bad key\"}", "record": "01-b",
        }));
        let expected = "\
target  credential  result               status  first content ms  ms  record
a/up    one         passed                  200                12  30  01-a
b/up                failed (credential)     401                     5  01-b
";
        assert_eq!(summary(&good, Language::English).as_deref(), Some("a/up is used again: credential/c-1"));
        assert_eq!(summary(&bad, Language::English).as_deref(), Some("b/up: It refused. {\"error\":\"bad key\"}"));
        assert_eq!(table(&[good, bad], Language::English), expected);
    }
}
