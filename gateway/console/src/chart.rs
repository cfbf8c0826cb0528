//! The one chart of a page: bars over time. Places are in percent across and in pixels down, so that nothing is distorted
//! and labels stay text; each bar says in words what it shows, and a table holds the same.

use crate::show::Clock;

/// Where in the drawing, which is 188 pixels high, the highest line and the ground are.
const TOP: u64 = 8;
const GROUND: u64 = 152;

/// How much room there is below the ground.
const DEPTH_MAX: u64 = 16;

/// What can be seen at all.
const SEEN_MIN: u64 = 3;

/// With more bars than this they would be too narrow to point at.
const BARS_MAX: usize = 62;

/// About how many times fit below the bars.
const TIMES: usize = 8;

const DAY_MS: i64 = 86_400_000;

/// A chart.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) bars: Vec<Bar>,
    /// Lines across, with their heights and words.
    pub(crate) lines: Vec<(u64, String)>,
    /// Times below, with their places.
    pub(crate) times: Vec<(String, String)>,
}

/// A bar, and the span of time in which it can be pointed at.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) says: String,
    pub(crate) hit: (String, String),
    pub(crate) place: (String, String),
    /// Class, place from above and height.
    pub(crate) pieces: Vec<(&'static str, u64, u64)>,
}

/// What a bar is made from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    /// Its time, Unix milliseconds.
    pub(crate) at_ms: i64,
    /// What stands on the ground, filled, and what stands on that, outlined.
    pub(crate) filled: u64,
    pub(crate) outlined: u64,
    /// What hangs below the ground.
    pub(crate) below: u64,
    /// The same in words.
    pub(crate) says: String,
}

impl Chart {
    /// A chart of these bars. A height is written by `unit`.
    pub(crate) fn of(measured: &[Measured], unit: impl Fn(u64) -> String, clock: &Clock) -> Self {
        let most = measured.iter().map(|bar| bar.filled.saturating_add(bar.outlined)).max().unwrap_or(0);
        let step = step(most);
        let height = |value: u64| {
            let height = u128::from(value) * u128::from(GROUND - TOP) / u128::from(step.saturating_mul(3)).max(1);
            u64::try_from(height).unwrap_or(GROUND - TOP).max(u64::from(value > 0)).min(GROUND - TOP)
        };
        // Bars below the ground have less room. If the deepest does not fit, all of them get a scale of their own.
        let deepest = measured.iter().map(|bar| height(bar.below)).max().unwrap_or(0).max(DEPTH_MAX);
        let depth = |value: u64| if value == 0 { 0 } else { (height(value) * DEPTH_MAX / deepest).max(SEEN_MIN) };
        let count = measured.len().max(1);
        let bars = measured.iter().enumerate().map(|(index, bar)| {
            let (filled, outlined, below) = (height(bar.filled), height(bar.outlined), depth(bar.below));
            let pieces = [
                ("c2", GROUND.saturating_sub(filled + outlined), outlined),
                ("c1", GROUND.saturating_sub(filled), filled),
                ("c3", GROUND + 2, below),
            ];
            Bar {
                says: bar.says.clone(),
                hit: (percent(index * 100, count * 100), percent(100, count * 100)),
                place: (percent(index * 100 + 16, count * 100), percent(68, count * 100)),
                pieces: pieces.into_iter().filter(|(_, _, height)| *height > 0).collect(),
            }
        });
        let line = |number: u64| (GROUND - (GROUND - TOP) * number / 3, unit(step.saturating_mul(number)));
        Chart { bars: bars.collect(), lines: (0..=3).map(line).collect(), times: times(measured, clock) }
    }
}

/// A third of the height: one, two or five times a power of ten, so that all bars fit.
fn step(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if step.saturating_mul(3) >= most {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// A part of a whole as percent to two digits.
fn percent(part: usize, whole: usize) -> String {
    let hundredths = part.saturating_mul(10_000) / whole.max(1);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// Dates where the bars are of several days, else hours and minutes.
fn times(measured: &[Measured], clock: &Clock) -> Vec<(String, String)> {
    let count = measured.len().max(1);
    let span_ms = measured.last().map_or(0, |last| last.at_ms) - measured.first().map_or(0, |first| first.at_ms);
    let is_of_days = span_ms > 2 * DAY_MS;
    let begins_day = |bar: &Measured| !is_of_days || clock.is_midnight(bar.at_ms);
    let marked: Vec<(usize, &Measured)> = measured.iter().enumerate().filter(|(_, bar)| begins_day(bar)).collect();
    let every = marked.len().div_ceil(TIMES).max(1);
    let time = |(index, bar): &(usize, &Measured)| {
        let word = if is_of_days { clock.day(bar.at_ms) } else { clock.minute(bar.at_ms) };
        (percent(index * 100 + 50, count * 100), word)
    };
    marked.iter().step_by(every).map(time).collect()
}

/// How many steps become one bar, so that there are not too many bars.
pub(crate) fn together(count: usize) -> usize {
    count.div_ceil(BARS_MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    fn clock() -> Clock {
        Clock { zone: jiff::tz::TimeZone::UTC, now_ms: 0, language: Language::English }
    }

    #[test]
    fn bars_stand_on_the_ground_and_what_was_not_served_hangs_below() {
        let bar = Measured { filled: 90, outlined: 30, below: 1, says: "x".into(), at_ms: 0 };
        let chart = Chart::of(&[bar, Measured::default()], |number| number.to_string(), &clock());
        let lines: Vec<&str> = chart.lines.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(lines, ["0", "50", "100", "150"]);
        assert_eq!(chart.bars[0].pieces, [("c2", 152 - 86 - 28, 28), ("c1", 152 - 86, 86), ("c3", 154, 3)]);
        assert_eq!(chart.bars[0].place, ("8.00%".into(), "34.00%".into()));
        assert!(chart.bars[1].pieces.is_empty());
    }

    #[test]
    fn of_what_was_not_served_the_most_hangs_lowest() {
        let bar = |below| Measured { filled: 90, below, ..Measured::default() };
        let chart = Chart::of(&[bar(60), bar(30), bar(1)], |number| number.to_string(), &clock());
        let depths: Vec<u64> = chart.bars.iter().map(|bar| bar.pieces[1].2).collect();
        assert_eq!(depths, [16, 7, 3]);
    }

    #[test]
    fn lines_are_round_numbers_that_hold_every_bar() {
        for (most, expected) in [(0, 1), (1, 1), (3, 1), (4, 2), (6, 2), (7, 5), (16, 10), (1_000, 500)] {
            assert_eq!(step(most), expected, "{most}");
        }
        assert!(step(u64::MAX) > u64::MAX / 10);
    }

    #[test]
    fn times_are_dates_where_there_are_several_days() {
        let at = |at_ms| Measured { at_ms, ..Measured::default() };
        let hours: Vec<Measured> = (0..24).map(|hour| at(hour * 3_600_000)).collect();
        let words = |bars: &[Measured]| times(bars, &clock()).into_iter().map(|(_, word)| word).collect::<Vec<_>>();
        assert_eq!(words(&hours), ["00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00"]);
        let days: Vec<Measured> = (0..56).map(|part| at(part * 10_800_000)).collect();
        assert_eq!(words(&days)[..2], ["1 Jan", "2 Jan"]);
        assert_eq!(words(&days).len(), 7);
        assert_eq!((together(24), together(62), together(168)), (1, 1, 3));
    }
}
