//! The catalog in key-value: versions `catalog/<n>` that never change, a pointer `catalog`, and one parsed snapshot for
//! each instance. A call uses the same snapshot from beginning to end.
//!
//! The database only decides who writes version `n` if two instances try at once, since key-value has no
//! compare-and-swap.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use gateway_core::authenticate::Token;
use gateway_core::catalog::{Catalog, Document, Sealer};
use gateway_core::problem::Problems;
use gateway_core::refusal::Refusal;
use gateway_core::views::SectionSource;

use super::database::{self, Trouble, Value};
use super::looks::LookTimes;
use super::{health, key_value, prices};
use crate::host;
use crate::instance::Instance;

const POINTER: &str = "catalog";

/// The text of the catalog file, and the host's word for whether it has changed.
const FILE: &str = "catalog";
const FILE_VERSION: &str = "catalog_version";

/// The host's word for whether any file that it gave has changed.
const FILES: &str = "files";

/// Before the name of a file whose text the host is asked for.
const FILE_PREFIX: &str = "file:";

/// After this long, a writer that claimed a version and never moved the pointer loses its claim.
const CLAIM_MS: i64 = 10_000;

/// How many versions are kept where a store takes few keys. The one that falls out goes with each new one.
const VERSIONS_KEPT: u64 = 200;

/// The time between two looks of a change that waits for its turn.
const TURN_LOOK_MS: u64 = 5;

const CLAIM: &str = "INSERT INTO catalog_versions (n, at_ms) VALUES (?1, ?2) \
ON CONFLICT (n) DO UPDATE SET at_ms = excluded.at_ms WHERE catalog_versions.at_ms < ?3 RETURNING n";

const RELEASE: &str = "DELETE FROM catalog_versions WHERE n = ?1";

/// What an instance remembers of the catalog.
#[derive(Default)]
pub(crate) struct CatalogStore {
    current: RefCell<Option<Rc<Snapshot>>>,
    looks: LookTimes,
    /// The catalog that was refused last, so that not every call parses and logs it again.
    refused: RefCell<Option<Origin>>,
    /// Whether a change of this instance is under way.
    is_changing: Cell<bool>,
}

/// The source of a snapshot. If two sources are equal, so are their catalogs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    /// The text of the catalog file, or nothing.
    file: Rc<str>,
    /// The host's word for whether that text has changed; `None` on hosts that do not say.
    file_version: Option<String>,
    /// The stored version, or 0.
    version: u64,
    /// The admin token.
    token: String,
    /// Changes when a file does that the catalog names.
    files: String,
    /// The number of the state of the operator's prices, or 0 without any.
    prices: u64,
}

/// One accepted catalog.
pub(crate) struct Snapshot {
    /// The catalog in the form that lookups need.
    pub(crate) catalog: Catalog,
    /// The catalog as it was written, with sealed secrets. If there is a catalog file, its sections replace the stored
    /// ones.
    pub(crate) document: Document,
    /// The stored part alone, which an edit starts from.
    pub(crate) stored: Document,
    /// The catalog file, if there is one. Its sections cannot be changed in any other way.
    pub(crate) file: Option<Document>,
    /// The stored version, or 0.
    pub(crate) version: u64,
    /// The entity tag, which changes whenever the catalog does.
    pub(crate) etag: String,
    /// The admin token.
    pub(crate) token: Token,
    origin: Origin,
    /// The path of the catalog file, where the host tells it.
    path: Option<String>,
}

impl Snapshot {
    /// Where a section comes from.
    pub(crate) fn source(&self, section: &str) -> SectionSource {
        let has = |document: &Document| document.as_json().contains_key(section);
        match () {
            () if self.file.as_ref().is_some_and(has) => SectionSource::File,
            () if has(&self.document) && !has(&self.stored) => SectionSource::BuiltIn,
            () => SectionSource::Stored,
        }
    }

    /// Refuses an edit of a section that the catalog file holds, and says where to make it: `name` is the entry's.
    pub(crate) fn is_editable(&self, section: &str, name: &str) -> Result<(), Refusal> {
        let Some(place) = self.place_in_file(section, name) else { return Ok(()) };
        let sentence = format!("`{section}` comes from the catalog file {place}, which is the authority for it.");
        Err(Refusal::conflict(format!("{sentence} Edit the file.")))
    }

    /// The file and the line where an entry stands, or its section; `None`: the section is not in the catalog file.
    pub(crate) fn place_in_file(&self, section: &str, name: &str) -> Option<String> {
        if self.source(section) != SectionSource::File {
            return None;
        }
        let file = self.path.as_deref().unwrap_or("(variable `catalog`)");
        let line = Document::line_of(&self.origin.file, section, name);
        Some(line.map_or_else(|| file.to_owned(), |line| format!("{file}, line {line}")))
    }

    /// The secrets that could not be obtained, and why.
    pub(crate) fn missing(&self) -> Vec<String> {
        self.catalog.missing().into_iter().map(|(path, reason)| format!("{path}: {reason}")).collect()
    }
}

/// Why there is no snapshot.
enum NoSnapshot {
    /// The catalog is not valid, and will not be until another one is stored.
    Refused(Problems),
    /// The store did not answer, or does not yet have the version that its pointer names. Another try may help.
    Unreachable(String),
}

impl From<Problems> for NoSnapshot {
    fn from(problems: Problems) -> Self {
        NoSnapshot::Refused(problems)
    }
}

/// How recent a snapshot must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Read within the last 100 ms.
    Recent,
    /// Read now, as before a key or a model is refused as unknown.
    Now,
}

/// The catalog in force. If a stored catalog is not valid it is refused as a whole, and the last good one stays in
/// force.
pub(crate) async fn current(instance: &Rc<Instance>, freshness: Freshness) -> Result<Rc<Snapshot>, Refusal> {
    let CatalogStore { current, looks, .. } = &instance.store.catalog;
    let known = current.borrow().clone();
    if let Some(snapshot) = &known
        && freshness == Freshness::Recent
        && !looks.is_due()
    {
        return Ok(snapshot.clone());
    }
    let begun_ms = looks.begin();
    let current = look(instance, known).await;
    looks.end(begun_ms);
    current
}

async fn look(instance: &Rc<Instance>, known: Option<Rc<Snapshot>>) -> Result<Rc<Snapshot>, Refusal> {
    let CatalogStore { current, refused, .. } = &instance.store.catalog;
    let origin = match origin(instance, known.as_deref()).await {
        Ok(origin) => origin,
        // A store that does not answer says nothing about the catalog, so the one in force stays.
        Err(message) => return known.ok_or_else(|| unreachable(&message)),
    };
    if let Some(snapshot) = known.as_ref().filter(|snapshot| snapshot.origin == origin) {
        return Ok(snapshot.clone());
    }
    if refused.borrow().as_ref() == Some(&origin) {
        return known.ok_or_else(|| no_catalog(instance, &origin));
    }
    match load(instance, &origin).await {
        Ok(snapshot) => {
            let snapshot = Rc::new(snapshot);
            if let Some(known) = &known {
                health::forget_moved(instance, &known.catalog, &snapshot.catalog).await;
            }
            current.replace(Some(snapshot.clone()));
            Ok(snapshot)
        }
        Err(NoSnapshot::Refused(problems)) => {
            host::log(&format!("the catalog was refused, the last good one stays: {problems}"));
            let refusal = known.ok_or_else(|| no_catalog(instance, &origin));
            refused.replace(Some(origin));
            refusal
        }
        Err(NoSnapshot::Unreachable(message)) => known.ok_or_else(|| unreachable(&message)),
    }
}

/// The catalog for the admin API: the one in force, or a stored one that is not valid, since an operator must be able
/// to repair it. Lookups in the latter find nothing.
pub(crate) async fn administered(instance: &Rc<Instance>) -> Result<Rc<Snapshot>, Refusal> {
    let refusal = match current(instance, Freshness::Now).await {
        Ok(snapshot) => return Ok(snapshot),
        Err(refusal) => refusal,
    };
    let origin = origin(instance, None).await.map_err(|message| unreachable(&message))?;
    let stored = match origin.version {
        0 => Document::empty(),
        version => match stored(instance, version).await {
            Err(NoSnapshot::Unreachable(message)) => return Err(unreachable(&message)),
            Err(NoSnapshot::Refused(_)) => Document::empty(),
            Ok(stored) => stored,
        },
    };
    let file = Some(origin.file.as_bytes()).filter(|text| !text.is_empty()).and_then(|text| parse(text).ok());
    let catalog = Document::empty().validate().map_err(|_| refusal)?;
    Ok(Rc::new(Snapshot {
        catalog,
        document: in_force(file.as_ref(), &stored),
        stored,
        file,
        version: origin.version,
        etag: etag(&origin),
        token: Token::new(&origin.token),
        origin,
        path: path().await,
    }))
}

/// The problems are not told here, since they name providers and models and this caller is not authenticated.
fn no_catalog(instance: &Instance, origin: &Origin) -> Refusal {
    let message = match () {
        () if instance.host.judges_settings => {
            "llmio has no valid catalog. Its log says what is wrong with the stored one; `llmio catalog import FILE` or \
             PUT /api/catalog replaces it."
        }
        () if origin.file.is_empty() => {
            "llmio has no valid catalog. The host's log says what is wrong with the stored one; PUT /api/catalog replaces it."
        }
        () => {
            "The variable `catalog` holds no valid catalog. The host's log says what is wrong with it. Mend the file and give \
             it again (spin up --variable catalog=@llmio.toml), or take the variable away."
        }
    };
    Refusal::unavailable("no_catalog", message)
}

fn unreachable(message: &str) -> Refusal {
    let message = format!("The catalog cannot be read now: {message}. Try again.");
    Refusal::unavailable("store_failed", message).after(1)
}

/// The source of the catalog in force. A text that has not changed is not read again, since there may be megabytes of it
/// and every instance asks ten times a second.
async fn origin(instance: &Instance, known: Option<&Snapshot>) -> Result<Origin, String> {
    let file_version = host::variable(FILE_VERSION).await;
    let is_same = |known: &&Origin| file_version.is_some() && known.file_version == file_version;
    let file = match known.map(|known| &known.origin).filter(is_same) {
        Some(known) => known.file.clone(),
        None => host::variable(FILE).await.unwrap_or_default().into(),
    };
    Ok(Origin {
        file,
        file_version,
        version: stored_version(instance).await?,
        token: host::variable("token").await.unwrap_or_default(),
        files: state_of_files(instance).await,
        prices: match known.is_some_and(|known| known.catalog.settings.prices.is_some()) {
            true => prices::number(instance).await?,
            false => 0,
        },
    })
}

/// The version that the pointer names; 0 if none was ever stored, or if the host has no key-value store. A store that
/// fails must not be taken for an empty one, since the built-in catalog, which needs no key, would come back.
async fn stored_version(instance: &Instance) -> Result<u64, String> {
    let Some(store) = key_value::open(instance).await? else { return Ok(0) };
    Ok(store.number(POINTER).await?.unwrap_or(0))
}

async fn load(instance: &Instance, origin: &Origin) -> Result<Snapshot, NoSnapshot> {
    let file = if origin.file.is_empty() { None } else { Some(parse(origin.file.as_bytes())?) };
    let stored = match origin.version {
        0 => Document::empty(),
        version => stored(instance, version).await?,
    };
    let document = in_force(file.as_ref(), &stored);
    let located = |problems| match &file {
        Some(file) => file.locate(&stored, problems),
        None => problems,
    };
    let mut catalog = resolved(&document).await.map_err(located)?;
    if let Err(message) = catalog.trust(&host::variable("trusted_proxies").await.unwrap_or_default()) {
        host::log(&format!("the variable `trusted_proxies` is not used: {message}"));
    }
    let etag = etag(origin);
    let token = Token::new(&origin.token);
    let prices = prices::price(instance, &mut catalog).await.map_err(NoSnapshot::Unreachable)?;
    let (version, origin) = (origin.version, Origin { prices, ..origin.clone() });
    Ok(Snapshot { catalog, document, stored, file, version, etag, token, origin, path: path().await })
}

/// What the host says of the files that it gave, which is another text when any of them has changed.
pub(crate) async fn state_of_files(instance: &Instance) -> String {
    if instance.host.has_files { host::variable(FILES).await.unwrap_or_default() } else { String::new() }
}

/// The text of a file that the catalog names, or why there is none.
pub(crate) async fn file(name: &str) -> Result<String, String> {
    host::file(&format!("{FILE_PREFIX}{name}")).await
}

/// The path of the catalog file.
async fn path() -> Option<String> {
    host::variable("catalog_path").await.filter(|path| !path.is_empty())
}

/// The document that is served: the stored one, with the sections of the catalog file in place of its own.
pub(crate) fn in_force(file: Option<&Document>, stored: &Document) -> Document {
    file.map_or_else(|| stored.clone(), |file| file.overlay(stored)).or_built_in()
}

/// The entity tag of a source. A catalog file has no version, so a hash of its text takes that place.
fn etag(origin: &Origin) -> String {
    match &*origin.file {
        "" => format!("\"{}\"", origin.version),
        file => format!("\"{}-{:016x}\"", origin.version, fingerprint(file)),
    }
}

/// Validates a document with the texts of its variables in their places.
pub(crate) async fn validated(document: &Document) -> Result<Catalog, Problems> {
    let names = document.text_variables();
    if names.is_empty() {
        return document.validate();
    }
    let values = variables(names).await;
    document.filled(&|name| values.get(name).cloned())?.validate()
}

/// Validates a document and obtains its secrets.
pub(crate) async fn resolved(document: &Document) -> Result<Catalog, Problems> {
    let mut catalog = validated(document).await?;
    let mut files: HashMap<String, Result<String, String>> = HashMap::new();
    let names: Vec<String> = catalog.files().into_iter().map(str::to_owned).collect();
    for name in names {
        let text = file(&name).await;
        files.insert(name, text);
    }
    catalog.expand(&|name| files.get(name).cloned().unwrap_or_else(|| Err("it was not read".to_owned())));
    let values = variables(catalog.variables().into_iter().map(str::to_owned).collect()).await;
    // A master key that cannot be used must not stop what needs none. Each sealed secret then reports that it cannot be
    // opened.
    let sealer = sealer().await.unwrap_or_else(|problems| {
        host::log(&format!("stored secrets cannot be opened: {problems}"));
        None
    });
    catalog.resolve(sealer.as_ref(), &|name| values.get(name).cloned());
    Ok(catalog)
}

/// What these variables hold, as far as they are set.
pub(crate) async fn variables(names: Vec<String>) -> HashMap<String, String> {
    let mut values = HashMap::new();
    let secrets = if names.is_empty() { None } else { host::variable("secrets").await };
    let secrets: serde_json::Value = secrets.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    for name in names {
        if let Some(value) = named_secret(&name, &secrets).await {
            values.insert(name, value);
        }
    }
    values
}

/// A named secret: a variable of this name, or else an entry of the variable `secrets`. Spin's variables have
/// lower-case names, so that spelling is tried too.
async fn named_secret(name: &str, secrets: &serde_json::Value) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    for name in [name, &lower] {
        if let Some(value) = host::variable(name).await {
            return Some(value);
        }
    }
    [name, &lower].into_iter().find_map(|name| secrets.get(name)?.as_str().map(str::to_owned))
}

/// The sealer of stored secrets; `None` without a master key.
pub(crate) async fn sealer() -> Result<Option<Sealer>, Problems> {
    let Some(key) = host::variable("master_key").await else { return Ok(None) };
    let sealer = match host::variable("master_key_previous").await {
        Some(previous) => Sealer::with_previous(&key, &previous),
        None => Sealer::new(&key),
    };
    sealer.map(Some).map_err(|error| Problems::one("master_key", error.to_string()))
}

/// Parses the text of a catalog: as JSON if it begins with an object, as TOML otherwise.
pub(crate) fn parse(text: &[u8]) -> Result<Document, Problems> {
    if text.trim_ascii_start().starts_with(b"{") {
        return Document::from_json(text);
    }
    let text = std::str::from_utf8(text).map_err(|_| Problems::one("", "the catalog is not UTF-8"))?;
    Document::from_toml(text)
}

/// Where a version is kept.
pub(super) fn version_key(version: i64) -> String {
    format!("{POINTER}/{version}")
}

/// A version that was in force once, or is; `None`: there is no such version, or not any more.
pub(crate) async fn version(instance: &Instance, version: u64) -> Result<Option<Document>, Refusal> {
    // A writer that died half way may have left one that never was in force.
    let last = stored_version(instance).await.map_err(|message| unreachable(&message))?;
    let store = key_value::open(instance).await.map_err(|message| unreachable(&message))?;
    let Some(store) = store.filter(|_| (1..=last).contains(&version)) else { return Ok(None) };
    let bytes = store.get(&format!("{POINTER}/{version}")).await.map_err(|message| unreachable(&message))?;
    bytes.map(|bytes| Document::from_json(&bytes)).transpose().map_err(Refusal::invalid_catalog)
}

async fn stored(instance: &Instance, version: u64) -> Result<Document, NoSnapshot> {
    let missing = || NoSnapshot::Unreachable(format!("version {version} is not in the key-value store"));
    let store = key_value::open(instance).await.map_err(NoSnapshot::Unreachable)?.ok_or_else(missing)?;
    let bytes = store.get(&format!("{POINTER}/{version}")).await;
    let bytes = bytes.map_err(NoSnapshot::Unreachable)?.ok_or_else(missing)?;
    Ok(Document::from_json(&bytes)?)
}

/// Waits until no other change of this instance is under way, because a change that starts meanwhile would start from
/// an old version. The turn ends when the returned value is dropped. It is polled for, since no task may wake another's
/// on WASI 0.3 hosts.
pub(crate) async fn turn(instance: &Rc<Instance>) -> impl Drop + use<> {
    while instance.store.catalog.is_changing.replace(true) {
        host::wait_ms(TURN_LOOK_MS).await;
    }
    let instance = instance.clone();
    host::OnDrop(move || instance.store.catalog.is_changing.set(false))
}

/// Stores a document as the version after `base`, and puts it in force. `document` must be valid and sealed.
pub(crate) async fn accept(instance: &Instance, document: &Document, base: u64) -> Result<u64, Refusal> {
    let store = key_value::open(instance).await.map_err(|message| unreachable(&message))?.ok_or_else(|| {
        Refusal::unavailable(
            "no_key_value",
            "This host has no key-value store, so no catalog can be kept. Use the `catalog` variable.",
        )
    })?;
    let version = base.saturating_add(1);
    claim(instance, version).await?;
    // Claims expire, so only the pointer says for certain whether `base` is still the last version.
    if stored_version(instance).await.map_err(|message| unreachable(&message))? != base {
        return Err(changed_meanwhile());
    }
    let written = match store.set(&format!("{POINTER}/{version}"), document.to_json_string()).await {
        Ok(()) => store.set(POINTER, version.to_string()).await,
        failed => failed,
    };
    if let Err(error) = written {
        // The claim is given back, so that another try is not taken for a change by somebody else.
        let _ = database::write(instance, RELEASE, vec![database::number(Some(version))]).await;
        let message = format!("The catalog could not be written: {error}. Nothing changed; try again.");
        return Err(Refusal::unavailable("store_failed", message).after(1));
    }
    instance.store.catalog.refused.replace(None);
    if let Some(old) = version.checked_sub(VERSIONS_KEPT).filter(|old| *old > 0 && !instance.host.has_many_keys) {
        // One that stays behind takes a little room and does no harm.
        let _ = store.delete(&format!("{POINTER}/{old}")).await;
    }
    Ok(version)
}

/// Claims a version: the first of two writers gets it. Without a database the last one wins.
async fn claim(instance: &Instance, version: u64) -> Result<(), Refusal> {
    let now_ms = host::steady_ms();
    let parameters = vec![database::number(Some(version)), Value::Integer(now_ms), Value::Integer(now_ms - CLAIM_MS)];
    match database::rows(instance, CLAIM, parameters).await {
        Ok(rows) if rows.is_empty() => Err(changed_meanwhile()),
        Ok(_) | Err(Trouble::Absent) => Ok(()),
        Err(trouble) => {
            let message = format!("The catalog could not be written: {trouble}. Nothing changed; try again.");
            Err(Refusal::unavailable("store_failed", message).after(1))
        }
    }
}

/// The refusal of a change that came after somebody else's.
pub(crate) fn changed_meanwhile() -> Refusal {
    Refusal::precondition_failed(
        "The catalog was changed meanwhile. Read it again, repeat the change and send the new etag.",
    )
}

/// FNV-1a. It only tells texts apart; no secret depends on it.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
