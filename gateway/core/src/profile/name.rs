//! The name of a model, parsed once. Names are written in many ways: by the maker (`claude-opus-5-5`), by a relay that
//! puts the maker before it (`anthropic/claude-opus-5.5`), by a cloud that adds its region and its own version
//! (`us.anthropic.claude-opus-5-5-v1:0`, `claude-opus-4@20250514`), as a path (`models/gemini-3.5-flash`), or with the
//! suffix of a relay or local server (`:free`, `:32b`, `[1m]`).
//!
//! Only the name decides here, but a deployment or an alias can have any name. Then the target itself says which
//! profile its model has.

/// A major and a minor number.
pub type Version = (u32, u32);

/// Models of one maker that succeed each other and accept much the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Anthropic's.
    Claude,
    /// OpenAI's numbered models.
    Gpt,
    /// OpenAI's models as ChatGPT names them.
    ChatGpt,
    /// OpenAI's first reasoning models: `o1` to `o4-mini`.
    O,
    /// OpenAI's open models.
    GptOss,
    /// Google's.
    Gemini,
    /// Google's open models, and LearnLM, which is served in the same way.
    Gemma,
    /// DeepSeek's.
    DeepSeek,
    /// Moonshot's.
    Kimi,
    /// Moonshot's earlier ones.
    Moonshot,
    /// Z.ai's (Zhipu's).
    Glm,
    /// Alibaba's.
    Qwen,
    /// MiniMax's.
    MiniMax,
    /// Xiaomi's.
    MiMo,
    /// xAI's.
    Grok,
    /// Mistral's, under all their names.
    Mistral,
    /// Any other.
    Other,
}

/// What surrounds the model in a name, which tells who serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// Nothing: the API of its maker, or a copy of that API.
    Bare,
    /// A relay that has one word for each maker: `anthropic/…`.
    Relay(&'a str),
    /// A cloud: `us.anthropic.…`.
    Cloud(&'a str),
    /// A path, such as `models/…` and `accounts/fireworks/models/…`.
    Path,
}

/// A parsed name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelName<'a> {
    /// What surrounds the model's name.
    pub place: Place<'a>,
    /// The model's own name.
    pub name: &'a str,
    /// The family.
    pub family: Family,
    /// The version; `None` if the name has none, which counts as the newest.
    pub version: Option<Version>,
    /// The suffix of a relay, a cloud or a local server: `free`, `20250514`, `32b`.
    pub tag: Option<&'a str>,
}

/// The families and parts of their models' names, in lower case. The part that comes first in a name decides.
const MARKS: [(&str, Family); 21] = [
    ("claude-", Family::Claude),
    ("gpt-oss", Family::GptOss),
    ("gemini", Family::Gemini),
    ("gemma", Family::Gemma),
    ("learnlm", Family::Gemma),
    ("deepseek", Family::DeepSeek),
    ("kimi", Family::Kimi),
    ("moonshot", Family::Moonshot),
    ("glm", Family::Glm),
    ("qwen", Family::Qwen),
    ("minimax", Family::MiniMax),
    ("mimo", Family::MiMo),
    ("grok", Family::Grok),
    ("mistral", Family::Mistral),
    ("mixtral", Family::Mistral),
    ("ministral", Family::Mistral),
    ("magistral", Family::Mistral),
    ("devstral", Family::Mistral),
    ("codestral", Family::Mistral),
    ("pixtral", Family::Mistral),
    ("voxtral", Family::Mistral),
];

/// Regions that Bedrock puts before a maker:
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html>.
const REGIONS: [&str; 9] = ["us", "eu", "apac", "jp", "au", "ca", "us-gov", "global", "in"];

/// Makers as Bedrock names them before a model:
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html>.
const CLOUD_MAKERS: [&str; 15] = [
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "meta",
    "minimax",
    "mistral",
    "moonshot",
    "moonshotai",
    "nvidia",
    "openai",
    "qwen",
    "zai",
];

impl<'a> ModelName<'a> {
    /// Parses a name in lower case.
    pub fn read(whole: &'a str) -> Self {
        let (before, last) = whole.rsplit_once('/').map_or((None, whole), |(before, last)| (Some(before), last));
        let place = before.map_or(Place::Bare, place);
        // A fine-tuned model has the profile of its base model: `ft:gpt-4.1:our-team::id`.
        let last = last.strip_prefix("ft:").unwrap_or(last);
        let cut = last.char_indices().find(|(at, letter)| *at > 0 && matches!(letter, ':' | '@' | '['));
        let (name, tag) = last.split_at(cut.map_or(last.len(), |(at, _)| at));
        let tag = tag.get(1..).map(|tag| tag.trim_end_matches(']'));
        let (place, name) = match (place, cloud(name)) {
            (Place::Bare, Some((maker, name))) => (Place::Cloud(maker), name),
            _ => (place, name),
        };
        let (family, at) = family(name).unwrap_or_else(|| {
            let maker = before.or(if let Place::Cloud(maker) = place { Some(maker) } else { None });
            (maker.and_then(marked).map_or(Family::Other, |(family, _)| family), 0)
        });
        let version = version(family, name.get(at..).unwrap_or_default());
        ModelName { place, name, family, version, tag }
    }

    /// Whether the name contains any of these.
    pub fn has_any(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.name.contains(part))
    }
}

/// What surrounds the name, given what precedes it. A path is no maker, since relays only write one word.
fn place(before: &str) -> Place<'_> {
    match before.strip_prefix('~').unwrap_or(before) {
        "models" | "tunedmodels" => Place::Path,
        before if before.contains('/') => Place::Path,
        // OpenRouter's aliases: `~openai/gpt-sol-latest`.
        maker => Place::Relay(maker),
    }
}

/// The maker and the model in a cloud's name.
fn cloud(name: &str) -> Option<(&str, &str)> {
    let (first, rest) = name.split_once('.')?;
    let (maker, rest) = if REGIONS.contains(&first) { rest.split_once('.')? } else { (first, rest) };
    CLOUD_MAKERS.contains(&maker).then_some((maker, rest))
}

/// The family, and where the version may begin.
fn family(name: &str) -> Option<(Family, usize)> {
    if let Some(rest) = name.strip_prefix("gpt-") {
        // `gpt-image-1`, `gpt-realtime` and the like are no chat models.
        let is_line = ["sol", "terra", "luna", "astra"].iter().any(|line| rest.starts_with(line));
        if is_line || rest.starts_with(|first: char| first.is_ascii_digit()) {
            return Some((Family::Gpt, 4));
        }
    }
    if name.starts_with("chatgpt-") {
        return Some((Family::ChatGpt, 8));
    }
    let is_o = |series: &&str| name.strip_prefix(*series).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    if ["o1", "o3", "o4"].iter().any(is_o) {
        return Some((Family::O, 1));
    }
    marked(name)
}

fn marked(name: &str) -> Option<(Family, usize)> {
    let found = MARKS.iter().filter_map(|(mark, family)| Some((name.find(mark)?, mark.len(), *family)));
    found.min_by_key(|(at, _, _)| *at).map(|(at, length, family)| (family, at + length))
}

/// The version in the text that follows a family's name.
fn version(family: Family, rest: &str) -> Option<Version> {
    match family {
        Family::Claude => claude_version(rest),
        Family::Gpt => {
            let (major, minor) = leading_version(rest)?;
            // Azure allows no dot in a name: `gpt-35-turbo`.
            Some(if major >= 10 { (major / 10, major % 10) } else { (major, minor) })
        }
        // Open models only have sizes.
        Family::GptOss | Family::Other => None,
        _ => {
            let rest = rest.trim_start_matches(['-', '_', ' ']);
            leading_version(rest.trim_start_matches(|first: char| "vkmrzt".contains(first)))
                .or_else(|| rest.split(['-', '_']).find_map(|word| leading_version(word.strip_prefix('v')?)))
        }
    }
}

/// The version of a Claude, which may precede or follow its line: `3-7-sonnet`, `sonnet-4.5`. A date is no version.
fn claude_version(rest: &str) -> Option<Version> {
    let rest = rest.strip_prefix('v').unwrap_or(rest);
    let words = rest.split(['-', '.', '_']).filter(|word| word.len() <= 2);
    let mut numbers = words.filter_map(|word| word.parse().ok()).fuse();
    Some((numbers.next()?, numbers.next().unwrap_or(0)))
}

/// `2.5` or `2p5`, unless more digits follow, as in a date, or a unit, as in a size.
fn leading_version(text: &str) -> Option<Version> {
    let (major, rest) = number(text)?;
    let minor = rest.strip_prefix(['.', 'p']).and_then(number);
    let (minor, rest) = minor.unwrap_or((0, rest));
    (!rest.starts_with(['b', 'x'])).then_some((major, minor))
}

/// A number of one or two digits.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.len() > 2 { None } else { digits.parse().ok().map(|number| (number, rest)) }
}

#[cfg(test)]
mod tests;
