//! The bodies of one call while it is under way: what the client sent, what the last attempt sent, and what came back. An
//! attempt takes the place of the one before it.

use std::sync::Arc;

use super::{AnswerKeeper, Cleaner, KeptBody, What, copied};
use crate::candidate::AttemptParts;
use crate::dialect::Dialect;
use crate::redact::Secrets;

/// The bodies of a call.
#[derive(Debug)]
pub struct CallBodies {
    /// The dialect of the client.
    dialect: Dialect,
    id: String,
    created_s: i64,
    request: Option<CopiedBody>,
    sent: Option<CopiedBody>,
    answer: Option<Answer>,
    /// Whom the last attempt was made with, unless llmio itself answers.
    to: Option<Recipient>,
    attempt: u32,
}

/// A body as far as it is kept.
#[derive(Debug)]
struct CopiedBody {
    dialect: Dialect,
    bytes: u64,
    body: Vec<u8>,
    is_cut: bool,
}

#[derive(Debug)]
enum Answer {
    /// It comes in pieces.
    Coming(Box<AnswerKeeper>, Dialect),
    /// It is known.
    Whole(CopiedBody),
}

/// Whom an attempt was made with.
#[derive(Debug)]
struct Recipient {
    provider: String,
    model: String,
    secrets: Arc<Secrets>,
}

impl CopiedBody {
    fn of(dialect: Dialect, body: &[u8]) -> Self {
        let (copy, is_cut) = copied(body);
        CopiedBody { dialect, bytes: body.len() as u64, body: copy, is_cut }
    }

    /// The body without its secrets; `None`: it is no text.
    fn cleaned(self, what: What, cleaner: &Cleaner<'_>) -> Option<KeptBody> {
        let (text, cut) = cleaner.text(self.body, self.is_cut)?;
        let (dialect, bytes) = (self.dialect.name().to_owned(), self.bytes);
        Some(KeptBody { what, dialect, provider: None, model: None, bytes, cut, merged: false, broken: false, text })
    }
}

impl Answer {
    /// The answer without its secrets, and its events if it was a short stream.
    fn cleaned(self, cleaner: &Cleaner<'_>) -> Vec<KeptBody> {
        let (keeper, dialect) = match self {
            Answer::Whole(copied) => return copied.cleaned(What::Answer, cleaner).into_iter().collect(),
            Answer::Coming(keeper, dialect) => (keeper, dialect),
        };
        let kept = keeper.finish();
        if kept.bytes == 0 {
            return Vec::new();
        }
        let copied = |body: Vec<u8>, is_cut| CopiedBody { dialect, bytes: kept.bytes, body, is_cut };
        let whole = copied(kept.whole, kept.is_cut).cleaned(What::Answer, cleaner);
        let whole = whole.map(|body| KeptBody { merged: kept.is_merged, broken: kept.is_broken, ..body });
        let events = kept.events.and_then(|events| copied(events, false).cleaned(What::Events, cleaner));
        whole.into_iter().chain(events).collect()
    }
}

impl CallBodies {
    /// The bodies of the call with this id, made at this time in Unix milliseconds.
    pub fn new(dialect: Dialect, id: &str, at_ms: i64) -> Self {
        let (request, sent, answer, to) = (None, None, None, None);
        CallBodies { dialect, id: id.to_owned(), created_s: at_ms / 1000, request, sent, answer, to, attempt: 0 }
    }

    /// Keeps what the client sent.
    pub fn set_request(&mut self, body: &[u8]) {
        self.request = Some(CopiedBody::of(self.dialect, body));
    }

    /// Keeps what an attempt sends. Its answer is still to come.
    pub fn set_sent(&mut self, to: AttemptParts<'_>, dialect: Dialect, body: &[u8], is_chat: bool) {
        self.attempt = self.attempt.saturating_add(1);
        self.sent = Some(CopiedBody::of(dialect, body));
        self.answer = Some(self.coming(dialect, is_chat));
        self.to = Some(Recipient {
            provider: to.provider.name.to_string(),
            model: to.upstream_model.to_owned(),
            secrets: to.secrets().clone(),
        });
    }

    fn coming(&self, dialect: Dialect, is_chat: bool) -> Answer {
        Answer::Coming(Box::new(AnswerKeeper::new(dialect, is_chat, &self.id, self.created_s)), dialect)
    }

    /// The number of the attempt that is under way.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Takes the next bytes of the answer to this attempt, unless another one has begun.
    pub fn take(&mut self, attempt: u32, bytes: &[u8]) {
        if let (true, Some(Answer::Coming(keeper, _))) = (self.attempt == attempt, &mut self.answer) {
            keeper.take(bytes);
        }
    }

    /// Keeps the error that an attempt was answered with.
    pub fn set_error(&mut self, dialect: Dialect, body: &[u8]) {
        self.answer = Some(Answer::Whole(CopiedBody::of(dialect, body)));
    }

    /// Keeps what llmio itself answers, unless a provider has answered.
    pub fn set_own_answer(&mut self, body: &[u8]) {
        let has_come = match &self.answer {
            Some(Answer::Coming(keeper, _)) => keeper.kept() > 0,
            Some(Answer::Whole(_)) => true,
            None => false,
        };
        if !has_come {
            let mut answer = self.coming(self.dialect, true);
            if let Answer::Coming(keeper, _) = &mut answer {
                keeper.take(body);
            }
            (self.answer, self.to) = (Some(answer), None);
        }
    }

    /// How many bytes they hold in memory.
    pub fn held(&self) -> usize {
        let copied = |copied: &Option<CopiedBody>| copied.as_ref().map_or(0, |copied| copied.body.capacity());
        let answer = match &self.answer {
            Some(Answer::Coming(keeper, _)) => keeper.kept(),
            Some(Answer::Whole(copied)) => copied.body.capacity(),
            None => 0,
        };
        copied(&self.request) + copied(&self.sent) + answer
    }

    /// The secrets that the last attempt sent, unless llmio itself has answered.
    pub fn secrets(&self) -> Option<Arc<Secrets>> {
        self.to.as_ref().map(|to| to.secrets.clone())
    }

    /// All of them without their secrets, in the order in which they came about.
    pub fn cleaned(mut self, cleaner: &Cleaner<'_>) -> Vec<KeptBody> {
        let to = self.to.take();
        let with_recipient = |body: KeptBody| {
            let (provider, model) = (to.as_ref().map(|to| to.provider.clone()), to.as_ref().map(|to| to.model.clone()));
            KeptBody { provider, model, ..body }
        };
        let request = self.request.and_then(|body| body.cleaned(What::Request, cleaner));
        let sent = self.sent.and_then(|body| body.cleaned(What::Sent, cleaner));
        let answer = self.answer.into_iter().flat_map(|answer| answer.cleaned(cleaner));
        request.into_iter().chain(sent.into_iter().chain(answer).map(with_recipient)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, Document};
    use crate::pace::Pace;

    const CHAT: Dialect = Dialect::OpenaiChat;

    fn catalog() -> Catalog {
        let text = r#"
            providers = [{ name = "p", base_url = "https://p.example/v1", credentials = ["sk-0123456789abcdef"] }]
            models = [{ name = "m", targets = ["p/up"] }]
        "#;
        let mut catalog = Document::from_toml(text).and_then(|document| document.validate()).expect("a catalog");
        catalog.resolve(None, &|_| None);
        catalog
    }

    fn to(catalog: &Catalog) -> AttemptParts<'_> {
        let provider = &catalog.providers[0];
        let (target, credential) = (&catalog.models[0].targets[0], provider.credentials.first().map(|it| &**it));
        AttemptParts { target, provider, upstream_model: "up", credential }
    }

    /// What is kept: which body, whose, and its text.
    fn kept(bodies: CallBodies) -> Vec<(What, Option<String>, String)> {
        let secrets = bodies.secrets();
        let cleaner = Cleaner::new(secrets.as_deref(), std::iter::empty::<&str>(), Pace::none());
        let all = bodies.cleaned(&cleaner).into_iter();
        all.map(|body| (body.what, body.provider, body.text)).collect()
    }

    fn bodies() -> CallBodies {
        let mut bodies = CallBodies::new(CHAT, "id", 1_700_000_000_000);
        bodies.set_request(b"{\"q\":1}");
        bodies
    }

    #[test]
    fn an_attempt_takes_the_place_of_the_one_before_it() {
        let catalog = catalog();
        let mut bodies = bodies();
        bodies.set_sent(to(&catalog), CHAT, b"{\"first\":1}", true);
        let first = bodies.attempt();
        bodies.set_error(CHAT, b"{\"error\":\"sk-0123456789abcdef\"}");
        bodies.set_sent(to(&catalog), CHAT, b"{\"second\":1}", true);
        bodies.take(first, b"late");
        bodies.take(bodies.attempt(), b"{\"choices\":");
        bodies.take(bodies.attempt(), b"[]}");
        bodies.set_own_answer(b"{\"error\":1}");
        let provider = Some("p".to_owned());
        assert_eq!(
            kept(bodies),
            [
                (What::Request, None, "{\"q\":1}".to_owned()),
                (What::Sent, provider.clone(), "{\"second\":1}".to_owned()),
                (What::Answer, provider, "{\"choices\":[]}".to_owned()),
            ]
        );
    }

    #[test]
    fn an_error_of_a_provider_is_kept_without_its_secret() {
        let catalog = catalog();
        let mut bodies = bodies();
        bodies.set_sent(to(&catalog), CHAT, b"{}", true);
        bodies.set_error(CHAT, b"{\"error\":\"bad key sk-0123456789abcdef\"}");
        let all = kept(bodies);
        assert!(all[2].0 == What::Answer && !all[2].2.contains("0123456789abcdef"), "{all:?}");
    }

    #[test]
    fn what_llmio_answers_itself_is_nobodys() {
        let catalog = catalog();
        for has_attempt in [false, true] {
            let mut bodies = bodies();
            if has_attempt {
                bodies.set_sent(to(&catalog), CHAT, b"{}", true);
            }
            bodies.set_own_answer(b"{\"error\":\"none\"}");
            assert!(bodies.secrets().is_none() && bodies.held() > 0);
            let all = kept(bodies);
            assert_eq!(all.last(), Some(&(What::Answer, None, "{\"error\":\"none\"}".to_owned())));
        }
    }
}
