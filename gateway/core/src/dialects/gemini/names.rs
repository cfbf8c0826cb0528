//! What the names of Google's models tell. Models differ in what they accept, and nothing else says so.

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// It does not think and refuses to be told: everything before Gemini 2.5.
    Never,
    /// By a budget of tokens: Gemini 2.5.
    Budget {
        /// The smallest budget; 0 where thinking can be switched off.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// By a level: Gemini 3 and later, and every name that does not say.
    Level {
        /// The model is a small one, which alone knows `minimal`.
        flash: bool,
        /// It knows nothing between `low` and `high`.
        two_only: bool,
    },
}

/// Whether the model takes `responseMimeType: application/json` beside functions. Those before Gemini 3 answer 400
/// `Function calling with a response mime type: 'application/json' is unsupported`.
/// <https://ai.google.dev/gemini-api/docs/structured-output#structured_outputs_with_tools>
pub(crate) fn takes_format_beside_tools(model: &str) -> bool {
    version(model).is_none_or(|version| version >= (3, 0))
}

/// Whether the model takes penalties: later ones answer 400 `Penalty is not enabled for this model`.
/// <https://github.com/BerriAI/litellm/pull/32273>
pub(crate) fn takes_penalties(model: &str) -> bool {
    version(model).is_some_and(|version| version < (2, 5))
}

/// <https://ai.google.dev/gemini-api/docs/thinking>
pub(crate) fn thinking(model: &str) -> Thinking {
    let version = version(model);
    let flash = model.contains("flash");
    match version {
        Some(version) if version < (2, 5) => Thinking::Never,
        Some((2, _)) if flash => {
            // Flash-Lite thinks only when told to, with 512 tokens at least.
            Thinking::Budget { least: 0, most: 24_576 }
        }
        Some((2, _)) => Thinking::Budget { least: 128, most: 32_768 },
        Some((3, 0)) => Thinking::Level { flash, two_only: !flash },
        _ => Thinking::Level { flash, two_only: false },
    }
}

/// Whether the model refuses a conversation whose calls are not sealed.
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>
pub(crate) fn wants_seals(model: &str) -> bool {
    matches!(thinking(model), Thinking::Level { .. })
}

/// The numbers in `gemini-2.5-pro`.
fn version(model: &str) -> Option<(u32, u32)> {
    if model.contains("gemma") || model.contains("learnlm") {
        return Some((1, 0));
    }
    let (_, rest) = model.split_once("gemini-")?;
    let number = rest.split(|letter: char| letter != '.' && !letter.is_ascii_digit()).next()?;
    let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_told_to_think_in_the_way_of_its_generation() {
        assert_eq!(thinking("gemini-2.0-flash"), Thinking::Never);
        assert_eq!(thinking("gemma-3-27b-it"), Thinking::Never);
        assert_eq!(thinking("models/gemini-2.5-flash-lite"), Thinking::Budget { least: 0, most: 24_576 });
        assert_eq!(thinking("google/gemini-2.5-pro-preview"), Thinking::Budget { least: 128, most: 32_768 });
        assert_eq!(thinking("gemini-3-pro-preview"), Thinking::Level { flash: false, two_only: true });
        assert_eq!(thinking("gemini-3.1-pro-preview"), Thinking::Level { flash: false, two_only: false });
    }

    #[test]
    fn a_model_takes_what_its_generation_does() {
        for (name, format_beside_tools, penalties) in [
            ("gemini-2.0-flash", false, true),
            ("models/gemini-2.5-pro", false, false),
            ("gemini-3-pro-preview", true, false),
        ] {
            assert_eq!(takes_format_beside_tools(name), format_beside_tools, "{name}");
            assert_eq!(takes_penalties(name), penalties, "{name}");
        }
    }

    #[test]
    fn a_name_that_does_not_say_is_of_the_newest_generation() {
        for name in ["gemini-flash-latest", "gemini-pro-latest", "our-gemini", "gemini-", "gemini-99999999999.1"] {
            assert!(takes_format_beside_tools(name) && !takes_penalties(name), "{name}");
            assert!(matches!(thinking(name), Thinking::Level { two_only: false, .. }), "{name}");
        }
    }
}
