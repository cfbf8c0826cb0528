//! Sorting of what is sorted rarely. The standard library's sort is compiled anew for every type, five to eight thousand bytes of
//! the component each time; here it is compiled once, for places.

use std::cmp::Ordering;

/// Sorts by a key; what is equal keeps its order.
pub fn by_key<T, K: Ord>(items: &mut Vec<T>, key: impl Fn(&T) -> K) {
    by(items, |one, other| key(one).cmp(&key(other)));
}

/// Sorts by a comparison; what is equal keeps its order.
pub fn by<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let order = places(items.len(), &|one, other| match (items.get(one), items.get(other)) {
        (Some(one), Some(other)) => compare(one, other),
        _ => Ordering::Equal,
    });
    let mut unsorted: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(order.into_iter().filter_map(|place| unsorted.get_mut(place)?.take()));
}

fn places(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|one, other| compare(*one, *other));
    places
}

#[cfg(test)]
mod tests {
    use super::{by, by_key};

    #[test]
    fn items_are_sorted_and_equal_ones_keep_their_order() {
        let mut words = vec!["bb", "a", "cc", "", "b", "aa"];
        by_key(&mut words, |word| word.len());
        assert_eq!(words, ["", "a", "b", "bb", "cc", "aa"]);
        by(&mut words, |one, other| other.cmp(one));
        assert_eq!(words, ["cc", "bb", "b", "aa", "a", ""]);
        let mut many: Vec<u32> = (0..1000).map(|n| n * 7919 % 1000).collect();
        by_key(&mut many, |n| *n);
        assert!(many.is_sorted() && many.len() == 1000);
        by_key(&mut Vec::<u8>::new(), |n| *n);
    }
}
