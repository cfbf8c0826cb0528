//! `llmio token`: the admin token and nothing else on stdout, so that a script can take it. No component is started:
//! the token is the host's.

use super::output::print;
use crate::data_folder::{self, DataFolder};
use crate::exit::{self, Exit};
use crate::language;
use crate::options::Settings;
use crate::start;
use anyhow::Result;

/// Prints the token; on a fresh data folder it is made, as `serve` would.
pub(crate) fn run(settings: &Settings) -> Result<()> {
    start::prepare_process();
    let given = settings.given_token(start::environment).map(|given| given.token);
    let token = match given.filter(|token| !token.is_empty()) {
        Some(token) => token,
        None => kept(settings)?,
    };
    print(&format!("{token}\n"))
}

/// A token that is there can be read while a server runs; only making one needs the folder for ourselves.
fn kept(settings: &Settings) -> Result<String> {
    if let Some(token) = data_folder::kept_token(&settings.data)? {
        return Ok(token);
    }
    if data_folder::running_server(&settings.data).is_some() {
        let english =
            "the running server was given its token by --token, LLMIO_TOKEN or TOKEN; it is kept nowhere else";
        let chinese = "正在运行的服务器的令牌来自 --token、LLMIO_TOKEN 或 TOKEN，没有保存在别处";
        return Err(Exit::new(exit::CONFIG, language::of_process().pick(english, chinese)).into());
    }
    DataFolder::open(&settings.data)?.token()
}
