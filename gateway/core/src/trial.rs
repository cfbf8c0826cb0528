//! The smallest request that shows whether a target works, which is what `POST /api/targets/test` sends, and what a person
//! writes to a model in the console.

mod conversation;
mod report;

use std::sync::Arc;

use serde_json::json;

use crate::accept::{self, Head};
use crate::call::Call;
use crate::catalog::{Credential, Model, Provider, ProviderKind, Target};
use crate::dialect::Dialect;
use crate::operation::Operation;
use crate::refusal::Refusal;

pub use conversation::{Conversation, Written};
pub use report::TrialReport;

/// Enough tokens for a word, and for models that reason a little first. Anthropic's API requires a number.
const TOKENS_MAX: u32 = 64;

/// The operation of a test that names none: a streamed conversation in the first dialect that the provider speaks, so
/// that nothing is translated and the time to the first content is measured.
pub fn operation(provider: &Provider) -> Operation {
    let dialect = match &provider.kind {
        ProviderKind::Echo => Dialect::OpenaiChat,
        ProviderKind::Http(endpoints) => endpoints.first().map_or(Dialect::OpenaiChat, |endpoint| endpoint.dialect),
    };
    Operation::chat_in(dialect, true)
}

/// The smallest call of an operation. There is none for operations that need a file, or whose answers are expensive.
pub fn call(operation: Operation, model: &str) -> Result<Call, Refusal> {
    let words = "Answer with the word OK.";
    let messages = json!([{ "role": "user", "content": words }]);
    let contents = json!([{ "role": "user", "parts": [{ "text": words }] }]);
    let body = match operation {
        Operation::Chat => json!({ "model": model, "messages": messages, "stream": true }),
        Operation::Responses => json!({ "model": model, "input": words, "stream": true, "store": false }),
        Operation::Messages => {
            json!({ "model": model, "max_tokens": TOKENS_MAX, "messages": messages, "stream": true })
        }
        Operation::Generate | Operation::StreamGenerate | Operation::GeminiCountTokens => {
            json!({ "contents": contents })
        }
        Operation::Compact | Operation::InputTokens => json!({ "model": model, "input": words }),
        Operation::CountTokens => json!({ "model": model, "messages": messages }),
        Operation::Completions => json!({ "model": model, "prompt": words, "max_tokens": TOKENS_MAX }),
        Operation::Embeddings | Operation::Moderations => json!({ "model": model, "input": words }),
        Operation::Rerank => json!({ "model": model, "query": words, "documents": [words] }),
        Operation::EmbedContent => json!({ "content": { "parts": [{ "text": words }] } }),
        Operation::BatchEmbedContents => {
            let request = json!({ "model": format!("models/{model}"), "content": { "parts": [{ "text": words }] } });
            json!({ "requests": [request] })
        }
        Operation::Images
        | Operation::ImageEdits
        | Operation::Speech
        | Operation::Transcriptions
        | Operation::Translations => {
            let message =
                "Images and audio have no small request: they need files, or are expensive. Test another endpoint.";
            return Err(Refusal::bad_request(message).about("endpoint"));
        }
    };
    let is_gemini = operation.dialect() == Dialect::Gemini;
    let query = (operation == Operation::StreamGenerate).then_some("alt=sse");
    let head = Head { model: is_gemini.then(|| model.to_owned()), query, ..Head::default() };
    accept::call(operation, head, body.to_string().into_bytes())
}

/// The target of this name: `provider/upstream-model`, or its provider alone if only one target is there. A model with
/// one target needs no name.
pub fn target<'m>(model: &'m Model, requested: &str, choice: Option<&str>) -> Result<&'m Arc<Target>, Refusal> {
    let requested: Arc<str> = requested.into();
    let name = |target: &Target| format!("{}/{}", target.provider.name, target.upstream_model(&requested));
    let found: Vec<&Arc<Target>> = match choice {
        None => model.targets.iter().collect(),
        Some(choice) => match model.targets.iter().find(|target| name(target) == choice) {
            Some(target) => vec![target],
            None => model.targets.iter().filter(|target| *target.provider.name == *choice).collect(),
        },
    };
    match found.as_slice() {
        [target] => Ok(target),
        _ => {
            let names = model.targets.iter().map(|target| name(target)).collect::<Vec<_>>().join(", ");
            let message = match choice {
                None => format!("`target` is missing. Model {:?} has {names}.", &*model.name),
                Some(choice) => format!("{choice:?} is not one target of model {:?}. It has {names}.", &*model.name),
            };
            Err(Refusal::bad_request(message).about("target"))
        }
    }
}

/// The credential with this id or label. Without a name, the first one that is enabled, if there is one.
pub fn credential<'p>(provider: &'p Provider, choice: Option<&str>) -> Result<Option<&'p Arc<Credential>>, Refusal> {
    let Some(choice) = choice else {
        let first = provider.credentials.iter().find(|credential| credential.enabled);
        return Ok(first.or(provider.credentials.first()));
    };
    let of = |is: fn(&Credential) -> &str| provider.credentials.iter().find(|credential| is(credential) == choice);
    of(|credential| &credential.id).or_else(|| of(|credential| &credential.label)).map(Some).ok_or_else(|| {
        let labels = provider.credentials.iter().map(|credential| credential.label.as_str());
        let labels = labels.collect::<Vec<_>>().join(", ");
        let message = match labels.is_empty() {
            true => format!("Provider {:?} has no credentials.", &*provider.name),
            false => format!("Provider {:?} has no credential {choice:?}. It has {labels}.", &*provider.name),
        };
        Refusal::bad_request(message).about("credential")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Document};

    const CATALOG: &str = r#"
[[providers]]
name = "a"
dialect = "anthropic"
base_url = "https://a.example"
credentials = [{ value = "sk-1", label = "one", enabled = false }, { value = "sk-2", label = "two" }]

[[providers]]
name = "b"
dialect = "openai-chat"
base_url = "https://b.example/v1"

[[models]]
name = "m"
targets = ["a/x", "a/y", { provider = "b" }]

[[models]]
name = "only"
targets = ["b/z"]
"#;

    fn catalog() -> Catalog {
        Document::from_toml(CATALOG).and_then(|document| document.validate()).expect("a valid catalog")
    }

    #[test]
    fn every_operation_but_images_and_audio_has_a_small_request() {
        for operation in Operation::ALL {
            match call(operation, "m") {
                Ok(call) => {
                    assert_eq!((call.operation, call.model.as_str()), (operation, "m"));
                    let is_streamed = operation.is_chat() && operation != Operation::Generate;
                    assert_eq!(call.streamed, is_streamed, "{operation:?}");
                }
                Err(_) => assert!(operation.name().starts_with("images/") || operation.name().starts_with("audio/")),
            }
        }
    }

    #[test]
    fn a_stream_of_geminis_comes_as_events() {
        assert!(!call(Operation::StreamGenerate, "m").expect("a call").as_array);
    }

    #[test]
    fn a_provider_is_asked_in_its_own_dialect() {
        let catalog = catalog();
        assert_eq!(operation(&catalog.providers[0]), Operation::Messages);
        assert_eq!(operation(&catalog.providers[1]), Operation::Chat);
    }

    #[test]
    fn a_target_goes_by_its_name_or_by_its_provider_where_that_is_enough() {
        let catalog = catalog();
        let place = |model: usize, found: &Arc<Target>| {
            catalog.models[model].targets.iter().position(|target| Arc::ptr_eq(target, found)).expect("one of it")
        };
        let find = |choice| {
            let found = target(&catalog.models[0], "m", choice).map_err(|refusal| refusal.message);
            found.map(|found| place(0, found))
        };
        assert_eq!(find(Some("a/y")), Ok(1));
        assert_eq!(find(Some("b")), Ok(2));
        assert_eq!(find(Some("b/m")), Ok(2));
        assert_eq!(find(Some("a")), Err("\"a\" is not one target of model \"m\". It has a/x, a/y, b/m.".into()));
        assert_eq!(find(None), Err("`target` is missing. Model \"m\" has a/x, a/y, b/m.".into()));
        let only = target(&catalog.models[1], "only", None).map_err(|refusal| refusal.message);
        assert_eq!(only.map(|found| place(1, found)), Ok(0));
    }

    #[test]
    fn a_credential_is_found_by_label_or_id_or_is_the_first_enabled() {
        let catalog = catalog();
        let provider = &catalog.providers[0];
        let place = |found: &Arc<Credential>| {
            provider.credentials.iter().position(|each| Arc::ptr_eq(each, found)).expect("one of it")
        };
        let find = |choice| {
            let found = credential(provider, choice).map_err(|refusal| refusal.message);
            found.map(|found| found.map(place))
        };
        assert_eq!(find(None), Ok(Some(1)));
        assert_eq!(find(Some("one")), Ok(Some(0)));
        assert_eq!(find(Some(&provider.credentials[1].id)), Ok(Some(1)));
        assert_eq!(find(Some("three")), Err("Provider \"a\" has no credential \"three\". It has one, two.".into()));
        assert!(credential(&catalog.providers[1], None).is_ok_and(|found| found.is_none()));
    }
}
