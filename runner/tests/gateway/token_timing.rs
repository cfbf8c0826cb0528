//! How long it takes to refuse a token tells nothing of how much of it is right (promises.md, F59): the method of dudect,
//! two classes of guesses in a random order and Welch's t of their times. Not through the network, whose noise would
//! hide everything.

use std::hint::black_box;
use std::time::Instant;

use gateway_core::authenticate::{Token, authenticate};
use gateway_core::catalog::Catalog;
use gateway_core::endpoint::Needs;

const SAMPLES: usize = 200_000;

/// Beyond this the two classes differ; dudect's authors take 4.5.
const T_MAX: f64 = 4.5;

/// A machine that does other things as well gives a false alarm now and then, never three in a row.
const TRIES: usize = 3;

const TOKEN: &str = "c5ba29f1a0d34e6f8b17c5ba29f1a0d3";

#[derive(Default)]
struct Class {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Class {
    /// Welford's running mean and variance.
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (value - self.mean);
    }

    fn error(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

/// Welch's t of guesses that are wrong in their first and in their last character.
fn t(token: &Token, catalog: &Catalog) -> f64 {
    let guesses = [format!("x{}", &TOKEN[1..]), format!("{}x", &TOKEN[..TOKEN.len() - 1])].map(|guess| [guess]);
    let mut times: Vec<(usize, f64)> = Vec::with_capacity(SAMPLES);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..SAMPLES {
        // xorshift: which class comes next must not follow a pattern that caches and clocks could follow, too.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let class = (random >> 40) as usize % 2;
        let begun = Instant::now();
        let refused = authenticate(Needs::Admin, black_box(&guesses[class]), token, catalog, 0);
        let nanos = begun.elapsed().as_nanos() as f64;
        assert!(refused.is_err());
        times.push((class, nanos));
    }
    // Interruptions are longer than anything that is measured.
    let mut sorted: Vec<f64> = times.iter().map(|(_, nanos)| *nanos).collect();
    sorted.sort_by(f64::total_cmp);
    let limit = sorted[SAMPLES * 9 / 10];
    let mut classes = [Class::default(), Class::default()];
    times.iter().filter(|(_, nanos)| *nanos <= limit).for_each(|(class, nanos)| classes[*class].add(*nanos));
    (classes[0].mean - classes[1].mean) / (classes[0].error() + classes[1].error()).sqrt()
}

#[test]
fn how_long_a_wrong_token_takes_tells_nothing_of_it() {
    let (token, catalog) = (Token::new(TOKEN), Catalog::built_in());
    let measured: Vec<f64> = (0..TRIES).map(|_| t(&token, &catalog)).collect();
    assert!(measured.iter().any(|t| t.abs() < T_MAX), "t = {measured:?}");
}
