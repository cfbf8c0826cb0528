//! Models that their provider will shut down: what its list of models announces is told where an operator looks.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::common::{Gateway, Host, eventually};
use crate::upstream::{Answer, Upstream};

both_hosts![what_a_list_of_models_announces_is_told_thirty_days_ahead];

/// The day so many days from now, as lists write it (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn day_in(days: u64) -> String {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let shifted = now_s / 86_400 + days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (year + era * 400, if month < 10 { month + 3 } else { month - 9 });
    format!("{:04}-{month:02}-{day:02}", if month <= 2 { year + 1 } else { year })
}

fn what_a_list_of_models_announces_is_told_thirty_days_ahead(host: Host) {
    let (soon, late) = (day_in(20), day_in(200));
    let list = json!({ "object": "list", "data": [
        { "id": "old", "object": "model", "shutdown_date": soon }, { "id": "younger", "object": "model", "shutdown_date": late },
        { "id": "new", "object": "model", "shutdown_date": null },
    ] });
    let upstream = Upstream::saying("Hi").at("/v1/models", Answer::json(200, &list.to_string()));
    let gateway = Gateway::on(host).provider("a", &upstream).model("m", &["a/old", "a/younger", "a/new"]).start();
    let warnings = || gateway.admin("GET", "/api/health", "").json()["warnings"].as_array().cloned();
    assert_eq!(warnings(), Some(Vec::new()));
    assert_eq!(gateway.admin("GET", "/api/providers/a/models", "").status, 200);
    let found = eventually("it is told", || warnings().filter(|warnings| !warnings.is_empty()));
    let is_it = |lines: &[Value]| {
        let text = lines.first().and_then(Value::as_str).unwrap_or_default();
        let begins = text.starts_with("model m, target a/old: its provider says that it is shut down on");
        lines.len() == 1 && begins && text.contains(&soon)
    };
    assert!(is_it(&found), "{found:?}");
    let checked = || gateway.admin("POST", "/api/catalog/check", "{}").json()["warnings"].as_array().cloned();
    let found = eventually("a check tells it", || checked().filter(|warnings| !warnings.is_empty()));
    assert!(is_it(&found), "{found:?}");
}
