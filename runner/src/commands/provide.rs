//! `LLMIO_PROVIDER`: a first start that serves somebody, where nobody can be asked (compose, a hosting platform). What a
//! catalog for one provider is, the component says.

use crate::admin;
use crate::catalog_file;
use crate::exit::{self, Exit};
use crate::gateway::Handle;
use crate::host::variables::API_KEY;
use crate::log;
use crate::start;
use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::IF_NONE_MATCH;
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A provider that does not list its models in time costs the first start no more than this.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// A preset's name or a base URL.
pub(super) const PROVIDER: &str = "LLMIO_PROVIDER";
/// A model of it.
pub(super) const MODEL: &str = "LLMIO_MODEL";

/// What is set, and not to nothing: compose files and other templates pass a variable on whether it is set or not.
pub(super) fn given(name: &str) -> Option<String> {
    start::environment(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// What a reference to [`API_KEY`] looks like in a catalog.
pub(super) fn key_reference() -> String {
    format!("${{{API_KEY}}}")
}

/// Stores a catalog for the provider that the environment names, where none is stored. `None`: nothing was stored;
/// otherwise the model to try, if one is known.
pub(super) async fn provide(gateway: &Handle) -> Result<Option<Option<String>>> {
    let Some(provider) = given(PROVIDER) else { return Ok(None) };
    let credential = given(API_KEY).map(|_| key_reference());
    let draft = async |model: Option<&str>| {
        let body = json!({ "provider": provider, "credential": credential, "model": model }).to_string();
        let drafted = ask(gateway, Method::POST, "/api/catalog/draft", "application/json", body, false).await?;
        let drafted: Value = serde_json::from_slice(drafted.body())?;
        let text = |name: &str| drafted.get(name).and_then(Value::as_str).map(str::to_owned);
        text("provider").zip(text("catalog")).context("the draft of a catalog was not understood")
    };
    let model = given(MODEL);
    let (name, text) = draft(model.as_deref()).await?;
    let stored = ask(gateway, Method::PATCH, "/api/catalog", "application/toml", text, true).await?;
    match stored.status() {
        StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => return Ok(None),
        status if status.is_success() => {}
        _ => {
            let problems = catalog_file::problems(stored.body()).join("\n");
            return Err(Exit::new(exit::CONFIG, format!("{PROVIDER} cannot be served:\n{problems}")).into());
        }
    }
    log::note(format_args!("{PROVIDER}: provider {name} is stored as the first catalog"));
    if model.is_some() {
        return Ok(Some(model));
    }
    let path = format!("/api/providers/{name}/models");
    let listed =
        timeout(LIST_TIMEOUT, ask(gateway, Method::GET, &path, "application/json", String::new(), false)).await;
    let suggested = match listed {
        Ok(Ok(listed)) if listed.status().is_success() => {
            let listed: Value = serde_json::from_slice(listed.body())?;
            listed.get("suggested").and_then(Value::as_str).map(str::to_owned)
        }
        Ok(Ok(refused)) => {
            log::warn(catalog_file::problems(refused.body()).join("; "));
            None
        }
        Ok(Err(_)) | Err(_) => {
            log::warn(format_args!("provider {name} did not list its models in time"));
            None
        }
    };
    if let Some(model) = &suggested {
        let (_, text) = draft(Some(model)).await?;
        ask(gateway, Method::PATCH, "/api/catalog", "application/toml", text, false).await?;
    }
    Ok(Some(suggested))
}

async fn ask(
    gateway: &Handle,
    method: Method,
    path: &str,
    content_type: &'static str,
    body: String,
    only_first: bool,
) -> Result<Response<Bytes>> {
    let mut request = admin::request(gateway.stores(), method, path, content_type, body)?;
    if only_first {
        request.headers_mut().insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
    }
    timeout(ANSWER_TIMEOUT, gateway.send(request)).await.context("no answer in time")?
}
