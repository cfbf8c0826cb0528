//! `llmio doctor`: looks at everything that an installation stands on, and says for each whether it is well, what is wrong
//! with it, and what to do. Nothing is changed, and no call is made.

mod folder;
mod network;
mod server;

use super::output::{plain, print};
use crate::exit::{self, Exit};
use crate::language::{self, Language};
use crate::options::Settings;
use crate::start;
use anyhow::Result;
use serde::Serialize;
use std::fmt::Write as _;

/// The options of `llmio doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print JSON instead
    #[arg(long)]
    json: bool,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Check {
    DataFolder,
    Permissions,
    Files,
    Disk,
    Server,
    Port,
    Token,
    Descriptors,
    Clock,
    Catalog,
    Dns,
    Tls,
    Proxy,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Finding {
    check: Check,
    ok: bool,
    /// What was found, as a sentence without a final full stop.
    #[serde(rename = "said")]
    message: String,
    /// What to do, if something is wrong.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    todo: Option<String>,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Findings {
    ok: bool,
    checks: Vec<Finding>,
}

/// Runs the command: exit code 1 if something is wrong.
pub(crate) fn run(settings: &Settings, arguments: &Arguments) -> Result<()> {
    start::prepare_process();
    let mut checks = folder::look(settings);
    let is_whole = checks.iter().all(|finding| finding.ok || finding.check != Check::Files);
    checks.extend(server::look(settings));
    checks.extend(network::look(settings, is_whole));
    let wrong = checks.iter().filter(|finding| !finding.ok).count();
    let findings = Findings { ok: wrong == 0, checks };
    let language = language::of_process();
    if arguments.json {
        print(&format!("{:#}\n", serde_json::to_value(&findings)?))?;
    } else {
        print(&findings.report(language))?;
    }
    if wrong == 0 {
        return Ok(());
    }
    let count = findings.checks.len();
    let message = language.pick(format!("{wrong} of {count} are wrong"), format!("{count} 项中有 {wrong} 项异常"));
    Err(Exit::new(exit::REFUSED, message).into())
}

impl Finding {
    fn ok(check: Check, message: impl Into<String>) -> Finding {
        Finding { check, ok: true, message: message.into(), todo: None }
    }

    fn wrong(check: Check, message: impl Into<String>, todo: impl Into<String>) -> Finding {
        Finding { check, ok: false, message: message.into(), todo: Some(todo.into()) }
    }
}

impl Findings {
    fn report(&self, language: Language) -> String {
        let mut text = String::new();
        for Finding { check, ok, message, todo } in &self.checks {
            let state = if *ok { language.pick("ok   ", "正常") } else { language.pick("wrong", "异常") };
            let colon = language.pick(":", "：");
            let _ = writeln!(text, "{state}  {}{colon} {}", check.title(language), plain(message));
            if let Some(todo) = todo {
                let _ = writeln!(text, "       → {}", plain(todo));
            }
        }
        text
    }
}

impl Check {
    fn title(self, language: Language) -> &'static str {
        let (english, chinese) = match self {
            Self::DataFolder => ("data folder", "数据目录"),
            Self::Permissions => ("permissions", "权限"),
            Self::Files => ("files", "文件"),
            Self::Disk => ("disk", "磁盘"),
            Self::Server => ("server", "服务器"),
            Self::Port => ("port", "端口"),
            Self::Token => ("token", "令牌"),
            Self::Descriptors => ("descriptors", "文件描述符"),
            Self::Clock => ("clock", "时钟"),
            Self::Catalog => ("catalog", "配置"),
            Self::Dns => ("DNS", "DNS"),
            Self::Tls => ("TLS", "TLS"),
            Self::Proxy => ("proxy", "代理"),
        };
        language.pick(english, chinese)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_a_line_and_what_to_do_another() {
        let checks =
            vec![Finding::ok(Check::Disk, "1 GiB free"), Finding::wrong(Check::Port, "taken\u{1b}[2J", "end it")];
        let findings = Findings { ok: false, checks };
        let expected = "ok     disk: 1 GiB free\nwrong  port: taken\u{fffd}[2J\n       → end it\n";
        assert_eq!(findings.report(Language::English), expected);
        assert!(findings.report(Language::Chinese).starts_with("正常  磁盘： 1 GiB free\n异常  端口："));
        let json = serde_json::to_value(&findings).expect("JSON");
        assert_eq!(json["checks"][1]["check"], "port");
        assert_eq!(json["checks"][1]["do"], "end it");
    }
}
