//! The table of everything that is kept out of use: what it is, why, since when and until when.

use super::super::clock::Clock;
use super::super::table::{Align, layout};
use crate::language::Language;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
struct Health {
    subjects: Vec<Subject>,
}

/// A subject in trouble.
#[derive(Debug, Deserialize)]
struct Subject {
    subject: String,
    kind: String,
    name: String,
    trouble: String,
    #[serde(rename = "said")]
    message: String,
    since_ms: i64,
    until_ms: i64,
    over: bool,
}

/// The table; nothing where nobody is kept out of use.
pub(super) fn report(health: Value, clock: &Clock, language: Language) -> Option<String> {
    let Health { subjects } =
        serde_json::from_value(health).ok().filter(|health: &Health| !health.subjects.is_empty())?;
    let title = language.pick(
        "Kept out of use (`llmio health reset` puts it back into use):",
        "暂停使用（`llmio health reset` 可恢复）：",
    );
    let names = language.pick(
        ["what", "name", "state", "since", "until", "said", "subject"],
        ["类型", "名称", "状态", "自", "至", "说明", "编号"],
    );
    let row = |subject: &Subject| {
        let until = match subject.over {
            true => language.pick("its next call", "下一次请求").to_owned(),
            false => clock.show_ms(subject.until_ms),
        };
        let (kind, state) = (kind(&subject.kind, language), state(&subject.trouble, language));
        let since = clock.show_ms(subject.since_ms);
        [kind, subject.name.clone(), state, since, until, subject.message.clone(), subject.subject.clone()]
    };
    let rows: Vec<[String; 7]> = subjects.iter().map(row).collect();
    Some(format!("{title}\n{}", layout(names.map(|name| (name, Align::Left)), &rows)))
}

fn kind(kind: &str, language: Language) -> String {
    let known = match kind {
        "target" => language.pick("target", "目标"),
        "credential" => language.pick("credential", "凭据"),
        "lane" => language.pick("credential on a model", "凭据与模型"),
        "address" => language.pick("address", "地址"),
        "egress" => language.pick("way out", "出口"),
        other => other,
    };
    known.to_owned()
}

fn state(trouble: &str, language: Language) -> String {
    let known = match trouble {
        "open" => language.pick("failed too often", "失败过多"),
        "unknown_model" => language.pick("model unknown there", "该处没有此模型"),
        "resting" => language.pick("refused, rests", "被拒绝，暂停中"),
        "cooling" => language.pick("over its rate limit", "超出速率限制"),
        "spent" => language.pick("nothing left", "额度已用尽"),
        other => other,
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    #[test]
    fn everybody_kept_out_of_use_is_told_with_the_reason_and_the_end() {
        let subject = |subject: &str, kind: &str, name: &str, trouble: &str, over: bool| {
            json!({ "subject": subject, "kind": kind, "name": name, "trouble": trouble, "said": "401", "since_ms": 0,
                    "until_ms": 60_000, "over": over, "in_a_row": 1 })
        };
        let subjects = [
            subject("credential/c-1", "credential", "a one", "resting", false),
            subject("address/http://a:80", "address", "http://a:80", "open", true),
        ];
        let clock = Clock::at("1970-01-01T00:00:30Z", TimeZone::UTC, true);
        let expected = "\
Kept out of use (`llmio health reset` puts it back into use):
what        name         state             since                 until                 said  subject
credential  a one        refused, rests    1970-01-01 00:00:00Z  1970-01-01 00:01:00Z  401   credential/c-1
address     http://a:80  failed too often  1970-01-01 00:00:00Z  its next call         401   address/http://a:80
";
        let health = json!({ "now_ms": 0, "subjects": subjects, "latencies": [] });
        assert_eq!(report(health, &clock, Language::English).as_deref(), Some(expected));
        assert_eq!(report(json!({ "subjects": [] }), &clock, Language::English), None);
    }
}
