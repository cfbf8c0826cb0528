//! Signing in and out. The browser holds the secret of a session and never what it was opened with.

use gateway_console::form::{cookie, way_back};
use gateway_console::frame::Reader;
use gateway_console::pages::{self, SignInError, SignInPage};
use gateway_core::accept::client_address;
use gateway_core::authenticate::session::{self, LIFE_MS};
use gateway_core::authenticate::{self, Caller};
use gateway_core::endpoint::Needs;
use gateway_core::record::kept_text;
use gateway_core::refusal::Refusal;

use super::{Answer, Visit};
use crate::host;
use crate::incoming;
use crate::store::sessions::{self, New, Opened};

/// The cookie that holds a session's secret. It names no path: the browser sends it where it came from, below `console/`,
/// wherever llmio is served, and to no relay.
const COOKIE: &str = "llmio_session";

/// Who has sent this request.
pub(super) async fn reader(visit: &Visit<'_>) -> Result<Reader, Refusal> {
    let Some(secret) = cookie(&visit.incoming.headers, COOKIE) else { return Ok(Reader::Nobody) };
    let opened = sessions::find(visit.instance, secret).await?;
    Ok(match opened.and_then(|opened| caller(visit, &opened)) {
        Some(Caller::Admin) => Reader::Admin,
        Some(Caller::Key(name)) => Reader::Holder(name.to_string()),
        Some(Caller::Anyone) | None => Reader::Nobody,
    })
}

fn caller(visit: &Visit<'_>, opened: &Opened) -> Option<Caller> {
    let Opened { key, proof } = opened;
    session::caller(key.as_deref(), proof, &visit.snapshot.token, &visit.snapshot.catalog, visit.incoming.at.wall_ms)
}

/// Opens a session for whoever presents the admin token or a key.
pub(super) async fn sign_in(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let form = visit.form().await?;
    let next = form.get("next").unwrap_or_default();
    let Some(credential) = form.get("credential") else { return Ok(again(visit, next, 400, SignInError::Nothing)) };
    let snapshot = visit.snapshot;
    let presented = [credential.to_owned()];
    let at_ms = visit.incoming.at.wall_ms;
    match authenticate::authenticate(Needs::Key, &presented, &snapshot.token, &snapshot.catalog, at_ms) {
        Ok(caller) => open(visit, &caller, way_back(next)).await,
        Err(refusal) => {
            let trusted = &snapshot.catalog.settings.trusted_proxies;
            let refusal = incoming::throttle(visit.instance, visit.incoming, trusted, refusal).await;
            let error = refusal.retry_after_s.map_or(SignInError::Unknown, SignInError::Wait);
            Ok(again(visit, next, refusal.status, error))
        }
    }
}

/// Opens a session for the first that uses a one-time link.
pub(super) async fn enter(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let form = visit.form().await?;
    let link = form.get("link").unwrap_or_default();
    let opened = sessions::use_link(visit.instance, link).await?;
    match opened.and_then(|opened| caller(visit, &opened)) {
        Some(caller) => open(visit, &caller, "./").await,
        None => Ok(again(visit, "", 410, SignInError::LinkOver)),
    }
}

async fn open(visit: &Visit<'_>, caller: &Caller, next: &str) -> Result<Answer, Refusal> {
    let (incoming, snapshot) = (visit.incoming, visit.snapshot);
    let unknown = || Refusal::unauthorized("key_unknown", "This credential was taken back just now.");
    let proof = session::proof(caller, &snapshot.token, &snapshot.catalog).ok_or_else(unknown)?;
    let secret = session::secret(host::random_bytes());
    let address = client_address(incoming.peer, &incoming.headers, &snapshot.catalog.settings.trusted_proxies);
    let agent = incoming.header("user-agent");
    let agent = agent.map(|agent| authenticate::without_credentials(&kept_text(agent), &incoming.headers, None));
    let new = New {
        secret: &secret,
        is_link: false,
        opened: Opened { key: caller.key().map(str::to_owned), proof },
        at_ms: incoming.at.wall_ms,
        until_ms: incoming.at.steady_ms.saturating_add(LIFE_MS),
        client: address.map(|address| address.to_string()),
        user_agent: agent,
    };
    sessions::save(visit.instance, new).await?;
    let cookie = set_cookie(&secret, LIFE_MS / 1000).await;
    Ok(Answer::Elsewhere(next.to_owned(), vec![cookie]))
}

/// Ends this session.
pub(super) async fn sign_out(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    if let Some(secret) = cookie(&visit.incoming.headers, COOKIE) {
        sessions::end(visit.instance, secret).await?;
    }
    Ok(Answer::Elsewhere("sign-in".to_owned(), vec![set_cookie("", 0).await]))
}

/// The form once more, with what was wrong.
fn again(visit: &Visit<'_>, next: &str, status: u16, error: SignInError) -> Answer {
    Answer::Page(status, pages::html(&SignInPage::of(&visit.frame, next, Some(error))))
}

async fn set_cookie(value: &str, age_s: i64) -> String {
    let is_https = host::variable("public_url").await.is_some_and(|url| url.starts_with("https://"));
    let secure = if is_https { "; Secure" } else { "" };
    format!("{COOKIE}={value}; HttpOnly; SameSite=Strict; Max-Age={age_s}{secure}")
}
