//! Adding a provider: which one, with which keys, and what became of checking them. The check is shown as it goes on: its page
//! is sent in three pieces, of which the second comes once for each key.

use askama::Template;
use gateway_core::catalog::presets;
use gateway_core::views::{CheckDoneView, CredentialCheckView};
use serde_json::{Map, Value, json};

use crate::edit::{Banner, Editing, Form, Kind};
use crate::frame::Frame;
use crate::parts::Mark;
use crate::query::Query;
use crate::routes::Page;
use crate::show;
use crate::words::add_provider::Words;

/// Marks the place in a page where the rows go that come later.
const HERE: &str = "<!-- here -->";

/// The form that asks for a provider and its keys.
#[derive(Debug, Template)]
#[template(path = "add_provider.html")]
pub struct AddProviderPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    words: Words,
    banner: Option<Banner>,
    title: String,
    form: Form,
}

impl<'a> AddProviderPage<'a> {
    /// The form, or with `to` the one for more credentials of this provider.
    pub fn of(frame: &'a Frame, editing: &Editing<'_>, to: Option<&str>, query: &Query) -> Self {
        let words = Words(frame.language);
        let title = to.map_or_else(|| words.title().to_owned(), |name| words.title_more(name));
        let form = form(frame, editing, to, query);
        AddProviderPage { frame, here: Some(Page::Providers), words, banner: Banner::of(frame, editing), title, form }
    }
}

fn form(frame: &Frame, editing: &Editing<'_>, to: Option<&str>, query: &Query) -> Form {
    let words = Words(frame.language);
    let mut form = Form::new(frame, editing, "add-provider", "add-provider");
    let entered = |name: &str| query.get(name).unwrap_or_default().to_owned();
    match to {
        Some(name) => form = form.with("to", name),
        None => {
            let other = (String::new(), words.other().to_owned());
            let known = presets().map(|name| (name.to_owned(), name.to_owned()));
            form = form
                .field("preset", words.preset(), Kind::Choice(known.chain([other]).collect()), entered("preset"))
                .field("base_url", words.base_url(), Kind::Text(Vec::new()), entered("base_url"))
                .hint(words.base_url_hint())
                .field("local", words.local(), Kind::Box, entered("local"))
                .field("name", words.name(), Kind::Text(Vec::new()), entered("name"))
                .hint(words.name_hint());
        }
    }
    form.field("credentials", words.keys(), Kind::Lines, entered("credentials"))
        .hint(words.keys_hint())
        .button("check", words.check())
        .button("save", words.save_unchecked())
        .whole()
}

/// What was entered.
#[derive(Debug)]
pub struct Entered {
    /// The saved provider that gets more credentials.
    pub to: Option<String>,
    /// The provider as the catalog writes it, without credentials.
    pub entry: Map<String, Value>,
    /// The credentials as the catalog writes them.
    pub credentials: Vec<Value>,
}

impl Entered {
    /// Reads the form; `None`: it names no provider.
    pub fn read(form: &Query) -> Option<Self> {
        let to = form.get("to").map(str::to_owned);
        let preset = form.get("preset");
        let members = [
            ("name", form.get("name").map(Value::from)),
            ("preset", preset.map(Value::from)),
            ("base_url", form.get("base_url").filter(|_| preset.is_none()).map(Value::from)),
            ("local", form.get("local").map(|_| json!(true))),
        ];
        let mut entry: Map<String, Value> =
            members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        if to.is_none() && preset.is_none() && form.get("base_url").is_none() {
            return None;
        }
        if preset.is_none() && to.is_none() && !entry.contains_key("name") {
            let name = form.get("base_url").map(named_after).unwrap_or_default();
            entry.insert("name".to_owned(), name.into());
        }
        let lines = form.get("credentials").unwrap_or_default().lines().map(str::trim);
        let credentials = lines.filter(|line| !line.is_empty()).map(Value::from).collect();
        Some(Entered { to, entry, credentials })
    }
}

fn named_after(base_url: &str) -> String {
    let draft = gateway_core::catalog::Draft { provider: base_url, credential: None, model: None };
    draft.provider_name().to_owned()
}

/// A check that goes on: the page around what comes later.
#[derive(Debug, Template)]
#[template(path = "checking.html")]
struct CheckingPage<'a> {
    frame: &'a Frame,
    here: Option<Page>,
    title: &'static str,
    says: String,
}

/// One key that was tried.
#[derive(Debug, Template)]
#[template(
    source = r#"<li><span>{{ name }}</span><span>{{ mark }}</span><span class="soft" lang="en">{{ message }}</span></li>"#,
    ext = "html"
)]
struct CheckRow {
    name: String,
    mark: Mark,
    message: String,
}

/// What is offered when all were tried.
#[derive(Debug, Template)]
#[template(path = "checked.html")]
struct Checked {
    words: Words,
    says: String,
    form: Option<Form>,
    again: String,
}

/// The page of a check in pieces.
#[derive(Debug)]
pub struct CheckPieces {
    /// What comes first.
    pub first: String,
    /// What comes last.
    pub last: String,
}

impl CheckPieces {
    /// The page around a check of so many keys at this address.
    pub fn of(frame: &Frame, count: usize, address: &str) -> Self {
        let words = Words(frame.language);
        let says = words.checking(count, address);
        let page = CheckingPage { frame, here: Some(Page::Providers), title: words.title(), says };
        let page = super::html(&page);
        let (first, last) = page.split_once(HERE).unwrap_or((&page, ""));
        CheckPieces { first: first.to_owned(), last: last.to_owned() }
    }

    /// What is shown of one key.
    pub fn row(frame: &Frame, check: &CredentialCheckView) -> String {
        let words = Words(frame.language);
        let span = show::span(i64::try_from(check.latency_ms).unwrap_or(i64::MAX));
        let (tone, icon, text) = match (check.works, check.may_work(), check.status) {
            (true, _, _) => ("ok", "s-ok", words.works(check.models, span)),
            (false, true, _) => ("wait", "s-warn", words.not_proven(check.models)),
            (false, false, Some(status)) => ("bad", "s-fail", words.refused_with(status)),
            (false, false, None) => ("bad", "s-fail", words.fails().to_owned()),
        };
        super::html(&CheckRow {
            name: words.number(check.index + 1),
            mark: Mark::of(tone, frame.icon(icon), text),
            message: check.message.clone().unwrap_or_default(),
        })
    }

    /// The rest of the page: the form that saves those of the `entered` keys that may work.
    pub fn end(frame: &Frame, etag: &str, entered: &Query, good: &[usize], done: &CheckDoneView) -> String {
        let words = Words(frame.language);
        let lines: Vec<&str> = entered.get("credentials").unwrap_or_default().lines().map(str::trim).collect();
        let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        let kept: Vec<&str> =
            lines.iter().enumerate().filter(|(at, _)| good.contains(at)).map(|(_, line)| *line).collect();
        let editing = Editing { etag, ..Editing::default() };
        let form = (!kept.is_empty()).then(|| {
            let mut form = Form::new(frame, &editing, "add-provider", "add-provider");
            for name in ["to", "preset", "base_url", "local", "name"] {
                if let Some(value) = entered.get(name) {
                    form = form.with(name, value);
                }
            }
            let form = form.field("credentials", words.to_save(), Kind::Lines, kept.join("\n"));
            form.button("save", words.save()).whole()
        });
        let says = match form {
            Some(_) => words.done(kept.len(), done.fails),
            None => words.none_good().to_owned(),
        };
        let again = entered.without(&["credentials", "form", "base", "do"]).link(&frame.link("add-provider"));
        super::html(&Checked { words, says, form, again })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_entered_is_a_provider_and_its_keys() {
        let read = |text: &str| Entered::read(&crate::form::fields(text.as_bytes()).expect("a form"));
        let preset = read("preset=groq&base_url=x&credentials=a%0D%0A%0D%0A+b+%0D%0A").expect("a provider");
        assert_eq!(Value::Object(preset.entry), json!({ "preset": "groq" }));
        assert_eq!(preset.credentials, [json!("a"), json!("b")]);
        let other = read("base_url=https%3A%2F%2Fapi.relay.example%2Fv1&local=yes").expect("a provider");
        let expected = json!({ "base_url": "https://api.relay.example/v1", "local": true, "name": "relay" });
        assert_eq!(Value::Object(other.entry), expected);
        assert_eq!(read("to=a&credentials=k").expect("more").to.as_deref(), Some("a"));
        assert!(read("credentials=k").is_none());
    }
}
