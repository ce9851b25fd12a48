//! The leaves of an event: its texts, numbers and the like, those inside of texts that hold JSON among them.

use fuzz::quote::opened;
use serde_json::Value;

/// An event with one of its leaves replaced, and the name of the field that it is the value of. None if there are not so
/// many.
pub(crate) fn replaced(event: &Value, leaf: usize, by: &str) -> Option<(String, Value)> {
    let mut walk = Walk { at: 0, leaf, by, field: None };
    let event = walk.value(event, "event");
    walk.field.map(|field| (field, event))
}

struct Walk<'w> {
    at: usize,
    leaf: usize,
    by: &'w str,
    field: Option<String>,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, field: &str) -> Value {
        match value {
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), self.value(value, name)));
                fields.collect::<serde_json::Map<_, _>>().into()
            }
            Value::Array(values) => values.iter().map(|value| self.value(value, field)).collect(),
            Value::String(text) => match opened(text) {
                Some(inner) => self.value(&inner, field).to_string().into(),
                None => self.leaf(value, field),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => self.leaf(value, field),
        }
    }

    fn leaf(&mut self, value: &Value, field: &str) -> Value {
        self.at += 1;
        if self.at - 1 != self.leaf {
            return value.clone();
        }
        self.field = Some(field.to_owned());
        self.by.into()
    }
}

#[test]
fn every_leaf_is_replaced_once() {
    let event = serde_json::json!({"a": ["x", 7], "b": {"c": "{\"d\":\"y\"}"}, "e": null});
    let all = (0..).map_while(|leaf| replaced(&event, leaf, "Z"));
    let all: Vec<String> = all.map(|(field, event)| format!("{field}: {event}")).collect();
    assert_eq!(
        all,
        [
            r#"a: {"a":["Z",7],"b":{"c":"{\"d\":\"y\"}"},"e":null}"#,
            r#"a: {"a":["x","Z"],"b":{"c":"{\"d\":\"y\"}"},"e":null}"#,
            r#"d: {"a":["x",7],"b":{"c":"{\"d\":\"Z\"}"},"e":null}"#,
            r#"e: {"a":["x",7],"b":{"c":"{\"d\":\"y\"}"},"e":"Z"}"#,
        ]
    );
}
