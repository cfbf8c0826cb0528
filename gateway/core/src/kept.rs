//! Files and batches that a provider keeps for a key. An id belongs to the key that made it, and everything about it goes
//! to the provider and the credential that keep it, since nobody else has it. The models of a batch are checked call by
//! call, and called as their provider calls them.

mod batch;
mod ids;
mod object;

use serde_json::Value;

use crate::candidate::ResponseOwner;
use crate::dialect::Dialect;
use crate::endpoint::Kept;
use crate::headers;
use crate::record::kept_text;
use crate::refusal::Refusal;

pub use batch::{Prepared, Preparing, input_file};
pub use ids::{FILE_IDS_MAX, file_ids};
pub use object::{KeptObject, objects, with_own_address};

/// The header by which a client chooses the provider that keeps a file or a batch.
pub const PROVIDER_HEADER: &str = "x-llmio-provider";

/// The most of them that one list holds, and how many it holds if the client does not say.
pub const LIST_MAX: usize = 100;
const LIST_DEFAULT: usize = 20;

impl Kept {
    /// The dialect of a request about it. OpenAI and Anthropic keep files under the same path; Anthropic's clients name
    /// a version (<https://platform.claude.com/docs/en/build-with-claude/files>).
    pub fn dialect(self, headers: &[(String, Vec<u8>)]) -> Dialect {
        match self {
            Self::File if headers::value(headers, "anthropic-version").is_some() => Dialect::Anthropic,
            Self::File | Self::Batch => Dialect::OpenaiChat,
            Self::MessageBatch => Dialect::Anthropic,
        }
    }

    /// What messages call one of them, and several.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::File => ("file", "files"),
            Self::Batch | Self::MessageBatch => ("batch", "batches"),
        }
    }

    /// What the database calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Batch => "batch",
            Self::MessageBatch => "message_batch",
        }
    }

    /// The refusal where no provider keeps any.
    pub fn not_served(self, dialect: Dialect) -> Refusal {
        let (_, plural) = self.names();
        let message = format!(
            "llmio serves no {plural}: none of its providers that this key may use and that speak {:?} says \
             `forward_files = true` in the catalog.",
            dialect.name()
        );
        Refusal::not_found("not_served", message)
    }

    /// The refusal of one that does not exist or is not the caller's.
    pub fn unknown(self, id: &str) -> Refusal {
        let (one, _) = self.names();
        let message = format!(
            "There is no {one} {:?} that was made through llmio with this key, or its provider is gone.",
            kept_text(id)
        );
        Refusal::not_found(if self == Self::File { "file_not_found" } else { "batch_not_found" }, message)
    }
}

/// Which of its own files or batches a caller wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRequest {
    /// At most so many.
    pub limit: usize,
    /// Only those behind this one in the list.
    pub after: Option<String>,
    /// Only those before this one in the list.
    pub before: Option<String>,
    /// Only files that were uploaded for this purpose.
    pub purpose: Option<String>,
    /// Whether the oldest come first.
    pub oldest_first: bool,
}

impl ListRequest {
    /// Reads it from a query, as OpenAI's and Anthropic's clients write it.
    pub fn read(query: Option<&str>) -> Result<Self, Refusal> {
        let mut asked =
            ListRequest { limit: LIST_DEFAULT, after: None, before: None, purpose: None, oldest_first: false };
        let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        for (name, value) in pairs {
            let value = crate::uri::decode_parameter(value).unwrap_or_default();
            match name {
                "limit" => {
                    let limit = value.parse::<usize>().ok().filter(|limit| *limit > 0);
                    let message = || Refusal::bad_request("`limit` must be a whole number from 1 on.").about("limit");
                    asked.limit = limit.ok_or_else(message)?.min(LIST_MAX);
                }
                "after" | "after_id" => asked.after = Some(value),
                "before_id" => asked.before = Some(value),
                "purpose" => asked.purpose = Some(value),
                "order" => asked.oldest_first = value == "asc",
                _ => {}
            }
        }
        Ok(asked)
    }
}

/// A list of objects as the dialect's clients expect it.
pub fn list(dialect: Dialect, objects: Vec<Value>, has_more: bool) -> Value {
    let id = |object: Option<&Value>| object.and_then(|object| object.get("id")).cloned().unwrap_or(Value::Null);
    let mut list = serde_json::Map::new();
    if dialect != Dialect::Anthropic {
        list.insert("object".to_owned(), "list".into());
    }
    let ids = (id(objects.first()), id(objects.last()));
    list.insert("data".to_owned(), objects.into());
    list.insert("first_id".to_owned(), ids.0);
    list.insert("last_id".to_owned(), ids.1);
    list.insert("has_more".to_owned(), has_more.into());
    Value::Object(list)
}

/// The one account that keeps all files that a request names. Each of `owners` is that of a file, or `None` if the file
/// is not the caller's.
pub fn owner_of_all(
    owners: impl IntoIterator<Item = (String, Option<ResponseOwner>)>,
) -> Result<Option<ResponseOwner>, Refusal> {
    let mut all: Option<ResponseOwner> = None;
    for (id, owner) in owners {
        let owner = owner.ok_or_else(|| Kept::File.unknown(&id))?;
        match &all {
            Some(known) if *known != owner => return Err(kept_elsewhere()),
            _ => all = Some(owner),
        }
    }
    Ok(all)
}

/// The refusal of a request that names what different accounts keep.
pub fn kept_elsewhere() -> Refusal {
    let message = "The request names what different accounts keep, so that none of them has all of it. Upload its files to \
                   one provider; the header `x-llmio-provider` chooses it.";
    Refusal::bad_request(message)
}

#[cfg(test)]
mod tests;
