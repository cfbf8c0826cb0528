//! No input makes reading, checking, showing or sealing panic.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Document, SAMPLE};

/// Names of the schema, so that random trees reach deep into it.
const NAMES: [&str; 43] = [
    "settings",
    "providers",
    "models",
    "keys",
    "relays",
    "name",
    "preset",
    "credentials",
    "headers",
    "targets",
    "aliases",
    "base_url",
    "endpoints",
    "value",
    "variable",
    "sealed",
    "id",
    "label",
    "weight",
    "hash",
    "expires",
    "timeouts",
    "connect",
    "quotas",
    "quota",
    "rpm",
    "tpd",
    "rolling",
    "points",
    "limits",
    "zone",
    "reset",
    "pool",
    "concurrent",
    "egress",
    "price",
    "input",
    "output",
    "rates",
    "provider",
    "enabled",
    "openai-chat",
    "x-title",
];

fn tree() -> impl Strategy<Value = Value> {
    let name = prop_oneof![8 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => ".{0,8}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(&["a/b", "${X}", "5s", "https://a", "v1:AAAA", "m*", "openai", "[1m]", "é/é", "${"][..])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 96, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn try_everything(document: &Document) {
    let _ = document.validate();
    let shown = document.redacted();
    let _ = shown.to_toml();
    let _ = shown.accept(Some(document), None, &mut || [0; 24]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn on_any_tree(settings in tree(), providers in tree(), models in tree(), keys in tree(), relays in tree()) {
        let text = json!({ "settings": settings, "providers": [providers, { "credentials": [keys.clone()] }],
            "models": [models], "keys": [keys], "relays": relays }).to_string();
        try_everything(&Document::from_json(text.as_bytes()).unwrap());
    }

    #[test]
    fn on_any_text(text in "(?s).{0,200}") {
        if let Ok(document) = Document::from_toml(&text) {
            try_everything(&document);
        }
        if let Ok(document) = Document::from_json(text.as_bytes()) {
            try_everything(&document);
        }
    }

    #[test]
    fn on_the_sample_with_a_piece_replaced(start in 0..SAMPLE.len(), length in 0..40usize, piece in "[\\PC\n]{0,6}") {
        let end = (start + length).min(SAMPLE.len());
        if let (Some(before), Some(after)) = (SAMPLE.get(..start), SAMPLE.get(end..))
            && let Ok(document) = Document::from_toml(&format!("{before}{piece}{after}"))
        {
            try_everything(&document);
        }
    }
}
