//! The languages of the console, and which one a reader gets.

/// A language in which every word of the console is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// What who names neither gets.
    English,
    /// As it is written in mainland China.
    Chinese,
}

impl Language {
    /// The language of this tag, as a cookie or a form names it.
    pub fn tagged(tag: &str) -> Option<Self> {
        match tag {
            "en" => Some(Self::English),
            "zh" => Some(Self::Chinese),
            _ => None,
        }
    }

    /// The one that a browser likes best, by its `Accept-Language` (RFC 9110, section 12.5.4).
    pub fn accepted(header: &str) -> Self {
        let weighed = header.split(',').filter_map(|range| {
            let (range, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let weight: f32 = weight.trim().strip_prefix("q=")?.parse().ok()?;
            let primary = range.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
            Some((Self::tagged(&primary)?, weight)).filter(|(_, weight)| *weight > 0.0)
        });
        // Of two languages with the same weight the first one counts.
        weighed.fold((Self::English, 0.0), |best, next| if next.1 > best.1 { next } else { best }).0
    }

    /// What cookies and forms call it.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// What `lang` says of a page.
    pub(crate) fn html(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// The other one, which the switch leads to.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }

    /// Its own name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "中文",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gets_the_language_that_the_browser_likes_best() {
        for (header, language) in [
            ("", Language::English),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en-GB,en;q=0.9,zh;q=0.8", Language::English),
            ("de-DE, zh-TW;q=0.5", Language::Chinese),
            ("fr;q=1, en;q=0.2, zh;q=0.4", Language::Chinese),
            ("zh;q=0, en;q=0.1", Language::English),
            ("zh;q=x", Language::English),
            ("ZH", Language::Chinese),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }
}
