//! What a key may do: the options of `create` and `set`, as the members of its entry in the catalog.

use super::super::clock::Clock;
use super::super::moment::Moment;
use crate::exit::{Exit, USAGE};
use serde_json::{Map, Value, json};
use std::str::FromStr;

/// What a key may do, for one that is made.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "What it may do")]
pub(crate) struct KeySettings {
    /// Models it may use, with trailing * as a pattern [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    models: Option<Vec<String>>,

    /// When it expires: 30d, 12h, 2027-01-01T00:00:00Z [default: never]
    #[arg(long, value_name = "WHEN")]
    expires: Option<Moment>,

    /// Calls a minute
    #[arg(long, value_name = "N")]
    rpm: Option<u64>,

    /// Tokens a minute
    #[arg(long, value_name = "N")]
    tpm: Option<u64>,

    /// Calls a day
    #[arg(long, value_name = "N")]
    rpd: Option<u64>,

    /// Tokens a day
    #[arg(long, value_name = "N")]
    tpd: Option<u64>,

    /// Calls under way at once
    #[arg(long, value_name = "N")]
    concurrent: Option<u64>,

    /// Money by hour, day, week, month or in total, such as '5 USD/day'; may be given several times
    #[arg(long, value_name = "AMOUNT")]
    budget: Vec<String>,

    /// Tags of providers that its calls must not go to
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    avoid: Option<Vec<String>>,

    /// The team whose limits hold besides its own
    #[arg(long, value_name = "NAME")]
    team: Option<String>,

    /// Networks that it may be used from, such as 10.0.0.0/8 [default: anywhere]
    #[arg(long, value_name = "NETWORKS", value_delimiter = ',')]
    ips: Option<Vec<String>>,

    /// Of which of its calls bodies are kept [default: as the settings say]
    #[arg(long, value_name = "WHICH", value_parser = ["off", "errors", "all"])]
    record_bodies: Option<String>,

    /// Let whoever holds it read the bodies of its calls
    #[arg(long)]
    see_bodies: bool,
}

/// The same for one that is changed: what is not given stays as it is.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "What is changed")]
pub(crate) struct Changes {
    /// Models it may use, with trailing * as a pattern; * for all
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    models: Option<Vec<String>>,

    /// When it expires: 30d from now, 2027-01-01T00:00:00Z, or never
    #[arg(long, value_name = "WHEN")]
    expires: Option<Change<Moment>>,

    /// Calls a minute, or none for no limit
    #[arg(long, value_name = "N")]
    rpm: Option<Change<u64>>,

    /// Tokens a minute, or none
    #[arg(long, value_name = "N")]
    tpm: Option<Change<u64>>,

    /// Calls a day, or none
    #[arg(long, value_name = "N")]
    rpd: Option<Change<u64>>,

    /// Tokens a day, or none
    #[arg(long, value_name = "N")]
    tpd: Option<Change<u64>>,

    /// Calls under way at once, or none
    #[arg(long, value_name = "N")]
    concurrent: Option<Change<u64>>,

    /// Money by hour, day, week, month or in total, such as '5 USD/day', or none; several replace all there were
    #[arg(long, value_name = "AMOUNT")]
    budget: Vec<String>,

    /// Tags of providers that its calls must not go to, or none
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    avoid: Option<Vec<String>>,

    /// The team whose limits hold besides its own, or none
    #[arg(long, value_name = "NAME")]
    team: Option<String>,

    /// Networks that it may be used from, or none for anywhere
    #[arg(long, value_name = "NETWORKS", value_delimiter = ',')]
    ips: Option<Vec<String>>,

    /// Of which of its calls bodies are kept, or none to go by the settings
    #[arg(long, value_name = "WHICH", value_parser = ["off", "errors", "all", "none"])]
    record_bodies: Option<String>,

    /// Let whoever holds it read the bodies of its calls
    #[arg(long, conflicts_with = "hide_bodies")]
    see_bodies: bool,

    /// Keep the bodies of its calls from whoever holds it
    #[arg(long)]
    hide_bodies: bool,

    /// Let it be used again
    #[arg(long, conflicts_with = "disable")]
    enable: bool,

    /// Refuse it until it is enabled again
    #[arg(long)]
    disable: bool,
}

/// A new value, or none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change<T> {
    /// This one.
    To(T),
    /// None.
    Away,
}

/// What takes a limit or a time away.
const AWAY: [&str; 2] = ["none", "never"];

impl<T: FromStr<Err: std::fmt::Display>> FromStr for Change<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if AWAY.contains(&text.trim()) {
            return Ok(Change::Away);
        }
        text.parse().map(Change::To).map_err(|error: T::Err| format!("{error}, and `none` takes it away"))
    }
}

impl<T> Change<T> {
    fn json(self, write: impl FnOnce(T) -> Value) -> Value {
        match self {
            Change::To(value) => write(value),
            Change::Away => Value::Null,
        }
    }
}

impl KeySettings {
    /// The members of the key's entry beside its name.
    pub(super) fn members(self, clock: &Clock) -> Result<Map<String, Value>, Exit> {
        let KeySettings {
            models,
            expires,
            rpm,
            tpm,
            rpd,
            tpd,
            concurrent,
            budget,
            avoid,
            team,
            ips,
            record_bodies,
            see_bodies,
        } = self;
        let mut members = Map::new();
        models.map(|models| members.insert("models".into(), json!(models)));
        if let Some(expires) = expires {
            members.insert("expires".into(), json!(expiry(expires, clock)?));
        }
        let counted = [("rpm", rpm), ("tpm", tpm), ("rpd", rpd), ("tpd", tpd), ("concurrent", concurrent)];
        let counted = counted.into_iter().filter_map(|(name, most)| Some((name.to_owned(), json!(most?))));
        let mut limits: Map<String, Value> = counted.collect();
        budgets(&budget).map(|budgets| limits.insert("budget".into(), budgets));
        if !limits.is_empty() {
            members.insert("limits".into(), Value::Object(limits));
        }
        avoid.map(|tags| members.insert("avoid".into(), json!(tags)));
        team.map(|team| members.insert("team".into(), json!(team)));
        ips.map(|networks| members.insert("ips".into(), json!(networks)));
        record_bodies.map(|kept| members.insert("record_bodies".into(), json!(kept)));
        see_bodies.then(|| members.insert("see_bodies".into(), json!(true)));
        Ok(members)
    }
}

impl Changes {
    /// The changes as a merge patch of the key's entry.
    pub(super) fn patch(self, clock: &Clock) -> Result<Map<String, Value>, Exit> {
        let Changes {
            models,
            expires,
            rpm,
            tpm,
            rpd,
            tpd,
            concurrent,
            budget,
            avoid,
            team,
            ips,
            record_bodies,
            see_bodies,
            hide_bodies,
            enable,
            disable,
        } = self;
        let mut patch = Map::new();
        if let Some(models) = models {
            let is_all = models == ["*"];
            patch.insert("models".into(), if is_all { Value::Null } else { json!(models) });
        }
        if let Some(expires) = expires {
            let expires = match expires {
                Change::To(moment) => json!(expiry(moment, clock)?),
                Change::Away => Value::Null,
            };
            patch.insert("expires".into(), expires);
        }
        let counted = [("rpm", rpm), ("tpm", tpm), ("rpd", rpd), ("tpd", tpd), ("concurrent", concurrent)];
        let counted =
            counted.into_iter().filter_map(|(name, most)| Some((name.to_owned(), most?.json(|most| json!(most)))));
        let mut limits: Map<String, Value> = counted.collect();
        match budget.as_slice() {
            [word] if AWAY.contains(&word.trim()) => drop(limits.insert("budget".into(), Value::Null)),
            amounts => drop(budgets(amounts).map(|budgets| limits.insert("budget".into(), budgets))),
        }
        if !limits.is_empty() {
            patch.insert("limits".into(), Value::Object(limits));
        }
        for (member, list) in [("avoid", avoid), ("team", team.map(|team| vec![team])), ("ips", ips)] {
            let Some(list) = list else { continue };
            let value = match list.as_slice() {
                [word] if AWAY.contains(&word.trim()) => Value::Null,
                [team] if member == "team" => json!(team),
                _ => json!(list),
            };
            patch.insert(member.into(), value);
        }
        if let Some(kept) = record_bodies {
            let value = if AWAY.contains(&kept.as_str()) { Value::Null } else { json!(kept) };
            patch.insert("record_bodies".into(), value);
        }
        if see_bodies {
            patch.insert("see_bodies".into(), json!(true));
        } else if hide_bodies {
            patch.insert("see_bodies".into(), Value::Null);
        }
        if enable {
            patch.insert("enabled".into(), Value::Null);
        } else if disable {
            patch.insert("enabled".into(), json!(false));
        }
        Ok(patch)
    }
}

/// One as it is, several as a list.
fn budgets(amounts: &[String]) -> Option<Value> {
    match amounts {
        [] => None,
        [one] => Some(json!(one)),
        several => Some(json!(several)),
    }
}

/// A time of expiry as catalogs write it.
fn expiry(moment: Moment, clock: &Clock) -> Result<String, Exit> {
    let expires =
        moment.after(clock.now, &clock.zone).map_err(|text| Exit::new(USAGE, format!("--expires: {text}")))?;
    if expires <= clock.now {
        return Err(Exit::new(USAGE, format!("--expires: {expires:.0} is in the past; the key could never be used")));
    }
    Ok(format!("{expires:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::keys::Command;
    use crate::options::{self, tests::parsed};
    use jiff::tz::TimeZone;

    fn clock() -> Clock {
        Clock::at("2026-11-23T12:00:00Z", TimeZone::UTC, true)
    }

    fn made(arguments: &[&str]) -> Value {
        let options = parsed(&[&["keys", "create", "k"], arguments].concat()).expect("arguments");
        let Some(options::Command::Keys(Command::Create(create))) = options.command else { panic!("{arguments:?}") };
        Value::Object(create.key_settings.members(&clock()).expect("members"))
    }

    fn changed(arguments: &[&str]) -> Value {
        let options = parsed(&[&["keys", "set", "k"], arguments].concat()).expect("arguments");
        let Some(options::Command::Keys(Command::Set(set))) = options.command else { panic!("{arguments:?}") };
        Value::Object(set.changes.patch(&clock()).expect("changes"))
    }

    #[test]
    fn the_options_of_a_new_key_become_the_members_of_its_entry() {
        assert_eq!(made(&[]), json!({}));
        let arguments = ["--models", "a,b*", "--rpm", "20", "--tpd", "5", "--budget", "5 USD/day", "--expires", "30d"];
        assert_eq!(
            made(&arguments),
            json!({
                "models": ["a", "b*"], "expires": "2026-12-23T12:00:00Z",
                "limits": { "rpm": 20, "tpd": 5, "budget": "5 USD/day" },
            })
        );
        let several = made(&["--budget", "5 USD/day", "--budget", "50 USD/month", "--avoid", "x,y"]);
        let placed = made(&["--team", "t", "--ips", "10.0.0.0/8,::1"]);
        assert_eq!(placed, json!({ "team": "t", "ips": ["10.0.0.0/8", "::1"] }));
        let kept = made(&["--record-bodies", "errors", "--see-bodies"]);
        assert_eq!(kept, json!({ "record_bodies": "errors", "see_bodies": true }));
        assert_eq!(several, json!({ "limits": { "budget": ["5 USD/day", "50 USD/month"] }, "avoid": ["x", "y"] }));
    }

    #[test]
    fn a_change_names_what_is_new_and_what_is_taken_away() {
        for (arguments, patch) in [
            (["--rpm", "5"].as_slice(), json!({ "limits": { "rpm": 5 } })),
            (&["--rpm", "none", "--tpm", "7"], json!({ "limits": { "rpm": null, "tpm": 7 } })),
            (&["--budget", "none"], json!({ "limits": { "budget": null } })),
            (&["--models", "*"], json!({ "models": null })),
            (&["--models", "a,b"], json!({ "models": ["a", "b"] })),
            (&["--expires", "never"], json!({ "expires": null })),
            (&["--expires", "1d", "--enable"], json!({ "expires": "2026-11-24T12:00:00Z", "enabled": null })),
            (&["--team", "none", "--ips", "10.0.0.1"], json!({ "team": null, "ips": ["10.0.0.1"] })),
            (&["--team", "t", "--ips", "none"], json!({ "team": "t", "ips": null })),
            (&["--record-bodies", "all", "--see-bodies"], json!({ "record_bodies": "all", "see_bodies": true })),
            (&["--record-bodies", "none", "--hide-bodies"], json!({ "record_bodies": null, "see_bodies": null })),
            (&["--disable", "--avoid", "none"], json!({ "avoid": null, "enabled": false })),
        ] {
            assert_eq!(changed(arguments), patch, "{arguments:?}");
        }
        assert!(parsed(&["keys", "set", "k", "--enable", "--disable"]).is_err());
        assert!(parsed(&["keys", "set", "k", "--rpm", "many"]).is_err());
        assert!(parsed(&["keys", "set", "k", "--record-bodies", "some"]).is_err());
        assert!(parsed(&["keys", "set", "k", "--see-bodies", "--hide-bodies"]).is_err());
    }

    #[test]
    fn a_key_that_could_never_be_used_is_refused_as_a_usage_error() {
        let past = "2026-11-23T11:59:59Z".parse().expect("a moment");
        let exit = expiry(past, &clock()).expect_err("a time in the past");
        assert_eq!(exit.code, 2);
        assert!(exit.message.contains("--expires"), "{}", exit.message);
    }
}
