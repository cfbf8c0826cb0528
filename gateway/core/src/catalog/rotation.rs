//! The rotation of a key: how long its old secret stays valid beside the new one, so that clients can be given the new one
//! first.

use jiff::Timestamp;
use serde::Deserialize;

use super::schema::format::{self, human_duration};

/// How long the old secret stays valid by default.
const KEEP_MS: u64 = 24 * 60 * 60 * 1000;

/// How long the old secret may stay valid at most.
const KEEP_MS_MAX: u64 = 90 * 24 * 60 * 60 * 1000;

/// How a key is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    keep_ms: u64,
}

/// The body of `POST /api/keys/{name}/rotate`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RotationRequest {
    keep: Option<String>,
}

impl Rotation {
    /// Reads the body of a request, which may be empty: `{"keep": "24h"}`. `Err`: what is wrong with it.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        let request: RotationRequest = match body {
            [] => RotationRequest::default(),
            body => serde_json::from_slice(body).map_err(|error| format!("The body was not understood: {error}."))?,
        };
        let Some(keep) = request.keep else { return Ok(Rotation { keep_ms: KEEP_MS }) };
        let keep_ms = format::duration_ms(&keep).map_err(|message| format!("`keep` {message}, not {keep:?}."))?;
        if keep_ms > KEEP_MS_MAX {
            return Err(format!("`keep` must be at most {}, not {keep:?}.", human_duration(KEEP_MS_MAX)));
        }
        Ok(Rotation { keep_ms })
    }

    /// When the old secret becomes invalid, in the form that catalogs have; `None` if it is invalid at once.
    pub fn until(self, now_ms: i64) -> Option<String> {
        let until = Timestamp::from_millisecond(now_ms.saturating_add_unsigned(self.keep_ms)).ok()?;
        (self.keep_ms > 0).then(|| format!("{until:.0}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_796_000_400_000;

    #[test]
    fn the_old_secret_is_good_for_a_day_or_as_long_as_is_said() {
        for (body, until) in [
            ("", Some("2026-12-01T01:00:00Z")),
            ("{}", Some("2026-12-01T01:00:00Z")),
            (r#"{"keep":"1h30m"}"#, Some("2026-11-30T02:30:00Z")),
            (r#"{"keep":"90d"}"#, Some("2027-02-28T01:00:00Z")),
            (r#"{"keep":"0s"}"#, None),
        ] {
            let rotation = Rotation::parse(body.as_bytes()).expect(body);
            assert_eq!(rotation.until(NOW_MS).as_deref(), until, "{body}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (body, message) in [
            ("x", "The body was not understood: "),
            (r#"{"keep":"soon"}"#, "`keep` must be a duration like \"500ms\""),
            (r#"{"keep":"91d"}"#, "`keep` must be at most 90d, not \"91d\"."),
            (r#"{"kept":"1d"}"#, "The body was not understood: unknown field"),
        ] {
            let refused = Rotation::parse(body.as_bytes()).expect_err(body);
            assert!(refused.starts_with(message), "{body}: {refused}");
        }
    }
}
