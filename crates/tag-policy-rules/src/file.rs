//! A file → rules, unchecked.

use std::io::{self, Read};
use std::path::Path;
use std::{fmt, fs, str};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{MessageFormatter, UserMessageFormatter};

use crate::error::Error;
use crate::items;

#[derive(Clone, Copy)]
enum Language {
    Json,
    Yaml,
    /// One of the two: the text decides.
    Either,
}

/// Reads the rules of a file, or of standard input (`-`).
pub fn read(file: &Path) -> Result<Vec<Value>, Error> {
    let unreadable = |error| Error::Unreadable(name(file), error);
    let mut bytes = Vec::new();
    if is_input(file) {
        io::stdin().read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        bytes = fs::read(file).map_err(unreadable)?;
    }
    let extension = file.extension().unwrap_or_default().to_ascii_lowercase();
    let language = match extension.to_str() {
        Some("json") => Language::Json,
        Some("yaml" | "yml") => Language::Yaml,
        _ => Language::Either,
    };
    parse(&bytes, language).map_err(|wrong| wrong.within(name(file)))
}

/// A file as errors and answers name it.
#[must_use]
pub fn name(file: &Path) -> String {
    if is_input(file) { "standard input".to_owned() } else { file.display().to_string() }
}

fn is_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// What is wrong with a text.
#[derive(Debug)]
enum Wrong {
    Syntax { line: u64, column: u64, reason: String },
    NoRules(String),
}

impl Wrong {
    fn within(self, file: String) -> Error {
        match self {
            Self::Syntax { line, column, reason } => Error::Syntax { file, line, column, reason },
            Self::NoRules(reason) => Error::NoRules(file, reason),
        }
    }
}

fn parse(bytes: &[u8], language: Language) -> Result<Vec<Value>, Wrong> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let sound = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
        let line = sound.matches('\n').count() + 1;
        let column = sound.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Wrong::Syntax { line: wide(line), column: wide(column), reason: "this is not UTF-8".to_owned() }
    })?;
    // Some editors begin a file with a byte order mark, which JSON does not know.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Wrong::NoRules("is empty".to_owned()));
    }
    let value = match language {
        Language::Json => json(text),
        // YAML has lists in brackets as well; what is wrong with those is told in JSON's words.
        Language::Either if text.trim_start().starts_with(['[', '{']) => {
            json(text).or_else(|wrong| yaml(text).map_err(|_| wrong))
        }
        Language::Yaml | Language::Either => yaml(text),
    };
    rules(value?)
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn json(text: &str) -> Result<Value, Wrong> {
    serde_json::from_str::<Unique>(text).map(|unique| unique.0).map_err(|error| {
        let (line, column) = (wide(error.line()), wide(error.column()));
        let reason = error.to_string();
        let reason = reason.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&reason);
        Wrong::Syntax { line, column: column.max(1), reason: reason.to_owned() }
    })
}

fn yaml(text: &str) -> Result<Value, Wrong> {
    let options = serde_saphyr::options! {
        // YAML 1.1's `Y`, `no` and `on` are texts here: the published table has `Y` and `N`, and a tag's
        // value may be any of them.
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |place| (place.line(), place.column()));
        Wrong::Syntax { line, column, reason: UserMessageFormatter.format_message(&error).into_owned() }
    })
}

/// A list of rules; or what `aws dynamodb scan` prints.
fn rules(value: Value) -> Result<Vec<Value>, Wrong> {
    let wrong = |reason: &str| Err(Wrong::NoRules(reason.to_owned()));
    let list = match value {
        Value::Array(list) => list,
        Value::Object(mut members) => match members.remove("Items") {
            Some(Value::Array(list)) => {
                // With half an export, --prune would remove the other half.
                let is_rest = |name: &str| members.get(name).is_some_and(|value| !value.is_null());
                if ["NextToken", "LastEvaluatedKey"].into_iter().any(is_rest) {
                    return wrong(
                        "is a part of an export: scan the table without --max-items and --no-paginate",
                    );
                }
                list
            }
            Some(_) => return wrong("Items must be a list"),
            None => return wrong("must be a list of rules, even if it is of one"),
        },
        _ => return wrong("must be a list of rules"),
    };
    if list.is_empty() {
        return wrong("holds no rule");
    }
    let plain = |(at, item)| match item {
        Value::Object(members) if items::is_typed(&members) => items::untyped(&members)
            .map_err(|reason| Wrong::NoRules(format!("item {} of the list: {reason}", at + 1))),
        item => Ok(item),
    };
    list.into_iter().enumerate().map(plain).collect()
}

/// JSON in which no member is there twice. `serde_json` takes the last one, and says nothing.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(value)) = values.next_element()? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom(format!("{name:?} is there twice")));
            }
            let Unique(value) = members.next_value()?;
            map.insert(name, value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The rules as JSON, or the error of a file `f`.
    fn told(bytes: &[u8], language: Language) -> String {
        match parse(bytes, language) {
            Ok(rules) => Value::Array(rules).to_string(),
            Err(wrong) => wrong.within("f".to_owned()).to_string(),
        }
    }

    #[test]
    fn both_languages_say_the_same() {
        let rules = json!([{"Default": "007", "Priority": 5, "Required": "Y", "RuleId": -1, "Scope": {"VpcIds": ["a"]}}]);
        let yaml = "- RuleId: -1\n  Required: Y\n  Default: '007'\n  Priority: 5\n  Scope: {VpcIds: [a]}\n";
        let json = serde_json::to_string_pretty(&rules).expect("JSON");
        for (name, text, language) in [
            ("JSON", json.as_str(), Language::Json),
            ("YAML", yaml, Language::Yaml),
            ("JSON is YAML", &json, Language::Yaml),
            ("JSON or YAML: JSON", &json, Language::Either),
            ("JSON or YAML: YAML", yaml, Language::Either),
        ] {
            assert_eq!(told(text.as_bytes(), language), rules.to_string(), "{name}");
            let marked = format!("\u{feff}{text}");
            assert_eq!(told(marked.as_bytes(), language), rules.to_string(), "{name} with a byte order mark");
        }
        let flow = "[{RuleId: 1}] # YAML in brackets";
        assert_eq!(told(flow.as_bytes(), Language::Either), "[{\"RuleId\":1}]");
    }

    #[test]
    fn yamls_words_are_texts() {
        for (word, expected) in [
            ("Y", json!("Y")),
            ("N", json!("N")),
            ("yes", json!("yes")),
            ("off", json!("off")),
            ("2026-01-31", json!("2026-01-31")),
            ("today()+30d", json!("today()+30d")),
            ("true", json!(true)),
            ("5", json!(5)),
            ("~", json!(null)),
            ("", json!(null)),
            ("'5'", json!("5")),
        ] {
            let text = format!("- Default: {word}\n");
            assert_eq!(
                told(text.as_bytes(), Language::Yaml),
                json!([{"Default": expected}]).to_string(),
                "{word}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_placed() {
        use Language::{Either, Json, Yaml};
        for (name, text, language, expected) in [
            ("JSON", "[\n  {\"RuleId\": 1,}\n]", Json, "f, line 2, column 16: trailing comma"),
            ("an end", "[{\"RuleId\": 1}", Json, "f, line 1, column 14: EOF while parsing a list"),
            ("twice", "[{\"A\": 1,\n \"A\": 2}]", Json, "f, line 2, column 4: \"A\" is there twice"),
            ("a number", "[1e999]", Json, "f, line 1, column 6: number out of range"),
            ("YAML as JSON", "- RuleId: 1", Json, "f, line 1, column 2: invalid number"),
            (
                "YAML",
                "- RuleId: 1\n   TagKey: A\n",
                Yaml,
                "f, line 2, column 10: mapping values are not allowed",
            ),
            ("twice in YAML", "- A: 1\n  A: 2\n", Yaml, "f, line 2, column 3: duplicate mapping key: A"),
            ("two documents", "- A: 1\n---\n- B: 1\n", Yaml, "f, line 3, column 1: "),
            ("no number", "- .nan\n", Yaml, "f, line 1, column 3: "),
            ("either", "[{\"RuleId\": 1,,}]", Either, "f, line 1, column 15: key must be a string"),
            ("neither", "- A: 'x\n", Either, "f, line 2, column 1: "),
        ] {
            let said = told(text.as_bytes(), language);
            assert!(said.starts_with(expected), "{name}: {said}");
        }
        assert_eq!(told(b"- A: 1\n- \xc3\xa9\xff", Yaml), "f, line 2, column 4: this is not UTF-8");
    }

    #[test]
    fn depth_ends_with_an_error() {
        let deep = "[".repeat(100_000);
        for language in [Language::Json, Language::Yaml, Language::Either] {
            assert!(told(deep.as_bytes(), language).starts_with("f, line 1, column "));
        }
    }

    #[test]
    fn rules_come_in_a_list() {
        for (name, value, expected) in [
            ("a list", json!([{"RuleId": 1}]), "[{\"RuleId\":1}]"),
            ("an export", json!({"Items": [{"RuleId": {"N": "1"}}], "Count": 1}), "[{\"RuleId\":1}]"),
            ("the items of an export", json!([{"RuleId": {"N": "1"}}]), "[{\"RuleId\":1}]"),
            ("rules in Items", json!({"Items": [{"RuleId": 1}]}), "[{\"RuleId\":1}]"),
            ("a whole export", json!({"Items": ["x"], "LastEvaluatedKey": null}), "[\"x\"]"),
            ("half an export", json!({"Items": ["x"], "NextToken": "t"}), "f: is a part of an export: "),
            ("half a scan", json!({"Items": [], "LastEvaluatedKey": {}}), "f: is a part of an export: "),
            (
                "a broken export",
                json!([1, {"RuleId": {"N": 1}}]),
                "f: item 2 of the list: RuleId has a value",
            ),
            ("one rule", json!({"RuleId": 1}), "f: must be a list of rules, even if it is of one"),
            ("a text", json!("rules"), "f: must be a list of rules"),
            ("no list", json!({"Items": {}}), "f: Items must be a list"),
            ("an empty list", json!([]), "f: holds no rule"),
            ("an empty export", json!({"Items": []}), "f: holds no rule"),
        ] {
            let said = told(value.to_string().as_bytes(), Language::Json);
            assert!(said.starts_with(expected), "{name}: {said}");
        }
        for text in ["", " \n", "\u{feff}\n"] {
            assert_eq!(told(text.as_bytes(), Language::Json), "f: is empty", "{text:?}");
        }
        assert_eq!(told(b"# only a comment\n", Language::Yaml), "f: must be a list of rules");
    }
}
