use proptest::prelude::*;

use super::*;
use crate::catalog::Document;

/// In dollars: 3 for input, 0.3 for cache reads, 3.75 for cache writes, 15 for output.
const SONNET: Price = Price {
    input: 3_000_000_000,
    cache_read: 300_000_000,
    cache_write: 3_750_000_000,
    output: 15_000_000_000,
    call: 0,
};
const CHEAP: Price =
    Price { input: 37_500_000, cache_read: 37_500_000, cache_write: 37_500_000, output: 150_000_000, call: 0 };
const EMBEDDING: Price =
    Price { input: 20_000_000, cache_read: 20_000_000, cache_write: 20_000_000, output: 0, call: 0 };
const FREE: Price = Price { input: 0, cache_read: 0, cache_write: 0, output: 0, call: 0 };

fn usage(counts: [Option<u64>; 4]) -> Usage {
    let [input_tokens, cache_read_tokens, cache_write_tokens, output_tokens] = counts;
    Usage { input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens: None }
}

#[test]
fn each_part_of_the_usage_is_paid_at_its_own_price() {
    let cases = [
        (SONNET, [Some(1000), None, None, Some(200)], 6_000_000),
        (SONNET, [Some(1000), Some(0), Some(0), Some(200)], 6_000_000),
        (SONNET, [Some(1000), Some(800), None, Some(200)], 3_840_000),
        (SONNET, [Some(1000), Some(300), Some(500), Some(200)], 5_565_000),
        (SONNET, [Some(0), None, None, Some(0)], 0),
        // 37.5 nano-dollars a token, and half a nano-dollar is rounded up.
        (CHEAP, [Some(2), None, None, Some(0)], 75),
        (CHEAP, [Some(1), None, None, Some(0)], 38),
        (CHEAP, [Some(1_000_000), None, None, Some(1_000_000)], 187_500_000),
    ];
    for (price, counts, nano) in cases {
        assert_eq!(cost(&price, &usage(counts)), Some(nano), "{counts:?}");
    }
}

#[test]
fn what_is_not_known_is_not_zero_unless_it_is_free() {
    for counts in [[None; 4], [Some(1000), None, None, None], [None, Some(10), None, Some(200)]] {
        assert_eq!(cost(&SONNET, &usage(counts)), None, "{counts:?}");
        assert_eq!(cost(&FREE, &usage(counts)), Some(0), "{counts:?}");
    }
    assert_eq!(cost(&EMBEDDING, &usage([Some(1000), None, None, None])), Some(20_000));
    assert_eq!(cost(&EMBEDDING, &usage([None, None, None, Some(7)])), None);
}

#[test]
fn caches_counted_apart_by_mistake_cost_nothing_less() {
    assert_eq!(cost(&SONNET, &usage([Some(10), Some(1000), None, Some(0)])), Some(300_000));
    assert_eq!(cost(&SONNET, &usage([Some(10), Some(u64::MAX), Some(u64::MAX), Some(0)])), Some(COST_NANO_MAX));
}

#[test]
fn an_estimate_is_the_cost_without_caches() {
    assert_eq!(estimate(&SONNET, 1000, 200), 6_000_000);
    assert_eq!(Some(estimate(&SONNET, 1000, 200)), cost(&SONNET, &usage([Some(1000), None, None, Some(200)])));
    assert_eq!(estimate(&FREE, u64::MAX, u64::MAX), 0);
}

#[test]
fn the_catalogs_price_wins_and_the_table_knows_the_rest() {
    let catalog = r#"
        [[providers]]
        preset = "openai"
        [[providers]]
        preset = "echo"
        name = "groq"
        [[models]]
        name = "m"
        targets = [
            { provider = "openai", model = "gpt-4o", price = { input = 1, output = 2 } },
            { provider = "openai", model = "gpt-4o" },
            { provider = "openai" },
            { provider = "groq", model = "llama-3.3-70b-versatile" },
        ]
    "#;
    let catalog = Document::from_toml(catalog).unwrap().validate().unwrap();
    let prices = catalog.models[0].targets.iter().map(|target| {
        let model = target.model.as_deref().unwrap_or("gpt-4o-mini");
        target.priced(model, Pieces::None, 0).map(|priced| (priced.price.output, priced.source.to_string()))
    });
    let table = "genai-prices 2026-10-30";
    let known = |output: u64, source: &str| Some((output, source.to_owned()));
    let expected = [known(2_000_000_000, "catalog"), known(10_000_000_000, table), known(600_000_000, table), None];
    assert_eq!(prices.collect::<Vec<_>>(), expected);
}

fn any_price() -> impl Strategy<Value = Price> {
    let part = || prop_oneof![Just(0), 0..10_000_000_000_u64, any::<u64>()];
    (part(), part(), part(), part()).prop_map(|(input, cache_read, cache_write, output)| Price {
        input,
        cache_read,
        cache_write,
        output,
        call: 0,
    })
}

fn any_tokens() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![Just(None), (0..1_000_000_u64).prop_map(Some), any::<u64>().prop_map(Some)]
}

proptest! {
    #[test]
    fn no_cost_is_negative_or_more_than_the_most(price in any_price(), counts in prop::array::uniform4(any_tokens())) {
        if let Some(nano) = cost(&price, &usage(counts)) {
            prop_assert!((0..=COST_NANO_MAX).contains(&nano));
        }
        let [input_tokens, .., output_tokens] = counts.map(Option::unwrap_or_default);
        prop_assert!((0..=COST_NANO_MAX).contains(&estimate(&price, input_tokens, output_tokens)));
    }

    #[test]
    fn more_tokens_of_a_kind_never_cost_less(
        price in any_price(), counts in prop::array::uniform4(any_tokens()), more in any::<u64>(),
    ) {
        let before = cost(&price, &usage(counts));
        for index in [0, 3] {
            let mut counts = counts;
            counts[index] = counts[index].map(|tokens| tokens.saturating_add(more));
            prop_assert!(cost(&price, &usage(counts)) >= before);
        }
    }

    #[test]
    fn a_higher_price_never_costs_less(
        price in any_price(), counts in prop::array::uniform4(any_tokens()), more in any::<u64>(),
    ) {
        let raised = |part: u64| part.saturating_add(more);
        let higher = Price {
            input: raised(price.input),
            cache_read: raised(price.cache_read),
            cache_write: raised(price.cache_write),
            output: raised(price.output),
            call: raised(price.call),
        };
        if let (Some(nano), Some(higher)) = (cost(&price, &usage(counts)), cost(&higher, &usage(counts))) {
            prop_assert!(higher >= nano);
        }
    }
}
