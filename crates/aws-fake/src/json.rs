//! What JSON is missing here.

use serde_json::Value;

/// The value without null members, at any depth: AWS leaves out what is not there.
pub(crate) fn given(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let given = members.into_iter().filter(|(_, member)| !member.is_null());
            Value::Object(given.map(|(name, member)| (name, self::given(member))).collect())
        }
        Value::Array(items) => items.into_iter().map(given).collect(),
        other => other,
    }
}

/// An object of what is moved into it: `json!` would copy a list of a thousand instances at each level.
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, member)| (name.to_owned(), member)).collect())
}

/// Adds or changes a member of an object.
pub(crate) fn put(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nulls_are_left_out() {
        let value = json!({"a": null, "b": [{"c": null, "d": 1}], "e": {"f": null}});
        assert_eq!(given(value), json!({"b": [{"d": 1}], "e": {}}));
    }
}
