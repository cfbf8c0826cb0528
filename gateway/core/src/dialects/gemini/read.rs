//! Reads a Gemini request. <https://ai.google.dev/api/generate-content#request-body>

mod contents;
mod schema;

use std::collections::HashSet;

pub(super) use contents::inline_data;
use serde_json::Value;

use crate::neutral::members::Members;
use crate::neutral::{Effort, Format, Reasoning, Request, Tool, ToolChoice, Untranslatable, Warnings, refuse};

/// The request in `body`.
pub(super) fn read_request(body: Value, warnings: &mut Warnings) -> Result<Request, Untranslatable> {
    let mut body = Members::of(body);
    if body.take("cachedContent").is_some() {
        return refuse(
            "cachedContent",
            "Cached content is kept by Google, and the provider of this model speaks another API. Send the content itself.",
        );
    }
    let mut request = Request::default();
    if let Some(system) = body.take("systemInstruction") {
        request.system = contents::read_system(system);
    }
    read_tools(body.list("tools"), &mut request, warnings);
    read_tool_config(body.object("toolConfig"), &mut request);
    read_generation(body.object("generationConfig"), &mut request, warnings)?;
    contents::read(body.take("contents"), &mut request, warnings)?;
    // Other providers have filters of their own, and the model is in the path.
    body.ignore(&["safetySettings", "labels", "model", "session_id"]);
    body.drop_rest("", warnings);
    Ok(request)
}

/// Reads the functions. Tools that Google would run itself (search, code execution, …) are left out with a warning.
fn read_tools(tools: Vec<Value>, request: &mut Request, warnings: &mut Warnings) {
    for tool in tools {
        let mut tool = Members::of(tool);
        for function in tool.list("functionDeclarations") {
            let mut function = Members::of(function);
            let Some(name) = function.text("name") else {
                warnings.dropped("tools: one without a name");
                continue;
            };
            let description = function.text("description");
            let parameters = function.take("parametersJsonSchema");
            let parameters = parameters.or_else(|| function.take("parameters").map(schema::to_json_schema));
            request.tools.push(Tool { name, description, parameters, strict: None, cache: None });
        }
        // Most of Google's own tools are requested by an empty object.
        for name in tool.names() {
            warnings.dropped(&format!("tools: {name}"));
        }
    }
}

/// <https://ai.google.dev/api/caching#FunctionCallingConfig>
fn read_tool_config(mut config: Members, request: &mut Request) {
    let mut calling = config.object("functionCallingConfig");
    let mode = calling.text("mode").unwrap_or_default().to_ascii_uppercase();
    let allowed = calling.list("allowedFunctionNames");
    let allowed: HashSet<&str> = allowed.iter().filter_map(Value::as_str).collect();
    if !allowed.is_empty() {
        request.tools.retain(|tool| allowed.contains(tool.name.as_str()));
    }
    request.tool_choice = match (mode.as_str(), request.tools.as_slice()) {
        (_, []) => None,
        ("ANY", [tool]) if !allowed.is_empty() => Some(ToolChoice::Tool(tool.name.clone())),
        ("ANY", _) => Some(ToolChoice::Any),
        ("AUTO" | "VALIDATED", _) => Some(ToolChoice::Auto),
        ("NONE", _) => Some(ToolChoice::None),
        _ => None,
    };
}

/// <https://ai.google.dev/api/generate-content#generationconfig>
fn read_generation(mut config: Members, request: &mut Request, warnings: &mut Warnings) -> Result<(), Untranslatable> {
    request.tokens_max = config.count("maxOutputTokens");
    request.choices = config.count("candidateCount");
    request.stop.extend(config.list("stopSequences").into_iter().filter_map(|stop| match stop {
        Value::String(text) => Some(text),
        _ => None,
    }));
    let sampling = &mut request.sampling;
    sampling.temperature = config.number("temperature");
    sampling.top_p = config.number("topP");
    sampling.top_k = config.number("topK");
    sampling.presence_penalty = config.number("presencePenalty");
    sampling.frequency_penalty = config.number("frequencyPenalty");
    sampling.seed = config.number("seed");
    request.format = read_format(&mut config)?;
    request.reasoning = config.take("thinkingConfig").and_then(read_thinking_config);
    let shown = request.reasoning.and_then(|reasoning| reasoning.shown).unwrap_or(false);
    request.hides_reasoning = !shown && request.tools.is_empty();
    for modality in config.list("responseModalities") {
        match modality.as_str().unwrap_or_default().to_ascii_uppercase().as_str() {
            "TEXT" => {}
            "IMAGE" => request.pictures = true,
            _ => {
                return refuse(
                    "generationConfig.responseModalities",
                    "The provider of this model speaks another API and answers in text and pictures only. Ask for those.",
                );
            }
        }
    }
    config.drop_rest("generationConfig.", warnings);
    Ok(())
}

fn read_format(config: &mut Members) -> Result<Option<Format>, Untranslatable> {
    let media_type = config.text("responseMimeType").unwrap_or_default();
    let json_schema = config.take("responseJsonSchema").or_else(|| config.take("_responseJsonSchema"));
    let schema = json_schema.or_else(|| config.take("responseSchema").map(schema::to_json_schema));
    match (media_type.as_str(), schema) {
        ("application/json", Some(schema)) => {
            Ok(Some(Format::JsonSchema { name: None, description: None, schema, strict: None }))
        }
        ("application/json", None) => Ok(Some(Format::JsonObject)),
        ("" | "text/plain", _) => Ok(None),
        _ => refuse(
            "generationConfig.responseMimeType",
            "The provider of this model speaks another API and knows text/plain and application/json only.",
        ),
    }
}

/// <https://ai.google.dev/api/generate-content#ThinkingConfig>
fn read_thinking_config(config: Value) -> Option<Reasoning> {
    let mut config = Members::of(config);
    let shown = config.flag("includeThoughts").unwrap_or(false);
    let level = config.text("thinkingLevel").and_then(|level| Effort::named(&level.to_ascii_lowercase()));
    // −1 means that the model decides.
    let (effort, tokens_max) = match config.count("thinkingBudget") {
        Some(0) => (Some(Effort::None), None),
        budget => (level, budget),
    };
    (shown || effort.is_some() || tokens_max.is_some()).then_some(Reasoning { effort, tokens_max, shown: Some(shown) })
}
