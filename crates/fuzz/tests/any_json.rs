//! Any JSON at all, with the samples' words in it. What fails is shrunk to the least that fails.

use fuzz::check;
use fuzz::samples::Samples;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

/// JSON of any shape, whose names are mostly those that the samples have, and whose texts often are.
fn any_json() -> impl Strategy<Value = Value> {
    let fields = Samples::read().fields;
    let names: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();
    let values: Vec<Value> = fields.into_iter().map(|(_, value)| value).collect();
    let name = prop_oneof![4 => select(names), 1 => ".{0,9}"].boxed();
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    let leaf = prop_oneof![4 => select(values), 1 => scalar];
    leaf.prop_recursive(6, 40, 8, move |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => vec((name.clone(), inner.clone()), 0..8).prop_map(|fields| fields.into_iter().collect()),
            1 => inner.prop_map(|inner| inner.to_string().into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_keeps_what_is_promised(event in any_json()) {
        prop_assert_eq!(check::event(&event), Ok(()));
    }

    #[test]
    fn any_bytes_keep_what_is_promised(input in vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(check::input(&input), Ok(()));
    }
}
