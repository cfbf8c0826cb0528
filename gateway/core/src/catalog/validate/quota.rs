//! Quotas and limits: how much per window. Checked; refused as not built yet by `unbuilt.rs`.

use crate::catalog::schema::{Fields, Place, format};

const PER: [&str; 3] = ["credential", "pool", "provider"];
const WINDOWS: [&str; 4] = ["rpm", "tpm", "rpd", "tpd"];
const COUNT_MAX: u64 = 1 << 50;
const HOURS_MAX: u64 = 24 * 366;

/// One entry of a provider's `quotas`, or its shorthand `quota`.
pub(super) fn read(place: &Place<'_>) {
    let Some(mut fields) = place.fields() else {
        return;
    };
    fields.field("models").map(|place| place.all_parsed(format::pattern));
    fields.field("per").and_then(|place| place.choice(&PER));
    read_windows(&mut fields);
    fields.field("zone").and_then(|place| place.parsed(format::zone));
    fields.field("reset").and_then(|place| place.parsed(format::time_of_day));
    read_pair(&mut fields, "rolling", [("calls", COUNT_MAX), ("hours", HOURS_MAX)]);
    read_pair(&mut fields, "points", [("per_day", COUNT_MAX), ("per_call", COUNT_MAX)]);
    fields.field("credit").and_then(|place| place.amount());
    fields.field("concurrent").and_then(|place| place.integer(1..=1_000_000));
    let limits = ["rolling", "points", "credit", "concurrent"];
    if !WINDOWS.iter().chain(&limits).any(|name| fields.has(name)) {
        fields.problem("limits nothing; give rpm, tpm, rpd, tpd, rolling, points, credit or concurrent");
    }
    fields.finish();
}

/// Calls and tokens per sliding minute and per day.
pub(super) fn read_windows(fields: &mut Fields<'_>) {
    for name in WINDOWS {
        fields.field(name).and_then(|place| place.integer(1..=COUNT_MAX));
    }
}

/// A table of two whole numbers, each with its greatest value.
fn read_pair(fields: &mut Fields<'_>, name: &'static str, pair: [(&'static str, u64); 2]) {
    let Some(mut fields) = fields.field(name).and_then(|place| place.fields()) else {
        return;
    };
    for (name, max) in pair {
        fields.needed(name).and_then(|place| place.integer(1..=max));
    }
    fields.finish();
}
