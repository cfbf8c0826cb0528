//! `LLMIO_PROVIDER`: a first start with one provider where nobody can be asked (Compose, a hosting platform). The
//! component drafts the catalog.

use super::client::{JSON, TOML, encoded};
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
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the first start waits for the provider's list of models.
const LIST_TIMEOUT: Duration = Duration::from_secs(5);

/// A preset's name or a base URL.
pub(super) const PROVIDER: &str = "LLMIO_PROVIDER";
/// A model of it.
pub(super) const MODEL: &str = "LLMIO_MODEL";

/// The variable, if it is set and not empty: Compose files pass variables on whether they are set or not.
pub(super) fn variable(name: &str) -> Option<String> {
    start::environment(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// The reference to [`API_KEY`] in a catalog.
pub(super) fn key_reference() -> String {
    format!("${{{API_KEY}}}")
}

/// The body that asks for a draft.
pub(super) fn draft_request(provider: &str, credential: Option<&str>, model: Option<&str>) -> String {
    json!({ "provider": provider, "credential": credential, "model": model }).to_string()
}

/// A catalog for one provider, as `POST /api/catalog/draft` writes it.
#[derive(Deserialize)]
pub(super) struct CatalogDraft {
    /// The provider's name in it.
    pub(super) provider: String,
    /// Its text.
    pub(super) catalog: String,
}

/// The answer of `GET /api/providers/{name}/models`.
#[derive(Deserialize)]
pub(super) struct Offer {
    /// The provider's own names.
    pub(super) models: Vec<String>,
    /// The one to try first.
    pub(super) suggested: Option<String>,
}

impl Offer {
    /// Where it is asked for.
    pub(super) fn path(provider: &str) -> String {
        format!("/api/providers/{}/models", encoded(provider))
    }
}

/// Stores a catalog for the provider that the environment names, where none is stored. `None`: nothing was stored;
/// otherwise the model to try, if one is known.
pub(super) async fn provide(gateway: &Handle) -> Result<Option<Option<String>>> {
    let Some(provider) = variable(PROVIDER) else { return Ok(None) };
    let credential = variable(API_KEY).map(|_| key_reference());
    let draft = async |model: Option<&str>| -> Result<CatalogDraft> {
        let body = draft_request(&provider, credential.as_deref(), model);
        let drafted = ask(gateway, Method::POST, "/api/catalog/draft", JSON, body, false).await?;
        serde_json::from_slice(drafted.body()).context("the draft of a catalog was not understood")
    };
    let model = variable(MODEL);
    let CatalogDraft { provider: name, catalog } = draft(model.as_deref()).await?;
    let stored = ask(gateway, Method::PATCH, "/api/catalog", TOML, catalog, true).await?;
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
    let Some(model) = suggested(gateway, &name).await else { return Ok(Some(None)) };
    let stored = ask(gateway, Method::PATCH, "/api/catalog", TOML, draft(Some(&model)).await?.catalog, false).await?;
    Ok(Some(Some(model).filter(|_| stored.status().is_success())))
}

/// The provider's model to try first. If it cannot be found out, the reason is printed.
async fn suggested(gateway: &Handle, provider: &str) -> Option<String> {
    let path = Offer::path(provider);
    let listed = ask(gateway, Method::GET, &path, JSON, String::new(), false);
    match timeout(LIST_TIMEOUT, listed).await {
        Ok(Ok(listed)) if listed.status().is_success() => {
            serde_json::from_slice::<Offer>(listed.body()).ok().and_then(|offer| offer.suggested)
        }
        Ok(Ok(refused)) => {
            log::warn(catalog_file::problems(refused.body()).join("; "));
            None
        }
        Ok(Err(_)) | Err(_) => {
            log::warn(format_args!("provider {provider} did not list its models in time"));
            None
        }
    }
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
