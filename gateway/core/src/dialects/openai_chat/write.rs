//! Writes a request: <https://platform.openai.com/docs/api-reference/chat/create>.

mod messages;

use serde_json::{Value, json};

use crate::dialects::openai;
use crate::neutral::cache;
use crate::neutral::schema;
use crate::neutral::{Effort, Format, Object, Reasoning, Request, Sampling, ToolChoice, Untranslatable, Warnings};
use crate::profile::Profile;

/// OpenAI refuses a fifth: <https://platform.openai.com/docs/api-reference/chat/create#chat-create-stop>.
const STOP_MAX: usize = 4;

/// A request in this dialect.
pub(super) fn write_request(mut request: Request, warnings: &mut Warnings) -> Result<Value, Untranslatable> {
    request.speak_of_json();
    let mut body = Object::new();
    let profile = request.profile;
    body.insert("model".to_owned(), request.model.into());
    body.extend(cache::take_end(&mut request.messages).map(|cache| (cache::MEMBER.to_owned(), cache.write())));
    body.insert("messages".to_owned(), messages::write(request.system, request.messages, &profile, warnings)?.into());
    if request.streamed {
        body.insert("stream".to_owned(), true.into());
        // llmio asks for usage even where the caller did not, since it records it.
        body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    if !request.tools.is_empty() {
        let tool = |tool| json!({ "type": "function", "function": openai::write_function(tool, warnings) });
        body.insert("tools".to_owned(), request.tools.into_iter().map(tool).collect());
        body.extend(request.tool_choice.map(|choice| ("tool_choice".to_owned(), tool_choice(choice))));
        body.extend(request.parallel_tools.map(|parallel| ("parallel_tool_calls".to_owned(), parallel.into())));
    }
    if request.pictures {
        body.insert("modalities".to_owned(), json!(["image", "text"]));
    }
    body.extend(request.format.map(|form| ("response_format".to_owned(), format(form))));
    let effort = write_reasoning(request.reasoning, &profile, &mut body, warnings);
    let takes_sampling = openai::takes_sampling(&profile, effort);
    write_sampling(request.sampling, takes_sampling, &mut body, warnings);
    let name = if profile.max_tokens { "max_tokens" } else { "max_completion_tokens" };
    body.extend(request.tokens_max.map(|count| (name.to_owned(), count.into())));
    write_stop(request.stop, &profile, &mut body, warnings);
    body.extend(request.choices.filter(|count| *count != 1).map(|count| ("n".to_owned(), count.into())));
    body.extend(request.user.map(|user| ("user".to_owned(), openai::write_user(user, warnings).into())));
    body.extend(request.cache_key.map(|key| ("prompt_cache_key".to_owned(), key.into())));
    body.extend(request.service_tier.map(|tier| ("service_tier".to_owned(), tier.into())));
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

/// Gives the word for how hard to reason, where one is written.
fn write_reasoning(
    reasoning: Option<Reasoning>,
    profile: &Profile,
    body: &mut Object,
    warnings: &mut Warnings,
) -> Option<&'static str> {
    let effort = reasoning.and_then(Reasoning::explicit_effort);
    let asks = effort.is_some_and(|effort| effort != Effort::None);
    if profile.thinking_switch && effort == Some(Effort::None) {
        body.insert("thinking".to_owned(), json!({ "type": "disabled" }));
    }
    if asks && profile.efforts.is_empty() {
        warnings.dropped("reasoning_effort, which the model does not take");
    }
    let refuses_effort = body.contains_key("tools") && !profile.effort_beside_tools && !profile.efforts.is_empty();
    let word = if !refuses_effort {
        openai::write_effort(reasoning, profile, warnings)
    } else if profile.efforts.contains(&Effort::None) {
        if asks {
            warnings.changed("reasoning_effort to none, since there are tools");
        }
        Some(Effort::None.word())
    } else {
        if effort.is_some() {
            warnings.dropped("reasoning_effort, since there are tools");
        }
        None
    };
    body.extend(word.map(|word| ("reasoning_effort".to_owned(), word.into())));
    word
}

fn write_sampling(sampling: Sampling, takes: bool, body: &mut Object, warnings: &mut Warnings) {
    let sampled = [
        ("temperature", sampling.temperature, 1.0),
        ("top_p", sampling.top_p, 1.0),
        ("presence_penalty", sampling.presence_penalty, 0.0),
        ("frequency_penalty", sampling.frequency_penalty, 0.0),
    ];
    for (name, number, default) in sampled {
        let number = openai::write_sampled(name, number, default, takes, warnings);
        body.extend(number.map(|number| (name.to_owned(), number.into())));
    }
    body.extend(sampling.seed.map(|seed| ("seed".to_owned(), seed.into())));
    if sampling.top_k.is_some() {
        warnings.dropped("top_k");
    }
}

fn write_stop(mut stop: Vec<String>, profile: &Profile, body: &mut Object, warnings: &mut Warnings) {
    if !profile.stop && !stop.is_empty() {
        return warnings.dropped("stop, which the model does not take");
    }
    if stop.len() > STOP_MAX {
        warnings.changed("stop sequences after the fourth left out");
        stop.truncate(STOP_MAX);
    }
    if !stop.is_empty() {
        body.insert("stop".to_owned(), stop.into());
    }
}
