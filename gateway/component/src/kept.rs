//! Files and batches, which providers keep for the keys that made them. What is to be made goes to a provider that says
//! `forward_files = true`; everything about it goes where it is kept.

use std::rc::Rc;

use futures_util::future::join_all;
use gateway_core::authenticate::Caller;
use gateway_core::candidate::{Account, ResponseOwner};
use gateway_core::catalog::{self, Key, Provider, Timeouts};
use gateway_core::dialect::Dialect;
use gateway_core::endpoint::{Act, Kept};
use gateway_core::headers;
use gateway_core::kept::{self, ListRequest, PROVIDER_HEADER, Prepared, Preparing};
use gateway_core::memory;
use gateway_core::outcome::SendError;
use gateway_core::pace::Pace;
use gateway_core::pass_through;
use gateway_core::record::{OriginResult, kept_text};
use gateway_core::refusal::{Refusal, Reply, Shape};
use gateway_core::rewrite;
use gateway_core::state::State;
use gateway_core::uri::decode_parameter;
use serde_json::Value;

use crate::hold::{ANSWER_MS_MAX, HeldBytes, TURN_MS_MAX};
use crate::host::{self, StreamTimer, YieldPoint};
use crate::incoming::{Body, Incoming};
use crate::instance::Instance;
use crate::proxy::{self, OpenCall};
use crate::relay::{self, ReadyAnswer};
use crate::response::Response;
use crate::send::{self, Terms};
use crate::store::catalog::Snapshot;
use crate::store::kept::{self as store, KeptRow};

/// How many accounts are asked to keep something before the last answer is passed on.
const ACCOUNTS_MAX: usize = 4;

/// The largest answer about a file or a batch, in bytes, apart from what a file holds.
const OBJECT_BYTES_MAX: usize = 1 << 20;

/// How many objects are asked for at a time.
const AT_A_TIME: usize = 10;

/// A request about files or batches, and who asks.
struct Asked<'a> {
    instance: &'a Rc<Instance>,
    kept: Kept,
    dialect: Dialect,
    incoming: &'a Incoming,
    caller: &'a Caller,
    snapshot: &'a Snapshot,
}

/// Serves a request about files or batches. `parameter` is the id in its path.
pub(crate) async fn serve(
    instance: &Rc<Instance>,
    (kept, act): (Kept, Act),
    incoming: &Incoming,
    caller: &Caller,
    snapshot: &Snapshot,
    parameter: &str,
) -> Response {
    let dialect = kept.dialect(&incoming.headers);
    let asked = Asked { instance, kept, dialect, incoming, caller, snapshot };
    let id = decode_parameter(parameter).unwrap_or_default();
    let answered = match act {
        Act::Create | Act::Cancel => Ok(ReadyAnswer::Reply(asked.recorded(act, &id).await)),
        Act::List => asked.list().await.map(ReadyAnswer::Reply),
        Act::Read | Act::Delete => asked.about(act, &id).await.map(|(_, reply)| ReadyAnswer::Reply(reply)),
        Act::Content => asked.content(&id).await,
    };
    match answered {
        Ok(ready) => relay::respond(instance, incoming, ready, StreamTimer::default()).await,
        Err(refusal) => relay::refuse(incoming, &refusal, Shape::Dialect(dialect)),
    }
}

/// What an account answered.
struct Answered {
    by: ResponseOwner,
    status: u16,
    body: Vec<u8>,
}

impl Asked<'_> {
    /// The providers that may keep something for the caller, in the catalog's order.
    fn providers(&self) -> Result<Vec<&Provider>, Refusal> {
        let key = self.caller.key().and_then(|name| self.snapshot.catalog.key_named(name));
        let avoid = key.map_or(&[][..], |key: &Key| key.avoid.as_slice());
        let able = |provider: &&Provider| {
            provider.enabled
                && provider.forward_files
                && provider.endpoint(self.dialect).is_some()
                && !provider.tags.iter().any(|tag| avoid.contains(tag))
        };
        let providers = self.snapshot.catalog.providers.iter().map(|provider| &**provider);
        let able: Vec<&Provider> = providers.filter(able).collect();
        if able.is_empty() {
            return Err(self.kept.not_served(self.dialect));
        }
        let Some(chosen) = self.incoming.header(PROVIDER_HEADER) else { return Ok(able) };
        let chosen: Vec<&Provider> = able.into_iter().filter(|provider| *provider.name == *chosen.trim()).collect();
        if chosen.is_empty() {
            let message = format!(
                "No provider {:?} keeps {} for this key. Leave the header `{PROVIDER_HEADER}` out, or name one that says \
                 `forward_files = true`.",
                kept_text(self.incoming.header(PROVIDER_HEADER).unwrap_or_default()),
                self.kept.names().1
            );
            return Err(Refusal::bad_request(message));
        }
        Ok(chosen)
    }

    /// Whether there is a loop, or nobody who could keep anything.
    fn check(&self) -> Result<Vec<&Provider>, Refusal> {
        if headers::hops(&self.incoming.headers) >= headers::HOPS_MAX {
            return Err(Refusal::loop_detected(headers::HOPS_MAX));
        }
        self.providers()
    }

    /// Makes or cancels something, with a record of it.
    async fn recorded(&self, act: Act, id: &str) -> Reply {
        let (_, plural) = self.kept.names();
        let open = OpenCall::begin_other(self.instance, plural, self.incoming, self.caller, &self.snapshot.catalog);
        let started_ms = host::now_ms();
        let done = match act {
            Act::Create => self.create().await,
            _ => self.about(act, id).await,
        };
        let request_line = format!("{} {}", self.incoming.method, self.incoming.path);
        let (state, reply, why) = match done {
            Ok((by, reply)) => {
                let (state, class) = pass_through::verdict(reply.status);
                let passed = OriginResult { status: Some(reply.status), class, error: None };
                open.passed_by(&by.provider, &request_line, passed, started_ms);
                (state, reply, None)
            }
            Err(refusal) => {
                let reply = refusal.under(&self.incoming.base_path);
                let reply = reply.reply(Shape::Dialect(self.dialect), &self.incoming.id);
                (refusal.state, reply, Some(refusal.message))
            }
        };
        let reply = reply.with("x-llmio-record", open.id());
        open.answered(state, &reply, why.as_deref());
        reply
    }

    /// Asks one account after the other to keep what the body holds.
    async fn create(&self) -> Result<(ResponseOwner, Reply), Refusal> {
        let providers = self.check()?;
        self.check_budget()?;
        let Body { bytes, held: _held } = self.incoming.body().await?;
        let source = if self.kept == Kept::Batch { Some(self.source(&bytes).await?) } else { None };
        let (mut refused, mut answered, mut asked) = (None, None, 0);
        for account in providers.into_iter().flat_map(accounts) {
            let by = owner_of(account);
            if source.as_ref().is_some_and(|source| *source != by) {
                continue;
            }
            if asked == ACCOUNTS_MAX {
                break;
            }
            let (prepared, _room) = match self.prepare(account.provider, &bytes).await {
                Ok(prepared) => prepared,
                Err(refusal) => {
                    refused.get_or_insert(refusal);
                    continue;
                }
            };
            let keeper = store::keeper_of_all(self.instance, prepared.files, self.caller.key()).await?;
            if keeper.is_some_and(|keeper| keeper != by) {
                continue;
            }
            asked += 1;
            let (status, body) = match self.ask(Act::Create, "", prepared.body, account).await {
                Ok(answer) => answer,
                // What may have arrived is not sent again: a batch costs money.
                Err(refusal) if self.kept != Kept::File => return Err(refusal),
                Err(refusal) => {
                    refused = Some(refusal);
                    continue;
                }
            };
            if (200..300).contains(&status) {
                return self.keep(self.caller.name(), Answered { by, status, body }, prepared.is_input).await;
            }
            answered = Some((by, json(status, body)));
            if !matches!(status, 401..=403 | 429 | 500..) {
                break;
            }
        }
        match (answered, refused) {
            (Some(answered), _) => Ok(answered),
            (None, Some(refusal)) => Err(refusal),
            (None, None) => {
                let message =
                    "The files of this request are kept by a provider or a credential that cannot be used now.";
                Err(Refusal::bad_gateway(State::UpstreamError, message))
            }
        }
    }

    /// What is sent to a provider, and the memory that it takes.
    async fn prepare(&self, provider: &Provider, body: &[u8]) -> Result<(Prepared, HeldBytes), Refusal> {
        let mut room = self.incoming.holder.nothing();
        let fits = |_: &mut HeldBytes| memory::has_room_to_copy(body.len());
        if !room.set_in_turn(body.len(), TURN_MS_MAX).await || !room.until(fits, ANSWER_MS_MAX).await {
            return Err(Refusal::no_room());
        }
        let yields = YieldPoint::default();
        let pace = |bytes| yields.step(bytes);
        let (catalog, caller) = (&self.snapshot.catalog, self.caller);
        let preparing = Preparing { catalog, caller, provider, pace: Pace::of(&pace) };
        let media_type = self.incoming.header("content-type").unwrap_or_default().as_bytes();
        Ok((preparing.prepare(self.kept, self.dialect, media_type, body)?, room))
    }

    /// Refuses a batch of a key with a budget: what it will cost is not known before it has run.
    fn check_budget(&self) -> Result<(), Refusal> {
        let key = self.caller.key().and_then(|name| self.snapshot.catalog.key_named(name));
        if self.kept != Kept::File && key.is_some_and(Key::has_budget) {
            let message =
                "This key has a budget, and what a batch will cost is not known beforehand. Use a key without one.";
            return Err(Refusal::forbidden("batch_not_allowed", message));
        }
        Ok(())
    }

    /// The account that keeps the calls of a new batch.
    async fn source(&self, body: &[u8]) -> Result<ResponseOwner, Refusal> {
        let id = kept::input_file(body)?;
        let row = store::find(self.instance, (Kept::File, self.dialect), &id, self.caller.key()).await?;
        let row = row.ok_or_else(|| Kept::File.unknown(&id).about("input_file_id"))?;
        if !row.is_input {
            let message = format!("File {:?} was not uploaded with the purpose `batch`.", kept_text(&id));
            return Err(Refusal::bad_request(message).about("input_file_id"));
        }
        Ok(row.owner)
    }

    /// Sends a request to an account, and reads its answer.
    async fn ask(&self, act: Act, id: &str, body: Vec<u8>, to: Account<'_>) -> Result<(u16, Vec<u8>), Refusal> {
        let outgoing = rewrite::kept((self.kept, act, id), self.dialect, &self.incoming.headers, body, to);
        let outgoing = outgoing.ok_or_else(|| self.kept.unknown(id))?;
        let timeouts = to.provider.timeouts.within(&Timeouts::default());
        let terms = Terms::of_no_call(&timeouts, self.incoming);
        send::fetch(self.instance, outgoing, &terms, OBJECT_BYTES_MAX).await.map_err(|error| failed(to, &error))
    }

    /// Notes whose an object is, and answers with it.
    async fn keep(&self, key: &str, answer: Answered, is_input: bool) -> Result<(ResponseOwner, Reply), Refusal> {
        let Answered { by, status, body } = answer;
        let object: Value = serde_json::from_slice(&body).map_err(|_| {
            let message = format!("Provider {:?} answered {status} with something that is no JSON.", by.provider);
            Refusal::bad_gateway(State::UpstreamError, message)
        })?;
        for (place, described) in kept::objects(self.kept, &object).iter().enumerate() {
            let is_input = is_input && place == 0;
            store::save(self.instance, (key, self.dialect), described, &by, is_input).await?;
        }
        let base = host::variable("public_url").await.unwrap_or_default();
        let shown = kept::with_own_address(self.kept, object, &base);
        Ok((by, Reply::json(status, &shown)))
    }

    /// The row of one, and the account that keeps it.
    async fn row(&self, id: &str) -> Result<(KeptRow, Account<'_>), Refusal> {
        let able = self.check()?;
        let row = store::find(self.instance, (self.kept, self.dialect), id, self.caller.key()).await?;
        let row = row.ok_or_else(|| self.kept.unknown(id))?;
        let to = proxy::account(&row.owner, self.snapshot);
        let to = to.filter(|to| able.iter().any(|provider| provider.name == to.provider.name));
        Ok((row, to.ok_or_else(|| self.kept.unknown(id))?))
    }

    /// Reads, cancels or deletes one.
    async fn about(&self, act: Act, id: &str) -> Result<(ResponseOwner, Reply), Refusal> {
        let (row, to) = self.row(id).await?;
        let (status, body) = self.ask(act, id, Vec::new(), to).await?;
        let is_gone = status == 404 || (act == Act::Delete && (200..300).contains(&status));
        if is_gone {
            store::delete(self.instance, &row).await?;
            return Ok((row.owner, json(status, body)));
        }
        if !(200..300).contains(&status) {
            return Ok((row.owner, json(status, body)));
        }
        self.keep(&row.key, Answered { by: row.owner, status, body }, false).await
    }

    /// What a file holds, or what a batch came to, as it comes.
    async fn content(&self, id: &str) -> Result<ReadyAnswer, Refusal> {
        let (_, to) = self.row(id).await?;
        let asked = (self.kept, Act::Content, id);
        let outgoing = rewrite::kept(asked, self.dialect, &self.incoming.headers, Vec::new(), to);
        let outgoing = outgoing.ok_or_else(|| self.kept.unknown(id))?;
        proxy::pass_on(self.instance, outgoing, to, self.incoming, self.dialect).await
    }

    /// The caller's own, as they are now.
    async fn list(&self) -> Result<Reply, Refusal> {
        self.check()?;
        let asked = ListRequest::read(self.incoming.query.as_deref())?;
        let key = self.caller.key();
        let (rows, has_more) = store::list(self.instance, (self.kept, self.dialect), key, &asked).await?;
        let base = host::variable("public_url").await.unwrap_or_default();
        let mut objects = Vec::with_capacity(rows.len());
        for some in rows.chunks(AT_A_TIME) {
            let some = join_all(some.iter().map(|row| self.now(row))).await;
            objects.extend(some.into_iter().flatten().map(|object| kept::with_own_address(self.kept, object, &base)));
        }
        Ok(Reply::json(200, &kept::list(self.dialect, objects, has_more)))
    }

    /// One as it is now or, where that cannot be known, as it was last seen.
    async fn now(&self, row: &KeptRow) -> Option<Value> {
        let seen = || row.object.as_deref().and_then(|text| serde_json::from_str(text).ok());
        if row.is_final && row.object.is_some() {
            return seen();
        }
        let Some(to) = proxy::account(&row.owner, self.snapshot) else { return seen() };
        let Ok((200, body)) = self.ask(Act::Read, &row.id, Vec::new(), to).await else { return seen() };
        let Ok(object) = serde_json::from_slice::<Value>(&body) else { return seen() };
        for described in kept::objects(self.kept, &object) {
            // What cannot be noted now is noted the next time.
            let _ = store::save(self.instance, (&row.key, self.dialect), &described, &row.owner, false).await;
        }
        Some(object)
    }
}

/// The accounts of a provider that can be used, in the catalog's order.
fn accounts(provider: &Provider) -> Vec<Account<'_>> {
    if provider.credentials.is_empty() {
        return vec![Account { provider, credential: None }];
    }
    let usable = provider
        .credentials
        .iter()
        .filter(|credential| credential.enabled && matches!(credential.value, catalog::Value::Plain(_)));
    usable.map(|credential| Account { provider, credential: Some(credential) }).collect()
}

fn owner_of(account: Account<'_>) -> ResponseOwner {
    let credential = account.credential.map(|credential| credential.id.to_string());
    ResponseOwner { provider: account.provider.name.to_string(), credential }
}

fn json(status: u16, body: Vec<u8>) -> Reply {
    Reply::new(status, "application/json", body)
}

fn failed(to: Account<'_>, error: &SendError) -> Refusal {
    Refusal::bad_gateway(error.state(), format!("Provider {:?} {}.", &*to.provider.name, error.describe()))
}
