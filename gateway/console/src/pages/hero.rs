//! The headline of the overview: the free calls that are left, else the money that is, else how many calls there were.

use gateway_core::order;
use gateway_core::views::{LimitView, QuotaView, ScopeView};

use super::figures::Figures;
use super::quota;
use crate::frame::Frame;
use crate::parts::Monogram;
use crate::show;
use crate::words::figures::Words;

/// How many quotas can be distinguished in the strip.
const PARTS_MAX: usize = 8;

#[derive(Debug)]
pub(super) struct Hero {
    pub(super) number: String,
    pub(super) of: String,
    pub(super) see: &'static str,
    /// The quotas that are free, as a strip.
    pub(super) parts: Vec<Part>,
    pub(super) strip: String,
}

/// A free quota: its part of the strip, and what of that is left.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) monogram: Monogram,
    pub(super) hue: u32,
    pub(super) name: String,
    pub(super) x: String,
    pub(super) width: String,
    pub(super) left_width: String,
    pub(super) left: String,
    pub(super) of: String,
    pub(super) lasts: String,
    pub(super) back: Option<String>,
}

impl Hero {
    pub(super) fn of(quota: &QuotaView, figures: &Figures, frame: &Frame) -> Self {
        let words = Words(frame.language);
        let see = words.see_quota();
        let free: Vec<&LimitView> =
            quota.quota.iter().filter(|limit| limit.free && limit.name == "rpd" && !is_of_keys(limit)).collect();
        let money: Vec<&LimitView> =
            quota.quota.iter().filter(|limit| limit.unit == "nano-dollars" && !is_of_keys(limit)).collect();
        let whole = |limits: &[&LimitView], amount: fn(&LimitView) -> u64| {
            limits.iter().map(|limit| amount(limit)).fold(0, u64::saturating_add)
        };
        let most = |limit: &LimitView| limit.limit;
        if !free.is_empty() {
            let parts = parts(&free, whole(&free, most), frame, words);
            let listed = parts.iter().map(|part| format!("{} {} {}", part.name, part.left, part.of));
            return Hero {
                number: number(whole(&free, left)),
                of: words.free_left(number(whole(&free, most))),
                see,
                strip: words.free_strip(listed.collect::<Vec<_>>().join(", ")),
                parts,
            };
        }
        let (number, of) = if money.is_empty() {
            (number(figures.calls), words.calls_in(figures.span_word))
        } else {
            let dollars = |nano: u64| show::money(i64::try_from(nano).unwrap_or(i64::MAX));
            (dollars(whole(&money, left)), words.money_left(dollars(whole(&money, most))))
        };
        Hero { number, of, see, parts: Vec::new(), strip: String::new() }
    }
}

fn is_of_keys(limit: &LimitView) -> bool {
    quota::provider_of(&limit.scope).is_none()
}

fn left(limit: &LimitView) -> u64 {
    limit.limit.saturating_sub(limit.spent)
}

fn number(number: u64) -> String {
    show::whole(i64::try_from(number).unwrap_or(i64::MAX))
}

/// The largest come first. Quotas that do not fit are still part of the number.
fn parts(free: &[&LimitView], whole: u64, frame: &Frame, words: Words) -> Vec<Part> {
    let mut free = free.to_vec();
    order::by_key(&mut free, |limit| std::cmp::Reverse(limit.limit));
    let place = |part: u64| {
        let hundredths = u128::from(part) * 10_000 / u128::from(whole.max(1));
        format!("{}.{:02}%", hundredths / 100, hundredths % 100)
    };
    let mut from = 0_u64;
    let part = |limit: &&LimitView| {
        let provider = quota::provider_of(&limit.scope).unwrap_or_default();
        let monogram = frame.monogram(provider, false);
        let is_dry_first = |dry: &i64| limit.resets_at_ms.is_none_or(|back| *dry < back);
        let lasts = match limit.runs_dry_at_ms.filter(is_dry_first) {
            _ if left(limit) == 0 => words.spent().to_owned(),
            Some(dry) => words.dry_until(frame.clock.short(dry)),
            None => words.lasts().to_owned(),
        };
        let models = limit.models.join(", ");
        let label = match &limit.scope {
            ScopeView::Credential { credential: Some(label), .. } => label.as_str(),
            _ => "",
        };
        let x = place(from);
        from = from.saturating_add(limit.limit);
        Part {
            hue: monogram.hue(),
            monogram,
            name: [provider, label, &models].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
            x,
            width: place(limit.limit),
            left_width: place(left(limit)),
            left: number(left(limit)),
            of: words.of(number(limit.limit)),
            lasts,
            back: limit.resets_at_ms.map(|back| words.back(frame.clock.short(back))),
        }
    };
    free.iter().take(PARTS_MAX).map(part).collect()
}
