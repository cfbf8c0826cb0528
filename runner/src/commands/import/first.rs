//! What Go llmio left behind, found at the start: announced, or with `LLMIO_IMPORT=auto` taken over once, so that whoever
//! replaces the image of a compose file goes on with old keys and models.

use super::file;
use super::report::{KnownFormats, Outcome};
use super::{PATH, body, shown};
use crate::admin;
use crate::catalog_file;
use crate::commands::provide::variable;
use crate::data_folder;
use crate::exit::{self, Exit};
use crate::gateway::Handle;
use crate::log;
use crate::options::Settings;
use crate::start;
use crate::token;
use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::IF_NONE_MATCH;
use http::{HeaderValue, Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Says what becomes of an old database: `auto`, or nothing.
const IMPORT: &str = "LLMIO_IMPORT";

/// What Go llmio's database is called, in the folder that its image keeps it in.
const NAME: &str = "llmio.db";
const FOLDER_OF_IMAGE: &str = "/app/db";

/// Go llmio's database, if there is one.
pub(crate) fn old_database(settings: &Settings) -> Option<PathBuf> {
    [settings.data.as_path(), Path::new(FOLDER_OF_IMAGE)]
        .map(|folder| folder.join(NAME))
        .into_iter()
        .find(|file| file.is_file())
}

/// Whether a token that was given is what clients of Go llmio used: too short to protect the admin API, it lives on as the
/// key of a client, and another one is the admin's.
pub(crate) fn is_old_token(settings: &Settings, token: &str) -> bool {
    let is_short = !token.is_empty() && token.chars().count() < token::LENGTH_MIN;
    is_short && is_auto() && (data_folder::has_imported(&settings.data) || old_database(settings).is_some())
}

fn is_auto() -> bool {
    variable(IMPORT).is_some_and(|value| value == "auto")
}

/// Takes the old database over into an empty catalog, once; otherwise says that it is there. `has_file`: a catalog file
/// says what is served. Whether something was taken.
pub(in crate::commands) async fn take_over(gateway: &Handle, settings: &Settings, has_file: bool) -> Result<bool> {
    let Some(file) = old_database(settings).filter(|_| !data_folder::has_imported(&settings.data)) else {
        return Ok(false);
    };
    let shown = shown(&file);
    if !is_auto() || has_file {
        log::note(format_args!(
            "{shown} is a database of llmio as it was written in Go: `llmio import {shown}` shows what can be taken, \
             {IMPORT}=auto takes it into an empty catalog at the start"
        ));
        return Ok(false);
    }
    let unusable = |error: anyhow::Error| {
        let message = format!("{shown} cannot be imported: {error:#}; mend it, or take {IMPORT}=auto away");
        anyhow::Error::from(Exit::new(exit::CONFIG, message))
    };
    let known: KnownFormats = parsed(&ask(gateway, Method::GET, String::new()).await?)?;
    let content = file::read(&file, &known.tables()).map_err(unusable)?;
    let request = body(content, Some("llmio"), true, start::too_short_token(settings));
    let answer = ask(gateway, Method::POST, request).await?;
    match answer.status() {
        StatusCode::PRECONDITION_FAILED => {
            log::note(format_args!(
                "{shown} was not imported: there is a catalog. `llmio import {shown}` shows what it has"
            ));
            return Ok(false);
        }
        status if status.is_success() => {}
        _ => return Err(unusable(anyhow::anyhow!(catalog_file::problems(answer.body()).join("\n")))),
    }
    let outcome: Outcome = parsed(&answer)?;
    outcome.log_lines(&shown).into_iter().for_each(log::note);
    data_folder::set_imported(&settings.data)?;
    Ok(true)
}

async fn ask(gateway: &Handle, method: Method, body: String) -> Result<Response<Bytes>> {
    let mut request = admin::request(gateway.stores(), method, PATH, "application/json", body)?;
    request.headers_mut().insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
    timeout(ANSWER_TIMEOUT, gateway.send(request)).await.context("the component did not answer in time")?
}

fn parsed<T: DeserializeOwned>(answer: &Response<Bytes>) -> Result<T> {
    serde_json::from_slice(answer.body()).context("the component's answer was not understood")
}
