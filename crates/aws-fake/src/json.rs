//! What JSON is missing here.

use serde_json::Value;

/// The value as text, without null members: AWS leaves out what is not there. Answers have thousands of members,
/// which is why they are written at once, and by nothing that is generic: that is slow unoptimised.
pub(crate) fn text(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::String(string) => write_string(string, text),
        Value::Array(items) => {
            text.push('[');
            for (number, item) in items.iter().enumerate() {
                if number > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut before = '{';
            for (name, member) in members {
                if !member.is_null() {
                    text.push(before);
                    write_string(name, text);
                    text.push(':');
                    write(member, text);
                    before = ',';
                }
            }
            if before == '{' {
                text.push(before);
            }
            text.push('}');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

fn write_string(string: &str, text: &mut String) {
    let is_special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if string.bytes().any(is_special) {
        text.push_str(&Value::from(string).to_string());
    } else {
        text.push('"');
        text.push_str(string);
        text.push('"');
    }
}

/// The value without null members, at any depth. What stays is not moved.
pub(crate) fn given(mut value: Value) -> Value {
    leave_out_nulls(&mut value);
    value
}

fn leave_out_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.values().any(Value::is_null) {
                members.retain(|_, member| !member.is_null());
            }
            members.values_mut().for_each(leave_out_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_nulls),
        _ => {}
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
        assert_eq!(text(&value), r#"{"b":[{"d":1}],"e":{}}"#);
        assert_eq!(given(value), json!({"b": [{"d": 1}], "e": {}}));
    }

    #[test]
    fn a_text_is_read_as_what_it_was() {
        let value = json!({
            "a\"b": "\\ \n \u{1} ä",
            "": [[], {}, true, -1, 1.5, 1e300, "", [{"x": [1, 2]}]],
        });
        assert_eq!(serde_json::from_str::<Value>(&text(&value)).expect("JSON"), value);
    }
}
