//! The lines of `POST /api/providers/check`.

use serde::Serialize;

use crate::catalog::Credential;
use crate::offer;

/// The first line.
#[derive(Debug, Serialize)]
pub struct CheckBegunView {
    /// How many credentials are checked.
    pub count: usize,
}

/// The line of one credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredentialCheckView {
    /// Its place among those that were sent.
    pub index: usize,
    /// What it would be called.
    pub label: String,
    /// Whether the provider took it.
    pub works: bool,
    /// Whether that is certain: a provider that shows its list of models to anybody says nothing of a credential.
    #[serde(rename = "proven")]
    pub is_proven: bool,
    /// The status of a refusal.
    pub status: Option<u16>,
    /// What was said with it, or why there was no answer.
    #[serde(rename = "said")]
    pub message: Option<String>,
    /// How many models it was shown.
    pub models: usize,
    /// How long that took.
    pub latency_ms: u64,
}

/// The last line.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckDoneView {
    /// How many work.
    pub works: usize,
    /// How many may work: the provider does not say.
    pub unproven: usize,
    /// How many do not.
    pub fails: usize,
    /// The models that those were shown which work or may, each once.
    pub models: Vec<String>,
    /// The model to try first.
    pub suggested: Option<String>,
}

impl CredentialCheckView {
    /// A credential that was not tried yet.
    pub fn new(index: usize, credential: &Credential) -> Self {
        let label = credential.label.clone();
        CredentialCheckView {
            index,
            label,
            works: false,
            is_proven: false,
            status: None,
            message: None,
            models: 0,
            latency_ms: 0,
        }
    }

    /// Whether it may work, as far as anybody knows.
    pub fn may_work(&self) -> bool {
        self.works || !self.is_proven && self.message.is_none()
    }
}

impl CheckDoneView {
    /// Counts one more, with the models that it was shown.
    pub fn add(&mut self, checked: &CredentialCheckView, offered: Vec<String>) {
        match (checked.works, checked.may_work()) {
            (true, _) => self.works += 1,
            (false, true) => self.unproven += 1,
            (false, false) => self.fails += 1,
        }
        // Most credentials of a provider are shown the same list.
        if checked.may_work() && offered != self.models {
            let known: std::collections::HashSet<String> = self.models.iter().cloned().collect();
            self.models.extend(offered.into_iter().filter(|model| !known.contains(model)));
            self.suggested = offer::suggested(&self.models).map(str::to_owned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(works: bool, is_proven: bool, message: Option<&str>) -> CredentialCheckView {
        let message = message.map(str::to_owned);
        CredentialCheckView {
            index: 0,
            label: "a".into(),
            works,
            is_proven,
            status: None,
            message,
            models: 1,
            latency_ms: 3,
        }
    }

    #[test]
    fn what_is_not_proven_is_neither_good_nor_bad() {
        let mut done = CheckDoneView::default();
        let models = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        done.add(&checked(true, true, None), models(&["a", "b"]));
        done.add(&checked(false, false, None), models(&["b", "c"]));
        done.add(&checked(false, true, Some("no")), models(&["d"]));
        done.add(&checked(false, false, Some("refused connections")), models(&[]));
        assert_eq!((done.works, done.unproven, done.fails), (1, 1, 2));
        assert_eq!((done.models.join(" "), done.suggested.as_deref()), ("a b c".to_owned(), Some("a")));
        assert_eq!(
            serde_json::to_string(&checked(false, false, None)).expect("JSON"),
            r#"{"index":0,"label":"a","works":false,"proven":false,"status":null,"said":null,"models":1,"latency_ms":3}"#
        );
    }
}
