//! Every endpoint of llmio, and the credential that each of them needs.

use crate::catalog::{Noun, Part};
use crate::operation::Operation;

/// What a caller must present before a route is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: public by design.
    Nothing,
    /// A client key or the admin token.
    Key,
    /// The key that the relay asks for in `x-llmio-key`, or nothing if the relay is public.
    Relay,
    /// What the console's own routes say: a session of the browser, or nothing for what signs it in.
    Session,
    /// The admin token; or a key, whose holder sees what is its own.
    Reader,
    /// The admin token.
    Admin,
}

/// Everything that llmio answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// A call that is balanced over targets.
    Call(Operation),
    /// A pass-through to a relay's origin.
    Relay,
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`
    Model,
    /// `GET /v1/usage`
    Usage,
    /// `GET`, `PUT /v1/record_bodies`: what is kept of the bodies of a key's calls, for whoever holds it.
    RecordBodies(Verb),
    /// `HEAD /`: what clients probe with.
    Probe,
    /// A response that its provider stores.
    Stored(Stored),
    /// Files and batches, which a provider keeps for the key that made them.
    Kept((Kept, Act)),
    /// `GET /v1/responses`: Codex asks for a WebSocket.
    WebSocket,
    /// Claude Code's telemetry, which is accepted and dropped.
    Telemetry,
    /// `GET /healthz`
    Alive,
    /// `GET /readyz`
    Ready,
    /// `GET /`: the way to the console, for browsers.
    Root,
    /// `GET /console`, which lacks its slash.
    ConsoleSlash,
    /// A page or form of the console.
    Console,
    /// `POST /api/providers/check`, of the admin API too: it answers piece by piece.
    ProvidersCheck,
    /// The admin API.
    Admin(Admin),
}

/// What can be done with a response that its provider stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// `GET /v1/responses/{id}`
    Read,
    /// `DELETE /v1/responses/{id}`
    Delete,
    /// `POST /v1/responses/{id}/cancel`
    Cancel,
    /// `GET /v1/responses/{id}/input_items`
    InputItems,
}

impl Stored {
    /// The method, and what follows the id in the path.
    pub(crate) fn method_and_suffix(self) -> (&'static str, &'static str) {
        match self {
            Self::Read => ("GET", ""),
            Self::Delete => ("DELETE", ""),
            Self::Cancel => ("POST", "/cancel"),
            Self::InputItems => ("GET", "/input_items"),
        }
    }
}

/// What a provider keeps for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// `/v1/files`, of OpenAI or of Anthropic.
    File,
    /// `/v1/batches`
    Batch,
    /// `/v1/messages/batches`
    MessageBatch,
}

/// What is done with files and batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// One is made.
    Create,
    /// Those of the caller's key are listed.
    List,
    /// One is read.
    Read,
    /// One is deleted.
    Delete,
    /// What a file holds, or what a batch came to.
    Content,
    /// A batch is ended early.
    Cancel,
}

impl Act {
    /// The method in capitals.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Create | Self::Cancel => "POST",
            Self::List | Self::Read | Self::Content => "GET",
            Self::Delete => "DELETE",
        }
    }
}

impl Kept {
    /// Where providers keep them, and what follows the id in the path of this request.
    pub(crate) fn family_and_suffix(self, act: Act) -> (&'static str, &'static str) {
        let (family, content) = match self {
            Self::File => ("/files", "/content"),
            Self::Batch => ("/batches", "/content"),
            Self::MessageBatch => ("/messages/batches", "/results"),
        };
        let suffix = match act {
            Act::Content => content,
            Act::Cancel => "/cancel",
            Act::Create | Act::List | Act::Read | Act::Delete => "",
        };
        (family, suffix)
    }
}

/// What is done with a noun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// All are shown.
    List,
    /// One is shown.
    Read,
    /// One is added.
    Create,
    /// One is replaced.
    Replace,
    /// One is changed by a merge patch.
    Update,
    /// One is removed.
    Delete,
}

/// Endpoints of the admin API, noun by noun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admin {
    /// `GET /api/catalog`
    CatalogRead,
    /// `PUT /api/catalog`
    CatalogUpdate,
    /// `PATCH /api/catalog`
    CatalogPatch,
    /// `POST /api/catalog/check`
    CatalogCheck,
    /// `POST /api/catalog/diff`
    CatalogDiff,
    /// `POST /api/catalog/draft`
    CatalogDraft,
    /// `GET /api/catalog/history`
    HistoryList,
    /// `GET /api/catalog/history/{version}`
    HistoryRead,
    /// `POST /api/catalog/history/{version}/restore`
    HistoryRestore,
    /// `GET`, `PATCH /api/settings`
    Settings(Verb),
    /// `/api/providers`, `/api/models`, `/api/relays`, and one of them by its name
    Noun(Noun, Verb),
    /// `/api/providers/{name}/credentials`, `/api/models/{name}/targets`, and one of them
    Part(Part, Verb),
    /// `GET /api/import`
    ImportList,
    /// `POST /api/import`
    Import,
    /// `GET /api/presets`
    PresetsList,
    /// `GET /api/prices`
    PricesRead,
    /// `POST /api/prices/refresh`
    PricesRefresh,
    /// `POST /api/prices/accept`
    PricesAccept,
    /// `GET /api/providers/{name}/models`
    ProvidersModels,
    /// `POST /api/models/join/preview`
    JoinPreview,
    /// `POST /api/models/join`
    Join,
    /// `GET /api/keys`
    KeysList,
    /// `POST /api/keys`
    KeysCreate,
    /// `GET /api/keys/{name}`
    KeysRead,
    /// `PATCH /api/keys/{name}`
    KeysUpdate,
    /// `POST /api/keys/{name}/rotate`
    KeysRotate,
    /// `DELETE /api/keys/{name}`
    KeysDelete,
    /// `GET /api/health`
    HealthList,
    /// `POST /api/health/reset`
    HealthReset,
    /// `POST /api/route`
    Route,
    /// `POST /api/targets/test`
    TargetsTest,
    /// `POST /api/targets/leave-out`
    TargetsLeaveOut,
    /// `GET /api/records`
    RecordsList,
    /// `GET /api/records/{id}`
    RecordsRead,
    /// `GET /api/records/{id}/bodies`, for the holder of the record's key too.
    RecordsBodies,
    /// `DELETE /api/records/{id}/bodies`
    RecordsBodiesDelete,
    /// `DELETE /api/records/bodies`
    BodiesDelete,
    /// `GET /api/records/sessions`
    RecordsSessions,
    /// `GET /api/records/export`
    RecordsExport,
    /// `GET /api/records/tail`
    RecordsTail,
    /// `POST /api/records/ended`
    RecordsEnded,
    /// `GET /api/stats`
    Stats,
    /// `GET /api/quota`
    QuotaList,
    /// `PUT /api/quota/{id}`
    QuotaUpdate,
    /// `GET /api/sessions`
    SessionsList,
    /// `POST /api/sessions`
    SessionsCreate,
    /// `DELETE /api/sessions/{id}`
    SessionsDelete,
    /// `POST /api/maintain`
    Maintain,
    /// `GET /api/host`
    Host,
}
