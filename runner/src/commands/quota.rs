//! `llmio quota`: what is spent of every limit, when there is more and when it runs dry; what providers tell themselves;
//! and setting what was spent without llmio.

use super::client::{Call, Client, JSON, encoded, parsed, with_client};
use super::clock::Clock;
use super::output::{json, plain, print, remark};
use super::table::{Align, layout};
use crate::exit::{Exit, USAGE};
use crate::language::{self, Language};
use crate::options::Settings;
use anyhow::Result;
use http::Method;
use serde::Deserialize;

const NANO: f64 = 1e9;

/// The unit of amounts of money in the API.
const MONEY: &str = "nano-dollars";

/// The longest forecast. No rate stays the same for longer than a year.
const SOON_MS: i64 = 366 * 24 * 60 * 60 * 1000;

/// What can be done with quotas.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Print JSON instead
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Set what is spent of a limit within its present window, such as what was spent without llmio
    Set {
        /// The limit, as the column `id` shows it
        id: String,
        /// How much is spent, in the unit of the limit; in dollars if the limit is in money
        spent: f64,
        /// Print JSON instead
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Deserialize)]
struct Quota {
    quota: Vec<Limit>,
    #[serde(default)]
    learnt: Vec<Learnt>,
    #[serde(default, rename = "told")]
    reported: Vec<ReportedLimit>,
}

#[derive(Debug, Deserialize)]
struct Limit {
    id: String,
    scope: Scope,
    #[serde(default)]
    models: Vec<String>,
    name: String,
    unit: String,
    limit: u64,
    spent: u64,
    resets_at_ms: Option<i64>,
    runs_dry_at_ms: Option<i64>,
}

/// Whose limit it is: the members that are present say so.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Scope {
    per: String,
    provider: Option<String>,
    credential: Option<String>,
    pool: Option<String>,
    key: Option<String>,
    team: Option<String>,
}

/// A limit that a provider told with an answer.
#[derive(Debug, Deserialize)]
struct Learnt {
    name: String,
    what: String,
    per: Option<String>,
    limit: Option<u64>,
    remaining: Option<u64>,
    resets_at_ms: Option<i64>,
    as_of_ms: i64,
    over: bool,
}

/// What a provider counts itself.
#[derive(Debug, Deserialize)]
struct ReportedLimit {
    provider: String,
    credential: String,
    what: String,
    currency: Option<String>,
    per: Option<String>,
    spent: Option<u64>,
    limit: Option<u64>,
    remaining: Option<u64>,
    as_of_ms: i64,
}

/// Runs the command.
pub(crate) fn run(settings: &Settings, arguments: Arguments) -> Result<()> {
    let clock = Clock::of(settings);
    match arguments.command {
        Some(Command::Set { id, spent, json }) => {
            let as_json = json || arguments.json;
            with_client(settings, async |client| set(client, &id, spent, (&clock, as_json)).await)
        }
        None => with_client(settings, async |client| list(client, &clock, arguments.json).await),
    }
}

async fn list(client: &mut Client, clock: &Clock, as_json: bool) -> Result<()> {
    let response = client.ask(Call::new(Method::GET, "/api/quota")).await?;
    if as_json {
        return json(response.body());
    }
    let quota: Quota = parsed(&response)?;
    let language = language::of_process();
    if quota.quota.is_empty() && quota.learnt.is_empty() && quota.reported.is_empty() {
        remark(language.pick(
            "There are no limits: the catalog has no quotas, no key has limits, and no provider has reported any.",
            "没有任何限额：配置中没有 quota，密钥没有限额，服务商也没有告知。",
        ));
        return Ok(());
    }
    print(&report(&quota, clock, language))
}

async fn set(client: &mut Client, id: &str, spent: f64, (clock, as_json): (&Clock, bool)) -> Result<()> {
    let quota: Quota = client.read(Call::new(Method::GET, "/api/quota")).await?;
    let Some(limit) = quota.quota.iter().find(|limit| limit.id == id) else {
        let id = plain(id);
        let english = format!("there is no limit with the id \"{id}\"; `llmio quota` shows them");
        anyhow::bail!(language::of_process().pick(english, format!("没有编号为“{id}”的限额；`llmio quota` 可列出")));
    };
    let spent = amount(spent, limit)?;
    let body = serde_json::to_vec(&serde_json::json!({ "spent": spent }))?;
    let call = Call::new(Method::PUT, format!("/api/quota/{}", encoded(id))).with_body(JSON, body);
    let response = client.ask(call).await?;
    if as_json {
        return json(response.body());
    }
    let limit: Limit = parsed(&response)?;
    print(&limits(&[limit], clock, language::of_process()))
}

/// The amount in the unit of the limit.
fn amount(spent: f64, limit: &Limit) -> Result<u64, Exit> {
    let is_money = limit.unit == MONEY;
    let amount = if is_money { spent * NANO } else { spent };
    let is_whole = is_money || spent.fract() == 0.0;
    if !(0.0..1e15).contains(&amount) || !is_whole {
        let expected = if is_money { "an amount of dollars" } else { "a whole number" };
        return Err(Exit::new(
            USAGE,
            format!("what is spent of {} is {expected} of at least 0, not {spent}", plain(&limit.name)),
        ));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 10^15")]
    Ok(amount.round() as u64)
}

fn report(quota: &Quota, clock: &Clock, language: Language) -> String {
    let mut parts = Vec::new();
    if !quota.quota.is_empty() {
        parts.push(limits(&quota.quota, clock, language));
    }
    if !quota.reported.is_empty() {
        let head = language.pick("Reported by the provider on request:", "询问时由服务商告知：");
        parts.push(format!("{head}\n{}", reported(&quota.reported, clock, language)));
    }
    if !quota.learnt.is_empty() {
        let head = language.pick("Reported by the provider with its answers:", "随应答由服务商告知：");
        parts.push(format!("{head}\n{}", learnt(&quota.learnt, clock, language)));
    }
    parts.join("\n")
}

fn limits(limits: &[Limit], clock: &Clock, language: Language) -> String {
    use Align::{Left, Right};
    let names = language.pick(
        ["whose", "limit", "spent", "of", "resets", "runs dry", "id"],
        ["归属", "限额", "已用", "上限", "重置时间", "用尽时间", "编号"],
    );
    let rows: Vec<[String; 7]> = limits
        .iter()
        .map(|limit| {
            let shown = |amount| if limit.unit == MONEY { money(amount, "USD") } else { amount.to_string() };
            let time = |at: Option<i64>| at.map(|at_ms| clock.show_ms(at_ms)).unwrap_or_default();
            let soon_ms = clock.now.as_millisecond().saturating_add(SOON_MS);
            let dry = match limit.runs_dry_at_ms.filter(|at_ms| *at_ms < soon_ms) {
                Some(at_ms) if at_ms <= clock.now.as_millisecond() => language.pick("spent", "已用尽").to_owned(),
                at => time(at),
            };
            let of = if limit.models.is_empty() { String::new() } else { format!(" on {}", limit.models.join(",")) };
            let name = format!("{}{of}", limit.name);
            [
                limit.scope.name(),
                name,
                shown(limit.spent),
                shown(limit.limit),
                time(limit.resets_at_ms),
                dry,
                limit.id.clone(),
            ]
        })
        .collect();
    let aligned = [Left, Left, Right, Right, Left, Left, Left];
    layout(std::array::from_fn::<_, 7, _>(|index| (names[index], aligned[index])), &rows)
}

fn reported(reported: &[ReportedLimit], clock: &Clock, language: Language) -> String {
    use Align::{Left, Right};
    let names = language.pick(
        ["provider", "credential", "what", "per", "spent", "left", "of", "as of"],
        ["服务商", "凭据", "内容", "周期", "已用", "剩余", "上限", "截至"],
    );
    let rows: Vec<[String; 8]> = reported
        .iter()
        .map(|each| {
            let shown = |amount: Option<u64>| match (amount, &each.currency) {
                (None, _) => String::new(),
                (Some(amount), None) => amount.to_string(),
                (Some(amount), Some(currency)) => money(amount, currency),
            };
            let per = each.per.as_deref().filter(|per| *per != "ever").unwrap_or_default().to_owned();
            let (provider, credential) = (each.provider.clone(), each.credential.clone());
            let (spent, left, of) = (shown(each.spent), shown(each.remaining), shown(each.limit));
            [provider, credential, each.what.clone(), per, spent, left, of, clock.show_ms(each.as_of_ms)]
        })
        .collect();
    let aligned = [Left, Left, Left, Left, Right, Right, Right, Left];
    layout(std::array::from_fn::<_, 8, _>(|index| (names[index], aligned[index])), &rows)
}

fn learnt(learnt: &[Learnt], clock: &Clock, language: Language) -> String {
    use Align::{Left, Right};
    let names = language.pick(
        ["whose", "what", "per", "left", "of", "resets", "as of"],
        ["归属", "内容", "周期", "剩余", "上限", "重置时间", "截至"],
    );
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let rows: Vec<[String; 7]> = learnt
        .iter()
        .map(|each| {
            let resets = match each.resets_at_ms {
                Some(_) if each.over => language.pick("over", "已过").to_owned(),
                at => at.map(|at_ms| clock.show_ms(at_ms)).unwrap_or_default(),
            };
            let per = each.per.clone().unwrap_or_default();
            let (left, of) = (number(each.remaining), number(each.limit));
            [each.name.clone(), each.what.clone(), per, left, of, resets, clock.show_ms(each.as_of_ms)]
        })
        .collect();
    let aligned = [Left, Left, Left, Right, Right, Left, Left];
    layout(std::array::from_fn::<_, 7, _>(|index| (names[index], aligned[index])), &rows)
}

impl Scope {
    fn name(&self) -> String {
        let provider = self.provider.as_deref().unwrap_or_default();
        let of = |what: &str, name: &Option<String>| match name {
            Some(name) => format!("{provider} ({what} {name})"),
            None => provider.to_owned(),
        };
        match self.per.as_str() {
            "credential" => of("credential", &self.credential),
            "pool" => of("pool", &self.pool),
            "key" => format!("key {}", self.key.as_deref().unwrap_or_default()),
            "team" => format!("team {}", self.team.as_deref().unwrap_or_default()),
            _ => provider.to_owned(),
        }
    }
}

/// Billionths of a currency, to a millionth.
fn money(nano: u64, currency: &str) -> String {
    let micro = nano.saturating_add(500) / 1000;
    let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    format!("{} {currency}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use serde_json::json;

    fn clock() -> Clock {
        Clock::at("2026-11-30T12:00:00Z", TimeZone::fixed(jiff::tz::offset(8)), false)
    }

    fn quota() -> Quota {
        let day = 1_796_083_200_000_i64;
        let quota = json!({
            "quota": [
                { "id": "credential/c/*/rpd", "scope": { "per": "credential", "provider": "relay-x", "credential": "first" },
                  "models": ["m"], "name": "rpd", "unit": "calls", "limit": 2000, "spent": 2000, "resets_at_ms": day,
                  "runs_dry_at_ms": 1_796_040_000_000_i64, "known": null },
                { "id": "key/k/budget-day", "scope": { "per": "key", "key": "k" }, "models": [], "name": "budget-day",
                  "unit": "nano-dollars", "limit": 5_000_000_000_u64, "spent": 37_500, "resets_at_ms": null,
                  "runs_dry_at_ms": null },
            ],
            "told": [{ "provider": "ds", "credential": "first", "what": "balance", "currency": "CNY", "per": "ever",
                       "models": [], "spent": null, "limit": null, "remaining": 7_250_000_000_u64, "as_of_ms": day,
                       "source": "https://api-docs.deepseek.com" }],
            "learnt": [{ "subject": "lane/a/up", "name": "a on up", "what": "requests", "per": "day", "limit": 500,
                         "remaining": 499, "resets_at_ms": day, "as_of_ms": 0, "over": false }],
        });
        serde_json::from_value(quota).expect("a quota")
    }

    #[test]
    fn limits_and_what_was_told_are_tables_of_their_own() {
        let expected = "\
whose                       limit            spent       of  resets               runs dry  id
relay-x (credential first)  rpd on m          2000     2000  2026-12-01 08:00:00  spent     credential/c/*/rpd
key k                       budget-day  0.000038 USD  5 USD                                 key/k/budget-day
";
        let text = report(&quota(), &clock(), Language::English);
        let first = text.split("\n\n").next().expect("a table");
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeezed(first), squeezed(expected));
        for part in
            ["Reported by the provider on request:", "7.25 CNY", "Reported by the provider with its answers:", "499"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_is_spent_is_given_in_the_limits_unit() {
        let quota = quota();
        let [calls, money] = &quota.quota[..] else { panic!("{quota:?}") };
        assert_eq!(amount(1900.0, calls).ok(), Some(1900));
        assert_eq!(amount(1.25, money).ok(), Some(1_250_000_000));
        for (spent, limit) in [(1.5, calls), (-1.0, calls), (f64::NAN, money), (1e12, money)] {
            let refused = amount(spent, limit).expect_err("no amount");
            assert_eq!(refused.code, USAGE, "{refused}");
        }
    }
}
