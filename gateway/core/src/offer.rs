//! The list of models that a provider itself publishes.

use serde::Deserialize;

/// The most names of a list. The rest is left out; no provider has so many.
const MODELS_MAX: usize = 10_000;

/// Parts of names of models that hold no conversations.
const OTHER_KINDS: &[&str] = &[
    "audio",
    "bge-",
    "dall-e",
    "davinci",
    "babbage",
    "embed",
    "guard",
    "image",
    "imagen",
    "lyria",
    "moderation",
    "ocr",
    "realtime",
    "rerank",
    "sora",
    "speech",
    "stable-diffusion",
    "transcribe",
    "tts",
    "veo",
    "video",
    "wan2",
    "whisper",
];

/// A list in any of the shapes in use: OpenAI's and Anthropic's `data`, Gemini's `models`, and a bare list.
/// <https://platform.openai.com/docs/api-reference/models/list>, <https://platform.claude.com/docs/en/api/models-list>,
/// <https://ai.google.dev/api/models#method:-models.list>.
#[derive(Deserialize)]
#[serde(untagged)]
enum ModelList {
    Data { data: Vec<Model> },
    Models { models: Vec<Model> },
    Bare(Vec<Model>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Model {
    Name(String),
    /// Some relays have both members. The id is the one to ask for.
    Object {
        id: Option<String>,
        name: Option<String>,
        model: Option<String>,
    },
    /// An entry that is neither.
    Other(serde::de::IgnoredAny),
}

/// The names in a provider's list of models, in its order and each once. `None`: the body is no such list.
pub fn read(body: &[u8]) -> Option<Vec<String>> {
    let models = match serde_json::from_slice(body).ok()? {
        ModelList::Data { data: models } | ModelList::Models { models } | ModelList::Bare(models) => models,
    };
    let mut seen = std::collections::HashSet::new();
    let names = models.into_iter().filter_map(|model| match model {
        Model::Name(name) => Some(name),
        Model::Object { id, name, model } => id.or(name).or(model),
        Model::Other(_) => None,
    });
    let names = names.map(|name| name.strip_prefix("models/").map(str::to_owned).unwrap_or(name));
    let names = names.filter(|name| !name.is_empty() && seen.insert(name.clone()));
    Some(names.take(MODELS_MAX).collect())
}

/// The model to try first: one that holds conversations and, if the names show it, is free.
pub fn suggested(models: &[String]) -> Option<&str> {
    let talks = |name: &&String| {
        let name = name.to_ascii_lowercase();
        !OTHER_KINDS.iter().any(|part| name.contains(part))
    };
    let of = |ends: &str| models.iter().filter(|name| name.ends_with(ends)).find(talks);
    of(":free").or_else(|| of("")).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_every_shape_give_their_names_in_order_and_once() {
        let cases = [
            (
                r#"{"object":"list","data":[{"id":"gpt-5.4","object":"model"},{"id":"b","name":"B the Model"}]}"#,
                "gpt-5.4 b",
            ),
            (
                r#"{"data":[{"type":"model","id":"claude-opus-4-8","display_name":"Opus"}],"has_more":false}"#,
                "claude-opus-4-8",
            ),
            (
                r#"{"models":[{"name":"models/gemini-3-pro","version":"3"},{"name":"models/gemini-3-pro"}]}"#,
                "gemini-3-pro",
            ),
            (r#"[{"id":"a"},{"id":"b"},{"id":"a"}]"#, "a b"),
            (r#"{"models":["x",{"model":"y"},null,7,{"id":""}]}"#, "x y"),
            (r#"{"data":[]}"#, ""),
        ];
        for (body, names) in cases {
            assert_eq!(read(body.as_bytes()).expect(body).join(" "), names, "{body}");
        }
    }

    #[test]
    fn what_is_no_list_of_models_is_none() {
        for body in ["", "<html>", "{}", r#"{"error":{"message":"no"}}"#, r#"{"data":{}}"#, "7"] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn what_is_suggested_talks_and_is_free_where_the_names_say_so() {
        let suggested = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            super::suggested(&names).map(str::to_owned)
        };
        assert_eq!(suggested(&["text-embedding-3-small", "gpt-5.4", "o9"]).as_deref(), Some("gpt-5.4"));
        assert_eq!(suggested(&["a/paid", "b/embed:free", "c/chat:free"]).as_deref(), Some("c/chat:free"));
        assert_eq!(suggested(&["whisper-1"]), None);
        assert_eq!(suggested(&[]), None);
    }
}
