//! Which part of a request the provider should cache for the next one. Anthropic caches what a mark says; the others do
//! it unasked. <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>
//!
//! In Anthropic's dialect marks are put on blocks and not once at the top of the request, because Bedrock and Vertex
//! refuse that with 400 `cache_control: Extra inputs are not permitted`.
//! <https://github.com/UKGovernmentBEIS/inspect_ai/pull/3851>

use crate::dialect::Dialect;
use crate::neutral::cache;
use crate::neutral::{CacheFor, Part, Request, Role};
use crate::profile::CacheMarks;

/// Keeps the marks for those that read them, and sets some for a Claude if the caller's dialect needs none. Writing to
/// a cache costs a quarter more than reading anew, and reading from it costs a tenth, so that it pays if another
/// request will begin like this one: in a conversation that goes on, or will because it has tools.
pub(super) fn fit(request: &mut Request, from: Dialect) {
    let marks = request.profile.cache_marks;
    if marks == CacheMarks::No {
        return remove(request);
    }
    let goes_on = !request.tools.is_empty() || request.messages.iter().any(|message| message.role == Role::Assistant);
    if from != Dialect::Anthropic && marks == CacheMarks::Needed && goes_on && !has_marks(request) {
        let mark = || Part::CacheMark(CacheFor::FiveMinutes);
        if !request.system.is_empty() {
            request.system.push(mark());
        }
        cache::mark_end(&mut request.messages, CacheFor::FiveMinutes);
        cache::mark_end_before(&mut request.messages, CacheFor::FiveMinutes);
    }
}

fn is_mark(part: &Part) -> bool {
    matches!(part, Part::CacheMark(_))
}

fn has_marks(request: &Request) -> bool {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    request.system.iter().chain(parts).any(is_mark) || request.tools.iter().any(|tool| tool.cache.is_some())
}

fn remove(request: &mut Request) {
    request.system.retain(|part| !is_mark(part));
    for message in &mut request.messages {
        message.parts.retain(|part| !is_mark(part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neutral::{Message, Tool};
    use crate::profile::Profile;

    fn marks(model: &str, to: Dialect, change: fn(&mut Request)) -> (usize, usize) {
        let user = Message { role: Role::User, parts: vec![Part::Text("Hi".to_owned())] };
        let tool = Tool { name: "f".to_owned(), description: None, parameters: None, strict: None, cache: None };
        let mut request = Request {
            profile: Profile::of(model, to),
            system: vec![Part::Text("Be brief.".to_owned())],
            messages: vec![user],
            tools: vec![tool],
            ..Request::default()
        };
        change(&mut request);
        fit(&mut request, Dialect::Gemini);
        let count = |parts: &[Part]| parts.iter().filter(|part| is_mark(part)).count();
        (count(&request.system), request.messages.iter().map(|message| count(&message.parts)).sum())
    }

    #[test]
    fn a_claude_is_told_to_keep_a_conversation_that_goes_on() {
        let nothing = |_: &mut Request| {};
        for (model, to) in [
            ("claude-sonnet-4-5", Dialect::Anthropic),
            ("us.anthropic.claude-opus-4-7-v1:0", Dialect::Anthropic),
            ("anthropic/claude-sonnet-4.5", Dialect::OpenaiChat),
        ] {
            assert_eq!(marks(model, to, nothing), (1, 1), "{model}");
        }
        for (model, to) in [
            ("kimi-k2", Dialect::Anthropic),
            ("claude-sonnet-4-5", Dialect::OpenaiChat),
            ("anthropic/claude-sonnet-4.5", Dialect::Gemini),
        ] {
            assert_eq!(marks(model, to, nothing), (0, 0), "{model}");
        }
    }

    #[test]
    fn a_question_that_nothing_need_follow_is_not_kept() {
        assert_eq!(marks("claude-sonnet-4-5", Dialect::Anthropic, |request| request.tools.clear()), (0, 0));
        let with_history = |request: &mut Request| {
            request.tools.clear();
            let message = Message { role: Role::Assistant, parts: vec![Part::Text("Hello.".to_owned())] };
            request.messages.insert(0, message);
        };
        assert_eq!(marks("claude-sonnet-4-5", Dialect::Anthropic, with_history), (1, 1));
    }

    #[test]
    fn the_callers_own_marks_stay_and_go_only_where_nobody_reads_them() {
        let marked = |request: &mut Request| request.system.push(Part::CacheMark(CacheFor::OneHour));
        for model in ["claude-sonnet-4-5", "kimi-k2"] {
            assert_eq!(marks(model, Dialect::Anthropic, marked), (1, 0), "{model}");
            assert_eq!(marks(model, Dialect::OpenaiChat, marked), (0, 0), "{model}");
        }
        let tools_marked = |request: &mut Request| request.tools[0].cache = Some(CacheFor::FiveMinutes);
        assert_eq!(marks("claude-sonnet-4-5", Dialect::Anthropic, tools_marked), (0, 0));
    }
}
