//! Which program a client is, by the name that its user agent begins with. Programs are counted by family, of which there
//! are at most 32, since a client may call itself anything.

/// A program whose name is not known.
pub const OTHER: &str = "other";

/// What user agents begin with, in small letters, and whose they are. The first row that fits counts. From the programs
/// themselves, as `runner/tests/clients` runs them and as their sources write it.
const FAMILIES: &[(&str, &str)] = &[
    ("claude-cli", "Claude Code"),
    ("claude-code", "Claude Code"),
    ("codex", "Codex"),
    ("geminicli", "Gemini CLI"),
    ("gemini-cli", "Gemini CLI"),
    ("qwencode", "Qwen Code"),
    ("qwen-code", "Qwen Code"),
    ("opencode", "OpenCode"),
    ("cline", "Cline"),
    ("roo-code", "Roo Code"),
    ("roocode", "Roo Code"),
    ("kilo-code", "Kilo Code"),
    ("kilocode", "Kilo Code"),
    ("cherrystudio", "Cherry Studio"),
    ("cherry-studio", "Cherry Studio"),
    ("zed/", "Zed"),
    ("cursor/", "Cursor"),
    ("githubcopilot", "Copilot"),
    ("aider", "aider"),
    ("litellm", "LiteLLM"),
    ("openai/python", "OpenAI, Python"),
    ("asyncopenai/python", "OpenAI, Python"),
    ("openai/js", "OpenAI, JavaScript"),
    ("anthropic/python", "Anthropic, Python"),
    ("asyncanthropic/python", "Anthropic, Python"),
    ("anthropic/js", "Anthropic, JavaScript"),
    ("google-genai-sdk", "Google Gen AI"),
    ("langchain", "LangChain"),
    ("ai-sdk", "AI SDK"),
    ("ai/", "AI SDK"),
    ("llmio", "llmio"),
    ("curl/", "curl"),
    ("python", "Python"),
    ("aiohttp", "Python"),
    ("node", "Node"),
    ("undici", "Node"),
    ("axios", "Node"),
    ("bun/", "Node"),
    ("go-http-client", "Go"),
    ("okhttp", "Java"),
    ("java", "Java"),
];

/// What apps that are browsers call themselves within a browser's user agent.
const INSIDE: &[(&str, &str)] = &[("cherrystudio/", "Cherry Studio"), ("cursor/", "Cursor"), ("chatbox/", "Chatbox")];

/// A browser, or an app that is one.
const BROWSER: &str = "browser";

/// The family of a user agent.
pub fn family(user_agent: &str) -> &'static str {
    let begins = |prefix: &str| {
        let start = user_agent.as_bytes().get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    if begins("mozilla/") {
        let text = user_agent.to_ascii_lowercase();
        return INSIDE.iter().find(|(name, _)| text.contains(name)).map_or(BROWSER, |(_, family)| family);
    }
    FAMILIES.iter().find(|(prefix, _)| begins(prefix)).map_or(OTHER, |(_, family)| family)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_client_is_of_the_family_that_its_user_agent_names() {
        for (user_agent, expected) in [
            ("claude-cli/2.1.330 (external, cli)", "Claude Code"),
            ("codex_cli_rs/0.58.0 (Ubuntu 24.4.0; x86_64) WindowsTerminal", "Codex"),
            ("GeminiCLI/0.9.0/gemini-2.5-pro (linux; x64)", "Gemini CLI"),
            ("QwenCode/0.2.1 (linux; x64)", "Qwen Code"),
            ("OpenAI/Python 2.8.1", "OpenAI, Python"),
            ("AsyncOpenAI/Python 2.8.1", "OpenAI, Python"),
            ("Anthropic/JS 0.70.0", "Anthropic, JavaScript"),
            ("ai-sdk/openai/2.0.1", "AI SDK"),
            ("curl/8.5.0", "curl"),
            ("python-httpx/0.28", "Python"),
            ("Mozilla/5.0 (X11) AppleWebKit/537.36 CherryStudio/1.5.7 Chrome/134", "Cherry Studio"),
            ("Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0", "browser"),
            ("", "other"),
            ("模型", "other"),
            ("zed", "other"),
        ] {
            assert_eq!(family(user_agent), expected, "{user_agent}");
        }
    }

    #[test]
    fn there_are_at_most_32_families() {
        let named = FAMILIES.iter().chain(INSIDE).map(|(_, family)| *family);
        let all: BTreeSet<&str> = named.chain([BROWSER, OTHER]).collect();
        assert!(all.len() <= 32, "{}: {all:?}", all.len());
    }
}
