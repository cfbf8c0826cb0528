//! How reasoning is requested: older models get a number of tokens, and newer ones an effort.
//! <https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>

use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::neutral::turns;
use crate::neutral::{Effort, Object, Part, Request, ToolChoice, Warnings};
use crate::profile::{ReasoningMode, ReasoningOff};

/// How much of `max_tokens` must be left for the answer itself.
const ANSWER_MIN: u64 = 1024;

/// Writes `thinking` and `output_config.effort`. Returns whether the model reasons, which excludes other members.
pub(super) fn write(
    request: &Request,
    tokens_max: u64,
    body: &mut Object,
    output: &mut Object,
    warnings: &mut Warnings,
) -> bool {
    let Some(reasoning) = request.reasoning else { return false };
    if reasoning.effort == Some(Effort::None) {
        return write_off(request, body, output, warnings);
    }
    if matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Tool(_))) {
        warnings.dropped("reasoning, since a tool has to be called");
        return false;
    }
    let ReasoningMode::Budget { least, most } = request.profile.reasoning_mode else {
        let display = if reasoning.shown == Some(false) { "omitted" } else { "summarized" };
        body.insert("thinking".to_owned(), json!({ "type": "adaptive", "display": display }));
        let effort = reasoning.explicit_effort().and_then(|effort| request.profile.effort_up_to(effort));
        output.extend(effort.map(|effort| ("effort".to_owned(), effort.word().into())));
        return true;
    };
    let budget = reasoning.budget().min(most).min(tokens_max.saturating_sub(ANSWER_MIN));
    if budget < least {
        warnings.dropped("reasoning, since max_tokens leaves no room for it");
        return false;
    }
    if !request.profile.reads_reasoning && calls_without_reasoning(request) {
        warnings.dropped("reasoning, since earlier reasoning came back without its signature");
        return false;
    }
    body.insert("thinking".to_owned(), json!({ "type": "enabled", "budget_tokens": budget }));
    // Models of other makers may get both.
    let effort = reasoning.explicit_effort().and_then(|effort| request.profile.effort_from(effort));
    output.extend(effort.map(|effort| ("effort".to_owned(), effort.word().into())));
    true
}

/// Switches reasoning off, or as low as the model allows. Returns whether it reasons all the same.
fn write_off(request: &Request, body: &mut Object, output: &mut Object, warnings: &mut Warnings) -> bool {
    let kind = match request.profile.reasoning_off {
        ReasoningOff::Disabled => "disabled",
        ReasoningOff::BetweenTools => {
            warnings.changed("no reasoning to none but between calls of tools");
            "between_tools"
        }
        ReasoningOff::Never => {
            let least = request.profile.efforts.first();
            output.extend(least.map(|effort| ("effort".to_owned(), effort.word().into())));
            warnings.changed("no reasoning to the least, since the model always reasons");
            return true;
        }
    };
    body.insert("thinking".to_owned(), json!({ "type": kind }));
    kind != "disabled"
}

/// Whether a turn calls tools without the reasoning before it, which Anthropic refuses with a budget.
fn calls_without_reasoning(request: &Request) -> bool {
    let turn = request.messages.get(turns::current_turn(&request.messages)..).unwrap_or_default();
    let mut parts = turn.iter().flat_map(|message| &message.parts);
    let is_sealed = |part: &Part| match part {
        Part::Reasoning(reasoning) => {
            let seals = [&reasoning.signature, &reasoning.sealed];
            seals.into_iter().flatten().any(|seal| seal.by == Dialect::Anthropic)
        }
        _ => false,
    };
    parts.clone().any(|part| matches!(part, Part::ToolCall(_))) && !parts.any(is_sealed)
}

/// The member `output_config`, unless it would be empty.
pub(super) fn output_config(output: Object) -> Option<(String, Value)> {
    (!output.is_empty()).then(|| ("output_config".to_owned(), Value::Object(output)))
}
