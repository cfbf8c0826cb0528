//! The dialects: the name of each API, and what must be known about it before anything is read or written.

/// An API dialect. Its name is the same word in the catalog, in records and in code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI chat completions and the endpoints beside them.
    OpenaiChat,
    /// OpenAI Responses.
    OpenaiResponses,
    /// Anthropic Messages.
    Anthropic,
    /// Google Gemini.
    Gemini,
}

/// How a credential is sent to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// `authorization: Bearer …`
    Bearer,
    /// `x-api-key: …`
    XApiKey,
    /// `api-key: …` (Azure)
    ApiKey,
    /// `x-goog-api-key: …`
    XGoogApiKey,
    /// `?key=…`
    Query,
}

impl Dialect {
    /// Every dialect, in the order the documentation lists them.
    pub const ALL: [Dialect; 4] = [Self::OpenaiChat, Self::OpenaiResponses, Self::Anthropic, Self::Gemini];

    /// The dialect's name in catalogs and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai-chat",
            Self::OpenaiResponses => "openai-responses",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// The dialect of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// How a credential is sent if a catalog does not say.
    pub fn auth(self) -> Auth {
        match self {
            Self::OpenaiChat | Self::OpenaiResponses => Auth::Bearer,
            Self::Anthropic => Auth::XApiKey,
            Self::Gemini => Auth::XGoogApiKey,
        }
    }

    /// The version that is added to a base URL without one. OpenAI's base URLs are used as they are given, since relays
    /// of that API put their versions anywhere.
    pub(crate) fn version(self) -> Option<&'static str> {
        match self {
            Self::OpenaiChat | Self::OpenaiResponses => None,
            Self::Anthropic => Some("/v1"),
            Self::Gemini => Some("/v1beta"),
        }
    }

    /// The other dialects, beginning with the one that can express most of a conversation of this one.
    pub(crate) fn nearest(self) -> &'static [Dialect] {
        match self {
            Self::OpenaiChat => &[Self::OpenaiResponses, Self::Anthropic, Self::Gemini],
            Self::OpenaiResponses => &[Self::OpenaiChat, Self::Anthropic, Self::Gemini],
            Self::Anthropic => &[Self::OpenaiChat, Self::OpenaiResponses, Self::Gemini],
            Self::Gemini => &[Self::OpenaiChat, Self::OpenaiResponses, Self::Anthropic],
        }
    }

    /// Whether errors of this dialect look like those of the other.
    pub(crate) fn error_is_like(self, other: Dialect) -> bool {
        let is_openai = |dialect: Dialect| matches!(dialect, Self::OpenaiChat | Self::OpenaiResponses);
        self == other || (is_openai(self) && is_openai(other))
    }
}
