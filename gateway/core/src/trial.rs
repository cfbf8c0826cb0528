//! The smallest request that shows whether a target works: what `POST /api/targets/test` sends.

use serde_json::json;

use crate::accept::{self, Head};
use crate::call::Call;
use crate::candidate::target_name;
use crate::catalog::{Catalog, Model, Provider, ProviderKind};
use crate::dialect::Dialect;
use crate::operation::Operation;
use crate::refusal::Refusal;

/// Enough for a word, and for models that think a little before it; Anthropic's API wants a number.
const TOKENS_MAX: u32 = 64;

/// What is asked where nobody says: a streamed conversation in the first dialect that the provider speaks, so that
/// nothing is translated and the time to the first content is seen.
pub fn operation(provider: &Provider) -> Operation {
    let dialect = match &provider.kind {
        ProviderKind::Echo => Dialect::OpenaiChat,
        ProviderKind::Http(endpoints) => endpoints.first().map_or(Dialect::OpenaiChat, |endpoint| endpoint.dialect),
    };
    Operation::chat_in(dialect, true)
}

/// The smallest call of an operation. There is none of those that need a file, or whose answer is expensive.
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
            let said = "Images and audio have no small request: they need files, or are dear. Test another endpoint.";
            return Err(Refusal::bad_request(said).about("endpoint"));
        }
    };
    let is_gemini = operation.dialect() == Dialect::Gemini;
    let query = (operation == Operation::StreamGenerate).then_some("alt=sse");
    let head = Head { model: is_gemini.then(|| model.to_owned()), query, ..Head::default() };
    accept::call(operation, head, body.to_string().into_bytes())
}

/// The target that is meant, by `provider/upstream-model` or by its provider alone where it has one target there. A model
/// of one target needs no name of it. Answers with the index.
pub fn target(catalog: &Catalog, model: &Model, asked: &str, wanted: Option<&str>) -> Result<usize, Refusal> {
    let named: Vec<(String, &str)> = model
        .targets
        .iter()
        .filter_map(|target| {
            let provider = catalog.providers.get(target.provider)?;
            Some((target_name(provider, target, asked), &*provider.name))
        })
        .collect();
    let found: Vec<usize> = match wanted {
        None => (0..named.len()).collect(),
        Some(wanted) => match named.iter().position(|(name, _)| name == wanted) {
            Some(index) => vec![index],
            None => (0..named.len()).filter(|index| named.get(*index).is_some_and(|(_, of)| *of == wanted)).collect(),
        },
    };
    match found.as_slice() {
        [index] => Ok(*index),
        _ => {
            let names = named.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let said = match wanted {
                None => format!("`target` is missing. Model {:?} has {names}.", &*model.name),
                Some(wanted) => format!("{wanted:?} is not one target of model {:?}. It has {names}.", &*model.name),
            };
            Err(Refusal::bad_request(said).about("target"))
        }
    }
}

/// The credential that is meant, by its id or label; nobody named, the first that is enabled, if there is one. Answers
/// with the index.
pub fn credential(provider: &Provider, wanted: Option<&str>) -> Result<Option<usize>, Refusal> {
    let Some(wanted) = wanted else {
        let first = provider.credentials.iter().position(|credential| credential.enabled);
        return Ok(first.or((!provider.credentials.is_empty()).then_some(0)));
    };
    let of = |is: fn(&crate::catalog::Credential) -> &str| {
        provider.credentials.iter().position(|credential| is(credential) == wanted)
    };
    of(|credential| &credential.id).or_else(|| of(|credential| &credential.label)).map(Some).ok_or_else(|| {
        let labels = provider.credentials.iter().map(|credential| credential.label.as_str());
        let labels = labels.collect::<Vec<_>>().join(", ");
        let said = match labels.is_empty() {
            true => format!("Provider {:?} has no credentials.", &*provider.name),
            false => format!("Provider {:?} has no credential {wanted:?}. It has {labels}.", &*provider.name),
        };
        Refusal::bad_request(said).about("credential")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Document;

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
        let find = |wanted| target(&catalog, &catalog.models[0], "m", wanted).map_err(|refusal| refusal.message);
        assert_eq!(find(Some("a/y")), Ok(1));
        assert_eq!(find(Some("b")), Ok(2));
        assert_eq!(find(Some("b/m")), Ok(2));
        assert_eq!(find(Some("a")), Err("\"a\" is not one target of model \"m\". It has a/x, a/y, b/m.".into()));
        assert_eq!(find(None), Err("`target` is missing. Model \"m\" has a/x, a/y, b/m.".into()));
        assert_eq!(target(&catalog, &catalog.models[1], "only", None).map_err(|refusal| refusal.message), Ok(0));
    }

    #[test]
    fn a_credential_goes_by_its_label_or_id_and_else_is_the_first_that_is_enabled() {
        let catalog = catalog();
        let provider = &catalog.providers[0];
        let find = |wanted| credential(provider, wanted).map_err(|refusal| refusal.message);
        assert_eq!(find(None), Ok(Some(1)));
        assert_eq!(find(Some("one")), Ok(Some(0)));
        assert_eq!(find(Some(&provider.credentials[1].id)), Ok(Some(1)));
        assert_eq!(find(Some("three")), Err("Provider \"a\" has no credential \"three\". It has one, two.".into()));
        assert_eq!(credential(&catalog.providers[1], None).map_err(|refusal| refusal.message), Ok(None));
    }
}
