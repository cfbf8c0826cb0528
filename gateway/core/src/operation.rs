//! What a balanced call asks a provider to do.

use crate::dialect::Dialect;

/// What a balanced call asks a provider to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// A conversation of Responses made shorter by its provider: <https://platform.openai.com/docs/guides/compaction>.
    Compact,
    /// How many tokens a Responses request has.
    InputTokens,
    /// Anthropic Messages.
    Messages,
    /// Gemini, answered as a whole.
    Generate,
    /// Gemini, answered as a stream.
    StreamGenerate,
    /// Legacy text completions.
    Completions,
    /// OpenAI embeddings.
    Embeddings,
    /// Images from words.
    Images,
    /// Images from images.
    ImageEdits,
    /// Speech from text.
    Speech,
    /// Text from speech.
    Transcriptions,
    /// English text from speech.
    Translations,
    /// Whether a text is harmful.
    Moderations,
    /// Documents by relevance, as Cohere and Jina made it and many relays serve it.
    Rerank,
    /// How many tokens an Anthropic request has.
    CountTokens,
    /// How many tokens a Gemini request has.
    GeminiCountTokens,
    /// A Gemini embedding.
    EmbedContent,
    /// Several Gemini embeddings.
    BatchEmbedContents,
}

impl Operation {
    /// Every operation, in the order the documentation lists them.
    pub const ALL: [Operation; 20] = [
        Self::Chat,
        Self::Responses,
        Self::Compact,
        Self::InputTokens,
        Self::Messages,
        Self::Generate,
        Self::StreamGenerate,
        Self::Completions,
        Self::Embeddings,
        Self::Images,
        Self::ImageEdits,
        Self::Speech,
        Self::Transcriptions,
        Self::Translations,
        Self::Moderations,
        Self::Rerank,
        Self::CountTokens,
        Self::GeminiCountTokens,
        Self::EmbedContent,
        Self::BatchEmbedContents,
    ];

    /// What records call it: its path without the slash, or what stands behind Gemini's colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat/completions",
            Self::Responses => "responses",
            Self::Compact => "responses/compact",
            Self::InputTokens => "responses/input_tokens",
            Self::Messages => "messages",
            Self::Generate => "generateContent",
            Self::StreamGenerate => "streamGenerateContent",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Images => "images/generations",
            Self::ImageEdits => "images/edits",
            Self::Speech => "audio/speech",
            Self::Transcriptions => "audio/transcriptions",
            Self::Translations => "audio/translations",
            Self::Moderations => "moderations",
            Self::Rerank => "rerank",
            Self::CountTokens => "messages/count_tokens",
            Self::GeminiCountTokens => "countTokens",
            Self::EmbedContent => "embedContent",
            Self::BatchEmbedContents => "batchEmbedContents",
        }
    }

    /// The dialect it belongs to.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Responses | Self::Compact | Self::InputTokens => Dialect::OpenaiResponses,
            Self::Messages | Self::CountTokens => Dialect::Anthropic,
            Self::Generate
            | Self::StreamGenerate
            | Self::GeminiCountTokens
            | Self::EmbedContent
            | Self::BatchEmbedContents => Dialect::Gemini,
            Self::Chat
            | Self::Completions
            | Self::Embeddings
            | Self::Images
            | Self::ImageEdits
            | Self::Speech
            | Self::Transcriptions
            | Self::Translations
            | Self::Moderations
            | Self::Rerank => Dialect::OpenaiChat,
        }
    }

    /// Whether it is a conversation, which every dialect has, so that it can be translated.
    pub fn is_chat(self) -> bool {
        matches!(self, Self::Chat | Self::Responses | Self::Messages | Self::Generate | Self::StreamGenerate)
    }

    /// Whether its request holds a conversation, and with it reasoning that models sealed.
    pub fn holds_conversation(self) -> bool {
        self.is_chat() || self.counts_tokens() || self == Self::Compact
    }

    /// Whether its answer may hold what only the model and the account that made it can read: sealed reasoning, or a
    /// conversation made shorter.
    pub fn is_answered_sealed(self) -> bool {
        self.is_chat() || self == Self::Compact
    }

    /// A conversation in this dialect.
    pub(crate) fn chat_in(dialect: Dialect, streamed: bool) -> Self {
        match dialect {
            Dialect::OpenaiChat => Self::Chat,
            Dialect::OpenaiResponses => Self::Responses,
            Dialect::Anthropic => Self::Messages,
            Dialect::Gemini if streamed => Self::StreamGenerate,
            Dialect::Gemini => Self::Generate,
        }
    }

    /// Whether it makes or hears something that is not words, and is paid by its pieces.
    pub fn is_of_pieces(self) -> bool {
        matches!(self, Self::Images | Self::ImageEdits | Self::Speech | Self::Transcriptions | Self::Translations)
    }

    /// Whether it only asks how many tokens a conversation has, which can be estimated.
    pub fn counts_tokens(self) -> bool {
        matches!(self, Self::InputTokens | Self::CountTokens | Self::GeminiCountTokens)
    }

    /// The path behind a provider's base URL. `model` is the provider's name for it, percent-encoded.
    pub fn path(self, model: &str) -> String {
        match self.dialect() {
            Dialect::Gemini => format!("/models/{model}:{}", self.name()),
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Anthropic => format!("/{}", self.name()),
        }
    }
}
