//! How one target is chosen from those of a tier: at random, in turn, or by latency.

use std::collections::HashMap;

use rand::RngExt;
use rand::rngs::SmallRng;

/// How many models' turns are remembered: more than any catalog has, but bounded.
const MODELS_MAX: usize = 4096;

/// Draws one at random, in proportion to the weights.
pub fn draw(weights: &[u32], random: &mut SmallRng) -> Option<usize> {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let mut point = random.random_range(0..total.max(1));
    let mut chosen = None;
    for (position, weight) in weights.iter().enumerate() {
        chosen = Some(position);
        match point.checked_sub(u64::from(*weight)) {
            None => break,
            Some(rest) => point = rest,
        }
    }
    chosen
}

/// Draws two by weight and returns the faster one. If all were compared, the fastest would get every call until it is
/// no longer the fastest. One whose latency is unknown goes first, since it would never become known otherwise.
pub fn quicker_of_two(choices: &[(u32, Option<f64>)], random: &mut SmallRng) -> Option<usize> {
    let mut weights: Vec<u32> = choices.iter().map(|(weight, _)| *weight).collect();
    let one = draw(&weights, random)?;
    *weights.get_mut(one)? = 0;
    if weights.iter().all(|weight| *weight == 0) {
        return Some(one);
    }
    let other = draw(&weights, random)?;
    let latency_ms = |position: usize| choices.get(position).and_then(|(_, latency_ms)| *latency_ms).unwrap_or(0.0);
    Some(if latency_ms(other) < latency_ms(one) { other } else { one })
}

/// A choice that takes turns.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// Its number, which stays the same from turn to turn.
    pub id: usize,
    /// How often its turn comes, relative to the others.
    pub weight: u32,
}

/// The turns of each model, evenly spread: weights 5, 1, 1 give a a b a c a a and not a a a a a b c.
#[derive(Debug, Clone, Default)]
pub struct Rotation {
    credits: HashMap<String, HashMap<usize, i64>>,
    /// How many turns were over before this rotation began.
    over: u64,
}

/// How many turns are worked out again. After so many, or as many as the weights make, they begin anew.
const TURNS_MAX: u64 = 1024;

impl Rotation {
    /// A rotation of which so many turns are over, for those who are told the number of a turn and nothing else.
    #[must_use]
    pub fn after(turns: u64) -> Self {
        Rotation { over: turns, ..Rotation::default() }
    }

    /// The next of these choices.
    pub fn next(&mut self, model: &str, choices: &[Choice]) -> Option<usize> {
        let total: u64 = choices.iter().map(|choice| u64::from(choice.weight)).sum();
        for _ in 0..std::mem::take(&mut self.over) % total.clamp(1, TURNS_MAX) {
            self.step(model, choices);
        }
        self.step(model, choices)
    }

    /// Each choice gains its weight, and the one that is chosen pays the sum.
    fn step(&mut self, model: &str, choices: &[Choice]) -> Option<usize> {
        if self.credits.len() >= MODELS_MAX && !self.credits.contains_key(model) {
            self.credits.clear();
        }
        let credits = self.credits.entry(model.to_owned()).or_default();
        credits.retain(|id, _| choices.iter().any(|choice| choice.id == *id));
        let total: i64 = choices.iter().map(|choice| i64::from(choice.weight)).sum();
        let mut best: Option<(i64, usize)> = None;
        for choice in choices {
            let credit = credits.entry(choice.id).or_default();
            *credit += i64::from(choice.weight);
            if best.is_none_or(|(most, _)| *credit > most) {
                best = Some((*credit, choice.id));
            }
        }
        let (_, id) = best?;
        *credits.entry(id).or_default() -= total;
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn turns_are_spread_evenly_and_as_often_as_the_weights_say() {
        let mut rotation = Rotation::default();
        let choices = [(0, 5), (1, 1), (2, 1)].map(|(id, weight)| Choice { id, weight });
        let turns: Vec<usize> = (0..14).filter_map(|_| rotation.next("m", &choices)).collect();
        assert_eq!(turns, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn who_knows_only_the_number_of_a_turn_chooses_as_who_took_them_all() {
        let choices = [(0, 5), (1, 1), (2, 1)].map(|(id, weight)| Choice { id, weight });
        let mut rotation = Rotation::default();
        for turn in 0..20 {
            assert_eq!(Rotation::after(turn).next("m", &choices), rotation.next("m", &choices), "{turn}");
        }
        let heavy = [(0, 1_000_000), (1, 1_000_000)].map(|(id, weight)| Choice { id, weight });
        assert_eq!(Rotation::after(u64::MAX).next("m", &heavy), Some(1));
        assert_eq!(Rotation::after(7).next("m", &[]), None);
    }

    #[test]
    fn turns_go_on_among_those_that_are_left() {
        let mut rotation = Rotation::default();
        let all = [(0, 1), (1, 1), (2, 1)].map(|(id, weight)| Choice { id, weight });
        rotation.next("m", &all);
        let turns: Vec<usize> = (0..4).filter_map(|_| rotation.next("m", &all[1..])).collect();
        assert_eq!(turns, [1, 2, 1, 2]);
        assert_eq!(rotation.next("m", &[]), None);
        assert_eq!(rotation.next("other", &all), Some(0));
    }

    #[test]
    fn the_quicker_of_two_gets_most_and_an_unknown_one_is_tried() {
        let mut random = SmallRng::seed_from_u64(1);
        let mut counts = [0u32; 3];
        for _ in 0..3000 {
            counts
                [quicker_of_two(&[(1, Some(100.0)), (1, Some(300.0)), (1, Some(200.0))], &mut random).expect("one")] +=
                1;
        }
        assert!((1900..2100).contains(&counts[0]) && counts[1] == 0, "{counts:?}");
        let unknown = (0..100).filter(|_| quicker_of_two(&[(1, Some(1.0)), (1, None)], &mut random) == Some(1)).count();
        assert_eq!(unknown, 100);
        assert_eq!(quicker_of_two(&[(7, None)], &mut random), Some(0));
        assert_eq!(quicker_of_two(&[], &mut random), None);
    }
}
