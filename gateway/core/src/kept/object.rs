//! What a provider says of a file or a batch.

use serde_json::Value;

use crate::endpoint::Kept;

/// The longest id, and the longest object, that are kept.
const ID_BYTES_MAX: usize = 512;
const OBJECT_BYTES_MAX: usize = 64 << 10;

/// A file or a batch as its provider described it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptObject {
    /// What it is.
    pub kept: Kept,
    /// Its id.
    pub id: String,
    /// What it was uploaded for.
    pub purpose: Option<String>,
    /// How it is described; `None` if the provider has only named it.
    pub text: Option<String>,
    /// Whether it will not change any more.
    pub is_final: bool,
}

/// The object that an answer describes, followed by the files that it names: what a batch came to. Empty if the answer
/// describes none.
pub fn objects(kept: Kept, answer: &Value) -> Vec<KeptObject> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| text.len() <= ID_BYTES_MAX);
    let Some(id) = text("id").filter(|id| !id.is_empty()) else { return Vec::new() };
    let is_final = match kept {
        Kept::File => true,
        Kept::Batch => matches!(text("status"), Some("completed" | "failed" | "expired" | "cancelled")),
        Kept::MessageBatch => text("processing_status") == Some("ended"),
    };
    let own = KeptObject {
        kept,
        id: id.to_owned(),
        purpose: text("purpose").map(str::to_owned),
        text: Some(answer.to_string()).filter(|text| text.len() <= OBJECT_BYTES_MAX),
        is_final,
    };
    let made = ["output_file_id", "error_file_id"].into_iter().filter_map(text).filter(|id| !id.is_empty());
    let made = made.filter(|_| kept == Kept::Batch).map(|id| KeptObject {
        kept: Kept::File,
        id: id.to_owned(),
        purpose: Some("batch_output".to_owned()),
        text: None,
        is_final: false,
    });
    std::iter::once(own).chain(made).collect()
}

/// An object whose address of results is llmio's, since its provider's knows nothing of llmio's keys. `base` stands before
/// the path; without it the address is relative, which the official SDKs resolve against their base URL.
pub fn with_own_address(kept: Kept, mut answer: Value, base: &str) -> Value {
    let Some(id) = answer.get("id").and_then(Value::as_str).map(str::to_owned) else { return answer };
    if kept == Kept::MessageBatch
        && let Some(address) = answer.get_mut("results_url").filter(|address| address.is_string())
    {
        let mut own = format!("{}/v1/messages/batches/", base.trim_end_matches('/'));
        crate::uri::push_encoded(&mut own, &id, b"");
        own.push_str("/results");
        *address = own.into();
    }
    answer
}
