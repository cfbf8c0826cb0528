//! From options to a gateway that can answer: what `serve` and the client commands without a server have in common.

use crate::commands::import;
use crate::data_folder::DataFolder;
use crate::descriptors;
use crate::exit::{self, Exit};
use crate::gateway::{self, Gateway};
use crate::host::files::FileFolders;
use crate::host::outbound_http::own_roots;
use crate::inbound::ConnectionLimits;
use crate::log;
use crate::options::{ConfiguredToken, HostQuirks, Settings};
use crate::token;
use anyhow::Result;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::net::SocketAddr;

/// A gateway without a listener, and its data folder, which stays locked as long as this value lives.
pub(crate) struct StartedGateway {
    /// The gateway.
    pub(crate) gateway: Gateway,
    /// Its data.
    pub(crate) folder: DataFolder,
    /// The admin token, if it was given from outside.
    pub(crate) configured_token: Option<ConfiguredToken>,
}

/// Opens the data folder and starts a gateway on it.
pub(crate) fn start(settings: &Settings, address: Option<SocketAddr>) -> Result<StartedGateway> {
    let configured_token = configured_token(settings);
    // Spin judges nothing that it is given.
    let judges = !settings.imitates_spin();
    if let Some(configured) = configured_token.as_ref().filter(|_| judges) {
        check_token(&configured.token, configured.name, address)?;
    }
    if address.is_some() {
        tell_old_token(settings);
    }
    let secrets = if judges { Secrets::of(settings)? } else { Secrets::unjudged(settings) };
    let roots = own_roots(settings.ca.as_deref(), |name| std::env::var_os(name))?;
    let folder = DataFolder::open(&settings.data)?;
    let token = match configured_token.as_ref().filter(|configured| !configured.token.is_empty()) {
        Some(configured) => configured.token.clone(),
        None => kept_token(&folder, address)?,
    };
    let master_key = match secrets.master_key {
        Some(key) => key,
        None => kept_master_key(&folder)?,
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let gateway = Gateway::start(
        &folder,
        gateway::Settings {
            threads: settings.threads.map_or_else(cores, usize::from),
            quirks: settings.imitates_spin(),
            carries: settings.host_quirks.is_none(),
            #[cfg(feature = "wasi-0-2")]
            is_wasi_0_2: settings.host_quirks == Some(HostQuirks::Wasi02),
            refuses_pragmas: settings.host_quirks == Some(HostQuirks::Libsql),
            guest_stderr: settings.guest_stderr,
            isolation: settings.isolation,
            connections: ConnectionLimits {
                total: settings.connections.map(|count| count as usize),
                per_address: settings.connections_per_address.map(|count| count as usize),
            },
            memory_max: settings.memory_max.map(|mib| u64::from(mib) << 20),
            faults: settings.faults,
            token,
            master_key,
            master_key_previous: secrets.master_key_previous,
            secrets: secrets.named,
            roots,
            public_url: settings.public_url.clone().unwrap_or_default(),
            base_path: settings.base_path.clone().unwrap_or_default(),
            files: FileFolders::of(settings.catalog.as_deref(), folder.path(), |name| std::env::var_os(name)),
        },
    )?;
    Ok(StartedGateway { gateway, folder, configured_token })
}

/// The admin token that was given from outside. What Go llmio had as its token is none if it is too short for that.
pub(crate) fn configured_token(settings: &Settings) -> Option<ConfiguredToken> {
    settings.configured_token(environment).filter(|configured| !import::is_old_token(settings, &configured.token))
}

/// Tells whoever set a token that it is not the admin's.
fn tell_old_token(settings: &Settings) {
    if let Some(configured) =
        settings.configured_token(environment).filter(|configured| import::is_old_token(settings, &configured.token))
    {
        let (name, folder) = (configured.name, settings.data.display());
        log::warn(format_args!(
            "{name} has fewer than 16 characters and is not the admin token any more: it is the key of a client, and \
             `llmio token --data {folder}` prints the admin token"
        ));
    }
}

/// The token that was given, where it is too short to be the admin's.
pub(crate) fn too_short_token(settings: &Settings) -> Option<String> {
    let configured = settings.configured_token(environment).map(|configured| configured.token);
    configured.filter(|token| !token.is_empty() && token.chars().count() < token::LENGTH_MIN)
}

/// The process environment; a value that is not UTF-8 counts as absent.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Limits of the process itself.
pub(crate) fn prepare_process() {
    // A core file would hold every key in memory.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // On systems that use huge pages by default, an idle gateway would take twice the memory.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    // Databases hold what clients sent, and SQLite creates its files with the mode that the umask leaves.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    descriptors::raise_limit();
    std::panic::set_hook(Box::new(|info| {
        // The place is enough to find the cause; the message may quote what a client sent.
        let place = info.location().map_or_else(String::new, |place| format!(" at {place}"));
        log::warn(format_args!("the host panicked{place}"));
    }));
}

/// The token in the data folder. It must be as strong as one that is given now, even if it was made long ago or by
/// hand.
fn kept_token(folder: &DataFolder, address: Option<SocketAddr>) -> Result<String> {
    let token = folder.token()?;
    check_token(&token, &folder.path().join("token").display().to_string(), address)?;
    Ok(token)
}

fn kept_master_key(folder: &DataFolder) -> Result<String> {
    let key = folder.master_key()?;
    check_master_key(&key, &folder.path().join("master.key").display().to_string())?;
    Ok(key)
}

fn check_token(token: &str, name: &str, address: Option<SocketAddr>) -> Result<(), Exit> {
    if let Some(trouble) = token::unsendable(token) {
        return Err(Exit::new(exit::CONFIG, format!("{name} {trouble}, which no HTTP header can carry; take it out")));
    }
    let (Some(weakness), Some(address)) = (token::weakness(token), address) else { return Ok(()) };
    if token::is_beyond_loopback(address.ip()) {
        let message = format!(
            "{name} {weakness}, and {address} can be reached by others; set one of 16 or more random characters, or \
             take it away and one is made"
        );
        return Err(Exit::new(exit::CONFIG, message));
    }
    if !token.is_empty() {
        log::warn(format_args!("{name} {weakness}; it is accepted on loopback only"));
    }
    Ok(())
}

fn check_master_key(key: &str, name: &str) -> Result<(), Exit> {
    if key.chars().count() < token::LENGTH_MIN {
        return Err(Exit::new(exit::CONFIG, format!("{name} must have 16 characters or more")));
    }
    Ok(())
}

/// The master key and named secrets, as they are given from outside. Empty values count as absent, since compose files
/// and other templates pass a variable whether it is set or not.
struct Secrets {
    master_key: Option<String>,
    master_key_previous: Option<String>,
    /// A JSON object.
    named: String,
}

impl Secrets {
    fn unjudged(settings: &Settings) -> Secrets {
        let configured = |value: &Option<String>| value.clone().filter(|value| !value.trim().is_empty());
        Secrets {
            master_key: configured(&settings.master_key),
            master_key_previous: configured(&settings.master_key_previous),
            named: configured(&settings.secrets).unwrap_or_else(|| "{}".to_owned()),
        }
    }

    fn of(settings: &Settings) -> Result<Secrets, Exit> {
        let Secrets { master_key, master_key_previous: previous, named } = Secrets::unjudged(settings);
        for (key, name) in [(&master_key, "LLMIO_MASTER_KEY"), (&previous, "LLMIO_MASTER_KEY_PREVIOUS")] {
            key.as_ref().map_or(Ok(()), |key| check_master_key(key, name))?;
        }
        if let Err(error) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&named) {
            // The parser's message is not used, since it may quote the value.
            let (line, column) = (error.line(), error.column());
            let message = format!("LLMIO_SECRETS must be a JSON object; see line {line} column {column}");
            return Err(Exit::new(exit::CONFIG, message));
        }
        Ok(Secrets { master_key, master_key_previous: previous, named })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::parsed;

    fn checked(token: &str, address: &str) -> Result<(), Exit> {
        check_token(token, "TOKEN", Some(address.parse().expect("an address")))
    }

    fn secrets(arguments: &[&str]) -> Result<Secrets, Exit> {
        Secrets::of(&parsed(arguments).expect("arguments").settings)
    }

    #[test]
    fn a_weak_token_is_refused_beyond_loopback_with_78() {
        for token in ["", "change-me", "123456"] {
            let exit = checked(token, "0.0.0.0:7070").expect_err("a weak token");
            assert_eq!(exit.code, 78);
            assert!(exit.message.starts_with("TOKEN "), "{}", exit.message);
            assert!(token.is_empty() || !exit.message.contains(token), "the token is not repeated");
            assert!(checked(token, "127.0.0.1:7070").is_ok());
        }
        assert!(checked("c5ba29f1a0d34e6f8b17", "0.0.0.0:7070").is_ok());
    }

    #[test]
    fn a_token_that_no_client_could_send_is_refused_everywhere() {
        let exit = checked("c5ba29f1a0d34e6f8b17\n", "127.0.0.1:7070").expect_err("a token with a line end");
        assert!(exit.code == 78 && exit.message.contains("header"), "{}", exit.message);
        assert!(check_token("c5ba29f1a0d34e6f8b17\n", "TOKEN", None).is_err());
    }

    #[test]
    fn what_is_kept_is_held_to_the_same_rules_as_what_is_given() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let folder = DataFolder::open(parent.path()).expect("a folder");
        std::fs::write(parent.path().join("token"), "change-me").expect("a weak token");
        std::fs::write(parent.path().join("master.key"), "short").expect("a short key");
        let beyond = kept_token(&folder, Some("0.0.0.0:7070".parse().expect("an address")));
        let error = beyond.expect_err("a weak token");
        assert_eq!(error.downcast_ref::<Exit>().map(|exit| exit.code), Some(78));
        assert!(error.to_string().contains("/token has fewer"), "{error}");
        assert!(kept_token(&folder, Some("127.0.0.1:7070".parse().expect("an address"))).is_ok());
        let error = kept_master_key(&folder).expect_err("a short key");
        assert!(error.to_string().contains("master.key must have 16"), "{error}");
    }

    #[test]
    fn an_empty_value_counts_as_absent_and_a_wrong_one_is_named() {
        let empty =
            secrets(&["--master-key", "", "--master-key-previous", "", "--secrets", ""]).expect("nothing given");
        assert_eq!((empty.master_key, empty.master_key_previous, empty.named.as_str()), (None, None, "{}"));
        let long = "c5ba29f1a0d34e6f8b17";
        let exit = secrets(&["--master-key", long, "--master-key-previous", "short"]).err().expect("a short key");
        assert!(exit.code == 78 && exit.message.starts_with("LLMIO_MASTER_KEY_PREVIOUS "), "{}", exit.message);
        let exit = secrets(&["--master-key", "short"]).err().expect("a short key");
        assert!(exit.message.starts_with("LLMIO_MASTER_KEY must"), "{}", exit.message);
    }

    #[test]
    fn secrets_that_are_no_object_are_refused_without_being_repeated() {
        assert!(secrets(&["--secrets", r#"{"A":"sk-1"}"#]).is_ok());
        let exit = secrets(&["--secrets", "sk-very-secret"]).err().expect("no object");
        assert_eq!(exit.code, 78);
        assert!(!exit.message.contains("sk-"), "{}", exit.message);
    }
}
