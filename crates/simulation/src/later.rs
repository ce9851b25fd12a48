//! Continuations as a later version of the drainer might write them: it knows the core of them, and nothing else is as
//! this version has it.

use ecs_drainer::event::continuation::VERSION;
use serde_json::{Value, json};

/// An event with every continuation in it of another form, however deep it is wrapped.
pub(crate) fn written(mut event: Value) -> Value {
    change(&mut event);
    event
}

fn change(value: &mut Value) {
    match value {
        // A message within a message.
        Value::String(text) if text.starts_with('{') => {
            if let Ok(mut inner) = serde_json::from_str(text) {
                change(&mut inner);
                *text = inner.to_string();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(change),
        Value::Object(fields) if fields.contains_key("DrainPass") => {
            for field in ["LaunchedAt", "DrainingSince", "Count", "WaitsFor", "Unheard"] {
                fields.insert(field.to_owned(), json!({"another": "form"}));
            }
            fields.insert("DrainVersion".to_owned(), json!(VERSION + 1));
        }
        Value::Object(fields) => fields.values_mut().for_each(change),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuations_are_changed_and_nothing_else() {
        let continuation = json!({"DrainPass": 2, "Hook": {"Name": "h"}, "Until": "u"});
        let notice = json!({"Message": continuation.to_string(), "Type": "Notification"});
        let other = json!({"DrainRequest": "spot", "text": "{no object"});
        let event = json!({"Records": [{"body": notice.to_string()}, {"body": other.to_string()}]});
        let event = written(event);
        let inner = |text: &Value| serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap();
        let changed = inner(&inner(&event["Records"][0]["body"])["Message"]);
        assert_eq!(changed["DrainVersion"], VERSION + 1);
        assert_eq!(changed["Count"], json!({"another": "form"}));
        assert_eq!((&changed["DrainPass"], &changed["Hook"]), (&json!(2), &json!({"Name": "h"})));
        assert_eq!(inner(&event["Records"][1]["body"]), other);
    }
}
