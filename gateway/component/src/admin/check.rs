//! `POST /api/providers/check`: whether a provider knows these credentials, before they are saved. The answer is JSON Lines, so
//! that whoever checks many sees how far it has come: how many there are, one line for each as soon as it is known, and a last
//! one that sums up.

use std::pin::Pin;
use std::rc::Rc;

use futures_util::future::select_all;
use gateway_core::candidate::Account;
use gateway_core::catalog::{Catalog, Credential, Provider, Unsaved};
use gateway_core::refusal::{Refusal, Shape};
use gateway_core::views::{CheckBegunView, CheckDoneView, CredentialCheckView};
use gateway_core::{outcome, rewrite};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::providers::{NoList, exchange, list};
use crate::host;
use crate::incoming::Incoming;
use crate::instance::Instance;
use crate::relay;
use crate::response::{self, Response};
use crate::store::catalog::{self, Snapshot};
use crate::store::changes::{self, Author};

/// How many credentials are tried at a time.
const AT_A_TIME: usize = 10;

/// The credentials to be checked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckRequest {
    /// A saved provider's name, or a provider as the catalog writes it.
    provider: NameOrEntry,
    /// Credentials as the catalog writes them.
    credentials: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum NameOrEntry {
    Name(String),
    Entry(Map<String, Value>),
}

/// Answers with a line for each credential as soon as it was tried.
pub(crate) async fn serve(instance: &Rc<Instance>, incoming: Incoming, snapshot: &Snapshot) -> Response {
    let check = match asked_for(instance, &incoming, snapshot).await {
        Ok(check) => check,
        Err(refusal) => return relay::refuse(&incoming, &refusal, Shape::Problem),
    };
    let headers = vec![("content-type".to_owned(), b"application/jsonl".to_vec())];
    let (response, mut writer) = response::head(200, headers);
    let instance = instance.clone();
    host::spawn(async move {
        let mut is_heard = writer.write(line(&CheckBegunView { count: check.count() })).await.is_empty();
        let mut done = CheckDoneView::default();
        if is_heard {
            check
                .run(&instance, &incoming, async |checked, offered| {
                    done.add(&checked, offered);
                    is_heard = writer.write(line(&checked)).await.is_empty();
                    is_heard
                })
                .await;
        }
        if is_heard {
            writer.write(line(&done)).await;
        }
        writer.finish().await;
    });
    response
}

async fn asked_for(instance: &Instance, incoming: &Incoming, snapshot: &Snapshot) -> Result<Check, Refusal> {
    let CheckRequest { provider, credentials } = super::json(incoming).await?;
    let provider = match provider {
        NameOrEntry::Name(name) => Unsaved::Saved(name),
        NameOrEntry::Entry(entry) => Unsaved::New(entry),
    };
    Check::prepare(instance, incoming, snapshot, &provider, credentials).await
}

fn line(view: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(view).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Credentials that may be tried, and the provider that is asked.
pub(crate) struct Check {
    catalog: Catalog,
}

/// One that is being tried: what became of it, and the models that it was shown.
type Trial<'a> = Pin<Box<dyn Future<Output = (CredentialCheckView, Vec<String>)> + 'a>>;

impl Check {
    /// Makes sure that these credentials may be tried, and notes who does.
    pub(crate) async fn prepare(
        instance: &Instance,
        incoming: &Incoming,
        snapshot: &Snapshot,
        provider: &Unsaved,
        credentials: Vec<Value>,
    ) -> Result<Check, Refusal> {
        let mut document = snapshot.document.unsaved(provider, credentials).map_err(Refusal::bad_request)?;
        document.recall(Some(&snapshot.stored)).map_err(Refusal::invalid_catalog)?;
        let catalog = catalog::resolved(&document).await.map_err(Refusal::invalid_catalog)?;
        let check = Check { catalog };
        let mut author = Author::of(incoming, snapshot);
        author.action = format!("{}: {} of {}", author.action, check.count(), check.address());
        changes::save(instance, author, None).await;
        Ok(check)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.catalog.providers.first().map_or(0, |provider| provider.credentials.len())
    }

    /// Where the provider is reached.
    pub(crate) fn address(&self) -> String {
        let outgoing =
            self.catalog.providers.first().and_then(|provider| rewrite::models(Account { provider, credential: None }));
        outgoing.map_or_else(|| "llmio itself".to_owned(), |outgoing| outgoing.authority)
    }

    /// Tries them, ten at a time, and tells each as soon as it is known, for as long as somebody listens.
    pub(crate) async fn run(
        &self,
        instance: &Instance,
        incoming: &Incoming,
        mut on_checked: impl AsyncFnMut(CredentialCheckView, Vec<String>) -> bool,
    ) {
        let Some(provider) = self.catalog.providers.first() else { return };
        let is_open = listed(instance, incoming, Account { provider, credential: None }).await.is_ok();
        let mut waiting = provider.credentials.iter().enumerate();
        let mut under_way: Vec<Trial<'_>> = Vec::with_capacity(AT_A_TIME);
        loop {
            while under_way.len() < AT_A_TIME
                && let Some((index, credential)) = waiting.next()
            {
                under_way.push(Box::pin(check_credential(instance, incoming, (provider, credential), index, is_open)));
            }
            if under_way.is_empty() {
                return;
            }
            let ((checked, offered), _, rest) = select_all(under_way).await;
            under_way = rest;
            if !on_checked(checked, offered).await {
                return;
            }
        }
    }
}

/// Tries one credential. A list that is shown to anybody (`is_open`) proves nothing of it; the numbers of its account do.
async fn check_credential(
    instance: &Instance,
    incoming: &Incoming,
    (provider, credential): (&Provider, &Credential),
    index: usize,
    is_open: bool,
) -> (CredentialCheckView, Vec<String>) {
    let start_ms = host::now_ms();
    let mut check = CredentialCheckView::new(index, credential);
    let account = Account { provider, credential: Some(credential) };
    let mut offered = listed(instance, incoming, account).await;
    if let (Ok(_), true, Some(outgoing)) = (&offered, is_open, rewrite::counter(account)) {
        let counted = exchange(instance, incoming, provider, outgoing).await;
        match counted {
            Ok((200..300, _)) => (check.works, check.is_proven) = (true, true),
            Ok((status @ (401 | 403), body)) => {
                offered = Err(refused(status, outcome::error_message(&body, account.secrets())))
            }
            _ => {}
        }
    }
    match &offered {
        Ok(models) => {
            check.models = models.len();
            if !is_open {
                (check.works, check.is_proven) = (true, true);
            }
        }
        Err(Failed { status, message }) => {
            (check.is_proven, check.status, check.message) = (status.is_some(), *status, Some(message.clone()));
        }
    }
    check.latency_ms = host::now_ms().saturating_sub(start_ms);
    (check, offered.unwrap_or_default())
}

/// Why a provider showed no list.
struct Failed {
    /// The status, where it answered.
    status: Option<u16>,
    message: String,
}

/// Asks for the provider's list of models.
async fn listed(instance: &Instance, incoming: &Incoming, account: Account<'_>) -> Result<Vec<String>, Failed> {
    let failed = |message: String| Failed { status: None, message };
    let list = list(instance, incoming, account).await.map_err(|error| match error {
        NoList::NoAddress => failed("It answers inside llmio, or its way out is not known.".to_owned()),
        NoList::NotSent(error) => failed(format!("It {}.", error.describe())),
        NoList::Refused(status, reason) => refused(status, reason),
        NoList::Unreadable(status) => failed(format!("It answered {status}, but not with a list of models.")),
    })?;
    Ok(list.models)
}

fn refused(status: u16, reason: Option<String>) -> Failed {
    let message = reason.unwrap_or_else(|| format!("It answered {status}."));
    Failed { status: Some(status), message }
}
