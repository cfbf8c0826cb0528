//! The operator's prices in key-value: states `prices/<n>` and lists `price_list/<provider>/<n>` that never change, and a
//! pointer `prices`. As with the catalog, the database only decides who writes state `n` if two instances try at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gateway_core::catalog::Catalog;
use gateway_core::price::{Changed, PriceList, PriceState, Rows};

use super::{counters, key_value};
use crate::host;
use crate::instance::Instance;

const POINTER: &str = "prices";

/// After this long, a writer that claimed a number and never moved the pointer loses its claim.
const CLAIM_MS: u64 = 10_000;

/// How often a change tries to get its turn, and the time between two tries: longer than a writer that died keeps its claim.
const TRIES_MAX: u32 = 240;
const TRY_MS: u64 = 50;

/// The number of the state in force; 0 if there is none.
pub(crate) async fn number(instance: &Instance) -> Result<u64, String> {
    let Some(store) = key_value::open(instance).await? else { return Ok(0) };
    Ok(store.number(POINTER).await?.unwrap_or(0))
}

/// The state of this number; `None`: there was none yet.
pub(crate) async fn state(instance: &Instance, number: u64) -> Result<Option<PriceState>, String> {
    if number == 0 {
        return Ok(None);
    }
    read(instance, &state_key(number)).await.map(Some)
}

/// The rows of these providers, as far as the state has a list of them.
pub(crate) async fn rows<'i>(
    instance: &Instance,
    state: &PriceState,
    ids: impl Iterator<Item = &'i str>,
) -> Result<BTreeMap<String, Rows>, String> {
    let mut lists = BTreeMap::new();
    for id in ids {
        if let Some(number) = state.lists.get(id) {
            lists.insert(id.to_owned(), read(instance, &list_key(id, *number)).await?);
        }
    }
    Ok(lists)
}

/// Puts the operator's prices before the bundled ones, where the settings name an origin and it was read. Returns the
/// number of their state.
pub(super) async fn price(instance: &Instance, catalog: &mut Catalog) -> Result<u64, String> {
    let Some(origin) = catalog.settings.prices.as_ref().map(ToString::to_string) else { return Ok(0) };
    let number = number(instance).await?;
    let state = state(instance, number).await?.filter(|state| state.origin == origin).unwrap_or_default();
    let version: Arc<str> = state.version.as_deref().unwrap_or_default().into();
    let lists = rows(instance, &state, catalog.price_lists().into_iter()).await?;
    let lists: HashMap<String, Arc<PriceList>> =
        lists.into_iter().map(|(id, rows)| (id, PriceList::new(version.clone(), rows).into())).collect();
    catalog.set_prices(&lists);
    Ok(number)
}

/// Waits for the turn to follow the state in force; returns its number.
pub(crate) async fn turn(instance: &Instance) -> Result<u64, String> {
    for _ in 0..TRIES_MAX {
        let now = number(instance).await?;
        let next = state_key(now.saturating_add(1));
        if counters::claim(instance, &next, CLAIM_MS).await && number(instance).await? == now {
            return Ok(now);
        }
        host::wait_ms(TRY_MS).await;
    }
    Err("prices are being changed by another request; try again".to_owned())
}

/// Stores what follows the state of this number and puts it in force. What that one had replaced is deleted: whoever read an
/// older pointer has long read its lists.
pub(crate) async fn store(
    instance: &Instance,
    (number, former): (u64, Option<&PriceState>),
    (state, lists): &Changed,
) -> Result<(), String> {
    let store = key_value::open(instance).await?.ok_or("this host has no key-value store")?;
    let next = number.saturating_add(1);
    let json = |error: serde_json::Error| error.to_string();
    for (id, rows) in lists {
        store.set(&list_key(id, next), serde_json::to_vec(rows).map_err(json)?).await?;
    }
    store.set(&state_key(next), serde_json::to_vec(state).map_err(json)?).await?;
    store.set(POINTER, next.to_string()).await?;
    for (id, number) in former.into_iter().flat_map(|former| &former.replaced) {
        store.delete(&list_key(id, *number)).await?;
    }
    if number > 1 {
        store.delete(&state_key(number - 1)).await?;
    }
    Ok(())
}

async fn read<T: serde::de::DeserializeOwned>(instance: &Instance, key: &str) -> Result<T, String> {
    let missing = || format!("`{key}` is not in the key-value store");
    let store = key_value::open(instance).await?.ok_or_else(missing)?;
    let bytes = store.get(key).await?.ok_or_else(missing)?;
    serde_json::from_slice(&bytes).map_err(|error| format!("`{key}` in the key-value store is unreadable: {error}"))
}

fn state_key(number: u64) -> String {
    format!("{POINTER}/{number}")
}

fn list_key(id: &str, number: u64) -> String {
    format!("price_list/{id}/{number}")
}
