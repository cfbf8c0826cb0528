//! What is known of the operator's prices: where they came from and when, what waits, and what was wrong. It is stored, and
//! its number says which of its lists are in force.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::file::PriceFile;
use super::list::Rows;
use super::renewal::{Renewal, Waiting};

/// The state of the operator's prices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PriceState {
    /// The file or address that all of this is about.
    pub origin: String,
    /// The version of the file in force; absent before the first one was taken.
    pub version: Option<String>,
    /// When it was taken, Unix milliseconds.
    pub taken_at_ms: i64,
    /// When the origin was asked last, Unix milliseconds.
    pub asked_at_ms: i64,
    /// Why what it answered last was not taken.
    pub problem: Option<String>,
    /// What the host said of its files when the origin was asked: another text when one of them has changed since.
    pub reading: String,
    /// How many prices are in force.
    pub models: usize,
    /// Where the list of each provider is stored: the number of the state that changed it.
    pub lists: BTreeMap<String, u64>,
    /// The lists that the state before this one took out of force.
    pub replaced: Vec<(String, u64)>,
    /// The prices that wait for the operator's yes.
    pub waiting: Vec<Waiting>,
}

/// The next state, and the lists that have to be stored for it.
pub type Changed = (PriceState, BTreeMap<String, Rows>);

impl PriceState {
    /// The same origin; another one begins with nothing.
    pub fn at(self, origin: &str) -> PriceState {
        if self.origin == origin {
            return self;
        }
        let replaced = self.lists.into_iter().collect();
        PriceState { origin: origin.to_owned(), replaced, ..PriceState::default() }
    }

    /// The origin did not answer with a file that can be taken. What is in force stays.
    #[must_use]
    pub fn failed(mut self, problem: String, now_ms: i64) -> PriceState {
        (self.problem, self.asked_at_ms) = (Some(problem), now_ms);
        self
    }

    /// Takes a file as the state of this number, over the rows that are in force. Lists that did not change stay where they
    /// are.
    pub fn renewed(
        self,
        file: PriceFile,
        former: &BTreeMap<String, Rows>,
        number: u64,
        now_ms: i64,
    ) -> Result<Changed, String> {
        let version = file.version.clone();
        let Renewal { lists, waiting } = Renewal::of(file, former)?;
        let models = lists.values().map(Rows::len).sum();
        let (mut kept, mut replaced) = (self.lists, Vec::new());
        let is_gone = |id: &String| !lists.contains_key(id);
        replaced.extend(kept.iter().filter(|(id, _)| is_gone(id)).map(|(id, number)| (id.clone(), *number)));
        kept.retain(|id, _| !is_gone(id));
        let mut changed = lists;
        changed.retain(|id, rows| !kept.contains_key(id) || former.get(id) != Some(rows));
        for id in changed.keys() {
            replaced.extend(kept.insert(id.clone(), number).map(|before| (id.clone(), before)));
        }
        let state = PriceState {
            origin: self.origin,
            version: Some(version),
            taken_at_ms: now_ms,
            asked_at_ms: now_ms,
            problem: None,
            reading: self.reading,
            models,
            lists: kept,
            replaced,
            waiting,
        };
        Ok((state, changed))
    }

    /// Takes the waiting prices that `is_accepted` names, as the state of this number, over the rows that are in force. Returns
    /// also how many these were.
    pub fn accepted(
        mut self,
        is_accepted: impl Fn(&Waiting) -> bool,
        former: &BTreeMap<String, Rows>,
        number: u64,
    ) -> (Changed, usize) {
        let (taken, waiting): (Vec<_>, Vec<_>) = self.waiting.into_iter().partition(is_accepted);
        let count = taken.len();
        let mut changed: BTreeMap<String, Rows> = BTreeMap::new();
        for Waiting { provider, model, new, .. } in taken {
            let rows = changed.entry(provider).or_insert_with_key(|id| former.get(id).cloned().unwrap_or_default());
            self.models += usize::from(rows.insert(model, Some(new)).is_none());
        }
        self.replaced.clear();
        for id in changed.keys() {
            self.replaced.extend(self.lists.insert(id.clone(), number).map(|before| (id.clone(), before)));
        }
        ((PriceState { waiting, ..self }, changed), count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Row;
    use super::*;

    fn rows(rows: &[(&str, u64)]) -> Rows {
        let row = |amount: u64| Some(Row { usual: [amount; 4], hours: Vec::new() });
        rows.iter().map(|(name, amount)| ((*name).to_owned(), row(*amount))).collect()
    }

    fn file(version: &str, lists: &[(&str, &[(&str, u64)])]) -> PriceFile {
        let lists = lists.iter().map(|(id, list)| ((*id).to_owned(), rows(list))).collect();
        PriceFile { version: version.to_owned(), lists }
    }

    #[test]
    fn a_new_file_stores_only_the_lists_that_changed() {
        let first = file("1", &[("a", &[("x", 10)]), ("b", &[("y", 10)]), ("c", &[("z", 10)])]);
        let former = first.lists.clone();
        let (state, changed) =
            PriceState::default().at("p.json").renewed(first, &BTreeMap::new(), 1, 100).expect("taken");
        assert_eq!((changed.len(), state.models, state.lists["a"]), (3, 3, 1));
        let next = file("2", &[("a", &[("x", 10)]), ("b", &[("y", 11)]), ("d", &[("w", 1)])]);
        let (state, changed) = state.renewed(next, &former, 2, 200).expect("taken");
        assert_eq!(changed.keys().collect::<Vec<_>>(), ["b", "d"]);
        assert_eq!(state.lists, BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2), ("d".to_owned(), 2)]));
        assert_eq!(state.replaced, [("c".to_owned(), 1), ("b".to_owned(), 1)]);
        assert_eq!((state.version.as_deref(), state.taken_at_ms), (Some("2"), 200));
    }

    #[test]
    fn a_failure_changes_nothing_that_is_in_force() {
        let (state, _) = PriceState::default()
            .at("p.json")
            .renewed(file("1", &[("a", &[("x", 10)])]), &BTreeMap::new(), 1, 100)
            .expect("taken");
        let failed = state.clone().failed("answered 500".to_owned(), 200);
        assert_eq!((&failed.lists, failed.taken_at_ms, failed.asked_at_ms), (&state.lists, 100, 200));
        assert_eq!(failed.at("other.json").lists, BTreeMap::new(), "another origin begins with nothing");
    }

    #[test]
    fn a_waiting_price_holds_once_it_is_accepted() {
        let former = BTreeMap::from([("a".to_owned(), rows(&[("x", 10), ("y", 10)]))]);
        let state = PriceState { lists: BTreeMap::from([("a".to_owned(), 1)]), models: 2, ..PriceState::default() };
        let (state, changed) = state.renewed(file("2", &[("a", &[("x", 1), ("y", 1)])]), &former, 2, 0).expect("taken");
        assert!(changed.is_empty(), "the former prices hold");
        assert_eq!(state.waiting.len(), 2);
        let ((state, changed), count) = state.accepted(|waiting| waiting.model == "x", &former, 3);
        assert_eq!((count, state.waiting.len(), state.models), (1, 1, 2));
        assert_eq!(changed["a"], rows(&[("x", 1), ("y", 10)]));
        assert_eq!((state.lists["a"], &state.replaced), (3, &vec![("a".to_owned(), 1)]));
    }
}
