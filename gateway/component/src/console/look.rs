//! Language and theme, as a reader has chosen them: cookies that hold one word.

use gateway_console::form::way_back;
use gateway_console::frame::Theme;
use gateway_console::language::Language;
use gateway_core::refusal::Refusal;

use super::{Answer, Visit};

pub(super) const LANGUAGE: &str = "llmio_language";
pub(super) const THEME: &str = "llmio_theme";

/// A year.
const AGE_S: u32 = 31_536_000;

/// Keeps what was chosen, and leads back to the page.
pub(super) async fn change(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let form = visit.form().await?;
    let language = form.get("language").filter(|tag| Language::tagged(tag).is_some());
    let theme = form.get("theme").filter(|name| Theme::named(name).is_some());
    let chosen = [(LANGUAGE, language), (THEME, theme)];
    let cookies = chosen.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let cookies = cookies.map(|(name, value)| format!("{name}={value}; HttpOnly; SameSite=Strict; Max-Age={AGE_S}"));
    let back = way_back(form.get("back").unwrap_or_default());
    Ok(Answer::Elsewhere(back.to_owned(), cookies.collect()))
}
