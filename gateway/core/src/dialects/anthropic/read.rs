//! Reads a request: <https://platform.claude.com/docs/en/api/messages/create>.

mod messages;

pub(super) use messages::tool_use;
use serde_json::Value;

use crate::neutral::cache;
use crate::neutral::json::{
    drop_rest, object, take_count, take_flag, take_list, take_number, take_object, take_text, text,
};
use crate::neutral::{
    CacheFor, Effort, Format, Object, Reasoning, Request, Sampling, Tool, ToolChoice, Untranslatable, Warnings,
};

/// Members that do not affect the answer, so that no warning is needed when they are left out.
const SILENT: [&str; 2] = ["stream", "session_id"];

/// A request of this dialect in the neutral form.
pub(super) fn read_request(body: Value, warnings: &mut Warnings) -> Result<Request, Untranslatable> {
    let mut body = object(body, "")?;
    for name in SILENT {
        body.shift_remove(name);
    }
    let mut request = Request { model: take_text(&mut body, "model").unwrap_or_default(), ..Request::default() };
    if let Some(system) = body.shift_remove("system") {
        request.system = messages::system(system, warnings)?;
    }
    let messages = take_list(&mut body, "messages")
        .ok_or_else(|| Untranslatable::new("messages", "`messages` must be a list of messages."))?;
    request.messages = messages::messages(messages, warnings)?;
    if let Some(mark) = CacheFor::take(&mut body) {
        cache::mark_end(&mut request.messages, mark);
    }
    request.tools = tools(&mut body, warnings);
    read_tool_choice(&mut body, &mut request)?;
    request.tokens_max = take_count(&mut body, "max_tokens");
    let stop = take_list(&mut body, "stop_sequences").unwrap_or_default();
    request.stop = stop.into_iter().filter_map(|text| text.as_str().map(str::to_owned)).collect();
    request.sampling = Sampling {
        temperature: take_number(&mut body, "temperature"),
        top_p: take_number(&mut body, "top_p"),
        top_k: take_number(&mut body, "top_k"),
        ..Sampling::default()
    };
    request.user = take_object(&mut body, "metadata").and_then(|mut metadata| take_text(&mut metadata, "user_id"));
    let mut output = take_object(&mut body, "output_config").unwrap_or_default();
    // `output_format` is what `output_config.format` was called in the beta.
    let form = take_object(&mut output, "format").or_else(|| take_object(&mut body, "output_format"));
    request.format = form.map(format).transpose()?;
    read_reasoning(&mut body, take_text(&mut output, "effort").as_deref(), &mut request);
    drop_rest(&output, warnings);
    drop_rest(&body, warnings);
    Ok(request)
}

/// Reads the tools that the client runs. No other provider has those that Anthropic defines or runs itself
/// (`web_search_…`, `bash_…`).
fn tools(body: &mut Object, warnings: &mut Warnings) -> Vec<Tool> {
    let mut tools = Vec::new();
    for tool in take_list(body, "tools").unwrap_or_default() {
        let kind = text(&tool, "type").unwrap_or("custom").to_owned();
        let read = object(tool, "").ok().filter(|_| kind == "custom").and_then(custom_tool);
        match read {
            Some(tool) => tools.push(tool),
            None => warnings.dropped(&format!("tool {kind}")),
        }
    }
    tools
}

fn custom_tool(mut tool: Object) -> Option<Tool> {
    Some(Tool {
        name: take_text(&mut tool, "name")?,
        description: take_text(&mut tool, "description"),
        parameters: take_object(&mut tool, "input_schema").map(Value::Object),
        strict: take_flag(&mut tool, "strict"),
        cache: CacheFor::take(&mut tool),
    })
}

fn read_tool_choice(body: &mut Object, request: &mut Request) -> Result<(), Untranslatable> {
    let Some(mut choice) = take_object(body, "tool_choice") else { return Ok(()) };
    request.parallel_tools = take_flag(&mut choice, "disable_parallel_tool_use").map(|disabled| !disabled);
    let name = take_text(&mut choice, "name").unwrap_or_default();
    let choice = match choice.get("type").and_then(Value::as_str) {
        Some("any") => ToolChoice::Any,
        Some("none") => ToolChoice::None,
        Some("tool") => ToolChoice::Tool(name),
        _ => ToolChoice::Auto,
    };
    let is_missing = match &choice {
        ToolChoice::Tool(chosen) => !request.tools.iter().any(|tool| tool.name == *chosen),
        ToolChoice::Any => request.tools.is_empty(),
        ToolChoice::Auto | ToolChoice::None => false,
    };
    if is_missing {
        let message = "The tool that has to be called cannot be carried to a provider of another dialect. \
                    Choose one with an `input_schema`.";
        return Err(Untranslatable::new("tool_choice", message));
    }
    request.tool_choice = Some(choice);
    Ok(())
}

/// <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>
fn format(mut format: Object) -> Result<Format, Untranslatable> {
    if format.get("type").and_then(Value::as_str) != Some("json_schema") {
        let message = "This form of answer cannot be carried to a provider of another dialect. Use json_schema.";
        return Err(Untranslatable::new("output_config.format.type", message));
    }
    let schema = format.shift_remove("schema").unwrap_or_else(|| Value::Object(Object::new()));
    Ok(Format::JsonSchema { name: None, description: None, schema, strict: None })
}

/// <https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>. Callers that ask for reasoning get it in
/// the answer, unless they ask to leave it out.
fn read_reasoning(body: &mut Object, effort: Option<&str>, request: &mut Request) {
    let effort = effort.and_then(Effort::named);
    let thinking = take_object(body, "thinking").unwrap_or_default();
    let kind = thinking.get("type").and_then(Value::as_str);
    let is_switched_on = matches!(kind, Some("enabled" | "adaptive"));
    request.hides_reasoning = !is_switched_on && request.tools.is_empty();
    let effort = if kind == Some("disabled") { Some(Effort::None) } else { effort };
    let tokens_max = thinking.get("budget_tokens").and_then(Value::as_u64).filter(|_| kind == Some("enabled"));
    let shown = Some(is_switched_on && thinking.get("display").and_then(Value::as_str) != Some("omitted"));
    if is_switched_on || effort.is_some() {
        request.reasoning = Some(Reasoning { effort, tokens_max, shown });
    }
}
