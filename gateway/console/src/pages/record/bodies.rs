//! What was said in a call: as a conversation, and each body as it stands. Long texts are shown in part, since a page
//! must stay small; a download has all that is kept.

use gateway_core::bodies::{Gone, KeptBody, Piece, Turn, What, Who};
use gateway_core::uri::encode_parameter;
use gateway_core::views::{body, conversation};

use crate::edit::{Editing, Form};
use crate::frame::{Frame, Reader};
use crate::query::Query;
use crate::show;
use crate::words::bodies::Words;

/// What is there of what was said.
#[derive(Debug)]
pub enum StoredBodies {
    /// These bodies.
    Kept(Vec<KeptBody>),
    /// Nothing, and why.
    Gone(Gone),
    /// It is not for this reader.
    Hidden,
    /// It could not be read.
    Unread,
}

/// The most that a page shows of one piece of a turn, of the instructions, and of a whole conversation or body, in
/// bytes of HTML.
const PIECE_BYTES: usize = 4_000;
const SYSTEM_BYTES: usize = 1_200;
const PAGE_BYTES: usize = 28_000;

/// The part of a record's page about what was said.
#[derive(Debug)]
pub(super) struct BodiesPart {
    pub(super) words: Words,
    /// What is to be said where nothing is shown.
    pub(super) note: Option<&'static str>,
    /// The way to what would change that.
    pub(super) settings: Option<String>,
    pub(super) tabs: Vec<Tab>,
    pub(super) about: Vec<String>,
    pub(super) download: Option<String>,
    pub(super) turns: Vec<Article>,
    pub(super) raw: Option<Shown>,
    pub(super) delete: Option<Form>,
}

/// The way to one view.
#[derive(Debug)]
pub(super) struct Tab {
    pub(super) href: String,
    pub(super) word: &'static str,
    pub(super) size: Option<String>,
    pub(super) is_here: bool,
}

/// One turn.
#[derive(Debug)]
pub(super) struct Article {
    pub(super) who: &'static str,
    pub(super) blocks: Vec<Block>,
    pub(super) end: Option<String>,
}

/// One piece of a turn.
#[derive(Debug)]
pub(super) enum Block {
    Text(Shown),
    Reasoning(&'static str, Shown),
    Call { name: String, id: String, label: String, arguments: Shown },
    Result { label: String, failed: Option<&'static str>, text: Shown },
    Note(String),
}

/// A text as far as it is shown.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) more: Option<String>,
}

impl BodiesPart {
    /// The part for these bodies, in the view that the address asks for.
    pub(super) fn of(frame: &Frame, id: &str, stored: &StoredBodies, query: &Query) -> Self {
        let words = Words(frame.language);
        let mut part = BodiesPart {
            words,
            note: None,
            settings: None,
            tabs: Vec::new(),
            about: Vec::new(),
            download: None,
            turns: Vec::new(),
            raw: None,
            delete: None,
        };
        match stored {
            StoredBodies::Kept(bodies) => part.fill(frame, id, bodies, query),
            StoredBodies::Gone(gone) => {
                part.note = Some(gone_says(*gone, words));
                let is_off = *gone == Gone::Off && frame.reader == Reader::Admin;
                part.settings = is_off.then(|| frame.link("settings"));
            }
            StoredBodies::Hidden => part.note = Some(words.hidden()),
            StoredBodies::Unread => part.note = Some(words.unread()),
        }
        part
    }

    fn fill(&mut self, frame: &Frame, id: &str, bodies: &[KeptBody], query: &Query) {
        let words = self.words;
        let page = format!("records/{}", encode_parameter(id));
        let chosen = query.get("view").and_then(What::named).filter(|what| body(bodies, *what).is_some());
        let link = |view: Option<What>| {
            let address = view.map(|what| Query::default().with("view", what.name())).unwrap_or_default();
            format!("{}#conversation", address.link(&frame.link(&page)))
        };
        let tab = |view: Option<What>, word, size| Tab { href: link(view), word, size, is_here: view == chosen };
        self.tabs.push(tab(None, words.conversation(), None));
        self.tabs.extend(What::ALL.into_iter().filter_map(|what| {
            let size = i64::try_from(body(bodies, what)?.bytes).unwrap_or(i64::MAX);
            Some(tab(Some(what), name(what, words), Some(show::bytes(size))))
        }));
        if frame.reader == Reader::Admin {
            let form = Form::new(frame, &Editing::default(), "bodies", &format!("bodies/{}", encode_parameter(id)));
            self.delete = Some(form.ask("delete", words.delete(), words.sure_delete().to_owned()).whole());
        }
        match chosen.and_then(|what| body(bodies, what)) {
            Some(body) => self.stand(frame, id, body),
            None => self.talk(frame, id, bodies),
        }
    }

    /// One body as it stands.
    fn stand(&mut self, frame: &Frame, id: &str, body: &KeptBody) {
        let words = self.words;
        let target = body.provider.as_ref().map(|provider| match &body.model {
            Some(model) => format!("{provider}/{model}"),
            None => provider.clone(),
        });
        let about = match (body.what, &target) {
            (What::Request, _) => words.of_request().to_owned(),
            (What::Sent, target) => words.of_sent(target.as_deref().unwrap_or_default()),
            (What::Answer, Some(target)) => words.of_answer(target),
            (What::Answer, None) => words.of_own().to_owned(),
            (What::Events, target) => words.of_events(target.as_deref().unwrap_or_default()),
        };
        self.about.push(about);
        self.about.extend(marks(body, words));
        let parameters = Query::default().with("what", body.what.name());
        self.download = Some(parameters.link(&frame.link(&format!("bodies/{}", encode_parameter(id)))));
        self.raw = Some(Shown::of(&body.text, PAGE_BYTES, words));
    }

    /// All of it as a conversation.
    fn talk(&mut self, frame: &Frame, id: &str, bodies: &[KeptBody]) {
        let words = self.words;
        let Some(read) = conversation(bodies) else {
            let first = body(bodies, What::Request).or_else(|| bodies.first());
            if let Some(body) = first {
                self.stand(frame, id, body);
                self.about.insert(0, words.no_conversation().to_owned());
            }
            return;
        };
        let has_request = read.turns.iter().any(|turn| turn.who != Who::Answer);
        if !has_request && body(bodies, What::Request).is_some() {
            self.about.push(words.request_unread().to_owned());
        }
        for body in [What::Request, What::Answer].into_iter().filter_map(|what| body(bodies, what)) {
            let line = |mark| format!("{}: {mark}", name(body.what, words));
            self.about.extend(marks(body, words).into_iter().map(line));
        }
        if !read.tools.is_empty() {
            self.about.push(words.tools(Shown::of(&read.tools.join(", "), SYSTEM_BYTES, words).text));
        }
        // Shows the instructions and the last turns, since what an answer is about comes right before it.
        let (first, turns) = match read.turns.split_first() {
            Some((first, rest)) if first.who == Who::System => (Some(first), rest),
            _ => (None, read.turns.as_slice()),
        };
        let first = first.map(|turn| article(turn, SYSTEM_BYTES, words));
        let mut left = PAGE_BYTES;
        let mut shown = Vec::new();
        for turn in turns.iter().rev() {
            let article = article(turn, PIECE_BYTES, words);
            let bytes = article.bytes();
            if bytes > left && !shown.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes);
            shown.push(article);
        }
        let earlier = turns.len() - shown.len();
        if earlier > 0 {
            self.about.push(words.earlier(earlier));
        }
        self.turns.extend(first);
        self.turns.extend(shown.into_iter().rev());
    }
}

/// What is to be known of a body beside its text.
fn marks(body: &KeptBody, words: Words) -> Vec<String> {
    let size = show::bytes(i64::try_from(body.bytes).unwrap_or(i64::MAX));
    let marks = [
        body.merged.then(|| words.merged().to_owned()),
        body.broken.then(|| words.broken().to_owned()),
        body.cut.then(|| words.cut(size)),
    ];
    marks.into_iter().flatten().collect()
}

fn name(what: What, words: Words) -> &'static str {
    match what {
        What::Request => words.request(),
        What::Sent => words.sent(),
        What::Answer => words.answer(),
        What::Events => words.events(),
    }
}

fn gone_says(gone: Gone, words: Words) -> &'static str {
    match gone {
        Gone::Off => words.off(),
        Gone::Dropped => words.dropped(),
        Gone::Expired => words.expired(),
        Gone::Deleted => words.deleted(),
        Gone::Sealed => words.other_master_key(),
    }
}

fn article(turn: &Turn, most: usize, words: Words) -> Article {
    let who = match turn.who {
        Who::System => words.system(),
        Who::User => words.user(),
        Who::Assistant => words.assistant(),
        Who::Tool => words.tool(),
        Who::Answer => words.answer(),
    };
    // A turn of very many pieces is shown in part, like a long text.
    let blocks = turn.pieces.iter().take(PIECES_MAX).map(|piece| block(piece, most, words)).collect();
    Article { who, blocks, end: turn.finish.map(|finish| words.ended(finish)) }
}

/// A turn shows so many pieces.
const PIECES_MAX: usize = 24;

fn block(piece: &Piece, most: usize, words: Words) -> Block {
    match piece {
        Piece::Text { text } => Block::Text(Shown::of(text, most, words)),
        Piece::Reasoning { text } if text.is_empty() => Block::Note(words.sealed().to_owned()),
        Piece::Reasoning { text } => Block::Reasoning(words.reasoning(), Shown::of(text, most, words)),
        Piece::Refusal { text } => Block::Reasoning(words.refusal(), Shown::of(text, most, words)),
        Piece::Call { id, name, arguments } => Block::Call {
            name: name.clone(),
            id: id.clone(),
            label: words.arguments_of(name),
            arguments: Shown::of(arguments, most, words),
        },
        Piece::Result { id, name, failed, pieces } => Block::Result {
            label: words.result_of(name.as_deref().unwrap_or(id)),
            failed: failed.then(|| words.failed()),
            text: Shown::of(&returned(pieces, words), most, words),
        },
        Piece::File { .. } => Block::Note(file(piece, words)),
    }
}

/// What a tool returned, as one text.
fn returned(pieces: &[Piece], words: Words) -> String {
    let texts = pieces.iter().map(|piece| match piece {
        Piece::Text { text } | Piece::Reasoning { text } | Piece::Refusal { text } => text.clone(),
        Piece::Call { name, arguments, .. } => format!("{name} {arguments}"),
        Piece::Result { pieces, .. } => returned(pieces, words),
        Piece::File { .. } => file(piece, words),
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn file(piece: &Piece, words: Words) -> String {
    match piece {
        Piece::File { media_type, .. } if media_type.starts_with("image") => words.image().to_owned(),
        Piece::File { media_type, .. } => words.file(media_type),
        _ => String::new(),
    }
}

impl Article {
    fn bytes(&self) -> usize {
        self.blocks.iter().map(Block::bytes).sum::<usize>() + 160
    }
}

impl Block {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(shown) | Self::Reasoning(_, shown) => shown.bytes() + 60,
            Self::Call { name, id, label, arguments } => {
                in_html(name) + in_html(id) + in_html(label) + arguments.bytes() + 140
            }
            Self::Result { label, text, .. } => in_html(label) + text.bytes() + 100,
            Self::Note(note) => in_html(note) + 40,
        }
    }
}

impl Shown {
    /// A text, of which so many bytes are shown.
    fn of(text: &str, most: usize, words: Words) -> Self {
        let mut bytes = 0;
        let end = text.char_indices().find(|(_, each)| {
            bytes += bytes_in_html(*each);
            bytes > most
        });
        match end {
            None => Shown { text: text.to_owned(), more: None },
            Some((end, _)) => {
                let left = i64::try_from(text.len() - end).unwrap_or(i64::MAX);
                let text = text.get(..end).unwrap_or_default().to_owned();
                Shown { text, more: Some(words.more(show::whole(left))) }
            }
        }
    }

    fn bytes(&self) -> usize {
        in_html(&self.text) + self.more.as_ref().map_or(0, |more| more.len() + 30)
    }
}

/// How long a text is on a page.
fn in_html(text: &str) -> usize {
    text.chars().map(bytes_in_html).sum()
}

fn bytes_in_html(each: char) -> usize {
    if matches!(each, '<' | '>' | '&' | '"' | '\'') { 5 } else { each.len_utf8() }
}
