//! A new price file in place of the one in force. A price that falls by more than half is not taken by itself: a mistake in
//! a file that somebody else keeps must not make budgets many times as wide.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::file::PriceFile;
use super::list::{self, Amounts, Row, Rows};
use super::table;

/// More prices than these cannot wait: a file with so many that fall is another kind of file.
pub(super) const WAITING_MAX: usize = 2000;

/// A price that waits for the operator's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The provider, by its name in the file.
    pub provider: String,
    /// The model.
    pub model: String,
    /// What holds until then.
    pub now: Amounts,
    /// What the file says.
    pub new: Row,
}

/// What is in force after a new file was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Renewal {
    /// The rows of each provider.
    pub(super) lists: BTreeMap<String, Rows>,
    /// What the file says besides, and is not in force.
    pub(super) waiting: Vec<Waiting>,
}

impl Renewal {
    /// Takes what the file says over what was in force: its former rows, else the bundled prices.
    pub(super) fn of(file: PriceFile, former: &BTreeMap<String, Rows>) -> Result<Renewal, String> {
        let mut renewal = Renewal { lists: BTreeMap::new(), waiting: Vec::new() };
        for (provider, rows) in file.lists {
            let known = former.get(&provider);
            let mut taken = Rows::new();
            for (model, row) in rows {
                let was = known.and_then(|rows| rows.get(&model));
                let now = match was {
                    Some(row) => row.as_ref().map(|row| row.usual),
                    None => table::find(&provider, &model).map(list::amounts),
                };
                let Some((now, new)) = now.zip(row.as_ref()).filter(|(now, new)| falls(now, new)) else {
                    taken.insert(model, row);
                    continue;
                };
                renewal.waiting.push(Waiting {
                    provider: provider.clone(),
                    model: model.clone(),
                    now,
                    new: new.clone(),
                });
                if let Some(row) = was {
                    taken.insert(model, row.clone());
                }
            }
            renewal.lists.insert(provider, taken);
        }
        if renewal.waiting.len() > WAITING_MAX {
            return Err(format!(
                "has more than {WAITING_MAX} prices below half of those in force; is it the right file?"
            ));
        }
        Ok(renewal)
    }
}

/// Whether any part of the new price is below half of what it is now, in any of its hours.
fn falls(now: &Amounts, new: &Row) -> bool {
    let parts = std::iter::once(&new.usual).chain(new.hours.iter().map(|hours| &hours.amounts));
    parts.into_iter().any(|new| new.iter().zip(now).any(|(new, now)| new.saturating_mul(2) < *now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(&str, Option<Amounts>)]) -> Rows {
        let row = |amounts: &Option<Amounts>| amounts.map(|usual| Row { usual, hours: Vec::new() });
        rows.iter().map(|(name, amounts)| ((*name).to_owned(), row(amounts))).collect()
    }

    fn renewed(file: &[(&str, Option<Amounts>)], former: &[(&str, Option<Amounts>)]) -> (Rows, Vec<String>) {
        let lists = BTreeMap::from([("relay".to_owned(), rows(file))]);
        let former = BTreeMap::from([("relay".to_owned(), rows(former))]);
        let renewal = Renewal::of(PriceFile { version: "v".to_owned(), lists }, &former).expect("taken");
        let waiting = renewal.waiting.into_iter().map(|waiting| waiting.model).collect();
        (renewal.lists["relay"].clone(), waiting)
    }

    #[test]
    fn a_price_that_falls_by_more_than_half_waits_and_the_former_one_holds() {
        let former = [("a", Some([10, 2, 10, 40])), ("b", Some([10, 2, 10, 40])), ("c", Some([10, 2, 10, 40]))];
        let file = [("a", Some([5, 1, 5, 20])), ("b", Some([10, 2, 10, 19])), ("c", Some([90, 0, 90, 90]))];
        let (taken, waiting) = renewed(&file, &former);
        assert_eq!(waiting, ["b", "c"], "half is taken, less is not, nor where only the cache is cheaper");
        assert_eq!(taken, rows(&[file[0], former[1], former[2]]));
    }

    #[test]
    fn what_is_new_dearer_unknown_or_gone_is_taken() {
        let former = [
            ("dearer", Some([1, 1, 1, 1])),
            ("unknown", Some([9, 9, 9, 9])),
            ("gone", Some([1, 1, 1, 1])),
            ("known", None),
        ];
        let file = [
            ("dearer", Some([9, 9, 9, 9])),
            ("unknown", None),
            ("new", Some([0, 0, 0, 0])),
            ("known", Some([0, 0, 0, 0])),
        ];
        let (taken, waiting) = renewed(&file, &former);
        assert!(waiting.is_empty(), "{waiting:?}");
        assert_eq!(taken, rows(&file));
    }

    #[test]
    fn the_first_file_is_held_against_the_bundled_prices() {
        let bundled = table::find("openai", "gpt-4o").expect("a bundled price");
        let list =
            rows(&[("gpt-4o", Some([bundled.input / 3, bundled.cache_read, bundled.cache_write, bundled.output]))]);
        let file = PriceFile { version: "v".to_owned(), lists: BTreeMap::from([("openai".to_owned(), list)]) };
        let renewal = Renewal::of(file, &BTreeMap::new()).expect("taken");
        assert!(renewal.lists["openai"].is_empty(), "the bundled price holds");
        assert_eq!(renewal.waiting.len(), 1);
        assert_eq!(renewal.waiting[0].now, list::amounts(bundled));
    }

    #[test]
    fn a_file_in_which_thousands_fall_is_refused() {
        let many = |amounts: Amounts| -> Vec<(String, Option<Amounts>)> {
            (0..=WAITING_MAX).map(|index| (index.to_string(), Some(amounts))).collect()
        };
        let list = |many: &[(String, Option<Amounts>)]| {
            rows(&many.iter().map(|(name, amounts)| (name.as_str(), *amounts)).collect::<Vec<_>>())
        };
        let file =
            PriceFile { version: "v".to_owned(), lists: BTreeMap::from([("p".to_owned(), list(&many([1; 4])))]) };
        let former = BTreeMap::from([("p".to_owned(), list(&many([9; 4])))]);
        assert!(Renewal::of(file, &former).is_err_and(|problem| problem.contains("right file")));
    }
}
