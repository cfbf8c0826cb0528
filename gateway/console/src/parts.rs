//! What pages are made of: small pieces that write their own markup. Their types are the only ones that templates take as
//! markup; each is a template itself, which escapes what it shows, or writes nothing but words of this crate.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use gateway_core::catalog::ProviderLabel;
use gateway_core::state::State;

use crate::assets;
use crate::frame::Frame;
use crate::show::Clock;
use crate::words::states;

/// A drawing of `icons.svg`, for the eye only: words stand beside it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Icon {
    pub(crate) root: &'static str,
    pub(crate) name: &'static str,
}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Icon { root, name } = self;
        let hash = assets::HASH;
        write!(f, "<svg aria-hidden=\"true\"><use href=\"{root}assets/{hash}/icons.svg#{name}\"/></svg>")
    }
}

impl HtmlSafe for Icon {}

/// A moment, in words and for machines.
#[derive(Debug, Clone, Template)]
#[template(source = r#"<time datetime="{{ iso }}" title="{{ iso }}">{{ text }}</time>"#, ext = "html")]
pub(crate) struct Time {
    iso: String,
    text: String,
}

impl HtmlSafe for Time {}

impl Time {
    /// In its shortest form.
    pub(crate) fn short(clock: &Clock, at_ms: i64) -> Self {
        Time { iso: clock.iso(at_ms), text: clock.short(at_ms) }
    }

    /// To the millisecond.
    pub(crate) fn exact(clock: &Clock, at_ms: i64) -> Self {
        Time { iso: clock.iso(at_ms), text: clock.exact(at_ms) }
    }
}

/// A name that is cut in the middle where there is no room, since its end tells as much as its beginning.
#[derive(Debug, Clone, Template)]
#[template(
    source = r#"<span class="mid" title="{{ whole }}"><span>{{ first }}</span><span>{{ last }}</span></span>"#,
    ext = "html"
)]
pub(crate) struct Mid {
    whole: String,
    first: String,
    last: String,
}

impl HtmlSafe for Mid {}

/// How many characters at the end of a name are always shown.
const END_CHARACTERS: usize = 9;

impl Mid {
    pub(crate) fn of(text: &str) -> Self {
        let count = text.chars().count();
        let kept = if count > 2 * END_CHARACTERS { count - END_CHARACTERS } else { count };
        Mid {
            whole: text.to_owned(),
            first: text.chars().take(kept).collect(),
            last: text.chars().skip(kept).collect(),
        }
    }
}

/// A provider's two letters in its colour. Its name stands beside it, or [`Hops`] names it.
#[derive(Debug, Clone, Template)]
#[template(
    source = r#"<span class="mg {% if failed %}x{% else %}p{{ hue }}{% endif %}" title="{{ name }}" aria-hidden="true">{{ letters }}</span>"#,
    ext = "html"
)]
pub(crate) struct Monogram {
    name: String,
    letters: String,
    hue: u32,
    failed: bool,
}

impl HtmlSafe for Monogram {}

impl Monogram {
    pub(crate) fn hue(&self) -> u32 {
        self.hue
    }

    /// That of a provider: as it is labelled, else by its name.
    pub(crate) fn of(name: &str, label: Option<&ProviderLabel>, failed: bool) -> Self {
        let letters = label.and_then(|label| label.short.clone()).unwrap_or_else(|| letters(name));
        let hue = label.and_then(|label| label.hue).unwrap_or_else(|| hue(name));
        Monogram { name: name.to_owned(), letters, hue, failed }
    }
}

/// The first letters of a name's first two words, or the first letter and the next consonant of its only word.
fn letters(name: &str) -> String {
    let words = || name.split(|each: char| !each.is_alphanumeric()).filter_map(|word| word.chars().next());
    let mut word = name.chars().filter(|each| each.is_alphanumeric());
    let first = word.next();
    let second = words().nth(1).or_else(|| {
        let rest: Vec<char> = word.collect();
        let consonant = rest.iter().find(|each| !"aeiouAEIOU".contains(**each));
        consonant.or(rest.first()).copied()
    });
    first.into_iter().chain(second).flat_map(char::to_uppercase).take(2).collect()
}

/// One of eight hues, by the name alone, so that nothing else recolours it. FNV-1a.
fn hue(name: &str) -> u32 {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash % 8 + 1
}

/// Every provider that was tried, the last one being who answered where one did.
#[derive(Debug, Clone, Template)]
#[template(
    source = r#"<span class="hops">{% for mark in marks %}{{ mark }}{% endfor %}<span class="sr">{{ label }}</span></span>"#,
    ext = "html"
)]
pub(crate) struct Hops {
    marks: Vec<Monogram>,
    label: String,
}

impl HtmlSafe for Hops {}

impl Hops {
    /// Of providers, each with whether it failed.
    pub(crate) fn of(providers: &[(&str, bool)], frame: &Frame) -> Self {
        let words = frame.words();
        let label = providers.iter().map(|(name, failed)| match failed {
            true => words.failed_hop(name),
            false => (*name).to_owned(),
        });
        Hops {
            marks: providers.iter().map(|(name, failed)| frame.monogram(name, *failed)).collect(),
            label: label.collect(),
        }
    }
}

/// A state: its shape, its colour and its word.
#[derive(Debug, Clone, Template)]
#[template(source = r#"<span class="st st-{{ tone }}">{{ icon }}<span>{{ text }}</span></span>"#, ext = "html")]
pub(crate) struct Mark {
    tone: &'static str,
    icon: Icon,
    text: String,
}

impl HtmlSafe for Mark {}

impl Mark {
    /// A state with this look and word.
    pub(crate) fn of(tone: &'static str, icon: Icon, text: String) -> Self {
        Mark { tone, icon, text }
    }

    /// How a call ended. A state that this version does not know is shown by its name.
    pub(crate) fn of_call(state: &str, root: &'static str, words: states::Words) -> Self {
        let known = State::named(state);
        let (tone, name) = known.map_or(("off", "s-off"), look);
        let text = known.map_or_else(|| state.to_owned(), |state| word(state, words).to_owned());
        Mark { tone, icon: Icon { root, name }, text }
    }
}

/// Tone and shape of how a call ended.
fn look(state: State) -> (&'static str, &'static str) {
    match state {
        State::Running => ("busy", "s-run"),
        State::Ok => ("ok", "s-ok"),
        State::ClientClosed | State::ClientStalled => ("off", "s-left"),
        State::Drained | State::Interrupted => ("off", "s-off"),
        State::QuotaSpent => ("spent", "s-spent"),
        State::RateLimitedUpstream => ("wait", "s-cool"),
        State::NoTarget => ("bad", "s-open"),
        State::ClientError
        | State::UpstreamConnect
        | State::TlsError
        | State::FirstByteTimeout
        | State::IdleTimeout
        | State::TotalTimeout
        | State::UpstreamReset
        | State::UpstreamTruncated
        | State::UpstreamError
        | State::UpstreamAuth
        | State::Rejected
        | State::Untranslatable
        | State::GuestTrap => ("bad", "s-fail"),
    }
}

/// The word for how a call ended.
pub(crate) fn word(state: State, words: states::Words) -> &'static str {
    match state {
        State::Running => words.running(),
        State::Ok => words.ok(),
        State::ClientError => words.client_error(),
        State::ClientClosed => words.client_closed(),
        State::ClientStalled => words.client_stalled(),
        State::UpstreamConnect => words.upstream_connect(),
        State::TlsError => words.tls_error(),
        State::FirstByteTimeout => words.first_byte_timeout(),
        State::IdleTimeout => words.idle_timeout(),
        State::TotalTimeout => words.total_timeout(),
        State::UpstreamReset => words.upstream_reset(),
        State::UpstreamTruncated => words.upstream_truncated(),
        State::UpstreamError => words.upstream_error(),
        State::UpstreamAuth => words.upstream_auth(),
        State::RateLimitedUpstream => words.rate_limited_upstream(),
        State::NoTarget => words.no_target(),
        State::QuotaSpent => words.quota_spent(),
        State::Rejected => words.rejected(),
        State::Untranslatable => words.untranslatable(),
        State::GuestTrap => words.guest_trap(),
        State::Drained => words.drained(),
        State::Interrupted => words.interrupted(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Labels, Reader, Theme};
    use crate::language::Language;

    #[test]
    fn a_provider_has_two_letters_and_a_hue_by_its_name() {
        for (name, expected) in [
            ("gemini", "GM"),
            ("relay-x", "RX"),
            ("home", "HM"),
            ("open router", "OR"),
            ("a", "A"),
            ("中转 站", "中站"),
            ("", ""),
        ] {
            assert_eq!(letters(name), expected, "{name}");
        }
        assert!((0..200).map(|index| hue(&format!("p{index}"))).all(|hue| (1..=8).contains(&hue)));
    }

    #[test]
    fn a_label_takes_the_place_of_what_the_name_says() {
        let label = |short: Option<&str>, hue| ProviderLabel { short: short.map(str::to_owned), hue };
        let shown = |label: Option<&ProviderLabel>| Monogram::of("gemini", label, false).to_string();
        let by_name = shown(None);
        assert!(shown(Some(&label(Some("MS"), Some(3)))).contains("class=\"mg p3\"") && by_name.contains(">GM<"));
        assert_eq!(shown(Some(&label(Some("MS"), None))), by_name.replace(">GM<", ">MS<"));
        assert_eq!(shown(Some(&label(None, None))), by_name);
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let shown = Mid::of("Qwen/Qwen3-Coder-480B-A35B-Instruct").to_string();
        assert!(shown.ends_with("<span>-Instruct</span></span>"), "{shown}");
        assert!(Mid::of("模型").to_string().contains("<span>模型</span><span></span>"));
    }

    #[test]
    fn every_part_escapes_what_it_shows() {
        let evil = "<script>\"'&";
        let words = states::Words(Language::English);
        let clock = Clock { zone: jiff::tz::TimeZone::UTC, now_ms: 0, language: Language::English };
        let label = ProviderLabel { short: Some(evil.into()), hue: Some(3) };
        let frame = Frame {
            reader: Reader::Admin,
            language: Language::English,
            theme: Theme::Browser,
            here: String::new(),
            clock: clock.clone(),
            labels: Labels::of([(evil, &label)].into_iter()),
        };
        for shown in [
            Mid::of(evil).to_string(),
            Monogram::of(evil, Some(&label), true).to_string(),
            Hops::of(&[(evil, true), (evil, false)], &frame).to_string(),
            Mark::of_call(evil, "", words).to_string(),
            Time::short(&clock, 0).to_string(),
        ] {
            assert!(!shown.contains("<script") && !shown.contains("\"'"), "{shown}");
        }
    }
}
