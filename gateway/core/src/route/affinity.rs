//! Affinity without a store: weighted rendezvous hashing. Every target has a score for every session, computed from
//! both names alone, and the highest score wins. So all instances agree without talking to each other, and if a target
//! disappears only its own sessions move. A ring or a table would have to be stored and agreed upon.

use sha2::{Digest, Sha256};

use crate::catalog::Affinity;

/// A target that may be chosen.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Its position among the candidates.
    pub position: usize,
    /// Its weight.
    pub weight: u32,
    /// Its name, `provider/upstream-model`, which does not change when the catalog is edited.
    pub name: String,
}

/// The hash that a call's affinity depends on: of its session, or of the beginning of its prompt, which is only read
/// then.
pub fn of(affinity: Affinity, session: Option<&str>, beginning: impl FnOnce() -> Option<Vec<u8>>) -> Option<u64> {
    match affinity {
        Affinity::None => None,
        Affinity::Session => session.map(|session| hash(session.as_bytes())),
        Affinity::PromptCache => beginning().map(|beginning| hash(&beginning)),
    }
}

/// The hash of such a text.
pub fn hash(text: &[u8]) -> u64 {
    let digest = Sha256::digest(text);
    digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The position of the choice with the highest score.
pub fn choose(of: u64, choices: &[Choice]) -> Option<usize> {
    let scored = choices.iter().map(|choice| (score(of, choice), choice.position));
    scored.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, position)| position)
}

/// The place of a credential in the order of a call, which depends on both names alone: the highest comes first.
pub fn turn(of: u64, credential: &str) -> u64 {
    hash([&of.to_be_bytes(), credential.as_bytes()].concat().as_slice())
}

/// `-weight / ln(u)` with `u` uniform in (0, 1): the chance to have the highest is the weight's share (Efraimidis and
/// Spirakis, "Weighted random sampling with a reservoir", 2006).
fn score(of: u64, choice: &Choice) -> f64 {
    let mixed = hash([&of.to_be_bytes(), choice.name.as_bytes()].concat().as_slice());
    #[expect(clippy::cast_precision_loss, reason = "53 of 64 bits are enough to tell targets apart")]
    let uniform = ((mixed >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(choice.weight) / uniform.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(weights: &[(usize, u32)]) -> Vec<Choice> {
        let choice = |(position, weight): &(usize, u32)| Choice {
            position: *position,
            weight: *weight,
            name: format!("p/{position}"),
        };
        weights.iter().map(choice).collect()
    }

    #[test]
    fn sessions_are_shared_out_by_weight_and_each_stays_where_it_is() {
        let three = choices(&[(0, 7), (1, 2), (2, 1)]);
        let mut counts = [0u32; 3];
        for session in 0..10_000u64 {
            let position = choose(hash(&session.to_be_bytes()), &three).expect("one");
            assert_eq!(choose(hash(&session.to_be_bytes()), &three), Some(position));
            counts[position] += 1;
        }
        for (count, share) in counts.iter().zip([7000, 2000, 1000]) {
            assert!(count.abs_diff(share) < 200, "{counts:?}");
        }
    }

    #[test]
    fn when_a_target_goes_only_its_own_sessions_move() {
        let (three, two) = (choices(&[(0, 1), (1, 1), (2, 1)]), choices(&[(0, 1), (2, 1)]));
        for session in 0..1000u64 {
            let of = hash(&session.to_be_bytes());
            let (before, after) = (choose(of, &three), choose(of, &two));
            assert!(before == Some(1) || before == after);
        }
        assert_eq!(choose(1, &[]), None);
    }
}
