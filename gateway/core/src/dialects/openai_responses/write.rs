//! Writes a Responses request.
//! <https://platform.openai.com/docs/api-reference/responses/create>

use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::dialects::openai;
use crate::neutral::schema;
use crate::neutral::{
    Effort, Format, Media, Message, Object, Part, ReasoningPart, Request, Role, Tool, ToolCall, ToolChoice, ToolResult,
    Untranslatable, Warnings, refuse,
};
use crate::profile::Profile;

/// Responses refuses a smaller `max_output_tokens`, which the other dialects allow: agents ask for one token to test a
/// key.
const TOKENS_MIN: u64 = 16;

/// The request as JSON.
pub(super) fn write_request(mut request: Request, warnings: &mut Warnings) -> Result<Value, Untranslatable> {
    refuse_what_is_missing(&request, warnings)?;
    request.speak_of_json();
    let profile = request.profile;
    let mut body = Object::new();
    body.insert("model".into(), std::mem::take(&mut request.model).into());
    let mut messages = std::mem::take(&mut request.messages);
    if messages.is_empty() {
        // OpenAI refuses a request without input; the other dialects accept instructions alone.
        messages.push(Message { role: Role::System, parts: std::mem::take(&mut request.system) });
    }
    let instructions = instructions(&request.system, warnings)?;
    let mut input = write_input(messages, warnings)?;
    // The word JSON must occur in the input, and instructions do not count.
    let wants_json = request.format == Some(Format::JsonObject);
    match instructions {
        Some(text) if profile.instructions && !wants_json => drop(body.insert("instructions".into(), text.into())),
        Some(text) => {
            let content = [json!({ "type": "input_text", "text": text })];
            input.insert(0, json!({ "type": "message", "role": "developer", "content": content }));
        }
        None => {}
    }
    body.insert("input".into(), input.into());
    if request.streamed {
        body.insert("stream".into(), true.into());
    }
    // A caller of another dialect does not expect anything to be stored.
    body.insert("store".into(), false.into());
    write_tools(&mut request, &mut body, warnings);
    let effort = write_reasoning(&request, &profile, &mut body, warnings);
    let takes_sampling = openai::takes_sampling(&profile, effort);
    write_text(&mut request, &mut body);
    if let Some(most) = request.tokens_max {
        body.insert("max_output_tokens".into(), most.max(TOKENS_MIN).into());
    }
    for (name, number) in [("temperature", request.sampling.temperature), ("top_p", request.sampling.top_p)] {
        let number = openai::write_sampled(name, number, 1.0, takes_sampling, warnings);
        body.extend(number.map(|number| (name.to_owned(), number.into())));
    }
    if let Some(user) = request.user {
        body.insert("safety_identifier".into(), openai::write_user(user, warnings).into());
    }
    body.extend(request.cache_key.map(|key| ("prompt_cache_key".to_owned(), key.into())));
    body.extend(request.service_tier.map(|tier| ("service_tier".to_owned(), tier.into())));
    Ok(body.into())
}

/// Handles what Responses cannot express: it is refused if the answer would differ, and otherwise noted.
fn refuse_what_is_missing(request: &Request, warnings: &mut Warnings) -> Result<(), Untranslatable> {
    if request.choices.is_some_and(|choices| choices > 1) {
        return refuse("n", "The provider of this model speaks OpenAI Responses, which gives one answer. Ask for one.");
    }
    if !request.stop.is_empty() {
        return refuse(
            "stop",
            "The provider of this model speaks OpenAI Responses, which has no stop sequences. Leave them out, or cut the \
             answer yourself.",
        );
    }
    let sampling = &request.sampling;
    let missing = [
        ("top_k", &sampling.top_k),
        ("presence_penalty", &sampling.presence_penalty),
        ("frequency_penalty", &sampling.frequency_penalty),
        ("seed", &sampling.seed),
    ];
    for (name, _) in missing.iter().filter(|(_, value)| value.is_some()) {
        warnings.dropped(name);
    }
    Ok(())
}

fn instructions(system: &[Part], warnings: &mut Warnings) -> Result<Option<String>, Untranslatable> {
    let mut texts = Vec::new();
    for part in system {
        match part {
            Part::Text(text) => texts.push(text.as_str()),
            Part::Image { .. } | Part::File { .. } | Part::Audio(_) => {
                return refuse("system", "Instructions can hold text only. Move the rest into a user message.");
            }
            _ => warnings.dropped("system: a part that is no text"),
        }
    }
    Ok((!texts.is_empty()).then(|| texts.join("\n\n")))
}

fn write_input(messages: Vec<Message>, warnings: &mut Warnings) -> Result<Vec<Value>, Untranslatable> {
    let mut items = Vec::new();
    for Message { role, parts } in messages {
        let mut content = Vec::new();
        for part in parts {
            let item = match part {
                Part::ToolCall(call) => Some(write_call(call)),
                Part::ToolResult(result) => Some(write_result(result, warnings)?),
                // Reasoning that another provider sealed, or that has no seal, is left out; the model does without it.
                Part::Reasoning(reasoning) => write_reasoning_item(reasoning),
                part => {
                    content.extend(write_content(part, role, warnings)?);
                    None
                }
            };
            if let Some(item) = item {
                flush(role, &mut content, &mut items);
                items.push(item);
            }
        }
        flush(role, &mut content, &mut items);
    }
    Ok(items)
}

/// Adds the text of a turn as one item, until something else comes between.
fn flush(role: Role, content: &mut Vec<Value>, items: &mut Vec<Value>) {
    if content.is_empty() {
        return;
    }
    let role = match role {
        Role::System => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    items.push(json!({ "type": "message", "role": role, "content": std::mem::take(content) }));
}

fn write_content(part: Part, role: Role, warnings: &mut Warnings) -> Result<Option<Value>, Untranslatable> {
    if role == Role::Assistant {
        return Ok(match part {
            Part::Text(text) => Some(json!({ "type": "output_text", "text": text })),
            Part::Refusal(text) => Some(json!({ "type": "refusal", "refusal": text })),
            _ => {
                warnings.dropped("a picture or file in the model's own turn");
                None
            }
        });
    }
    Ok(Some(match part {
        Part::Text(text) | Part::Refusal(text) => json!({ "type": "input_text", "text": text }),
        Part::Image { media, detail } => {
            let detail = detail.unwrap_or_else(|| "auto".to_owned());
            json!({ "type": "input_image", "image_url": media.into_url(), "detail": detail })
        }
        Part::File { media, name } => write_file(media, name),
        Part::Audio(_) => {
            return refuse(
                "messages",
                "The provider of this model speaks OpenAI Responses, which takes no audio. Send its transcript instead.",
            );
        }
        Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) | Part::CacheMark(_) => return Ok(None),
    }))
}

/// <https://platform.openai.com/docs/guides/pdf-files>: inline files need a name.
fn write_file(media: Media, name: Option<String>) -> Value {
    match media {
        Media::Base64 { .. } => {
            let name = name.unwrap_or_else(|| "file.pdf".to_owned());
            json!({ "type": "input_file", "filename": name, "file_data": media.into_url() })
        }
        Media::Url { url, .. } => json!({ "type": "input_file", "file_url": url }),
    }
}

fn write_call(call: ToolCall) -> Value {
    let arguments = if call.arguments.is_empty() { "{}".to_owned() } else { call.arguments };
    json!({ "type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments })
}

/// The result of a tool as text if it has nothing else, since not every provider of this dialect accepts lists here.
fn write_result(mut result: ToolResult, warnings: &mut Warnings) -> Result<Value, Untranslatable> {
    if result.is_error {
        say_that_it_failed(&mut result.parts);
    }
    let is_text = |part: &Part| matches!(part, Part::Text(_));
    let output = if result.parts.iter().all(is_text) {
        let texts =
            result.parts.into_iter().filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None });
        texts.collect::<Vec<_>>().join("\n").into()
    } else {
        let mut content = Vec::new();
        for part in result.parts {
            content.extend(write_content(part, Role::User, warnings)?);
        }
        Value::Array(content)
    };
    Ok(json!({ "type": "function_call_output", "call_id": result.id, "output": output }))
}

/// Says in the text that a tool failed, since there is no member for it.
fn say_that_it_failed(parts: &mut Vec<Part>) {
    match parts.first_mut() {
        Some(Part::Text(text)) if text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error")) => {}
        Some(Part::Text(text)) => text.insert_str(0, "Error: "),
        _ => parts.insert(0, Part::Text("Error".to_owned())),
    }
}

/// Reasoning that OpenAI sealed; it refuses what others sealed.
/// <https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items>
fn write_reasoning_item(reasoning: ReasoningPart) -> Option<Value> {
    let sealed = reasoning.sealed?.for_provider(Dialect::OpenaiResponses)?;
    let summary: Vec<Value> = match reasoning.text.as_str() {
        "" => Vec::new(),
        text => vec![json!({ "type": "summary_text", "text": text })],
    };
    Some(json!({ "type": "reasoning", "summary": summary, "encrypted_content": sealed }))
}

fn write_tools(request: &mut Request, body: &mut Object, warnings: &mut Warnings) {
    if request.tools.is_empty() {
        return;
    }
    let tools = std::mem::take(&mut request.tools);
    body.insert("tools".into(), tools.into_iter().map(|tool| write_tool(tool, warnings)).collect());
    let choice = request.tool_choice.as_ref().map(|choice| match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Any => "required".into(),
        ToolChoice::Tool(name) => json!({ "type": "function", "name": name }),
    });
    if let Some(choice) = choice {
        body.insert("tool_choice".into(), choice);
    }
    if let Some(parallel) = request.parallel_tools {
        body.insert("parallel_tool_calls".into(), parallel.into());
    }
}

fn write_tool(tool: Tool, warnings: &mut Warnings) -> Value {
    let mut written = Object::new();
    written.insert("type".into(), "function".into());
    written.extend(openai::write_function(tool, warnings));
    // If the member is absent, this dialect means strict, and every other one does not.
    written.entry("strict").or_insert(false.into());
    written.into()
}

/// Writes the reasoning. Returns the effort, if one is written.
fn write_reasoning(
    request: &Request,
    profile: &Profile,
    body: &mut Object,
    warnings: &mut Warnings,
) -> Option<&'static str> {
    let reasoning = request.reasoning;
    if profile.efforts.is_empty() {
        // A model that does not reason refuses the whole member.
        if reasoning.is_some_and(|reasoning| reasoning.explicit_effort() != Some(Effort::None)) {
            warnings.dropped("reasoning, which the model does not take");
        }
        return None;
    }
    let effort = openai::write_effort(reasoning, profile, warnings);
    let mut written = Object::new();
    written.extend(effort.map(|effort| ("effort".to_owned(), effort.into())));
    // OpenAI refuses to show summaries to organisations that it has not verified.
    if reasoning.is_some_and(|reasoning| reasoning.shown == Some(true)) {
        written.insert("summary".into(), "auto".into());
    }
    let reasons = (profile.reasons || !written.is_empty()) && effort != Some("none");
    if !written.is_empty() {
        body.insert("reasoning".into(), written.into());
    }
    if reasons && !request.hides_reasoning {
        // Models that do not reason refuse this. Without it, and with nothing stored, the reasoning of a turn with
        // tools would be lost.
        body.insert("include".into(), json!(["reasoning.encrypted_content"]));
    }
    effort
}

fn write_text(request: &mut Request, body: &mut Object) {
    let mut text = Object::new();
    let format = request.format.take().map(|format| match format {
        Format::JsonObject => json!({ "type": "json_object" }),
        Format::JsonSchema { name, description, schema, strict } => {
            let mut written = Object::new();
            written.insert("type".into(), "json_schema".into());
            written.insert("name".into(), name.unwrap_or_else(|| "answer".to_owned()).into());
            if let Some(description) = description {
                written.insert("description".into(), description.into());
            }
            let strict = strict.unwrap_or_else(|| schema::is_strict(&schema));
            written.insert("schema".into(), schema);
            written.insert("strict".into(), strict.into());
            written.into()
        }
    });
    text.extend(format.map(|format| ("format".to_owned(), format)));
    text.extend(request.verbosity.take().map(|verbosity| ("verbosity".to_owned(), verbosity.into())));
    if !text.is_empty() {
        body.insert("text".into(), text.into());
    }
}
