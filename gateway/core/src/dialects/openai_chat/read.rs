//! Reads a request: <https://platform.openai.com/docs/api-reference/chat/create>.

mod messages;

use std::collections::HashSet;

use messages::function_name;
use serde_json::Value;

use crate::neutral::cache;
use crate::neutral::json::{
    drop_rest, object, take_count, take_flag, take_list, take_number, take_object, take_text, text,
};
use crate::neutral::{
    CacheFor, Effort, Format, Object, Reasoning, Request, Sampling, Tool, ToolChoice, Untranslatable, Warnings,
};

/// Members that do not affect the answer, so that leaving them out needs no warning.
const SILENT: [&str; 4] = ["stream", "stream_options", "prompt_cache_retention", "session_id"];

/// A request of this dialect in the neutral form.
pub(super) fn read_request(body: Value, warnings: &mut Warnings) -> Result<Request, Untranslatable> {
    let mut body = object(body, "")?;
    for name in SILENT {
        body.shift_remove(name);
    }
    let mut request = Request { model: take_text(&mut body, "model").unwrap_or_default(), ..Request::default() };
    let messages = take_list(&mut body, "messages")
        .ok_or_else(|| Untranslatable::new("messages", "`messages` must be a list of messages."))?;
    messages::read(messages, &mut request, warnings)?;
    // OpenRouter takes a mark for caching here, as Anthropic does.
    if let Some(mark) = CacheFor::take(&mut body) {
        cache::mark_end(&mut request.messages, mark);
    }
    request.pictures = modalities(&mut body)?;
    read_tools(&mut body, &mut request, warnings);
    request.tool_choice = tool_choice(&mut body, &mut request.tools)?;
    request.parallel_tools = take_flag(&mut body, "parallel_tool_calls");
    request.format = format(&mut body)?;
    request.reasoning = reasoning(&mut body);
    request.sampling = Sampling {
        temperature: take_number(&mut body, "temperature"),
        top_p: take_number(&mut body, "top_p"),
        top_k: take_number(&mut body, "top_k"),
        presence_penalty: take_number(&mut body, "presence_penalty"),
        frequency_penalty: take_number(&mut body, "frequency_penalty"),
        seed: take_number(&mut body, "seed"),
    };
    let (older, newer) = (take_count(&mut body, "max_tokens"), take_count(&mut body, "max_completion_tokens"));
    request.tokens_max = newer.or(older);
    request.stop = take_text(&mut body, "stop").into_iter().collect();
    if let Some(stop) = take_list(&mut body, "stop") {
        request.stop = stop.into_iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();
    }
    request.choices = take_count(&mut body, "n");
    let (user, identifier) = (take_text(&mut body, "user"), take_text(&mut body, "safety_identifier"));
    request.user = user.or(identifier);
    request.verbosity = take_text(&mut body, "verbosity");
    request.cache_key = take_text(&mut body, "prompt_cache_key");
    request.service_tier = take_text(&mut body, "service_tier");
    drop_rest(&body, warnings);
    Ok(request)
}

/// Whether pictures are asked for, as OpenRouter has it.
/// <https://openrouter.ai/docs/features/multimodal/image-generation>
fn modalities(body: &mut Object) -> Result<bool, Untranslatable> {
    let mut pictures = false;
    for modality in take_list(body, "modalities").unwrap_or_default() {
        match modality.as_str() {
            Some("text") => {}
            Some("image") => pictures = true,
            _ => {
                let message = "Spoken answers cannot be carried from a provider of another dialect. Ask for text only.";
                return Err(Untranslatable::new("modalities", message));
            }
        }
    }
    Ok(pictures)
}

fn read_tools(body: &mut Object, request: &mut Request, warnings: &mut Warnings) {
    for tool in take_list(body, "tools").unwrap_or_default() {
        let kind = text(&tool, "type").unwrap_or("function").to_owned();
        let mut tool = object(tool, "").unwrap_or_default();
        let mark = CacheFor::take(&mut tool);
        match take_object(&mut tool, "function").and_then(function_tool) {
            Some(tool) => request.tools.push(Tool { cache: tool.cache.or(mark), ..tool }),
            None => warnings.dropped(&format!("tool {kind}")),
        }
    }
    let legacy = take_list(body, "functions").unwrap_or_default();
    request.legacy_functions = !legacy.is_empty();
    let legacy = legacy.into_iter().filter_map(|function| object(function, "").ok().and_then(function_tool));
    request.tools.extend(legacy);
}

fn function_tool(mut function: Object) -> Option<Tool> {
    Some(Tool {
        name: take_text(&mut function, "name")?,
        description: take_text(&mut function, "description"),
        parameters: take_object(&mut function, "parameters").map(Value::Object),
        strict: take_flag(&mut function, "strict"),
        cache: CacheFor::take(&mut function),
    })
}

/// `tool_choice`, or `function_call` as it was before. `allowed_tools` is carried by leaving the other tools out.
fn tool_choice(body: &mut Object, tools: &mut Vec<Tool>) -> Result<Option<ToolChoice>, Untranslatable> {
    let (name, choice) = match (body.shift_remove("tool_choice"), body.shift_remove("function_call")) {
        (Some(choice), _) if !choice.is_null() => ("tool_choice", choice),
        (_, Some(choice)) if !choice.is_null() => ("function_call", choice),
        _ => return Ok(None),
    };
    let message = "This choice of tools cannot be carried to a provider of another dialect. Name a function.";
    let refused = || Untranslatable::new(name, message);
    let named = match &choice {
        Value::String(word) => word_choice(word).ok_or_else(refused)?,
        choice if text(choice, "type") == Some("allowed_tools") => {
            let allowed = choice.get("allowed_tools").ok_or_else(refused)?;
            let names: HashSet<&str> = allowed
                .get("tools")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(function_name)
                .collect();
            tools.retain(|tool| names.contains(tool.name.as_str()));
            word_choice(text(allowed, "mode").unwrap_or("auto")).ok_or_else(refused)?
        }
        choice => {
            let tool = function_name(choice).or_else(|| text(choice, "name")).ok_or_else(refused)?;
            ToolChoice::Tool(tool.to_owned())
        }
    };
    let is_missing = match &named {
        ToolChoice::Tool(chosen) => !tools.iter().any(|tool| tool.name == *chosen),
        ToolChoice::Any => tools.is_empty(),
        ToolChoice::Auto | ToolChoice::None => false,
    };
    if is_missing { Err(refused()) } else { Ok(Some(named)) }
}

fn word_choice(word: &str) -> Option<ToolChoice> {
    Some(match word {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "required" | "any" => ToolChoice::Any,
        _ => return None,
    })
}

fn format(body: &mut Object) -> Result<Option<Format>, Untranslatable> {
    let Some(mut format) = take_object(body, "response_format") else { return Ok(None) };
    match format.get("type").and_then(Value::as_str) {
        None | Some("text") => Ok(None),
        Some("json_object") => Ok(Some(Format::JsonObject)),
        Some("json_schema") => {
            let mut inner = take_object(&mut format, "json_schema").unwrap_or_default();
            let schema = inner.shift_remove("schema").unwrap_or_else(|| Value::Object(Object::new()));
            Ok(Some(Format::JsonSchema {
                name: take_text(&mut inner, "name"),
                description: take_text(&mut inner, "description"),
                strict: take_flag(&mut inner, "strict"),
                schema,
            }))
        }
        Some(_) => {
            let message = "This form of answer cannot be carried to a provider of another dialect. Use json_schema.";
            Err(Untranslatable::new("response_format.type", message))
        }
    }
}

/// `reasoning_effort`, OpenRouter's `reasoning`, or the `thinking` of DeepSeek and Z.ai.
fn reasoning(body: &mut Object) -> Option<Reasoning> {
    let mut read = None;
    if let Some(thinking) = take_object(body, "thinking") {
        let effort = (thinking.get("type").and_then(Value::as_str) == Some("disabled")).then_some(Effort::None);
        let tokens_max = thinking.get("budget_tokens").and_then(Value::as_u64);
        read = Some(Reasoning { effort, tokens_max, shown: Some(true) });
    }
    if let Some(inner) = take_object(body, "reasoning") {
        let is_off = inner.get("enabled").and_then(Value::as_bool) == Some(false);
        let effort = inner.get("effort").and_then(Value::as_str).and_then(Effort::named);
        read = Some(Reasoning {
            effort: if is_off { Some(Effort::None) } else { effort },
            tokens_max: inner.get("max_tokens").and_then(Value::as_u64),
            shown: Some(inner.get("exclude").and_then(Value::as_bool) != Some(true)),
        });
    }
    let effort = body.get("reasoning_effort").and_then(Value::as_str).and_then(Effort::named);
    if let Some(effort) = effort {
        body.shift_remove("reasoning_effort");
        read.get_or_insert_default().effort = Some(effort);
    }
    read
}
