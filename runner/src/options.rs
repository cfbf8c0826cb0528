//! The command line and the environment: flag before environment before default. All options are global, so that
//! `llmio --listen …` and `llmio serve --listen …` are the same.

use crate::commands::{backup, bench, catalog, doctor, health, import, init, keys, quota, records, route, test};
use crate::instance::Isolation;
use crate::language;
use clap::{Parser, Subcommand};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

const PORT: u16 = 7070;

/// The name of a token that was given on the command line.
pub(crate) const TOKEN_FLAG: &str = "--token";

/// An LLM API gateway in one binary.
#[derive(Debug, Parser)]
#[command(name = "llmio", version, about = "An LLM API gateway in one binary", max_term_width = 100)]
pub(crate) struct Options {
    /// What to do; `serve` without a command.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Where to look and how to run.
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the gateway (the default)
    Serve,
    /// Write a catalog file for a first provider, after a call to it
    Init(init::Arguments),
    /// Take providers, models and keys from another gateway's file; only shows what would be taken, unless --apply
    Import(import::Arguments),
    /// Print the admin token; make one if there is none
    Token,
    /// Ask the running server how it is: exit 0 if it serves all calls, 1 if it serves none or refuses some; and what
    /// is kept out of use, why and until when
    Health(health::Arguments),
    /// Move the catalog between files and the gateway
    #[command(subcommand)]
    Catalog(catalog::Command),
    /// Make, change, rotate, list and revoke the keys that clients call with
    #[command(subcommand)]
    Keys(keys::Command),
    /// List what is spent of every limit, and what providers report of theirs
    Quota(quota::Arguments),
    /// Make a small real call to the targets of a model: exit 0 if all pass
    Test(test::Arguments),
    /// Show where a call of a model would go now, and why not elsewhere: exit 0 if it would be sent
    Route(route::Arguments),
    /// List what became of calls, newest first
    Records(records::Arguments),
    /// Look at what the installation stands on: exit 0 if all is well, 1 if something is wrong, and what to do
    Doctor(doctor::Arguments),
    /// Write what llmio keeps into one file, while it serves or not
    Backup(backup::BackupArguments),
    /// Put a backup in the place of the data folder, whose old content is kept beside it
    Restore(backup::RestoreArguments),
    /// Measure what this binary does on this machine
    #[command(subcommand, hide = true)]
    Bench(bench::Command),
}

/// Options of all commands.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Options of all commands")]
pub(crate) struct Settings {
    /// Folder for everything llmio keeps; made if absent
    #[arg(long, global = true, env = "LLMIO_DATA", value_name = "DIR", default_value = "data")]
    pub(crate) data: PathBuf,

    /// Address to listen on [default: 127.0.0.1:7070, or 127.0.0.1:$PORT]
    #[arg(long, global = true, env = "LLMIO_LISTEN", value_name = "ADDR", value_parser = socket_address)]
    pub(crate) listen: Option<SocketAddr>,

    /// Catalog file (TOML); watched, and the authority for the sections it has
    #[arg(long, global = true, env = "LLMIO_CATALOG", value_name = "FILE")]
    pub(crate) catalog: Option<PathBuf>,

    /// URL under which others reach the admin API, such as `https://llm.example` [default: none, so by address only]
    #[arg(long, global = true, env = "LLMIO_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    pub(crate) public_url: Option<String>,

    /// Path under which llmio is served, such as `/llm`, whether a proxy in front takes it off or not [default: none]
    #[arg(long, global = true, env = "LLMIO_BASE_PATH", value_name = "PATH", value_parser = base_path)]
    pub(crate) base_path: Option<String>,

    /// Admin token, 16 characters or more [default: $TOKEN, or the one in DIR/token, made at first start]
    #[arg(long, global = true, env = "LLMIO_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,

    /// Key that seals stored secrets, 16 characters or more [default: DIR/master.key, made at first start]
    #[arg(long, global = true, env = "LLMIO_MASTER_KEY", value_name = "KEY", hide_env_values = true)]
    pub(crate) master_key: Option<String>,

    /// Previous master key, for as long as secrets are sealed with it [default: none]
    #[arg(long, global = true, env = "LLMIO_MASTER_KEY_PREVIOUS", value_name = "KEY", hide_env_values = true)]
    pub(crate) master_key_previous: Option<String>,

    /// Named secrets for the catalog, a JSON object [default: none]
    #[arg(long, global = true, env = "LLMIO_SECRETS", value_name = "JSON", hide_env_values = true)]
    pub(crate) secrets: Option<String>,

    /// CA certificates (PEM) to trust, beside Mozilla's and those of $SSL_CERT_FILE and $SSL_CERT_DIR
    #[arg(long, global = true, env = "LLMIO_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Event loops, one thread each [default: one per core]
    #[arg(long, global = true, env = "LLMIO_THREADS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// Seconds that calls in flight are given to finish when llmio is asked to end
    #[arg(long, global = true, env = "LLMIO_DRAIN", value_name = "SECONDS", default_value_t = 120)]
    pub(crate) drain: u64,

    /// Connections that all clients together may have [default and maximum: half of the descriptors (ulimit -n)]
    #[arg(long, global = true, env = "LLMIO_CONNECTIONS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: Option<u32>,

    /// Connections that one public address may have; trusted proxies have no limit [default: a quarter of all]
    #[arg(long, global = true, env = "LLMIO_CONNECTIONS_PER_ADDRESS", value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections_per_address: Option<u32>,

    /// Mebibytes of memory that llmio may take; when nine tenths are taken, new calls are answered 503 [default: what the
    /// cgroup or the machine has]
    #[arg(long, global = true, env = "LLMIO_MEMORY_MAX", value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) memory_max: Option<u32>,

    /// Print times in UTC and not in local time
    #[arg(long, global = true, env = "LLMIO_UTC", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value_t = false, default_missing_value = "true", hide_possible_values = true)]
    pub(crate) utc: bool,

    /// How calls share the instances of the component: shared (many calls in one) or request (each call has its own, at
    /// about four times the CPU)
    #[arg(
        long,
        global = true,
        env = "LLMIO_ISOLATION",
        value_name = "KIND",
        default_value = "shared",
        hide_possible_values = true
    )]
    pub(crate) isolation: Isolation,

    /// Imitate another host, for tests: spin, libsql, or this one without its faster way to the component: parts
    #[arg(long, global = true, env = "LLMIO_HOST_QUIRKS", value_name = "HOST", hide = true)]
    pub(crate) host_quirks: Option<HostQuirks>,

    /// Let the component write to stderr as it likes; its panic messages may quote requests
    #[arg(long, global = true, env = "LLMIO_GUEST_STDERR", value_name = "BOOL", hide = true, num_args = 0..=1,
          default_value_t = false, default_missing_value = "true")]
    pub(crate) guest_stderr: bool,

    /// Let requests make instances trap with the header x-llmio-fault, for tests
    #[arg(long, global = true, env = "LLMIO_FAULTS", value_name = "BOOL", hide = true, num_args = 0..=1,
          default_value_t = false, default_missing_value = "true")]
    pub(crate) faults: bool,

    /// Milliseconds for which a client may take nothing of what waits for it before its connection is cut
    #[arg(long, global = true, env = "LLMIO_CLIENT_STALL_MS", value_name = "MS", hide = true, default_value_t = 60_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) client_stall_ms: u64,
}

/// Hosts the runner can imitate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum HostQuirks {
    /// Spin 4.1.
    Spin,
    /// This one, without messages between component and host.
    Parts,
    /// Spin with libSQL as its database, which takes no PRAGMA.
    Libsql,
    /// Spin 3, with the component's WASI 0.2 build.
    #[cfg(feature = "wasi-0-2")]
    #[value(name = "wasi-0.2")]
    Wasi02,
}

/// The admin token as given from outside, and the name it was given under.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConfiguredToken {
    /// The token itself.
    pub(crate) token: String,
    /// The variable or [`TOKEN_FLAG`].
    pub(crate) name: &'static str,
}

impl Settings {
    /// Whether the host is one that is not ours.
    pub(crate) fn imitates_spin(&self) -> bool {
        #[cfg(feature = "wasi-0-2")]
        if self.host_quirks == Some(HostQuirks::Wasi02) {
            return true;
        }
        matches!(self.host_quirks, Some(HostQuirks::Spin | HostQuirks::Libsql))
    }

    /// The address to listen on. `PORT` is what hosting platforms set, `LLMIO_SERVER_PORT` what Go llmio had; they change
    /// the port, never the exposure.
    pub(crate) fn listen_address(&self, environment: impl Fn(&str) -> Option<String>) -> Result<SocketAddr, String> {
        if let Some(address) = self.listen {
            return Ok(address);
        }
        let variable = |name| environment(name).filter(|port| !port.is_empty()).map(|port| (name, port));
        let port = match variable("PORT").or_else(|| variable("LLMIO_SERVER_PORT")) {
            Some((name, text)) => {
                text.parse().map_err(|_| format!("{name} is \"{text}\"; it must be a number up to 65535"))?
            }
            None => PORT,
        };
        Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// The token given by flag, `LLMIO_TOKEN` or `TOKEN`, in that order.
    pub(crate) fn configured_token(&self, environment: impl Fn(&str) -> Option<String>) -> Option<ConfiguredToken> {
        let Some(token) = self.token.clone() else {
            return environment("TOKEN").map(|token| ConfiguredToken { token, name: "TOKEN" });
        };
        let in_variable = environment("LLMIO_TOKEN").is_some_and(|variable| variable == token);
        Some(ConfiguredToken { token, name: if in_variable { "LLMIO_TOKEN" } else { TOKEN_FLAG } })
    }
}

/// Not a host's name, which may stand for several addresses: who can reach the gateway must be plain to see.
fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let text = language::of_process().pick(
            "it must be an IP address and a port, such as 127.0.0.1:7070, or 0.0.0.0:7070 for every interface",
            "应为 IP 地址加端口，例如 127.0.0.1:7070；0.0.0.0:7070 表示所有网络接口",
        );
        text.to_owned()
    })
}

fn public_url(text: &str) -> Result<String, String> {
    let url = text.parse::<http::Uri>().ok();
    let is_whole = |url: &http::Uri| matches!(url.scheme_str(), Some("http" | "https")) && url.authority().is_some();
    if text.is_empty() || url.as_ref().is_some_and(is_whole) {
        return Ok(text.to_owned());
    }
    let text = language::of_process()
        .pick("it must be a URL, such as https://llm.example", "应为完整的 URL，例如 https://llm.example");
    Err(text.to_owned())
}

/// With a slash at its beginning and none at its end; empty for the root.
fn base_path(text: &str) -> Result<String, String> {
    let bare = text.trim().trim_matches('/');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let has_steps = bare.split('/').any(|step| matches!(step, "" | "." | ".."));
    if bare.is_empty() {
        return Ok(String::new());
    }
    if bare.bytes().all(is_plain) && !has_steps {
        return Ok(format!("/{bare}"));
    }
    let text = language::of_process().pick(
        "it must be a path of letters, digits, `-`, `.`, `_`, `~` and `/`, such as /llm",
        "应为由字母、数字、`-`、`.`、`_`、`~` 和 `/` 组成的路径，例如 /llm",
    );
    Err(text.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::{CommandFactory, FromArgMatches};

    /// The options these arguments give, whatever `LLMIO_*` variables whoever runs the tests has set.
    pub(crate) fn parsed(arguments: &[&str]) -> Result<Options, clap::Error> {
        let command = Options::command().mut_args(|option| option.env(None));
        let arguments = ["llmio"].into_iter().chain(arguments.iter().copied());
        Options::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }

    fn settings(arguments: &[&str]) -> Settings {
        parsed(arguments).expect("valid arguments").settings
    }

    fn with(name: &'static str, value: &'static str) -> impl Fn(&str) -> Option<String> {
        move |requested| (requested == name).then(|| value.to_owned())
    }

    #[test]
    fn every_option_has_a_variable_of_its_own_name_and_a_help_line() {
        let command = Options::command();
        let mut seen = 0;
        for option in command.get_arguments().filter(|option| option.get_long().is_some()) {
            let id = option.get_id().as_str();
            if ["help", "version"].contains(&id) {
                continue;
            }
            let name = format!("LLMIO_{}", id.to_uppercase());
            assert_eq!(option.get_env().and_then(|name| name.to_str()), Some(name.as_str()));
            assert!(option.get_help().is_some(), "{id} has no help");
            seen += 1;
        }
        assert_eq!(seen, 21);
    }

    #[test]
    fn an_address_to_listen_on_that_is_none_is_told_what_one_looks_like() {
        for text in ["localhost:7070", ":7070", "", "127.0.0.1"] {
            let message = parsed(&["--listen", text]).expect_err("no address").to_string();
            assert!(message.contains("127.0.0.1:7070") && message.contains("0.0.0.0:7070"), "{message}");
        }
    }

    #[test]
    fn a_public_url_has_a_scheme_and_a_host() {
        for url in ["https://llm.example", "http://10.0.0.1:7070/llmio", ""] {
            assert_eq!(settings(&["--public-url", url]).public_url.as_deref(), Some(url));
        }
        for text in ["llm.example", "ftp://llm.example", "https://"] {
            assert!(parsed(&["--public-url", text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_base_path_has_one_form_however_it_is_written() {
        for (text, path) in [("", ""), ("/", ""), ("llm", "/llm"), ("/a/b/", "/a/b")] {
            assert_eq!(settings(&["--base-path", text]).base_path.as_deref(), Some(path), "{text}");
        }
        for wrong in ["a b", "/../x", "a//b", "a?b"] {
            assert!(parsed(&["--base-path", wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_listen_flag_wins_over_port_and_port_over_the_default() {
        assert_eq!(settings(&[]).listen_address(|_| None), Ok("127.0.0.1:7070".parse().expect("an address")));
        assert_eq!(settings(&[]).listen_address(with("PORT", "81")), Ok("127.0.0.1:81".parse().expect("an address")));
        let flag = settings(&["--listen", "0.0.0.0:80"]);
        assert_eq!(flag.listen_address(with("PORT", "81")), Ok("0.0.0.0:80".parse().expect("an address")));
        assert!(settings(&[]).listen_address(with("PORT", "http")).is_err_and(|text| text.contains("PORT")));
        let old = settings(&[]).listen_address(with("LLMIO_SERVER_PORT", "8081"));
        assert_eq!(old, Ok("127.0.0.1:8081".parse().expect("an address")), "as Go llmio was told");
    }

    #[test]
    fn the_token_flag_wins_over_the_token_variable() {
        let flag = settings(&["--token", "flag"]).configured_token(with("TOKEN", "variable")).expect("a token");
        assert_eq!((flag.token.as_str(), flag.name), ("flag", TOKEN_FLAG));
        let own = settings(&["--token", "own"]).configured_token(with("LLMIO_TOKEN", "own")).expect("a token");
        assert_eq!(own.name, "LLMIO_TOKEN");
        let variable = settings(&[]).configured_token(with("TOKEN", "variable")).expect("a token");
        assert_eq!((variable.token.as_str(), variable.name), ("variable", "TOKEN"));
        assert_eq!(settings(&[]).configured_token(|_| None), None);
    }

    #[test]
    fn options_mean_the_same_before_and_after_the_command() {
        assert_eq!(settings(&["--data", "x", "serve"]).data, settings(&["serve", "--data", "x"]).data);
        assert_eq!(settings(&["serve", "--host-quirks", "spin"]).host_quirks, Some(HostQuirks::Spin));
        assert_eq!(settings(&["serve", "--host-quirks", "parts"]).host_quirks, Some(HostQuirks::Parts));
    }
}
