//! Rules ↔ DynamoDB's attributes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value};
use tag_policy::observe;

/// The types of attributes, as DynamoDB's JSON names them.
const TYPES: [&str; 10] = ["S", "N", "BOOL", "NULL", "L", "M", "SS", "NS", "B", "BS"];

/// An item.
pub type Item = HashMap<String, AttributeValue>;

/// A rule as an item.
#[must_use]
pub fn item(rule: &Value) -> Item {
    let members = rule.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), attribute(value))).collect()
}

/// An item as a rule.
#[must_use]
pub fn rule(item: Item) -> Value {
    observe::json(AttributeValue::M(item))
}

/// The key of a rule's item.
#[must_use]
pub fn key(id: i64) -> Item {
    Item::from([("RuleId".to_owned(), AttributeValue::N(id.to_string()))])
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Object(_) => AttributeValue::M(item(value)),
    }
}

/// Whether an object is an item as DynamoDB's JSON has it (`{"RuleId": {"N": "1"}, …}`) and not a rule.
#[must_use]
pub fn is_typed(object: &Map<String, Value>) -> bool {
    // A rule's Exempt may look like an attribute; not all of a rule does, nor its RuleId.
    let all = !object.is_empty() && object.values().all(|value| read(value).is_some());
    all || object.get("RuleId").is_some_and(Value::is_object)
}

/// An item as DynamoDB's JSON has it → the rule, or what is wrong with an attribute.
pub fn untyped(object: &Map<String, Value>) -> Result<Value, String> {
    let read = |(name, value)| match typed(value) {
        Ok(attribute) => Ok((String::clone(name), attribute)),
        Err(reason) => Err(format!("{name:.60} {reason}")),
    };
    object.iter().map(read).collect::<Result<Item, _>>().map(rule)
}

/// The type and the value of what may be an attribute.
fn read(value: &Value) -> Option<(&str, &Value)> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    let (name, value) = members.iter().next()?;
    TYPES.contains(&name.as_str()).then_some((name, value))
}

fn typed(value: &Value) -> Result<AttributeValue, String> {
    let Some((name, value)) = read(value) else {
        return Err("is no attribute as DynamoDB writes it, such as {\"S\": \"text\"}".to_owned());
    };
    let read = match (name, value) {
        ("S", Value::String(text)) => Some(AttributeValue::S(text.clone())),
        ("N", Value::String(number)) if serde_json::from_str::<serde_json::Number>(number).is_ok() => {
            Some(AttributeValue::N(number.clone()))
        }
        ("BOOL", Value::Bool(flag)) => Some(AttributeValue::Bool(*flag)),
        ("NULL", Value::Bool(_)) => Some(AttributeValue::Null(true)),
        ("L", Value::Array(values)) => {
            Some(AttributeValue::L(values.iter().map(typed).collect::<Result<_, _>>()?))
        }
        ("M", Value::Object(members)) => {
            let members = members.iter().map(|(name, value)| Ok((name.clone(), typed(value)?)));
            Some(AttributeValue::M(members.collect::<Result<_, String>>()?))
        }
        ("SS", Value::Array(texts)) => {
            let texts: Option<_> = texts.iter().map(|text| text.as_str().map(str::to_owned)).collect();
            texts.map(AttributeValue::Ss)
        }
        ("NS" | "B" | "BS", _) => return Err(format!("has the type {name}, which no rule needs")),
        _ => None,
    };
    read.ok_or_else(|| format!("has a value that does not fit its type {name}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_is_an_item_and_back() {
        let every_type = json!({
            "RuleId": 1, "TagKey": "Team", "Default": "", "Enabled": true, "AllowedValues": ["a", "b"],
            "Scope": {"VpcIds": ["vpc-1"], "Tags": {"Stage": "prod"}}, "Priority": 5, "Half": 0.5, "None": null,
        });
        let item = item(&every_type);
        for (name, expected) in [
            ("RuleId", AttributeValue::N("1".to_owned())),
            ("TagKey", AttributeValue::S("Team".to_owned())),
            ("Default", AttributeValue::S(String::new())),
            ("Enabled", AttributeValue::Bool(true)),
            ("Priority", AttributeValue::N("5".to_owned())),
            ("Half", AttributeValue::N("0.5".to_owned())),
            ("None", AttributeValue::Null(true)),
            (
                "AllowedValues",
                AttributeValue::L(["a", "b"].map(|text| AttributeValue::S(text.to_owned())).into()),
            ),
        ] {
            assert_eq!(item[name], expected, "{name}");
        }
        let scope = item["Scope"].as_m().expect("a map");
        assert!(scope["VpcIds"].is_l() && scope["Tags"].is_m(), "{scope:?}");
        assert_eq!(rule(item), every_type);
        assert_eq!(key(-3)["RuleId"], AttributeValue::N("-3".to_owned()));
    }

    #[test]
    fn exported_items_are_told_from_rules() {
        for (item, expected) in [
            (json!({"RuleId": {"N": "1"}, "TagKey": {"S": "A"}}), true),
            (json!({"RuleId": {"N": "1"}, "TagKey": "A"}), true),
            (json!({"TagKey": {"S": "A"}}), true),
            (json!({"RuleId": {"X": "1"}}), true),
            (json!({"RuleId": 1, "Exempt": {"S": "x"}}), false),
            (json!({"RuleId": 1}), false),
            (json!({"TagKey": {"S": "A", "N": "1"}}), false),
            (json!({}), false),
        ] {
            assert_eq!(is_typed(item.as_object().expect("an object")), expected, "{item}");
        }
    }

    #[test]
    fn exported_items_are_read_strictly() {
        let unfit = |name: &str| Err(format!("A has a value that does not fit its type {name}"));
        let none = || Err("A is no attribute as DynamoDB writes it, such as {\"S\": \"text\"}".to_owned());
        for (attribute, expected) in [
            (json!({"S": "x"}), Ok(json!("x"))),
            (json!({"N": "12"}), Ok(json!(12))),
            (json!({"N": "0.5"}), Ok(json!(0.5))),
            (json!({"BOOL": true}), Ok(json!(true))),
            (json!({"NULL": true}), Ok(json!(null))),
            (json!({"SS": ["a", "b"]}), Ok(json!(["a", "b"]))),
            (json!({"L": [{"S": "a"}, {"N": "1"}]}), Ok(json!(["a", 1]))),
            (json!({"M": {"Tags": {"M": {"S": {"S": "x"}}}}}), Ok(json!({"Tags": {"S": "x"}}))),
            (json!({"N": 12}), unfit("N")),
            (json!({"N": "twelve"}), unfit("N")),
            (json!({"S": 12}), unfit("S")),
            (json!({"BOOL": "true"}), unfit("BOOL")),
            (json!({"SS": ["a", 1]}), unfit("SS")),
            (json!({"L": [{"N": 1}]}), Err("A has a value that does not fit its type N".to_owned())),
            (json!({"B": "aGVsbG8="}), Err("A has the type B, which no rule needs".to_owned())),
            (json!({"M": {"Tags": "x"}}), none()),
            (json!({"X": "x"}), none()),
            (json!("x"), none()),
        ] {
            let item = json!({"A": attribute});
            let read = untyped(item.as_object().expect("an object"));
            assert_eq!(read, expected.map(|value: Value| json!({"A": value})), "{attribute}");
        }
    }
}
