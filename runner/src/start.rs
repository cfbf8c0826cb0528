//! From options to a gateway that can answer: what `serve` and the client commands without a server have in common.

use crate::data_folder::DataFolder;
use crate::exit::{self, Exit};
use crate::gateway::{self, Gateway};
use crate::log;
use crate::options::{GivenToken, HostQuirks, Settings};
use crate::token;
use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;

/// A gateway without a listener, and its folder. The folder stays locked as long as it is kept.
pub(crate) struct Started {
    /// The gateway.
    pub(crate) gateway: Gateway,
    /// Its data.
    pub(crate) folder: DataFolder,
    /// The admin token, if it was given from outside.
    pub(crate) given_token: Option<GivenToken>,
}

/// Opens the data folder and starts a gateway on it.
pub(crate) fn start(settings: &Settings, address: Option<SocketAddr>) -> Result<Started> {
    let given_token = settings.given_token(environment);
    check_token(given_token.as_ref(), address)?;
    check_settings(settings)?;
    let folder = DataFolder::open(&settings.data)?;
    let token = match given_token.as_ref().filter(|given| !given.token.is_empty()) {
        Some(given) => given.token.clone(),
        None => folder.token()?,
    };
    let master_key = match &settings.master_key {
        Some(key) => key.clone(),
        None => folder.master_key()?,
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let gateway = Gateway::start(
        &folder,
        gateway::Settings {
            threads: settings.threads.map_or_else(cores, usize::from),
            quirks: settings.host_quirks == Some(HostQuirks::Spin),
            guest_stderr: settings.guest_stderr,
            token,
            master_key,
            master_key_previous: settings.master_key_previous.clone(),
            secrets: settings.secrets.clone().unwrap_or_else(|| "{}".to_owned()),
        },
    )?;
    Ok(Started { gateway, folder, given_token })
}

/// The process environment; a value that is not UTF-8 counts as absent.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Limits of the process itself.
pub(crate) fn prepare_process() {
    // A core file would hold every key that is in memory.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // Databases hold what clients sent; SQLite makes its files with the mode the umask leaves.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    // Two sockets per call: the usual soft limit of 1,024 is 500 streams.
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum });
    std::panic::set_hook(Box::new(|info| {
        // The place is enough to find it; the message may quote what a client sent.
        let place = info.location().map_or_else(String::new, |place| format!(" at {place}"));
        log::warn(format_args!("the host panicked{place}"));
    }));
}

fn check_token(given: Option<&GivenToken>, address: Option<SocketAddr>) -> Result<(), Exit> {
    let Some((given, address)) = given.zip(address) else { return Ok(()) };
    let Some(weakness) = token::weakness(&given.token) else { return Ok(()) };
    if token::is_beyond_loopback(address.ip()) {
        let message = format!(
            "{} {weakness}, and {address} can be reached by others; set one of 16 or more random characters, or leave \
             it out and one is made",
            given.variable
        );
        return Err(Exit::new(exit::CONFIG, message));
    }
    if !given.token.is_empty() {
        log::warn(format_args!("{} {weakness}; it is accepted on loopback only", given.variable));
    }
    Ok(())
}

fn check_settings(settings: &Settings) -> Result<(), Exit> {
    let short = |key: &&String| key.chars().count() < 16;
    if settings.master_key.iter().chain(&settings.master_key_previous).any(|key| short(&key)) {
        return Err(Exit::new(exit::CONFIG, "LLMIO_MASTER_KEY must have 16 characters or more"));
    }
    let secrets = settings.secrets.as_deref().unwrap_or("{}");
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(secrets) {
        Ok(_) => Ok(()),
        // Not the parser's words: they may quote the value.
        Err(error) => Err(Exit::new(
            exit::CONFIG,
            format!("LLMIO_SECRETS must be a JSON object; see line {} column {}", error.line(), error.column()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::parsed;

    fn checked(token: &str, address: &str) -> Result<(), Exit> {
        let given = GivenToken { token: token.to_owned(), variable: "TOKEN" };
        check_token(Some(&given), Some(address.parse().expect("an address")))
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
    fn secrets_that_are_no_object_are_refused_without_being_repeated() {
        let settings = |secrets: &str| parsed(&["--secrets", secrets]).expect("arguments").settings;
        assert!(check_settings(&settings(r#"{"A":"sk-1"}"#)).is_ok());
        let exit = check_settings(&settings("sk-very-secret")).expect_err("no object");
        assert_eq!(exit.code, 78);
        assert!(!exit.message.contains("sk-"), "{}", exit.message);
    }
}
