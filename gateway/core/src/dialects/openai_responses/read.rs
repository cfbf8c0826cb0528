//! Reads a Responses request.
//! <https://platform.openai.com/docs/api-reference/responses/create>

mod items;

use serde_json::Value;

use super::tools;
use crate::neutral::members::Members;
use crate::neutral::{Effort, Format, Part, Reasoning, Request, Untranslatable, Warnings, refuse};

/// Members that control what OpenAI itself stores, caches or reports, and change nothing of an answer.
const IGNORED: [&str; 9] = [
    "client_metadata",
    "include",
    "metadata",
    "moderation",
    "prompt_cache_options",
    "prompt_cache_retention",
    "store",
    "stream_options",
    "session_id",
];

/// The request in `body`.
pub(super) fn read_request(body: Value, warnings: &mut Warnings) -> Result<Request, Untranslatable> {
    let mut body = Members::of(body);
    refuse_state(&mut body)?;
    let mut request = Request {
        model: body.text("model").unwrap_or_default(),
        streamed: body.flag("stream").unwrap_or(false),
        tokens_max: body.count("max_output_tokens"),
        parallel_tools: body.flag("parallel_tool_calls"),
        user: body.text("safety_identifier").or_else(|| body.text("user")),
        ..Request::default()
    };
    request.system.extend(body.text("instructions").filter(|text| !text.is_empty()).map(Part::Text));
    request.sampling.temperature = body.number("temperature");
    request.sampling.top_p = body.number("top_p");
    request.sampling.presence_penalty = body.number("presence_penalty");
    request.sampling.frequency_penalty = body.number("frequency_penalty");
    request.reasoning = read_reasoning(body.take("reasoning"));
    let mut text = body.object("text");
    request.verbosity = text.text("verbosity");
    request.cache_key = body.text("prompt_cache_key");
    request.service_tier = body.text("service_tier");
    request.format = read_format(text.object("format"))?;
    tools::read(body.list("tools"), &mut request, warnings);
    items::read(body.take("input"), &mut request, warnings)?;
    tools::drop_repeated(&mut request);
    tools::read_choice(body.take("tool_choice"), &mut request)?;
    if body.text("truncation").is_some_and(|word| word != "disabled") {
        warnings.dropped("truncation");
    }
    body.ignore(&IGNORED);
    body.ignore(&["user"]);
    body.drop_rest("", warnings);
    Ok(request)
}

/// Refuses what only the provider that stores it can resolve.
fn refuse_state(body: &mut Members) -> Result<(), Untranslatable> {
    if body.take("previous_response_id").is_some() {
        return refuse(
            "previous_response_id",
            "A response can be continued by its id only with the provider that made it, and the provider of this model \
             speaks another API. Send the whole conversation in `input`.",
        );
    }
    if body.take("conversation").is_some() {
        return refuse(
            "conversation",
            "Conversations are kept by OpenAI, and the provider of this model speaks another API. Send the whole \
             conversation in `input`.",
        );
    }
    if body.take("prompt").is_some() {
        return refuse(
            "prompt",
            "Prompt templates are kept by OpenAI, and the provider of this model speaks another API. Send the prompt's \
             text in `instructions` and `input`.",
        );
    }
    if body.flag("background").unwrap_or(false) {
        return refuse(
            "background",
            "The provider of this model speaks another API and cannot answer in the background. Leave `background` out.",
        );
    }
    Ok(())
}

fn read_reasoning(reasoning: Option<Value>) -> Option<Reasoning> {
    let mut reasoning = Members::of(reasoning?);
    let effort = reasoning.text("effort").and_then(|word| Effort::named(&word));
    let shown = reasoning.text("summary").or_else(|| reasoning.text("generate_summary")).is_some_and(|it| it != "none");
    (effort.is_some() || shown).then_some(Reasoning { effort, tokens_max: None, shown: Some(shown) })
}

fn read_format(mut format: Members) -> Result<Option<Format>, Untranslatable> {
    let Some(kind) = format.text("type") else { return Ok(None) };
    match kind.as_str() {
        "text" => Ok(None),
        "json_object" => Ok(Some(Format::JsonObject)),
        "json_schema" => {
            let Some(schema) = format.take("schema") else {
                return refuse("text.format.schema", "A format of type `json_schema` needs a `schema`.");
            };
            let (name, description) = (format.text("name"), format.text("description"));
            Ok(Some(Format::JsonSchema { name, description, schema, strict: format.flag("strict") }))
        }
        _ => refuse(
            "text.format",
            "The provider of this model speaks another API and knows the formats `text`, `json_object` and `json_schema` \
             only.",
        ),
    }
}
