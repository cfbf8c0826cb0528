//! `/api/sessions`: who is signed in to the console. A session is opened there with the admin token or a key; here a link
//! is made that opens one for a browser that has neither.

use std::rc::Rc;

use gateway_core::authenticate::Caller;
use gateway_core::authenticate::session::{self, LINK_MS};
use gateway_core::refusal::{Refusal, Reply};
use gateway_core::uri::decode_parameter;
use gateway_core::views::{LinkView, SessionView, SessionsView};

use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::store::catalog::Snapshot;
use crate::store::sessions::{self, Listed, New, Opened};

/// Every session that has not ended and whose key is still there.
pub(super) async fn list(instance: &Instance, snapshot: &Snapshot) -> Result<Reply, Refusal> {
    Ok(Reply::json(200, &all(instance, snapshot).await?))
}

/// The same as a view.
pub(crate) async fn all(instance: &Instance, snapshot: &Snapshot) -> Result<SessionsView, Refusal> {
    let is_there = |listed: &Listed| {
        listed.key.as_deref().is_none_or(|key| snapshot.catalog.keys.iter().any(|known| *known.name == *key))
    };
    let listed = sessions::list(instance).await?.into_iter().filter(is_there);
    Ok(SessionsView { sessions: listed.map(view).collect() })
}

fn view(listed: Listed) -> SessionView {
    let Listed { hash, key, at_ms, until_ms, client, user_agent } = listed;
    SessionView { id: session::id(&hash).to_owned(), key, at_ms, until_ms, client, user_agent }
}

/// Makes a link that signs one browser in as admin, once.
pub(super) async fn create(
    instance: &Rc<Instance>,
    incoming: &Incoming,
    snapshot: &Snapshot,
) -> Result<Reply, Refusal> {
    let proof = session::proof(&Caller::Admin, &snapshot.token, &snapshot.catalog);
    let proof = proof.ok_or_else(|| Refusal::unavailable("not_configured", "llmio has no admin token."))?;
    let secret = session::secret(host::random_bytes());
    let until_ms = incoming.at.steady_ms.saturating_add(LINK_MS);
    let opened = Opened { key: None, proof };
    let new = New {
        secret: &secret,
        is_link: true,
        opened,
        at_ms: incoming.at.wall_ms,
        until_ms,
        client: None,
        user_agent: None,
    };
    sessions::save(instance, new).await?;
    Ok(Reply::json(
        201,
        &LinkView { path: format!("console/enter?link={secret}"), until_ms: incoming.at.shown_ms(until_ms) },
    ))
}

/// Ends a session.
pub(super) async fn delete(instance: &Instance, parameter: &str) -> Result<Reply, Refusal> {
    end(instance, &decode_parameter(parameter).unwrap_or_default()).await?;
    Ok(Reply { status: 204, headers: Vec::new(), body: Vec::new() })
}

/// Ends the session of this name.
pub(crate) async fn end(instance: &Instance, id: &str) -> Result<(), Refusal> {
    if !sessions::end_named(instance, id).await? {
        let message = format!("There is no session {id:?}. GET /api/sessions lists them.");
        return Err(Refusal::not_found("session_not_found", message));
    }
    Ok(())
}
