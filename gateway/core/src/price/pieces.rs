//! Prices of what is not paid by tokens: images, speech and recordings.
//!
//! They have a table of their own, because answers to such calls mostly report no tokens: a budget that counted the few
//! tokens of the request would let thousands of images pass for a cent.

use crate::providers;

/// What a call makes or hears, if it is not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pieces {
    /// Nothing: the call is paid by its tokens.
    #[default]
    None,
    /// Images.
    Images {
        /// How many.
        count: u64,
        /// Width times height of each. `None`: the model chooses.
        pixels: Option<u64>,
        /// Their quality.
        quality: Quality,
    },
    /// Speech, by the characters of its text.
    Characters(u64),
    /// A recording, by its milliseconds.
    AudioMs(u64),
}

/// The quality of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quality {
    /// The model chooses.
    #[default]
    Unsaid,
    /// `low`
    Low,
    /// `medium`, `standard`
    Medium,
    /// `high`, `hd`
    High,
}

/// Nano-dollars of one piece.
enum Rate {
    /// Of an image: plain, larger than a square of 1,024, fine, and both.
    Image([u64; 4]),
    Character(u64),
    Second(u64),
}

const SQUARE_PIXELS: u64 = 1024 * 1024;

/// The shortest recording that is paid for: <https://console.groq.com/docs/speech-to-text>.
const AUDIO_MS_MIN: u64 = 10_000;

/// Rows by the provider's name in the table of prices and the model's own name. OpenAI:
/// <https://platform.openai.com/docs/pricing> (2026-11); Groq: <https://groq.com/pricing>; xAI:
/// <https://docs.x.ai/docs/models>.
const ROWS: [(&str, &str, Rate); 10] = [
    ("openai", "dall-e-3", Rate::Image([40_000_000, 80_000_000, 80_000_000, 120_000_000])),
    ("openai", "dall-e-2", Rate::Image([20_000_000; 4])),
    ("openai", "tts-1", Rate::Character(15_000)),
    ("openai", "tts-1-1106", Rate::Character(15_000)),
    ("openai", "tts-1-hd", Rate::Character(30_000)),
    ("openai", "tts-1-hd-1106", Rate::Character(30_000)),
    ("openai", "whisper-1", Rate::Second(100_000)),
    ("groq", "whisper-large-v3", Rate::Second(30_834)),
    ("groq", "whisper-large-v3-turbo", Rate::Second(11_112)),
    ("x-ai", "grok-2-image", Rate::Image([70_000_000; 4])),
];

/// The cost of the pieces of a call, in nano-dollars. `None`: unknown, which does not mean free.
pub(super) fn cost(authority: Option<&str>, provider: &str, model: &str, pieces: Pieces) -> Option<u64> {
    if pieces == Pieces::None {
        return None;
    }
    let id = providers::price_list(authority, provider);
    let is_named = |name: &str| name.eq_ignore_ascii_case(model);
    let (.., rate) = ROWS.iter().find(|(provider, name, _)| *provider == id && is_named(name))?;
    match (rate, pieces) {
        (Rate::Image(each), Pieces::Images { count, pixels, quality }) => {
            let is_large = usize::from(pixels.is_some_and(|pixels| pixels > SQUARE_PIXELS));
            let is_fine = usize::from(quality == Quality::High);
            Some(each.get(is_large + 2 * is_fine)?.saturating_mul(count))
        }
        (Rate::Character(each), Pieces::Characters(count)) => Some(each.saturating_mul(count)),
        (Rate::Second(each), Pieces::AudioMs(ms)) => Some(each.saturating_mul(ms.max(AUDIO_MS_MIN)) / 1000),
        _ => None,
    }
}

impl Pieces {
    /// The most output tokens that these pieces may take, where a model is paid by tokens. An image of gpt-image-1
    /// takes up to 6,240, and fewer at a lower quality
    /// (<https://platform.openai.com/docs/guides/image-generation#cost-and-latency>); speech two for a character, a
    /// text five for a second that is heard.
    pub fn tokens_made(self) -> u64 {
        match self {
            Pieces::None => 0,
            Pieces::Images { count, quality, .. } => count.saturating_mul(match quality {
                Quality::Low => 408,
                Quality::Medium => 1_584,
                Quality::High | Quality::Unsaid => 6_240,
            }),
            Pieces::Characters(count) => count.saturating_mul(2),
            Pieces::AudioMs(ms) => ms.saturating_mul(5) / 1000 + 1,
        }
    }

    /// The input tokens of a recording: a thousand for a minute (<https://platform.openai.com/docs/pricing>, transcription).
    pub fn tokens_heard(self) -> u64 {
        match self {
            Pieces::AudioMs(ms) => ms.saturating_mul(17) / 1000 + 1,
            Pieces::None | Pieces::Images { .. } | Pieces::Characters(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USD: u64 = 1_000_000_000;

    fn images(count: u64, pixels: Option<u64>, quality: Quality) -> Pieces {
        Pieces::Images { count, pixels, quality }
    }

    #[test]
    fn a_piece_costs_what_its_provider_publishes_and_else_is_not_known() {
        let of = |provider: &str, model: &str, pieces: Pieces| cost(None, provider, model, pieces);
        let wide = Some(1792 * 1024);
        for (pieces, nano) in [
            (images(1, None, Quality::Unsaid), USD / 25),
            (images(1, wide, Quality::Medium), USD * 8 / 100),
            (images(1, Some(SQUARE_PIXELS), Quality::High), USD * 8 / 100),
            (images(2, wide, Quality::High), USD * 24 / 100),
        ] {
            assert_eq!(of("openai", "dall-e-3", pieces), Some(nano), "{pieces:?}");
        }
        assert_eq!(of("openai", "TTS-1", Pieces::Characters(1_000_000)), Some(15 * USD));
        assert_eq!(of("openai", "whisper-1", Pieces::AudioMs(60_000)), Some(USD * 6 / 1000));
        assert_eq!(of("openai", "whisper-1", Pieces::AudioMs(1)), Some(USD / 1000), "ten seconds are the least");
        for (provider, model, pieces) in [
            ("relay", "dall-e-3", images(1, None, Quality::Unsaid)),
            ("openai", "gpt-image-1", images(1, None, Quality::Unsaid)),
            ("openai", "dall-e-3", Pieces::None),
            ("openai", "dall-e-3", Pieces::Characters(1)),
        ] {
            assert_eq!(of(provider, model, pieces), None, "{provider}/{model} {pieces:?}");
        }
        let official = cost(Some("api.openai.com"), "x", "dall-e-2", images(1, None, Quality::Unsaid));
        assert_eq!(official, Some(USD / 50));
    }
}
