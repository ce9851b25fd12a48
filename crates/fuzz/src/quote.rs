//! Whether a text that a parser made repeats what was parsed.
//!
//! That a piece of the error stands in the event, too, proves nothing: both may say "Records". So a long common piece is
//! replaced in the event, and if the parser then says the replacement, it quotes.

use serde_json::Value;

/// Most bytes that an error may have in common with its event: shorter pieces are words.
pub const WORDS: usize = 16;

/// Stands in the event in place of what may have been quoted.
const MARK: &str = "Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7";

/// The piece of more than `longest` bytes that `said` quotes from the event; `say` reads an event and says the text
/// again.
pub fn quoted(
    said: &str,
    event: &Value,
    longest: usize,
    say: impl Fn(&Value) -> Option<String>,
) -> Option<String> {
    if said.len() <= longest {
        return None;
    }
    let mut texts = Vec::new();
    collect(event, &mut texts);
    texts.retain(|text| text.len() > longest);
    let starts = said.char_indices().map(|(at, _)| at);
    starts.filter_map(|at| said.get(at..)).find_map(|rest| {
        let length = common(rest, longest, &texts)?;
        let piece = rest.get(..length)?;
        let mark = MARK.get(..(longest + 1).min(MARK.len()))?;
        let again = say(&replaced(event, piece, mark))?;
        again.contains(mark).then(|| piece.to_owned())
    })
}

/// How many bytes at the beginning of `rest` stand in a text; none if they are not more than `longest`.
fn common(rest: &str, longest: usize, texts: &[String]) -> Option<usize> {
    let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).filter(|end| *end > longest);
    ends.take_while(|end| rest.get(..*end).is_some_and(|piece| texts.iter().any(|text| text.contains(piece))))
        .last()
}

/// Every text in a value: names, strings, and those in strings that hold JSON.
pub fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                texts.push(name.clone());
                collect(value, texts);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::String(text) => {
            texts.push(text.clone());
            if let Some(inner) = opened(text) {
                collect(&inner, texts);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn replaced(value: &Value, piece: &str, by: &str) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.replace(piece, by), replaced(value, piece, by)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(values) => values.iter().map(|value| replaced(value, piece, by)).collect(),
        Value::String(text) => match opened(text) {
            Some(inner) => replaced(&inner, piece, by).to_string().into(),
            None => text.replace(piece, by).into(),
        },
        other => other.clone(),
    }
}

/// The object or list that a text holds.
#[must_use]
pub fn opened(text: &str) -> Option<Value> {
    let begins = text.trim_start().starts_with(['{', '[']);
    begins.then(|| serde_json::from_str(text).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    type Say = fn(&Value) -> Option<String>;

    const SECRET: &str = "correct horse battery staple";

    #[test]
    fn what_is_repeated_is_told_from_what_is_said_anyway() {
        let message = |value: &Value| value.pointer("/message").and_then(Value::as_str).map(str::to_owned);
        let own: Say = |_| Some(format!("there is no {SECRET}"));
        let quotes: Say = |event| Some(format!("cannot read {}", event["message"].as_str()?));
        let inner: Say = |event| {
            let inner: Value = serde_json::from_str(event["message"].as_str()?).ok()?;
            Some(format!("cannot read {}", inner["deep"].as_str()?))
        };
        let field: Say = |event| Some(format!("unknown field {}", event.as_object()?.keys().next()?));
        let half: Say = |event| Some(format!("at: {}", event["message"].as_str()?.get(8..)?));
        for (name, event, say, expected) in [
            ("its own words", json!({"message": SECRET}), own, None),
            ("a quote", json!({"message": SECRET}), quotes, Some(SECRET)),
            ("a word", json!({"message": "horse"}), quotes, None),
            (
                "a quote from the inside",
                json!({"message": json!({"deep": SECRET}).to_string()}),
                inner,
                Some(SECRET),
            ),
            ("a field's name", json!({SECRET: 1}), field, Some(SECRET)),
            ("half of it", json!({"message": SECRET}), half, Some("horse battery staple")),
        ] {
            let said = say(&event).unwrap();
            assert_eq!(quoted(&said, &event, WORDS, say).as_deref(), expected, "{name}");
        }
        let event = json!({"message": SECRET});
        assert_eq!(quoted(&message(&event).unwrap(), &event, 60, message), None, "as long as it may be");
    }
}
