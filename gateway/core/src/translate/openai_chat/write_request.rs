//! Writes a request: <https://platform.openai.com/docs/api-reference/chat/create>.

use serde_json::{Value, json};

use super::names::Takes;
use super::{write_function, write_messages, write_user};
use crate::translate::neutral::{
    Effort, Format, Object, Reasoning, Request, Sampling, ToolChoice, Untranslatable, Warnings,
};
use crate::translate::schema;

/// OpenAI refuses a fifth: <https://platform.openai.com/docs/api-reference/chat/create#chat-create-stop>.
const STOP_MAX: usize = 4;

/// A request in this dialect.
pub(in crate::translate) fn write_request(request: Request, warnings: &mut Warnings) -> Result<Value, Untranslatable> {
    let mut body = Object::new();
    let takes = Takes::of(&request.model);
    body.insert("model".to_owned(), request.model.into());
    body.insert(
        "messages".to_owned(),
        write_messages::write(request.system, request.messages, takes, warnings)?.into(),
    );
    if request.streamed {
        body.insert("stream".to_owned(), true.into());
        // Asked for even where the caller did not: llmio records what was used.
        body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    if !request.tools.is_empty() {
        body.insert(
            "tools".to_owned(),
            request
                .tools
                .into_iter()
                .map(|tool| json!({ "type": "function", "function": write_function(tool, warnings) }))
                .collect(),
        );
        body.extend(request.tool_choice.map(|choice| ("tool_choice".to_owned(), tool_choice(choice))));
        body.extend(request.parallel_tools.map(|parallel| ("parallel_tool_calls".to_owned(), parallel.into())));
    }
    body.extend(request.format.map(|form| ("response_format".to_owned(), format(form))));
    let effort = effort(request.reasoning, takes, body.contains_key("tools"), warnings);
    body.extend(effort.map(|effort| ("reasoning_effort".to_owned(), effort.into())));
    write_sampling(request.sampling, &mut body, warnings);
    let name = if takes.max_tokens { "max_tokens" } else { "max_completion_tokens" };
    body.extend(request.tokens_max.map(|count| (name.to_owned(), count.into())));
    write_stop(request.stop, &mut body, warnings);
    body.extend(request.choices.filter(|count| *count != 1).map(|count| ("n".to_owned(), count.into())));
    body.extend(request.user.map(|user| ("user".to_owned(), write_user(user, warnings).into())));
    body.extend(request.verbosity.map(|verbosity| ("verbosity".to_owned(), verbosity.into())));
    Ok(Value::Object(body))
}

fn tool_choice(choice: ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::None => "none".into(),
        ToolChoice::Any => "required".into(),
        ToolChoice::Tool(name) => json!({ "type": "function", "function": { "name": name } }),
    }
}

fn format(format: Format) -> Value {
    let Format::JsonSchema { name, description, schema, strict } = format else {
        return json!({ "type": "json_object" });
    };
    let strict = strict.unwrap_or_else(|| schema::is_strict(&schema));
    let mut inner = Object::new();
    inner.insert("name".to_owned(), name.unwrap_or_else(|| "answer".to_owned()).into());
    inner.extend(description.map(|text| ("description".to_owned(), text.into())));
    inner.insert("schema".to_owned(), schema);
    inner.insert("strict".to_owned(), strict.into());
    json!({ "type": "json_schema", "json_schema": inner })
}

/// `None`: the model's own default, which is the best guess where the caller only said that it may think.
fn effort(
    reasoning: Option<Reasoning>,
    takes: Takes,
    has_tools: bool,
    warnings: &mut Warnings,
) -> Option<&'static str> {
    let effort = reasoning.and_then(Reasoning::effort_said);
    let asks = effort.is_some_and(|effort| effort != Effort::None);
    if !takes.effort {
        if asks {
            warnings.dropped("reasoning_effort, which the model does not take");
        }
        return None;
    }
    if has_tools && !takes.effort_beside_tools {
        if asks {
            warnings.changed("reasoning_effort to none, since there are tools");
        }
        return Some("none");
    }
    Some(match effort? {
        Effort::None => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        // `xhigh` is known to few models, and who says `max` speaks to a model of another dialect.
        Effort::High | Effort::Max => "high",
        Effort::ExtraHigh => "xhigh",
    })
}

fn write_sampling(sampling: Sampling, body: &mut Object, warnings: &mut Warnings) {
    let carried = [
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
        ("presence_penalty", sampling.presence_penalty),
        ("frequency_penalty", sampling.frequency_penalty),
        ("seed", sampling.seed),
    ];
    let carried = carried.into_iter().filter_map(|(name, number)| Some((name.to_owned(), Value::Number(number?))));
    body.extend(carried);
    if sampling.top_k.is_some() {
        warnings.dropped("top_k");
    }
}

fn write_stop(mut stop: Vec<String>, body: &mut Object, warnings: &mut Warnings) {
    if stop.len() > STOP_MAX {
        warnings.changed("stop sequences after the fourth left out");
        stop.truncate(STOP_MAX);
    }
    if !stop.is_empty() {
        body.insert("stop".to_owned(), stop.into());
    }
}
