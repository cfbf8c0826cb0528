//! Forms that change the catalog. They stand on the page that shows what they change, and work without a script. A
//! refused form comes back as it was sent, with the problem beside its field. If somebody else changed the catalog
//! meanwhile, the form comes back with that change, and saves on top of it when it is sent again.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;
use gateway_core::catalog::{Change, Difference};
use gateway_core::refusal::Refusal;

use crate::frame::{Frame, Reader};
use crate::parts::Icon;
use crate::query::Query;
use crate::words::edit::Words;

/// What a page needs to know for its forms.
#[derive(Debug, Default)]
pub struct Editing<'a> {
    /// The version of the catalog that the page shows.
    pub etag: &'a str,
    /// The section and its place in the catalog file, if it comes from that file, so that nothing can be changed here.
    pub locked: Option<(&'static str, String)>,
    /// The form that was refused just now.
    pub refused: Option<Refused<'a>>,
    /// The version that a form has just made.
    pub saved: Option<u64>,
}

/// A form that was refused.
#[derive(Debug)]
pub struct Refused<'a> {
    /// What was sent.
    pub sent: &'a Query,
    /// Why.
    pub refusal: &'a Refusal,
    /// What somebody else has changed since the form was shown.
    pub changes: Vec<Change>,
}

/// A form.
#[derive(Debug, Template)]
#[template(path = "form.html")]
pub(crate) struct Form {
    id: String,
    look: &'static str,
    action: String,
    etag: String,
    hidden: Vec<(&'static str, String)>,
    icon: Icon,
    title: &'static str,
    problems: Vec<String>,
    is_stale: bool,
    fields: Vec<Field>,
    buttons: Vec<Button>,
    ask: Option<Ask>,
    /// What was sent before, for fields that are added.
    sent: Option<Query>,
    /// What is wrong, by the member of the catalog it is about.
    wrong: Vec<(String, String)>,
}

impl HtmlSafe for Form {}

/// A button, and what it does.
#[derive(Debug)]
struct Button {
    does: &'static str,
    word: &'static str,
    look: &'static str,
}

/// A button behind a question.
#[derive(Debug)]
struct Ask {
    does: &'static str,
    word: &'static str,
    sure: String,
}

/// A field of a form.
#[derive(Debug)]
struct Field {
    id: String,
    name: &'static str,
    label: &'static str,
    kind: Kind,
    value: String,
    error: Option<String>,
    hint: Option<&'static str>,
}

/// What can be entered.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A line of text, with suggestions.
    Text(Vec<String>),
    /// A number.
    Number,
    /// Several lines.
    Lines,
    /// One of these: value and word.
    Choice(Vec<(String, String)>),
    /// A box that is ticked.
    Box,
}

impl Form {
    /// A form that is sent to this path. `id` distinguishes it from the other forms of its page.
    pub(crate) fn new(frame: &Frame, editing: &Editing<'_>, id: &str, action: &str) -> Self {
        let words = Words(frame.language);
        let refused = editing.refused.as_ref().filter(|refused| refused.sent.get("form") == Some(id));
        let (mut title, mut problems, mut wrong, mut is_stale) = ("", Vec::new(), Vec::new(), false);
        if let Some(Refused { refusal, changes, .. }) = refused {
            is_stale = refusal.status == 412;
            title = if is_stale { words.stale() } else { words.refused() };
            problems = changes.iter().map(|change| describe_change(change, words)).collect();
            match &refusal.problems {
                Some(all) => {
                    wrong = all.0.iter().map(|each| (each.path.clone(), each.message.clone())).collect();
                }
                None if !is_stale => problems.push(refusal.message.clone()),
                None => {}
            }
        }
        Form {
            id: id.to_owned(),
            look: "",
            action: frame.link(action),
            etag: editing.etag.to_owned(),
            hidden: Vec::new(),
            icon: frame.icon(if is_stale { "s-warn" } else { "s-fail" }),
            title,
            problems,
            is_stale,
            fields: Vec::new(),
            buttons: Vec::new(),
            ask: None,
            sent: refused.map(|refused| refused.sent.clone()),
            wrong,
        }
    }

    /// The same in one row.
    pub(crate) fn in_a_row(mut self) -> Self {
        self.look = "row";
        self
    }

    /// The same with this beside what is entered.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.hidden.push((name, value.to_owned()));
        self
    }

    /// Adds a field. `value` is the present value. Problems of the member of this name are shown beside it.
    pub(crate) fn field(
        mut self,
        name: &'static str,
        label: &'static str,
        kind: Kind,
        value: impl fmt::Display,
    ) -> Self {
        let sent = self.sent.as_ref().map(|sent| sent.get(name).unwrap_or_default().to_owned());
        let value = sent.unwrap_or_else(|| value.to_string());
        let own = self.wrong.iter().position(|(path, _)| is_about(path, name));
        let error = own.map(|index| self.wrong.remove(index).1);
        let id = format!("{}-{name}", self.id);
        self.fields.push(Field { id, name, label, kind, value, error, hint: None });
        self
    }

    /// What is said of the last field.
    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        if let Some(field) = self.fields.last_mut() {
            field.hint = Some(hint);
        }
        self
    }

    /// The button that sends it.
    pub(crate) fn button(mut self, does: &'static str, word: &'static str) -> Self {
        let look = if self.buttons.is_empty() && self.look.is_empty() { "main" } else { "" };
        self.buttons.push(Button { does, word, look });
        self
    }

    /// A button that takes something away, and asks before it does.
    pub(crate) fn ask(mut self, does: &'static str, word: &'static str, sure: String) -> Self {
        self.ask = Some(Ask { does, word, sure });
        self
    }

    /// The form, with what is wrong beside no field of it above them.
    pub(crate) fn whole(mut self) -> Self {
        for (path, message) in std::mem::take(&mut self.wrong) {
            self.problems.push(if path.is_empty() { message } else { format!("{path}: {message}") });
        }
        self
    }

    /// Whether it was refused just now, so that what hides it is opened.
    pub(crate) fn is_refused(&self) -> bool {
        self.sent.is_some()
    }

    fn has_note(&self) -> bool {
        self.is_refused() && (self.is_stale || !self.problems.is_empty())
    }
}

/// Whether a problem is about a member of this name, or something within it.
fn is_about(path: &str, name: &str) -> bool {
    path.split('.').skip(1).any(|step| step.split('[').next() == Some(name))
}

/// A change in one line.
pub(crate) fn describe_change(change: &Change, words: Words) -> String {
    let path = &change.path;
    match &change.difference {
        Difference::Added { value: Some(value) } => words.added_value(path, value),
        Difference::Added { value: None } => words.added(path),
        Difference::Removed { value: Some(value) } => words.removed_value(path, value),
        Difference::Removed { value: None } => words.removed(path),
        Difference::Changed { before, after } => words.changed(path, before, after),
        Difference::Hidden | Difference::SecretGiven => words.hidden(path),
    }
}

/// What a page says above everything else: that something was saved, or that the catalog file is to be edited.
#[derive(Debug, Template)]
#[template(path = "saved.html")]
pub(crate) struct Banner {
    icon: Icon,
    tone: &'static str,
    message: String,
    /// What was saved, and how to undo it.
    undo: Option<(String, &'static str)>,
}

impl HtmlSafe for Banner {}

impl Banner {
    /// The banner of a page, if there is something to say.
    pub(crate) fn of(frame: &Frame, editing: &Editing<'_>) -> Option<Self> {
        let words = Words(frame.language);
        if let Some(version) = editing.saved {
            let undo = (frame.reader == Reader::Admin)
                .then(|| (frame.link(&format!("history/{version}")), words.see_and_undo()));
            return Some(Banner { icon: frame.icon("s-ok"), tone: "ok", message: words.saved(version), undo });
        }
        let message = editing.locked.as_ref().map(|(section, place)| words.locked(section, place))?;
        Some(Banner { icon: frame.icon("s-warn"), tone: "wait", message, undo: None })
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::problem::Problems;

    use super::*;
    use crate::frame::{Labels, Theme};
    use crate::language::Language;
    use crate::show::{self, Clock};

    fn frame() -> Frame {
        let clock = Clock { zone: show::utc(), now_ms: 0, language: Language::English };
        Frame {
            reader: Reader::Admin,
            language: clock.language,
            theme: Theme::Browser,
            here: "models/m".into(),
            clock,
            labels: Labels::default(),
        }
    }

    fn shown(editing: &Editing<'_>) -> String {
        let form = Form::new(&frame(), editing, "target-0", "models/m").with("target", "a/b\"");
        let form = form.field("weight", "Weight", Kind::Number, 3);
        form.button("save", "Save").ask("remove", "Remove", "Remove a/b?".into()).whole().to_string()
    }

    #[test]
    fn a_form_says_what_it_starts_from_and_what_it_is_about() {
        let html = shown(&Editing { etag: "\"7\"", ..Editing::default() });
        for part in [
            "action=\"../models/m\"",
            "name=\"base\" value=\"&#34;7&#34;\"",
            "name=\"target\" value=\"a/b&#34;\"",
            "for=\"target-0-weight\"",
            "value=\"3\"",
            "name=\"do\" value=\"save\"",
            "<summary",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("role=\"alert\""), "{html}");
    }

    #[test]
    fn a_refused_form_comes_back_as_sent_with_the_error_beside_the_field() {
        let sent = Query::parse("form=target-0&weight=x").expect("a form");
        let refusal = Refusal::invalid_catalog(Problems::one("models[0].targets[0].weight", "must be whole"));
        let refused = |refusal| Some(Refused { sent: &sent, refusal, changes: Vec::new() });
        let html = shown(&Editing { refused: refused(&refusal), ..Editing::default() });
        assert!(
            html.contains("value=\"x\"") && html.contains("aria-invalid") && html.contains("must be whole"),
            "{html}"
        );
        assert!(!html.contains("models[0]"), "{html}");
        let elsewhere = Refusal::invalid_catalog(Problems::one("models[0].name", "is taken"));
        let html = shown(&Editing { refused: refused(&elsewhere), ..Editing::default() });
        assert!(html.contains("models[0].name: is taken") && !html.contains("aria-invalid"), "{html}");
        let other = Query::parse("form=target-1&weight=x").expect("a form");
        let refused = Some(Refused { sent: &other, refusal: &refusal, changes: Vec::new() });
        assert!(shown(&Editing { refused, ..Editing::default() }).contains("value=\"3\""), "another form stays");
    }

    #[test]
    fn a_form_that_came_too_late_shows_the_other_change_and_saves_after_it() {
        let sent = Query::parse("form=target-0&weight=9").expect("a form");
        let refusal = Refusal::precondition_failed("changed");
        let difference = Difference::Changed { before: "1".into(), after: "2".into() };
        let changes = vec![Change { path: "models[m].attempts".into(), difference }];
        let refused = Some(Refused { sent: &sent, refusal: &refusal, changes });
        let html = shown(&Editing { etag: "\"8\"", refused, ..Editing::default() });
        for part in ["models[m].attempts: 1 → 2", "value=\"9\"", "value=\"&#34;8&#34;\"", "Somebody else"] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}
