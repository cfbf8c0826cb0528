//! Writes a Gemini request. <https://ai.google.dev/api/generate-content#request-body>

mod contents;

pub(super) use contents::{PICTURE, write_media};
use serde_json::{Value, json};

use crate::neutral::{
    Effort, Format, Object, Part, Reasoning, Request, Sampling, Tool, ToolChoice, Untranslatable, Warnings, refuse,
};
use crate::profile::{self, Profile, ReasoningMode};

/// More are not documented: <https://ai.google.dev/api/generate-content#generationconfig>.
const STOP_MAX: usize = 5;

/// The request as JSON.
pub(super) fn write_request(mut request: Request, warnings: &mut Warnings) -> Result<Value, Untranslatable> {
    let mut body = Object::new();
    let is_refused = !request.tools.is_empty() && !request.profile.format_beside_tools;
    if let Some(format) = request.format.take_if(|_| is_refused) {
        warnings.changed("response_format to an instruction, since there are tools");
        request.system.push(format.into_instruction());
    }
    let mut system = write_system(std::mem::take(&mut request.system))?;
    let mut contents = contents::write(std::mem::take(&mut request.messages), &request.profile, warnings);
    if contents.is_empty() {
        // Google refuses a request without contents; the other dialects accept instructions alone.
        contents.push(json!({ "role": "user", "parts": std::mem::take(&mut system) }));
    }
    if !system.is_empty() {
        body.insert("systemInstruction".into(), json!({ "parts": system }));
    }
    body.insert("contents".into(), contents.into());
    write_tools(&mut request, &mut body, warnings);
    let config = write_generation(request, warnings);
    if !config.is_empty() {
        body.insert("generationConfig".into(), config.into());
    }
    Ok(body.into())
}

fn write_system(system: Vec<Part>) -> Result<Vec<Value>, Untranslatable> {
    let mut parts = Vec::new();
    for part in system {
        match part {
            Part::Text(text) if text.is_empty() => {}
            Part::Text(text) => parts.push(json!({ "text": text })),
            _ => return refuse("system", "Instructions can hold text only. Move the rest into a user message."),
        }
    }
    Ok(parts)
}

fn write_tools(request: &mut Request, body: &mut Object, warnings: &mut Warnings) {
    if request.tools.is_empty() {
        return;
    }
    if request.parallel_tools == Some(false) {
        warnings.dropped("parallel_tool_calls");
    }
    let functions: Vec<Value> = std::mem::take(&mut request.tools).into_iter().map(write_function).collect();
    body.insert("tools".into(), json!([{ "functionDeclarations": functions }]));
    let config = match request.tool_choice.take() {
        Some(ToolChoice::Auto) => json!({ "mode": "AUTO" }),
        Some(ToolChoice::None) => json!({ "mode": "NONE" }),
        Some(ToolChoice::Any) => json!({ "mode": "ANY" }),
        Some(ToolChoice::Tool(name)) => json!({ "mode": "ANY", "allowedFunctionNames": [name] }),
        None => return,
    };
    body.insert("toolConfig".into(), json!({ "functionCallingConfig": config }));
}

/// `parametersJsonSchema` takes JSON Schema as it is; `parameters` knows a part of it only.
/// <https://ai.google.dev/api/caching#FunctionDeclaration>
fn write_function(tool: Tool) -> Value {
    let mut function = Object::new();
    function.insert("name".into(), tool.name.into());
    if let Some(description) = tool.description {
        function.insert("description".into(), description.into());
    }
    let has_properties =
        |schema: &Value| schema.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    if let Some(schema) = tool.parameters.filter(|schema| has_properties(schema) || schema.get("properties").is_none())
    {
        function.insert("parametersJsonSchema".into(), schema);
    }
    function.into()
}

fn write_generation(request: Request, warnings: &mut Warnings) -> Object {
    let mut config = Object::new();
    let mut sampling = request.sampling;
    if !request.profile.penalties {
        drop_penalties(&mut sampling, warnings);
    }
    if request.profile.sampling != profile::Sampling::Taken {
        drop_sampling(&mut sampling, warnings);
    }
    let numbers = [
        ("temperature", sampling.temperature),
        ("topP", sampling.top_p),
        ("topK", sampling.top_k),
        ("presencePenalty", sampling.presence_penalty),
        ("frequencyPenalty", sampling.frequency_penalty),
        ("seed", sampling.seed),
        ("maxOutputTokens", request.tokens_max.map(Into::into)),
        ("candidateCount", request.choices.filter(|choices| *choices > 1).map(Into::into)),
    ];
    for (name, number) in numbers {
        config.extend(number.map(|number| (name.to_owned(), number.into())));
    }
    let mut stop = request.stop;
    if stop.len() > STOP_MAX {
        warnings.changed("stop sequences after the fifth left out");
        stop.truncate(STOP_MAX);
    }
    if !stop.is_empty() {
        config.insert("stopSequences".into(), stop.into());
    }
    if let Some(format) = request.format {
        config.insert("responseMimeType".into(), "application/json".into());
        if let Format::JsonSchema { schema, .. } = format {
            config.insert("responseJsonSchema".into(), schema);
        }
    }
    if request.pictures {
        config.insert("responseModalities".into(), json!(["TEXT", "IMAGE"]));
    }
    if request.verbosity.is_some() {
        warnings.dropped("verbosity");
    }
    if let Some(reasoning) = &request.reasoning {
        let thinking = write_thinking_config(reasoning, &request.profile, warnings);
        config.extend(thinking.filter(|it| !it.is_empty()).map(|it| ("thinkingConfig".to_owned(), it.into())));
    }
    config
}

/// Warns about penalties, unless they are zero.
fn drop_penalties(sampling: &mut Sampling, warnings: &mut Warnings) {
    let penalties =
        [("presence_penalty", &mut sampling.presence_penalty), ("frequency_penalty", &mut sampling.frequency_penalty)];
    for (name, penalty) in penalties {
        if penalty.take().is_some_and(|number| number.as_f64() != Some(0.0)) {
            warnings.dropped(name);
        }
    }
}

fn drop_sampling(sampling: &mut Sampling, warnings: &mut Warnings) {
    let numbers =
        [("temperature", &mut sampling.temperature), ("top_p", &mut sampling.top_p), ("top_k", &mut sampling.top_k)];
    for (name, number) in numbers {
        if number.take().is_some() {
            warnings.dropped(&format!("{name}, which the model does not take"));
        }
    }
}

/// <https://ai.google.dev/gemini-api/docs/thinking>: a level or a budget, never both, by the model's generation.
fn write_thinking_config(reasoning: &Reasoning, profile: &Profile, warnings: &mut Warnings) -> Option<Object> {
    let mut config = Object::new();
    match profile.reasoning_mode {
        ReasoningMode::Never => {
            if reasoning.explicit_effort().is_some_and(|effort| effort != Effort::None) {
                warnings.dropped("reasoning");
            }
            return None;
        }
        ReasoningMode::Budget { least, most } => {
            if reasoning.effort.is_some() || reasoning.tokens_max.is_some() {
                config.insert("thinkingBudget".into(), reasoning.budget().clamp(least, most).into());
            }
        }
        ReasoningMode::Effort => {
            let level = reasoning.explicit_effort().and_then(|effort| profile.effort_from(effort));
            config.extend(level.map(|level| ("thinkingLevel".to_owned(), level.word().into())));
        }
    }
    if reasoning.shown != Some(false) {
        config.insert("includeThoughts".into(), true.into());
    }
    Some(config)
}
