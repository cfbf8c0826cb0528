//! Names of tools in the form that the provider accepts. A name that it would refuse is written in another way
//! everywhere in the request, and calls in the answer get the caller's name back.

use std::collections::{BTreeMap, HashSet};

use sha2::{Digest, Sha256};

use crate::dialect::Dialect;
use crate::neutral::{Alias, AnswerContext, Part, Request, ToolChoice};
use crate::order;

/// The limit of OpenAI and Gemini. Anthropic accepts twice as many characters, but its resellers do not.
const CHARS_MAX: usize = 64;

/// Gives every tool, its calls and results a name that the dialect `to` accepts. The result depends on the request
/// alone, so that it stays the same as a conversation goes on.
pub(super) fn fit(request: &mut Request, to: Dialect) {
    rename(request, to);
    order::by(&mut request.aliases, |one, other| one.shown.cmp(&other.shown));
}

fn rename(request: &mut Request, to: Dialect) {
    let mut refused: Vec<String> = Vec::new();
    let mut used: HashSet<String> = HashSet::new();
    each_name(request, |name| {
        if fits(name, to) {
            used.insert(name.clone());
        } else {
            refused.push(name.clone());
        }
    });
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    for name in refused {
        if renamed.contains_key(&name) {
            continue;
        }
        let plain = Some(plain(&name, to)).filter(|plain| fits(plain, to) && !used.contains(plain));
        let fitting = plain.unwrap_or_else(|| marked(&name, to));
        used.insert(fitting.clone());
        renamed.insert(name, fitting);
    }
    if renamed.is_empty() {
        return;
    }
    each_name(request, |name| {
        if let Some(fitting) = renamed.get(name) {
            name.clone_from(fitting);
        }
    });
    for alias in &mut request.aliases {
        if let Some(fitting) = renamed.remove(&alias.shown) {
            alias.shown = fitting;
        }
    }
    let others = renamed.into_iter().map(|(name, shown)| Alias { shown, name, ..Alias::default() });
    request.aliases.extend(others);
}

/// Gives a call in an answer the caller's own name for the tool, if only the name was changed.
pub(super) fn restore(name: &mut String, context: &AnswerContext) {
    let is_name_alone = |alias: &&Alias| alias.namespace.is_none() && !alias.freeform;
    if let Some(alias) = context.aliases_of(name).iter().find(is_name_alone) {
        name.clone_from(&alias.name);
    }
}

fn each_name(request: &mut Request, mut visit: impl FnMut(&mut String)) {
    request.tools.iter_mut().for_each(|tool| visit(&mut tool.name));
    if let Some(ToolChoice::Tool(name)) = &mut request.tool_choice {
        visit(name);
    }
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        match part {
            Part::ToolCall(call) => visit(&mut call.name),
            Part::ToolResult(result) => result.name.iter_mut().for_each(&mut visit),
            _ => {}
        }
    }
}

/// <https://platform.openai.com/docs/api-reference/chat/create#chat-create-tools>,
/// <https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use>,
/// <https://ai.google.dev/api/caching#FunctionDeclaration>
fn fits(name: &str, to: Dialect) -> bool {
    name.len() <= CHARS_MAX && begins_well(name, to) && name.chars().all(|letter| is_plain(letter, to))
}

fn begins_well(name: &str, to: Dialect) -> bool {
    let begins = |letter: char| letter == '_' || letter.is_ascii_alphabetic();
    to != Dialect::Gemini || name.is_empty() || name.starts_with(begins)
}

fn is_plain(letter: char, to: Dialect) -> bool {
    letter.is_ascii_alphanumeric() || "_-".contains(letter) || to == Dialect::Gemini && ".:".contains(letter)
}

/// The name with `_` in place of characters that are refused. It may still be too long.
fn plain(name: &str, to: Dialect) -> String {
    let plain: String = name.chars().map(|letter| if is_plain(letter, to) { letter } else { '_' }).collect();
    if begins_well(&plain, to) { plain } else { format!("_{plain}") }
}

/// The beginning of the name, and a suffix that no other name has.
fn marked(name: &str, to: Dialect) -> String {
    let mark: String = Sha256::digest(name.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let kept: String = plain(name, to).chars().take(CHARS_MAX - 1 - mark.len()).collect();
    format!("{kept}_{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neutral::{Message, Role, Tool, ToolCall, ToolResult};

    fn request(names: &[&str]) -> Request {
        let tool = |name: &&str| Tool {
            name: (*name).to_owned(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
        };
        Request { tools: names.iter().map(tool).collect(), ..Request::default() }
    }

    fn fitted(names: &[&str], to: Dialect) -> Vec<String> {
        let mut request = request(names);
        fit(&mut request, to);
        request.tools.into_iter().map(|tool| tool.name).collect()
    }

    #[test]
    fn a_name_that_the_provider_takes_stays_as_it_is() {
        let long = "x".repeat(CHARS_MAX);
        for to in Dialect::ALL {
            assert_eq!(
                fitted(&["search", "mcp__docs__find-it", "_", &long], to),
                ["search", "mcp__docs__find-it", "_", &long]
            );
        }
        assert_eq!(fitted(&["server.tool:x"], Dialect::Gemini), ["server.tool:x"]);
    }

    #[test]
    fn every_other_name_becomes_one_that_the_provider_takes() {
        let long = "mcp__a_server_with_a_long_name__".to_owned() + &"search".repeat(10);
        for to in Dialect::ALL {
            let names = fitted(&["find it", "4ward", "查询", &long], to);
            assert!(names.iter().all(|name| fits(name, to)), "{names:?}");
        }
        assert_eq!(fitted(&["server.tool:x", "4ward"], Dialect::Anthropic), ["server_tool_x", "4ward"]);
        assert_eq!(fitted(&["find it", "4ward"], Dialect::Gemini), ["find_it", "_4ward"]);
    }

    #[test]
    fn two_names_stay_two() {
        let long = |end: &str| "search".repeat(12) + end;
        for to in Dialect::ALL {
            let names = fitted(&["find it", "find_it", "find/it", "查询", "搜索", &long("a"), &long("b")], to);
            assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
            assert_eq!(names[1], "find_it");
        }
    }

    #[test]
    fn a_tool_has_one_name_everywhere_and_its_own_in_the_answer() {
        let own = "server.tool".to_owned();
        let call = Part::ToolCall(ToolCall { name: own.clone(), ..ToolCall::default() });
        let result = ToolResult { id: String::new(), name: Some(own.clone()), parts: Vec::new(), is_error: false };
        let mut request = Request {
            tool_choice: Some(ToolChoice::Tool(own.clone())),
            messages: vec![
                Message { role: Role::Assistant, parts: vec![call] },
                Message { role: Role::User, parts: vec![Part::ToolResult(result)] },
            ],
            ..request(&[&own])
        };
        fit(&mut request, Dialect::OpenaiChat);
        let mut names = Vec::new();
        each_name(&mut request, |name| names.push(name.clone()));
        assert_eq!(names, ["server_tool"; 4]);

        let context = AnswerContext { aliases: request.aliases, ..AnswerContext::default() };
        let mut name = "server_tool".to_owned();
        restore(&mut name, &context);
        assert_eq!(name, own);
    }
}
