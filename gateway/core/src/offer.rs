//! The list of models that a provider itself publishes, and which of them it will shut down.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::catalog::Catalog;

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
        shutdown_date: Option<serde_json::Value>,
    },
    /// An entry that is neither.
    Other(serde::de::IgnoredAny),
}

/// The names in a provider's list of models, in its order and each once. `None`: the body is no such list.
pub fn read(body: &[u8]) -> Option<Vec<String>> {
    let mut seen = std::collections::HashSet::new();
    let names = listed(body)?.into_iter().filter_map(|model| match model {
        Model::Name(name) => Some(name),
        Model::Object { id, name, model, .. } => id.or(name).or(model),
        Model::Other(_) => None,
    });
    let names = names.map(|name| name.strip_prefix("models/").map(str::to_owned).unwrap_or(name));
    let names = names.filter(|name| !name.is_empty() && seen.insert(name.clone()));
    Some(names.take(MODELS_MAX).collect())
}

fn listed(body: &[u8]) -> Option<Vec<Model>> {
    Some(match serde_json::from_slice(body).ok()? {
        ModelList::Data { data: models } | ModelList::Models { models } | ModelList::Bare(models) => models,
    })
}

/// A model that its provider will shut down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// The provider's own name for it.
    pub model: String,
    /// The day, such as `2026-12-11`.
    pub date: String,
}

/// The models that a provider's list says will be shut down; `None`: it is no such list.
/// <https://developers.openai.com/api/docs/deprecations>
pub fn shutdowns(body: &[u8]) -> Option<Vec<Shutdown>> {
    let announced = listed(body)?.into_iter().filter_map(|model| match model {
        Model::Object { id: Some(model), shutdown_date: Some(serde_json::Value::String(date)), .. } => {
            date.parse::<Date>().is_ok().then_some(Shutdown { model, date })
        }
        _ => None,
    });
    Some(announced.take(MODELS_MAX).collect())
}

/// How many days ahead llmio warns of a shutdown.
const WARNING_DAYS: i64 = 30;

/// The sentences about targets whose model is shut down within thirty days or has been. `known` are announcements, each
/// with the host that made it.
pub fn shutdown_warnings(catalog: &Catalog, known: &[(String, Shutdown)], now_ms: i64) -> Vec<String> {
    let mut warnings = Vec::new();
    for model in catalog.models.iter().filter(|model| model.enabled) {
        for target in model.targets.iter().filter(|target| target.enabled) {
            let (host, upstream_model) = (target.provider.home(), target.upstream_model(&model.name));
            let of_target = known.iter().find(|(place, shutdown)| place == host && *shutdown.model == *upstream_model);
            let Some(left) = of_target.and_then(|(_, shutdown)| days_left(&shutdown.date, now_ms)) else { continue };
            let Some((_, Shutdown { date, .. })) = of_target.filter(|_| left <= WARNING_DAYS) else { continue };
            let when = match left {
                ..0 => format!("was shut down on {date}"),
                0 => "is shut down today".to_owned(),
                1 => format!("is shut down tomorrow, on {date}"),
                days => format!("is shut down on {date}, in {days} days"),
            };
            warnings.push(format!(
                "model {}, target {}/{upstream_model}: its provider says that it {when}.",
                model.name, target.provider.name
            ));
        }
    }
    warnings
}

fn days_left(date: &str, now_ms: i64) -> Option<i64> {
    let midnight = date.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
    const DAY_MS: i64 = 86_400_000;
    Some(midnight.div_euclid(DAY_MS).saturating_sub(now_ms.div_euclid(DAY_MS)))
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
    fn a_shutdown_is_told_thirty_days_ahead_of_targets_that_are_asked_for_it() {
        use crate::catalog::Document;
        let body =
            br#"{"data":[{"id":"gpt-5","shutdown_date":"2026-12-11"},{"id":"gpt-4o","shutdown_date":"2027-01-14"},
            {"id":"gpt-6","shutdown_date":null},{"id":"x","shutdown_date":"soon"},{"id":"y","shutdown_date":7}]}"#;
        let announced = shutdowns(body).expect("a list");
        assert_eq!(announced.iter().map(|each| each.model.as_str()).collect::<Vec<_>>(), ["gpt-5", "gpt-4o"]);
        let text = "providers = [{ name = \"o\", base_url = \"https://o.example/v1\" }, { name = \"r\", base_url = \"https://r.example/v1\" }]\n\
            models = [{ name = \"m\", targets = [\"o/gpt-5\", \"r/gpt-5\", \"o/gpt-4o\", { provider = \"o\", model = \"gpt-5\", enabled = false }] }]";
        let catalog = Document::from_toml(text).and_then(|document| document.validate()).expect("a valid catalog");
        let known: Vec<_> = announced.into_iter().map(|each| ("o.example".to_owned(), each)).collect();
        let warnings_on = |date: &str| {
            let day: Date = date.parse().expect("a date");
            let now = day.to_zoned(TimeZone::UTC).expect("a time").timestamp().as_millisecond() + 5;
            shutdown_warnings(&catalog, &known, now)
        };
        let sentence = |when: &str| format!("model m, target o/gpt-5: its provider says that it {when}.");
        assert_eq!(warnings_on("2026-11-10"), [] as [String; 0]);
        assert_eq!(warnings_on("2026-11-11"), [sentence("is shut down on 2026-12-11, in 30 days")]);
        assert_eq!(warnings_on("2026-12-10"), [sentence("is shut down tomorrow, on 2026-12-11")]);
        assert_eq!(warnings_on("2026-12-11"), [sentence("is shut down today")]);
        assert_eq!(warnings_on("2026-12-12"), [sentence("was shut down on 2026-12-11")]);
        assert_eq!(warnings_on("2027-01-01").len(), 2);
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
