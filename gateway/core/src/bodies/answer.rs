//! Keeps an answer while it passes. A stream becomes the whole answer that it comes to: most of its bytes say over and over
//! whose they are. While a stream is short, its events are held as they come, and are put together at the end.

use crate::dialect::Dialect;
use crate::memory;
use crate::translate::{AnswerContext, Stream};

use super::{BODY_BYTES_MAX, EVENTS_BYTES_MAX};

/// Events of a long stream are put together so many bytes at a time.
const STEP_BYTES: usize = 16 << 10;

/// How much of an answer is gathered from events. As a whole it is a little longer than its texts.
const GATHERED_BYTES_MAX: usize = BODY_BYTES_MAX / 4 * 3;

/// What a gathered answer takes beside its texts.
const GATHERER_BYTES: usize = 4 << 10;

/// The answer of one attempt.
#[derive(Debug)]
pub(super) struct AnswerKeeper {
    dialect: Dialect,
    is_chat: bool,
    context: AnswerContext,
    bytes: u64,
    held: Vec<u8>,
    /// The stream that is being put together, once it is too long to be held.
    merging: Option<Box<Stream>>,
    merged: Vec<u8>,
    is_cut: bool,
}

/// An answer when it has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeptAnswer {
    /// How many bytes came.
    pub(super) bytes: u64,
    /// The answer: as it came, or put together.
    pub(super) whole: Vec<u8>,
    /// The events as they came, where it was a short stream.
    pub(super) events: Option<Vec<u8>>,
    /// Whether it was put together.
    pub(super) is_merged: bool,
    /// Whether more came than is kept.
    pub(super) is_cut: bool,
    /// Whether its stream broke off.
    pub(super) is_broken: bool,
}

impl AnswerKeeper {
    /// A keeper of an answer in this dialect to the call of this id, made at this time in Unix seconds.
    pub(super) fn new(dialect: Dialect, is_chat: bool, id: &str, created_s: i64) -> Self {
        let context = AnswerContext { id: id.to_owned(), created_s, ..AnswerContext::default() };
        let (held, merged) = (Vec::new(), Vec::new());
        AnswerKeeper { dialect, is_chat, context, bytes: 0, held, merging: None, merged, is_cut: false }
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if self.is_cut {
            return;
        }
        self.is_cut = !memory::append(&mut self.held, bytes);
        if self.merging.is_some() || (self.held.len() > EVENTS_BYTES_MAX && self.is_of_events()) {
            self.merge(STEP_BYTES);
        } else if self.held.len() > BODY_BYTES_MAX {
            self.held.truncate(BODY_BYTES_MAX);
            self.is_cut = true;
        }
    }

    /// How many bytes it holds in memory.
    pub(super) fn kept(&self) -> usize {
        let gathered = self.merging.as_ref().map_or(0, |stream| stream.kept() + GATHERER_BYTES);
        self.held.capacity() + self.merged.capacity() + gathered
    }

    /// Ends it.
    pub(super) fn finish(mut self) -> KeptAnswer {
        let bytes = self.bytes;
        if self.merging.is_none() && !self.is_of_events() {
            let is_cut = self.is_cut;
            return KeptAnswer { bytes, whole: self.held, events: None, is_merged: false, is_cut, is_broken: false };
        }
        let events = self.merging.is_none().then(|| self.held.clone());
        self.merge(0);
        let AnswerKeeper { merging, mut merged, is_cut, .. } = self;
        let mut is_broken = true;
        if let Some(mut stream) = merging {
            if !is_cut {
                merged.extend(stream.end());
            }
            is_broken = !stream.is_finished() || stream.has_failed();
            if merged.is_empty() {
                merged = stream.so_far();
            }
        }
        KeptAnswer { bytes, whole: merged, events, is_merged: true, is_cut, is_broken: is_broken && !is_cut }
    }

    /// Puts together what is held, if that is enough.
    fn merge(&mut self, enough: usize) {
        if self.held.len() < enough {
            return;
        }
        let (dialect, context) = (self.dialect, &self.context);
        let gathering = || Box::new(Stream::gathering(dialect, dialect, context.clone()));
        let stream = self.merging.get_or_insert_with(gathering);
        self.merged.extend(stream.feed(&self.held));
        self.held.clear();
        self.is_cut |= stream.gathered() > GATHERED_BYTES_MAX;
    }

    /// Whether it is a conversation's stream, by its first bytes.
    fn is_of_events(&self) -> bool {
        let begun = self.held.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.held).trim_ascii_start();
        let begins = |sign: &[u8]| begun.starts_with(sign);
        self.is_chat && [b"data:".as_slice(), b"event:", b"id:", b"retry:", b":"].into_iter().any(begins)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn chunk(text: &str) -> String {
        let text = serde_json::to_string(text).expect("JSON");
        format!(
            "data: {{\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text}}}}}]}}\n\n"
        )
    }

    const END: &str =
        "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

    fn keeper() -> AnswerKeeper {
        AnswerKeeper::new(Dialect::OpenaiChat, true, "01-a", 7)
    }

    fn kept(pieces: &[&str]) -> KeptAnswer {
        let mut keeper = keeper();
        pieces.iter().for_each(|piece| keeper.take(piece.as_bytes()));
        keeper.finish()
    }

    fn text(kept: &KeptAnswer) -> String {
        let whole: Value = serde_json::from_slice(&kept.whole).expect("JSON");
        whole["choices"][0]["message"]["content"].as_str().expect("a text").to_owned()
    }

    #[test]
    fn a_short_stream_is_kept_as_it_came_and_as_a_whole() {
        let stream = [chunk("Hel"), chunk("lo"), END.to_owned()].concat();
        for size in [1, 7, stream.len()] {
            let mut keeper = keeper();
            stream.as_bytes().chunks(size).for_each(|piece| keeper.take(piece));
            let kept = keeper.finish();
            assert_eq!((text(&kept).as_str(), kept.bytes), ("Hello", stream.len() as u64));
            assert_eq!(kept.events.as_deref(), Some(stream.as_bytes()));
            assert!(kept.is_merged && !kept.is_broken && !kept.is_cut);
        }
    }

    #[test]
    fn of_a_long_stream_only_the_whole_answer_is_kept_and_little_is_held() {
        let mut keeper = keeper();
        let mut most = 0;
        for _ in 0..5_000 {
            keeper.take(chunk("word ").as_bytes());
            most = most.max(keeper.kept());
        }
        keeper.take(END.as_bytes());
        let kept = keeper.finish();
        assert_eq!((text(&kept), kept.events.as_ref()), ("word ".repeat(5_000), None));
        assert!(kept.bytes > 400_000 && most < 320_000 && !kept.is_cut, "{} {most}", kept.bytes);
    }

    #[test]
    fn a_stream_that_breaks_off_or_reports_an_error_is_kept_as_far_as_it_came() {
        let kept = kept(&[&chunk("Hel"), &chunk("lo")]);
        assert!(text(&kept) == "Hello" && kept.is_broken, "{kept:?}");
        let kept = self::kept(&[&chunk("Hel"), "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"]);
        assert!(text(&kept) == "Hel" && kept.is_broken, "{kept:?}");
    }

    #[test]
    fn an_answer_that_is_too_long_is_cut_and_can_still_be_read() {
        let mut keeper = keeper();
        let long = "x".repeat(1_000);
        (0..3_000).for_each(|_| keeper.take(chunk(&long).as_bytes()));
        assert!(keeper.kept() < 3 * BODY_BYTES_MAX, "{}", keeper.kept());
        let kept = keeper.finish();
        assert!(kept.is_cut && !kept.is_broken && kept.whole.len() <= BODY_BYTES_MAX, "{}", kept.whole.len());
        assert!(text(&kept).len() > 500_000);
        let mut keeper = self::keeper();
        (0..3).for_each(|_| keeper.take(&[b'x'; BODY_BYTES_MAX / 2]));
        let kept = keeper.finish();
        assert!(kept.is_cut && kept.whole.len() == BODY_BYTES_MAX && kept.bytes == 3 * BODY_BYTES_MAX as u64 / 2);
    }

    #[test]
    fn what_is_no_stream_is_kept_as_it_came() {
        let kept = kept(&["{\"choices\"", ":[]}"]);
        assert!(kept.whole == b"{\"choices\":[]}" && kept.events.is_none() && !kept.is_merged && !kept.is_broken);
        let mut speech = AnswerKeeper::new(Dialect::OpenaiChat, false, "01-a", 7);
        speech.take(b"data: 1\n\n");
        assert!(!speech.finish().is_merged);
    }
}
