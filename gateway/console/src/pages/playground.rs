//! The playground: a model to talk to, by a call like any other.

use askama::Template;
use gateway_core::dialect::Dialect;
use gateway_core::refusal::Refusal;
use gateway_core::trial::Conversation;

use crate::frame::Frame;
use crate::query::Query;
use crate::routes::Page;
use crate::words::playground::Words;

/// The form that a call is made of.
#[derive(Debug, Template)]
#[template(path = "playground.html")]
pub struct PlaygroundPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    /// The models that the reader may use, and for each whether it is the chosen one.
    models: Vec<(&'a str, bool)>,
    /// The keys that the admin may call as.
    keys: &'a [&'a str],
    dialects: [(&'static str, &'static str); 4],
}

impl<'a> PlaygroundPage<'a> {
    /// The page for a reader who may use these models, of which one may be `chosen`, and may call as these keys.
    pub fn of(frame: &'a Frame, models: &'a [String], keys: &'a [&'a str], chosen: Option<&str>) -> Self {
        PlaygroundPage {
            frame,
            here: Some(Page::Playground),
            words: Words(frame.language),
            models: models.iter().map(|model| (model.as_str(), Some(model.as_str()) == chosen)).collect(),
            keys,
            dialects: Dialect::ALL.map(|dialect| (dialect.name(), title(dialect))),
        }
    }
}

/// What people call it, in every language.
fn title(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat => "OpenAI Chat",
        Dialect::OpenaiResponses => "OpenAI Responses",
        Dialect::Anthropic => "Anthropic",
        Dialect::Gemini => "Gemini",
    }
}

/// What the form asks for.
#[derive(Debug)]
pub struct PlaygroundRequest<'f> {
    /// The key to call as. `None`: as who has signed in.
    pub key: Option<&'f str>,
    /// The dialect of the call.
    pub dialect: Dialect,
    /// What is said.
    pub conversation: Conversation<'f>,
}

/// Reads the form.
pub fn playground_request(form: &Query) -> Result<PlaygroundRequest<'_>, Refusal> {
    let missing = |name: &'static str| Refusal::bad_request(format!("The form has no `{name}`.")).about(name);
    let dialect = match form.get("dialect") {
        None => Dialect::OpenaiChat,
        Some(name) => Dialect::named(name)
            .ok_or_else(|| Refusal::bad_request(format!("There is no dialect {name:?}.")).about("dialect"))?,
    };
    let model = form.get("model").ok_or_else(|| missing("model"))?;
    let turns = form.all("turn");
    if turns.len().is_multiple_of(2) {
        return Err(missing("turn"));
    }
    let conversation = Conversation {
        model,
        system: form.get("system"),
        turns,
        streamed: form.get("streamed").is_some(),
        temperature: number(form, "temperature", 0.0, 2.0)?,
        tokens_max: whole(form, "tokens")?,
    };
    Ok(PlaygroundRequest { key: form.get("key"), dialect, conversation })
}

fn number(form: &Query, name: &'static str, least: f64, most: f64) -> Result<Option<f64>, Refusal> {
    let Some(text) = form.get(name) else { return Ok(None) };
    let number = text.parse::<f64>().ok().filter(|number| (least..=most).contains(number));
    let refusal = || Refusal::bad_request(format!("`{name}` is a number from {least} to {most}.")).about(name);
    number.map(Some).ok_or_else(refusal)
}

fn whole(form: &Query, name: &'static str) -> Result<Option<u64>, Refusal> {
    let Some(text) = form.get(name) else { return Ok(None) };
    let number = text.parse::<u64>().ok().filter(|number| *number > 0);
    number.map(Some).ok_or_else(|| Refusal::bad_request(format!("`{name}` is a whole number from 1 on.")).about(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Query {
        Query::parse(text).expect("UTF-8")
    }

    #[test]
    fn a_form_becomes_the_conversation_it_shows() {
        let sent =
            form("model=m&key=k&dialect=gemini&system=s&turn=a&turn=b&turn=c&temperature=0.5&tokens=9&streamed=yes");
        let PlaygroundRequest { key, dialect, conversation } = playground_request(&sent).expect("a whole form");
        assert_eq!((key, dialect, conversation.model), (Some("k"), Dialect::Gemini, "m"));
        assert_eq!(conversation.turns, ["a", "b", "c"]);
        assert_eq!((conversation.system, conversation.streamed), (Some("s"), true));
        assert_eq!((conversation.temperature, conversation.tokens_max), (Some(0.5), Some(9)));
        let least = form("model=m&turn=a");
        let PlaygroundRequest { key, dialect, conversation } = playground_request(&least).expect("all it takes");
        assert_eq!((key, dialect, conversation.streamed), (None, Dialect::OpenaiChat, false));
    }

    #[test]
    fn what_is_missing_or_wrong_in_a_form_is_named() {
        for (text, field) in [
            ("turn=a", "model"),
            ("model=m", "turn"),
            ("model=m&turn=a&turn=b", "turn"),
            ("model=m&turn=a&dialect=morse", "dialect"),
            ("model=m&turn=a&temperature=hot", "temperature"),
            ("model=m&turn=a&temperature=NaN", "temperature"),
            ("model=m&turn=a&temperature=3", "temperature"),
            ("model=m&turn=a&tokens=0", "tokens"),
            ("model=m&turn=a&tokens=1.5", "tokens"),
        ] {
            let refusal = playground_request(&form(text)).expect_err(text);
            assert!(
                refusal.message.contains(&format!("`{field}`")) || refusal.message.contains(field),
                "{text}: {refusal:?}"
            );
            assert_eq!(refusal.status, 400, "{text}");
        }
    }
}
