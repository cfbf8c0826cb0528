//! `rest_from` of an `errors` row: how a provider's error writes the wait, such as `"请 {seconds} 秒后重试"` or
//! `"\"cooldown_ms\":{ms}"`. It is a text with one placeholder and no regular expression, because people copy it from
//! an error, and because searching for it is linear in the length of the body.

/// The longest wait that is believed, as for every provider that names no reset.
const WAIT_MS_MAX: f64 = 86_400_000.0;

/// The placeholders, and how many milliseconds their unit has; `None` if the wait is written as Go does, with its
/// units.
const PLACES: [(&str, Option<u32>); 5] = [
    ("{ms}", Some(1)),
    ("{seconds}", Some(1_000)),
    ("{minutes}", Some(60_000)),
    ("{hours}", Some(3_600_000)),
    ("{duration}", None),
];

/// The texts before and after the wait in a body, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitTemplate {
    before: String,
    after: String,
    unit_ms: Option<u32>,
}

impl WaitTemplate {
    /// Parses the template of a catalog.
    pub fn parse(text: &str) -> Result<Self, String> {
        let places = || PLACES.map(|(place, _)| place).join(", ");
        let mut found = PLACES.iter().filter_map(|(place, unit_ms)| Some((text.split_once(place)?, *unit_ms)));
        let Some(((before, after), unit_ms)) = found.next() else {
            return Err(format!("must have one of {} where the wait stands", places()));
        };
        if found.next().is_some() || PLACES.iter().any(|(place, _)| after.contains(place)) {
            return Err(format!("must have one of {} and no more", places()));
        }
        if before.trim().is_empty() {
            return Err("must have the text that stands before the wait".to_owned());
        }
        Ok(WaitTemplate { before: before.to_lowercase(), after: after.trim_start().to_lowercase(), unit_ms })
    }

    /// The wait that a body in lower case names, in milliseconds; `None` if it names none that is possible.
    pub fn wait_ms(&self, body: &str) -> Option<u64> {
        body.match_indices(self.before.as_str()).find_map(|(at, before)| {
            let rest = body.get(at + before.len()..)?.trim_start();
            let end = rest.find(|character: char| !self.is_of_wait(character)).unwrap_or(rest.len());
            let (written, behind) = rest.split_at_checked(end)?;
            if !behind.trim_start().starts_with(self.after.as_str()) {
                return None;
            }
            let written = written.trim_end_matches('.');
            let wait_ms = match self.unit_ms {
                Some(unit_ms) => written.parse::<f64>().ok()? * f64::from(unit_ms),
                None => go_duration_ms(written)?,
            };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within a day")]
            let whole_ms = wait_ms.clamp(0.0, WAIT_MS_MAX) as u64;
            Some(whole_ms).filter(|whole_ms| *whole_ms > 0)
        })
    }

    fn is_of_wait(&self, character: char) -> bool {
        character.is_ascii_digit() || character == '.' || (self.unit_ms.is_none() && "hmsd".contains(character))
    }
}

/// A duration as Go writes it: `250ms`, `1s`, `6m0s`, `1h2m3.5s`.
pub fn go_duration_ms(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut total_ms = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit_end = tail.find(|character: char| character.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let unit_ms = match unit {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        total_ms += number.parse::<f64>().ok()? * unit_ms;
        rest = tail;
    }
    Some(total_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_ms(template: &str, body: &str) -> Option<u64> {
        WaitTemplate::parse(template).expect("a template").wait_ms(&body.to_lowercase())
    }

    #[test]
    fn the_wait_is_read_where_the_template_says_it_stands() {
        for (template, body, ms) in [
            ("请 {seconds} 秒后重试", "额度不足, 请 90 秒后重试", 90_000),
            ("\"cooldown\":{ms}", r#"{"code":7,"cooldown": 1500,"x":1}"#, 1_500),
            ("Blocked for {minutes} minutes", "BLOCKED FOR 2.5 MINUTES.", 150_000),
            ("wait {hours}h", "first wait a bit, then wait 2h", 7_200_000),
            ("again in {duration}", "try again in 1h2m3s.", 3_723_000),
            ("wait {hours}h", "wait 4000h", 86_400_000),
        ] {
            assert_eq!(wait_ms(template, body), Some(ms), "{body}");
        }
    }

    #[test]
    fn what_is_no_wait_says_nothing() {
        for (template, body) in [
            ("wait {seconds}s", "wait for long"),
            ("wait {seconds}s", "wait 5 minutes"),
            ("wait {seconds}s", "wait 0s"),
            ("wait {seconds}", ""),
            ("in {duration}", "in 5 fortnights"),
            ("in {seconds}", "in 1.2.3"),
        ] {
            assert_eq!(wait_ms(template, body), None, "{body}");
        }
    }

    #[test]
    fn a_template_has_one_place_and_something_before_it() {
        for (template, says) in [
            ("in a while", "one of {ms}, {seconds}"),
            ("{ms} and {seconds}", "no more"),
            ("in {ms} or {ms}", "no more"),
            (" {seconds} s", "before the wait"),
        ] {
            let problem = WaitTemplate::parse(template).expect_err("a problem");
            assert!(problem.contains(says), "{problem}");
        }
    }
}
