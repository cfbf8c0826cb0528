//! The language of texts for people: Chinese or English, as the environment says. Two languages need no translation
//! files; both texts are written where they are used.

/// A language llmio speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// English, unless Chinese is asked for.
    English,
    /// Chinese, if the locale starts with `zh`.
    Chinese,
}

impl Language {
    /// The text in this language.
    pub(crate) fn pick<T>(self, english: T, chinese: T) -> T {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}

/// The language of this process's environment.
pub(crate) fn of_process() -> Language {
    of(|name| std::env::var(name).ok())
}

/// POSIX's order: the first of the three that is set and not empty decides.
fn of(environment: impl Fn(&str) -> Option<String>) -> Language {
    let set = |name| environment(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
    if locale.is_some_and(|locale| locale.starts_with("zh")) { Language::Chinese } else { Language::English }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(variables: &[(&str, &str)]) -> Language {
        of(|variable| variables.iter().find(|(name, _)| *name == variable).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_first_locale_variable_that_is_not_empty_decides() {
        assert_eq!(language(&[]), Language::English);
        assert_eq!(language(&[("LANG", "zh_CN.UTF-8")]), Language::Chinese);
        assert_eq!(language(&[("LC_ALL", ""), ("LANG", "zh_TW")]), Language::Chinese);
        assert_eq!(language(&[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")]), Language::English);
        assert_eq!(language(&[("LC_MESSAGES", "zh_CN"), ("LANG", "en_US.UTF-8")]), Language::Chinese);
    }
}
