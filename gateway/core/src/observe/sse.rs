//! Reads an event stream as it passes, split anywhere: usage, first content, finish, errors inside the stream.
//!
//! Own code and no crate: a parser that owned the stream would have to write it again, and what clients get must be
//! the upstream's bytes. A data line is one event's data in every dialect, so events of several lines are read over.

use super::events::Events;
use crate::dialect::Dialect;

/// A longer line is passed over: it is a picture or a whole answer, and hundreds of streams share an instance.
const LINE_BYTES_MAX: usize = 128 << 10;

/// No event has a longer name.
const NAME_BYTES_MAX: usize = 64;

/// What the line's buffer may keep for the next line.
const LINE_BYTES_KEPT: usize = 16 << 10;

#[derive(Debug)]
pub(super) struct Sse {
    line: Vec<u8>,
    /// The current line is too long and is being passed over.
    skipping: bool,
    /// The last byte was a CR: an LF that follows it belongs to the same line end.
    after_cr: bool,
    /// A line other than the blank one has come since the last event ended.
    in_event: bool,
    /// An object that is whole has come since the last event ended.
    whole_seen: bool,
    /// And another one behind it: to its reader they are one event that cannot be read.
    pub(super) runs_together: bool,
    /// What stands behind `event:` in the event that has begun.
    name: Vec<u8>,
    /// The dialect's last event has come, with the blank line behind it.
    pub(super) has_ended: bool,
    /// What the events told.
    pub(super) events: Events,
}

impl Sse {
    pub(super) fn new(dialect: Dialect) -> Self {
        let events = Events::new(dialect);
        Sse {
            line: Vec::new(),
            skipping: false,
            after_cr: false,
            in_event: false,
            whole_seen: false,
            runs_together: false,
            name: Vec::new(),
            has_ended: false,
            events,
        }
    }

    /// Takes the next bytes, and tells how many of them came behind the last event.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        while !self.has_ended
            && let Some(end) = memchr::memchr2(b'\n', b'\r', rest)
        {
            let (part, after) = rest.split_at(end);
            let is_lf = after.first() == Some(&b'\n');
            rest = after.get(1..).unwrap_or_default();
            if std::mem::replace(&mut self.after_cr, !is_lf) && is_lf && part.is_empty() {
                continue;
            }
            if self.line.is_empty() && !self.skipping {
                // The usual case: the whole line came in one piece and need not be copied.
                self.read_line(part);
            } else {
                self.append(part);
                let line = std::mem::take(&mut self.line);
                if !self.skipping {
                    self.read_line(&line);
                }
                self.line = line;
                self.line.clear();
                self.line.shrink_to(LINE_BYTES_KEPT);
                self.skipping = false;
            }
        }
        if self.has_ended {
            // The last event's own line end may have a second character.
            return rest.strip_prefix(b"\n").filter(|_| self.after_cr).unwrap_or(rest).len();
        }
        self.after_cr &= rest.is_empty();
        self.append(rest);
        0
    }

    fn append(&mut self, part: &[u8]) {
        if self.skipping || self.line.len() + part.len() > LINE_BYTES_MAX {
            self.events.pass_over();
            self.skipping = true;
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn read_line(&mut self, line: &[u8]) {
        self.in_event = !line.is_empty();
        let Some(data) = line.strip_prefix(b"data:") else {
            self.whole_seen &= self.in_event;
            if let Some(name) = line.strip_prefix(b"event:").filter(|name| name.len() <= NAME_BYTES_MAX) {
                self.name.clear();
                self.name.extend_from_slice(name.trim_ascii());
            } else if line.is_empty() {
                self.name.clear();
                self.has_ended |= self.events.end_seen();
            }
            return;
        };
        let data = data.trim_ascii();
        let is_whole = data.starts_with(b"{") && data.ends_with(b"}");
        self.runs_together |= is_whole && self.whole_seen;
        self.whole_seen |= is_whole;
        self.events.take(data, &self.name);
    }

    /// Whether the blank line that ends an event with a whole object is still to come.
    pub(super) fn is_unended(&self) -> bool {
        self.whole_seen
    }

    /// Bytes of the line that has begun.
    pub(super) fn kept(&self) -> usize {
        self.line.capacity()
    }

    /// Whether the stream stands in the middle of an event.
    pub(super) fn in_event(&self) -> bool {
        self.in_event || !self.line.is_empty() || self.skipping
    }
}
