//! Writes a request: <https://platform.claude.com/docs/en/api/messages/create>.

mod messages;
mod reasoning;

use std::collections::HashSet;

use serde_json::{Number, Value, json};

use crate::neutral::cache;
use crate::neutral::json::from_members;
use crate::neutral::schema;
use crate::neutral::{Format, Object, Part, Request, Sampling, Tool, ToolChoice, Untranslatable, Warnings};
use crate::profile::{self, Profile};

/// The limit of tokens if the caller sets none, since Anthropic requires one. Every model that it serves today can
/// write this many, and an agent needs as many to write a file; a target whose model can write fewer has `set = {
/// max_tokens = … }`. <https://platform.claude.com/docs/en/about-claude/models/overview>
const TOKENS_MAX: u64 = 32_000;

/// A request in this dialect.
pub(super) fn write_request(mut request: Request, warnings: &mut Warnings) -> Result<Value, Untranslatable> {
    if request.choices.is_some_and(|count| count > 1) {
        let message = "The provider's dialect gives one answer at a time. Ask several times instead.";
        return Err(Untranslatable::new("n", message));
    }
    let tokens_max = request.tokens_max.unwrap_or(TOKENS_MAX);
    let (mut body, mut output) = (Object::new(), Object::new());
    body.insert("model".to_owned(), request.model.as_str().into());
    body.insert("max_tokens".to_owned(), tokens_max.into());
    let profile = request.profile;
    let reasons = reasoning::write(&request, tokens_max, &mut body, &mut output, warnings);
    if let Some(format) = request.format.take() {
        write_format(format, &profile, &mut output, &mut request.system, warnings);
    }
    body.extend(reasoning::output_config(output));
    let takes_sampling = profile.sampling == profile::Sampling::Taken && !reasons;
    write_sampling(std::mem::take(&mut request.sampling), takes_sampling, &mut body, warnings);
    let (tools, choice) = tools(&mut request);
    let (system, messages) = messages::write(request.system, request.messages, &profile, warnings)?;
    body.extend(system.map(|system| ("system".to_owned(), system)));
    body.insert("messages".to_owned(), messages.into());
    body.extend(tools.map(|tools| ("tools".to_owned(), tools)));
    body.extend(choice.map(|choice| ("tool_choice".to_owned(), choice)));
    // Blank ones are refused.
    let (stop, blank): (Vec<String>, Vec<String>) = request.stop.into_iter().partition(|text| !text.trim().is_empty());
    if !blank.is_empty() {
        warnings.changed("blank stop sequences left out");
    }
    if !stop.is_empty() {
        body.insert("stop_sequences".to_owned(), stop.into());
    }
    body.extend(request.user.map(|user| ("metadata".to_owned(), json!({ "user_id": user }))));
    if request.verbosity.is_some() {
        warnings.dropped("verbosity");
    }
    if request.streamed {
        body.insert("stream".to_owned(), true.into());
    }
    Ok(Value::Object(body))
}

/// Writes the format as an instruction if the model or the dialect has no such member.
fn write_format(
    format: Format,
    profile: &Profile,
    output: &mut Object,
    system: &mut Vec<Part>,
    warnings: &mut Warnings,
) {
    match format {
        Format::JsonSchema { mut schema, .. } if profile.format && schema::can_be_plain(&schema) => {
            schema::split_enums(&mut schema);
            if schema::make_plain(&mut schema) {
                warnings.changed("limits inside the schema to words of its description");
            }
            output.insert("format".to_owned(), from_members([("type", "json_schema".into()), ("schema", schema)]));
        }
        format => {
            let name = if format == Format::JsonObject { "json_object" } else { "json_schema" };
            warnings.changed(&format!("{name} to an instruction"));
            system.push(format.into_instruction());
        }
    }
}

/// The members `tools` and `tool_choice`. A conversation with calls is refused without tools, so those that it calls
/// are listed then, and none may be called.
fn tools(request: &mut Request) -> (Option<Value>, Option<Value>) {
    if !request.tools.is_empty() {
        let choice = tool_choice(request.tool_choice.take(), request.parallel_tools);
        return (Some(std::mem::take(&mut request.tools).into_iter().map(tool).collect()), choice);
    }
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let names = parts.filter_map(|part| if let Part::ToolCall(call) = part { Some(call.name.as_str()) } else { None });
    let mut seen = HashSet::new();
    let names = names.filter(|name| seen.insert(*name));
    let tools: Vec<Value> = names.map(|name| json!({ "name": name, "input_schema": { "type": "object" } })).collect();
    if tools.is_empty() {
        return (None, None);
    }
    (Some(tools.into()), tool_choice(Some(ToolChoice::None), None))
}

/// Without `strict`: Anthropic refuses schemas with limits, open objects or too many members there, which OpenAI's own
/// callers mark as strict. <https://platform.claude.com/docs/en/build-with-claude/structured-outputs>
fn tool(tool: Tool) -> Value {
    let mut schema = tool.parameters.unwrap_or_else(|| Value::Object(Object::new()));
    if let Some(members) = schema.as_object_mut() {
        members.insert("type".to_owned(), "object".into());
    }
    let mut written = Object::new();
    written.insert("name".to_owned(), tool.name.into());
    written.extend(tool.description.map(|text| ("description".to_owned(), text.into())));
    written.insert("input_schema".to_owned(), schema);
    written.extend(tool.cache.map(|cache| (cache::MEMBER.to_owned(), cache.write())));
    Value::Object(written)
}

/// <https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use#forcing-tool-use>
fn tool_choice(choice: Option<ToolChoice>, parallel: Option<bool>) -> Option<Value> {
    let one_at_a_time = parallel == Some(false);
    let mut written = match choice {
        None if one_at_a_time => json!({ "type": "auto" }),
        None => return None,
        Some(ToolChoice::Auto) => json!({ "type": "auto" }),
        Some(ToolChoice::None) => return Some(json!({ "type": "none" })),
        Some(ToolChoice::Any) => json!({ "type": "any" }),
        Some(ToolChoice::Tool(name)) => json!({ "type": "tool", "name": name }),
    };
    if one_at_a_time {
        written["disable_parallel_tool_use"] = true.into();
    }
    Some(written)
}

/// Newer models refuse all three parameters, older ones `temperature` beside `top_p`, and all of them refuse any beside
/// reasoning: <https://platform.claude.com/docs/en/build-with-claude/extended-thinking#feature-compatibility>.
fn write_sampling(sampling: Sampling, may: bool, body: &mut Object, warnings: &mut Warnings) {
    let mut carry = |name: &str, number: Option<Number>, may: bool| match number {
        Some(number) if may => drop(body.insert(name.to_owned(), number.into())),
        Some(_) => warnings.dropped(name),
        None => {}
    };
    let has_temperature = sampling.temperature.is_some();
    let is_high = |number: &Number| number.as_f64().is_some_and(|number| number > 1.0);
    let clamped = may && sampling.temperature.as_ref().is_some_and(is_high);
    let temperature = if clamped { Some(Number::from(1)) } else { sampling.temperature };
    carry("temperature", temperature, may);
    carry("top_p", sampling.top_p, may && !has_temperature);
    carry("top_k", sampling.top_k, may);
    carry("presence_penalty", sampling.presence_penalty, false);
    carry("frequency_penalty", sampling.frequency_penalty, false);
    carry("seed", sampling.seed, false);
    if clamped {
        warnings.changed("temperature to 1");
    }
}
