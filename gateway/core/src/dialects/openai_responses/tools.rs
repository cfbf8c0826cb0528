//! Tools of a Responses request. Codex groups functions in namespaces and has tools whose input is plain text. Other
//! dialects only have plain functions, so both are written as such, and each leaves an [`Alias`] with which its calls
//! are translated back.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::neutral::json;
use crate::neutral::members::Members;
use crate::neutral::{Alias, Request, Tool, ToolChoice, Untranslatable, Warnings, refuse};

/// Reads a list of tools. What a provider would run itself (web search, code interpreter, …) is left out with a
/// warning: agents offer such tools to every model and do without.
pub(super) fn read(tools: Vec<Value>, request: &mut Request, warnings: &mut Warnings) {
    for tool in tools {
        let mut tool = Members::of(tool);
        let kind = tool.text("type").unwrap_or_default();
        if kind != "namespace" {
            read_one(&kind, tool, None, request, warnings);
            continue;
        }
        let namespace = tool.text("name").unwrap_or_default();
        for inner in tool.list("tools") {
            let mut inner = Members::of(inner);
            let kind = inner.text("type").unwrap_or_default();
            read_one(&kind, inner, Some(&namespace), request, warnings);
        }
    }
}

fn read_one(kind: &str, mut tool: Members, namespace: Option<&str>, request: &mut Request, warnings: &mut Warnings) {
    let freeform = match kind {
        "function" => false,
        "custom" => true,
        other => return warnings.dropped(&format!("tools: {other}")),
    };
    let Some(name) = tool.text("name") else { return warnings.dropped("tools: one without a name") };
    let shown = shown_name(namespace, &name);
    let mut description = tool.text("description");
    let parameters = if freeform {
        description = describe_freeform(description, tool.object("format"));
        Some(freeform_schema())
    } else {
        tool.take("parameters")
    };
    if freeform || namespace.is_some() {
        let namespace = namespace.map(str::to_owned);
        request.aliases.push(Alias { shown: shown.clone(), name, namespace, freeform });
    }
    request.tools.push(Tool { name: shown, description, parameters, strict: tool.flag("strict"), cache: None });
}

/// Removes tools that occur twice: a conversation that declares tools in its input repeats them as it grows, and
/// providers refuse two of one name.
pub(super) fn drop_repeated(request: &mut Request) {
    let mut seen = HashSet::new();
    request.tools.retain(|tool| seen.insert(tool.name.clone()));
    seen.clear();
    request.aliases.retain(|alias| seen.insert(alias.shown.clone()));
}

/// The name of the plain function that stands for the tool, the same in `tools` and in the conversation.
pub(super) fn shown_name(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{}__{name}", namespace.trim_end_matches('_')),
        None => name.to_owned(),
    }
}

fn freeform_schema() -> Value {
    json!({
        "type": "object",
        "properties": { "input": { "type": "string", "description": "The whole input of the tool, as plain text." } },
        "required": ["input"],
        "additionalProperties": false,
    })
}

/// Describes the grammar of a tool with plain text as its input. Providers of other dialects cannot enforce it, but the
/// model can be told.
fn describe_freeform(description: Option<String>, mut format: Members) -> Option<String> {
    let Some(definition) = format.text("definition") else { return description };
    let syntax = format.text("syntax").unwrap_or_default();
    let description = description.unwrap_or_default();
    Some(
        format!("{description}\n\nThe input has to follow this {syntax} grammar:\n{definition}")
            .trim_start()
            .to_owned(),
    )
}

/// The arguments of a function that stands for a tool with plain text as its input.
pub(super) fn freeform_arguments(input: &str) -> String {
    json!({ "input": input }).to_string()
}

/// The plain text in the arguments of a call. Arguments in another form are passed on as they are.
pub(super) fn freeform_input(arguments: &str) -> String {
    match json::parse(arguments) {
        Some(Value::Object(mut members)) => match members.remove("input") {
            Some(Value::String(input)) => input,
            _ => arguments.to_owned(),
        },
        Some(Value::String(input)) => input,
        _ => arguments.to_owned(),
    }
}

/// Reads `tool_choice`, and narrows the tools to those it allows.
/// <https://platform.openai.com/docs/api-reference/responses/create#responses-create-tool_choice>
pub(super) fn read_choice(choice: Option<Value>, request: &mut Request) -> Result<(), Untranslatable> {
    request.tool_choice = match choice {
        Some(Value::String(word)) => named_choice(&word),
        Some(choice @ Value::Object(_)) => read_choice_object(Members::of(choice), request)?,
        _ => None,
    };
    if request.tools.is_empty() {
        if request.tool_choice == Some(ToolChoice::Any) {
            return refuse(
                "tool_choice",
                "A tool has to be called, and none can be carried: the model's provider speaks another API. Offer \
                 functions or custom tools.",
            );
        }
        // Providers refuse a choice among no tools.
        request.tool_choice = None;
        request.parallel_tools = None;
    }
    Ok(())
}

fn named_choice(word: &str) -> Option<ToolChoice> {
    match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Any),
        _ => None,
    }
}

fn read_choice_object(mut choice: Members, request: &mut Request) -> Result<Option<ToolChoice>, Untranslatable> {
    let kind = choice.text("type").unwrap_or_default();
    match kind.as_str() {
        "function" | "custom" => {
            let name = choice.text("name").unwrap_or_default();
            let shown = shown_name(choice.text("namespace").as_deref(), &name);
            if !request.tools.iter().any(|tool| tool.name == shown) {
                return refuse("tool_choice", "The tool that has to be called is not among `tools`. Name one that is.");
            }
            Ok(Some(ToolChoice::Tool(shown)))
        }
        "allowed_tools" => {
            let allowed: HashSet<String> = choice.list("tools").into_iter().filter_map(allowed_name).collect();
            request.tools.retain(|tool| allowed.contains(&tool.name));
            Ok(choice.text("mode").and_then(|word| named_choice(&word)))
        }
        _ => refuse(
            "tool_choice",
            "Only functions and custom tools can be forced here: the model's provider speaks another API and has no such \
             tool of its own.",
        ),
    }
}

fn allowed_name(tool: Value) -> Option<String> {
    let mut tool = Members::of(tool);
    let name = tool.text("name")?;
    Some(shown_name(tool.text("namespace").as_deref(), &name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_namespace_says_which() {
        assert_eq!(shown_name(None, "search.docs"), "search.docs");
        assert_eq!(shown_name(Some("mcp__docs__"), "search"), "mcp__docs__search");
        assert_eq!(shown_name(Some("docs"), "search"), "docs__search");
    }

    #[test]
    fn plain_text_survives_the_way_to_arguments_and_back() {
        let patch = "*** Begin Patch\n\"quoted\" \\ and { braces }\n*** End Patch";
        assert_eq!(freeform_input(&freeform_arguments(patch)), patch);
    }

    #[test]
    fn plain_text_that_a_model_did_not_wrap_is_taken_as_it_is() {
        assert_eq!(freeform_input("*** Begin Patch"), "*** Begin Patch");
        assert_eq!(freeform_input("{\"patch\":\"x\"}"), "{\"patch\":\"x\"}");
        assert_eq!(freeform_input("\"*** Begin Patch\""), "*** Begin Patch");
    }

    #[test]
    fn a_choice_that_no_tool_is_there_for_is_refused() {
        let read = |tools: Value, choice: Value| {
            let body = json!({ "input": "Hi", "tools": tools, "tool_choice": choice });
            crate::dialects::openai_responses::read::read_request(body, &mut Warnings::default())
                .map(|request| request.tool_choice)
        };
        let tools = || json!([{ "type": "namespace", "name": "n", "tools": [{ "type": "function", "name": "f" }] }]);
        let named = |namespace: &str| json!({ "type": "function", "name": "f", "namespace": namespace });
        let allowed =
            json!({ "type": "allowed_tools", "mode": "required", "tools": [{ "type": "function", "name": "g" }] });
        assert_eq!(read(tools(), named("n")), Ok(Some(ToolChoice::Tool("n__f".to_owned()))));
        assert_eq!(read(tools(), json!("required")), Ok(Some(ToolChoice::Any)));
        assert_eq!(read(json!([{ "type": "web_search" }]), json!("auto")), Ok(None));
        for (tools, choice) in [
            (tools(), named("m")),
            (json!([]), named("n")),
            (json!([{ "type": "web_search" }]), json!("required")),
            (tools(), allowed),
        ] {
            assert_eq!(read(tools, choice).expect_err("no tool is there").param, "tool_choice");
        }
    }
}
