//! Where the time of a call went: the phases as numbers, and every attempt as a bar.

use gateway_core::record::AttemptRecord;
use gateway_core::views::RecordView;

use super::answered;
use crate::frame::Frame;
use crate::parts::Monogram;
use crate::show;
use crate::words::record::Words;

/// The phases of a call and its attempts on one scale.
#[derive(Debug)]
pub(super) struct TimeWent {
    /// Word, span, and more about it.
    pub(super) phases: Vec<(&'static str, String, Option<String>)>,
    pub(super) bars: Vec<Bar>,
}

/// An attempt on the scale.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) monogram: Monogram,
    pub(super) name: String,
    pub(super) summary: String,
    pub(super) took: String,
    /// Class, and beginning and width in percent.
    pub(super) pieces: Vec<(&'static str, String, String)>,
}

impl TimeWent {
    /// `None` for a call that was sent to nobody or has not ended.
    pub(super) fn of(record: &RecordView, attempts: &[AttemptRecord], frame: &Frame) -> Option<Self> {
        let words = Words(frame.language);
        let (first, last) = (attempts.first()?, attempts.last()?);
        let end_ms = record.duration_ms.filter(|ms| *ms > 0)?;
        let start = |attempt: &AttemptRecord| whole(attempt.start_ms);
        let serving = Some(last).filter(|last| answered(last));
        let failed_ms = serving.map_or(end_ms, start) - start(first);
        let byte_ms = serving.and(record.first_byte_ms);
        let content_ms = record.first_content_ms.filter(|_| byte_ms.is_some());
        let speed = record.tokens_per_second.map(|speed| words.per_second(format!("{speed:.0}")));
        let phase = |word, ms: Option<i64>, more| ms.map(|ms| (word, show::span(ms), more));
        let phases = [
            phase(words.before_first_try(), Some(start(first)), None),
            phase(words.failed_tries(), Some(failed_ms).filter(|ms| *ms > 0), None),
            phase(words.to_first_byte(), byte_ms.map(|ms| ms - start(last)), None),
            phase(words.to_first_content(), content_ms.zip(byte_ms).map(|(content, byte)| content - byte), None),
            phase(words.generation(), content_ms.or(byte_ms).map(|ms| end_ms - ms), speed),
        ];
        let bars = attempts.iter().map(|attempt| {
            let is_serving = serving.is_some_and(|serving| std::ptr::eq(serving, attempt));
            let marks = if is_serving { [byte_ms, content_ms] } else { [None, None] };
            Bar::of(attempt, marks, end_ms, frame)
        });
        Some(TimeWent { phases: phases.into_iter().flatten().collect(), bars: bars.collect() })
    }
}

impl Bar {
    fn of(attempt: &AttemptRecord, [byte_ms, content_ms]: [Option<i64>; 2], whole_ms: i64, frame: &Frame) -> Self {
        let words = Words(frame.language);
        let start_ms = whole(attempt.start_ms);
        let end_ms = if byte_ms.is_some() { whole_ms } else { whole(attempt.end_ms) };
        let edges = match byte_ms {
            None => vec![("w-failed", start_ms, end_ms)],
            Some(byte_ms) => {
                let content_ms = content_ms.unwrap_or(byte_ms);
                vec![
                    ("w-byte", start_ms, byte_ms),
                    ("w-content", byte_ms, content_ms),
                    ("w-answer", content_ms, end_ms),
                ]
            }
        };
        let pieces = edges.into_iter().filter(|(_, from, to)| to > from);
        let pieces = pieces.map(|(class, from, to)| (class, percent(from, whole_ms), percent(to - from, whole_ms)));
        let took = show::span(end_ms - start_ms);
        let outcome = attempt.status.map_or_else(|| words.failed().to_owned(), |status| status.to_string());
        let name = match &attempt.credential {
            Some(label) => format!("{label} · {outcome}"),
            None => format!("{} · {outcome}", attempt.provider),
        };
        Bar {
            monogram: frame.monogram(&attempt.provider, !answered(attempt)),
            summary: words.attempt_took(format!("{} {name}", attempt.provider), &took),
            name,
            took,
            pieces: pieces.collect(),
        }
    }
}

fn whole(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// A part of the whole, for an attribute of SVG.
fn percent(part_ms: i64, whole_ms: i64) -> String {
    let tenths = i128::from(part_ms.max(0)) * 1000 / i128::from(whole_ms.max(1));
    format!("{}.{}%", tenths.min(1000) / 10, tenths.min(1000) % 10)
}
