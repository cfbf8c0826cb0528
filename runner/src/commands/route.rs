//! `llmio route`: where a call of a model would go now, in which order, and why not elsewhere. Nothing is sent.

use super::client::{Call, Client, JSON, parsed, with_client};
use super::clock::Clock;
use super::output::{json, plain, print};
use super::table::{Align, layout};
use crate::exit::{self, Exit};
use crate::language::{self, Language};
use crate::options::Settings;
use anyhow::Result;
use http::Method;
use serde::Deserialize;
use serde_json::json as value;

/// What would be asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The model, as a client asks for it
    model: String,

    /// The key it would be called with, by its name [default: the admin token, which may use everything]
    #[arg(long, value_name = "NAME")]
    key: Option<String>,

    /// The client's session
    #[arg(long, value_name = "ID")]
    session: Option<String>,

    /// The endpoint, as records call it [default: chat/completions]
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,

    /// The number to draw from; that of a record gives the same order again [default: a new one]
    #[arg(long, value_name = "N")]
    draw: Option<String>,

    /// Print JSON instead
    #[arg(long)]
    json: bool,
}

/// What the component answers, as far as it is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Plan {
    model: String,
    strategy: String,
    /// The model's own targets.
    pub(super) targets: Vec<String>,
    candidates: Vec<Candidate>,
    decision: Decision,
    refusal: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Candidate {
    target: String,
    fallback: Option<String>,
    tier: u32,
    weight: u32,
    credentials: Vec<String>,
    failing: bool,
}

#[derive(Debug, Deserialize)]
struct Decision {
    #[serde(default)]
    skipped: Vec<Skipped>,
    affinity: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Skipped {
    target: String,
    reason: String,
    until_ms: Option<i64>,
    #[serde(rename = "said")]
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    status: u16,
    message: String,
}

/// Runs the command.
pub(crate) fn run(settings: &Settings, arguments: &Arguments) -> Result<()> {
    let clock = Clock::of(settings);
    with_client(settings, async |client| show(client, arguments, &clock).await)
}

async fn show(client: &mut Client, arguments: &Arguments, clock: &Clock) -> Result<()> {
    let response = client.ask(call(arguments)?).await?;
    let plan: Plan = parsed(&response)?;
    if arguments.json {
        json(response.body())?;
    } else {
        print(&report(&plan, clock, language::of_process()))?;
    }
    // The report above says it in full.
    let refused = || {
        let text = language::of_process().pick("no target can serve such a call now", "目前没有目标可以处理这样的请求");
        Exit::new(exit::REFUSED, text)
    };
    if plan.refusal.is_some() { Err(refused().into()) } else { Ok(()) }
}

/// The targets of a model.
pub(super) async fn plan(client: &mut Client, model: &str) -> Result<Plan> {
    let body = value!({ "body": { "model": model, "messages": [] } });
    client.read(Call::new(Method::POST, "/api/route").with_body(JSON, serde_json::to_vec(&body)?)).await
}

fn call(arguments: &Arguments) -> Result<Call> {
    let Arguments { model, key, session, endpoint, draw, json: _ } = arguments;
    let mut body = value!({ "body": { "model": model, "messages": [] } });
    let members = [("key", key), ("session", session), ("endpoint", endpoint), ("draw", draw)];
    for (name, member) in members.into_iter().filter_map(|(name, member)| Some((name, member.as_ref()?))) {
        body[name] = value!(member);
    }
    // Gemini's endpoints name it in their path.
    let is_gemini = endpoint.as_ref().is_some_and(|endpoint| endpoint.to_lowercase().contains("content"));
    if is_gemini {
        body["model"] = value!(model);
    }
    Ok(Call::new(Method::POST, "/api/route").with_body(JSON, serde_json::to_vec(&body)?))
}

fn report(plan: &Plan, clock: &Clock, language: Language) -> String {
    let mut parts = vec![head(plan, language)];
    if !plan.candidates.is_empty() {
        parts.push(candidates(&plan.candidates, language));
    }
    if !plan.decision.skipped.is_empty() {
        let title = language.pick("Not considered:", "未予考虑：");
        parts.push(format!("{title}\n{}", skipped(&plan.decision.skipped, clock, language)));
    }
    if let Some(refusal) = &plan.refusal {
        let title = language.pick("A client would be told:", "客户端会收到：");
        parts.push(format!("{title}\n{} {}\n", refusal.status, plain(&refusal.message)));
    }
    parts.join("\n")
}

fn head(plan: &Plan, language: Language) -> String {
    let (model, strategy) = (plain(&plan.model), plain(&plan.strategy));
    let affinity = plan.decision.affinity.as_deref().map(plain);
    let moved = affinity.map_or_else(String::new, |affinity| {
        language
            .pick(format!("; the first is kept by affinity ({affinity})"), format!("；首个由亲和性（{affinity}）选定"))
    });
    language.pick(
        format!("Model {model}, ordered by strategy {strategy}{moved}. It would be tried in this order:\n"),
        format!("模型 {model}，排序策略 {strategy}{moved}。将按以下顺序尝试：\n"),
    )
}

fn candidates(candidates: &[Candidate], language: Language) -> String {
    use Align::{Left, Right};
    let names = language
        .pick(["", "target", "tier", "weight", "credentials", "note"], ["", "目标", "层级", "权重", "凭据", "备注"]);
    let row = |(index, candidate): (usize, &Candidate)| {
        let fallback = candidate
            .fallback
            .as_ref()
            .map(|model| language.pick(format!("fallback model {model}"), format!("后备模型 {model}")));
        let failing = candidate.failing.then(|| language.pick("failed last time", "上次失败").to_owned());
        let note: Vec<String> = fallback.into_iter().chain(failing).collect();
        let (tier, weight) = (candidate.tier.to_string(), candidate.weight.to_string());
        let credentials = candidate.credentials.join(", ");
        [(index + 1).to_string(), candidate.target.clone(), tier, weight, credentials, note.join(", ")]
    };
    let rows: Vec<[String; 6]> = candidates.iter().enumerate().map(row).collect();
    let aligned = [Right, Left, Right, Right, Left, Left];
    layout(std::array::from_fn::<_, 6, _>(|index| (names[index], aligned[index])), &rows)
}

fn skipped(skipped: &[Skipped], clock: &Clock, language: Language) -> String {
    let names = language.pick(["target", "why", "until", "said"], ["目标", "原因", "直到", "说明"]);
    let rows: Vec<[String; 4]> = skipped
        .iter()
        .map(|each| {
            let until = each.until_ms.map(|until_ms| clock.show_ms(until_ms)).unwrap_or_default();
            let why = why(&each.reason, language);
            [each.target.clone(), why, until, each.message.clone().unwrap_or_default()]
        })
        .collect();
    layout(names.map(|name| (name, Align::Left)), &rows)
}

/// A reason in words. An unknown one is shown unchanged.
fn why(reason: &str, language: Language) -> String {
    let words = REASONS.iter().find(|(known, ..)| *known == reason);
    words.map_or_else(|| plain(reason), |(_, english, chinese)| language.pick(*english, *chinese).to_owned())
}

/// The reasons the component gives, in both languages.
const REASONS: [(&str, &str, &str); 19] = [
    ("target_disabled", "it is disabled", "目标已停用"),
    ("provider_disabled", "its provider is disabled", "服务商已停用"),
    ("dialect", "its provider does not speak the dialect", "服务商不支持该接口"),
    ("no_credential", "no credential is enabled and known", "没有可用的凭据"),
    ("capability", "it lacks what the call needs", "缺少所需的能力"),
    ("context", "its context is too small", "上下文不足"),
    ("tag", "the key avoids its provider", "密钥回避该服务商"),
    ("egress_unsupported", "this host can use no proxy", "此主机无法使用代理"),
    ("egress_resting", "its egress does not work now", "出口暂不可用"),
    ("unreachable", "no connection to its host", "无法连接主机"),
    ("credentials_resting", "every credential was refused and rests", "所有凭据被拒绝，暂停中"),
    ("cooling", "it is over its rate limit", "超出速率限制"),
    ("open", "it has failed too often", "失败过多"),
    ("unknown_model", "its provider does not know the model", "服务商没有此模型"),
    ("probing", "another call is trying it", "正由另一请求试探"),
    ("quota_spent", "a quota is spent", "限额已用尽"),
    ("other_maker", "the call goes on from another's response", "该请求延续其他目标的响应"),
    ("untranslatable", "the request cannot be expressed in its dialect", "请求无法转换为其接口"),
    ("unpriced", "its price is not known, and the key has a budget", "价格未知，而密钥有预算"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{self, tests::parsed as options};
    use jiff::tz::TimeZone;
    use serde_json::Value;

    fn arguments(arguments_given: &[&str]) -> Arguments {
        match options(&[&["route"], arguments_given].concat()).expect("arguments").command {
            Some(options::Command::Route(arguments)) => arguments,
            other => panic!("{other:?}"),
        }
    }

    fn body(arguments_given: &[&str]) -> Value {
        serde_json::from_slice(&call(&arguments(arguments_given)).expect("a call").body).expect("JSON")
    }

    #[test]
    fn what_is_asked_is_a_request_as_a_client_sends_it() {
        assert_eq!(body(&["m"]), value!({ "body": { "model": "m", "messages": [] } }));
        assert_eq!(
            body(&["m", "--key", "k", "--session", "s", "--draw", "7"]),
            value!({ "body": { "model": "m", "messages": [] }, "key": "k", "session": "s", "draw": "7" })
        );
        assert_eq!(body(&["m", "--endpoint", "generateContent"])["model"], "m");
    }

    #[test]
    fn candidates_are_told_in_order_and_others_with_their_reason() {
        let plan = value!({
            "model": "m", "strategy": "weighted", "targets": ["a/up", "b/up", "c/up"],
            "candidates": [
                { "target": "b/up", "fallback": null, "tier": 1, "weight": 3, "credentials": ["one", "two"], "failing": false },
                { "target": "c/up", "fallback": "n", "tier": 2, "weight": 1, "credentials": [], "failing": true },
            ],
            "decision": {
                "candidates": ["b/up", "c/up"], "draw": "5",
                "skipped": [{ "target": "a/up", "reason": "quota_spent", "until_ms": 1_796_083_200_000_i64, "said": "a: 5 of 5 rpd spent" }],
            },
            "refusal": null,
        });
        let plan: Plan = serde_json::from_value(plan).expect("a plan");
        let clock = Clock::at("2026-11-30T12:00:00Z", TimeZone::UTC, true);
        let expected = "\
Model m, ordered by strategy weighted. It would be tried in this order:

   target  tier  weight  credentials  note
1  b/up       1       3  one, two
2  c/up       2       1               fallback model n, failed last time

Not considered:
target  why               until                 said
a/up    a quota is spent  2026-12-01 00:00:00Z  a: 5 of 5 rpd spent
";
        assert_eq!(report(&plan, &clock, Language::English), expected);
    }

    #[test]
    fn every_reason_of_the_component_is_told_in_words() {
        use gateway_core::candidate::SkipReason::*;
        let all = [
            TargetDisabled,
            ProviderDisabled,
            Dialect,
            NoCredential,
            Capability,
            Context,
            Tag,
            EgressUnsupported,
            EgressResting,
            Unreachable,
            CredentialsResting,
            Cooling,
            Open,
            UnknownModel,
            Probing,
            QuotaSpent,
            OtherOwner,
            Untranslatable,
            Unpriced,
        ];
        for reason in all {
            let name = serde_json::to_value(reason).expect("JSON");
            let name = name.as_str().expect("a word");
            assert_ne!(why(name, Language::English), name);
        }
        assert_eq!(why("a_new\u{1b}one", Language::Chinese), "a_new\u{fffd}one");
    }
}
