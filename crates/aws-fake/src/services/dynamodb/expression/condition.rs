//! Conditions: what an item must be like for a write to be done.

use std::cmp::Ordering;

use super::{Parser, Path, Token, Words};
use crate::{
    error::ApiError,
    world::{
        tables::invalid,
        values::{Attribute, Item},
    },
};

const KIND: &str = "ConditionExpression";

/// A condition.
#[derive(Debug)]
pub(in crate::services::dynamodb) enum Condition {
    Or(Box<Condition>, Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Exists(Path),
    Compare(Operand, Comparator, Operand),
}

#[derive(Debug)]
pub(in crate::services::dynamodb) enum Operand {
    Path(Path),
    Value(Attribute),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::services::dynamodb) enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparator {
    fn of(symbol: &str) -> Option<Self> {
        match symbol {
            "=" => Some(Self::Equal),
            "<>" => Some(Self::NotEqual),
            "<" => Some(Self::Less),
            "<=" => Some(Self::LessOrEqual),
            ">" => Some(Self::Greater),
            ">=" => Some(Self::GreaterOrEqual),
            _ => None,
        }
    }

    fn holds(self, left: &Attribute, right: &Attribute) -> bool {
        let order = left.compare(right);
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        }
    }
}

impl Condition {
    /// Whether it holds for an item. What is not there compares with nothing, so it is unequal to everything.
    pub(in crate::services::dynamodb) fn holds(&self, item: &Item) -> bool {
        match self {
            Self::Or(left, right) => left.holds(item) || right.holds(item),
            Self::And(left, right) => left.holds(item) && right.holds(item),
            Self::Not(inner) => !inner.holds(item),
            Self::Exists(path) => path.find(item).is_some(),
            Self::Compare(left, comparator, right) => match (left.find(item), right.find(item)) {
                (Some(left), Some(right)) => comparator.holds(left, right),
                _ => *comparator == Comparator::NotEqual,
            },
        }
    }
}

impl Operand {
    fn find<'i>(&'i self, item: &'i Item) -> Option<&'i Attribute> {
        match self {
            Self::Path(path) => path.find(item),
            Self::Value(value) => Some(value),
        }
    }
}

/// Reads a condition. `NOT` binds closest, then `AND`, then `OR`.
pub(in crate::services::dynamodb) fn parse(text: &str, words: &Words) -> Result<Condition, ApiError> {
    let mut reader = Reader { parser: Parser::new(KIND, text, words)?, closed: None };
    let condition = reader.either()?;
    reader.parser.end()?;
    Ok(condition)
}

struct Reader<'w> {
    parser: Parser<'w>,
    /// From where to where the last parentheses were.
    closed: Option<(usize, usize)>,
}

impl Reader<'_> {
    fn either(&mut self) -> Result<Condition, ApiError> {
        let mut left = self.both()?;
        while self.parser.take_keyword("OR") {
            left = Condition::Or(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Condition, ApiError> {
        let mut left = self.one()?;
        while self.parser.take_keyword("AND") {
            left = Condition::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Condition, ApiError> {
        if self.parser.take_keyword("NOT") {
            return Ok(Condition::Not(Box::new(self.one()?)));
        }
        if self.parser.peek() == Some(&Token::Symbol("(")) {
            return self.inner();
        }
        if let Some(function) = self.parser.take_function() {
            return self.function(&function);
        }
        self.comparison()
    }

    /// In parentheses, but not in two pairs of them.
    fn inner(&mut self) -> Result<Condition, ApiError> {
        let opened = self.parser.next;
        self.parser.expect("(")?;
        let condition = self.either()?;
        let closed = self.parser.next;
        self.parser.expect(")")?;
        if self.closed == Some((opened + 1, closed - 1)) {
            return Err(invalid(format!("Invalid {KIND}: The expression has redundant parentheses;")));
        }
        self.closed = Some((opened, closed));
        Ok(condition)
    }

    fn function(&mut self, name: &str) -> Result<Condition, ApiError> {
        let exists = match name {
            "attribute_exists" => true,
            "attribute_not_exists" => false,
            other => return Err(self.parser.unknown_function(other)),
        };
        let condition = Condition::Exists(self.parser.path()?);
        self.parser.expect(")")?;
        Ok(if exists { condition } else { Condition::Not(Box::new(condition)) })
    }

    fn comparison(&mut self) -> Result<Condition, ApiError> {
        let left = self.operand()?;
        let error = self.parser.error();
        let Some(Token::Symbol(symbol)) = self.parser.take() else { return Err(error) };
        let comparator = Comparator::of(symbol).ok_or(error)?;
        let right = self.operand()?;
        let is_order = !matches!(comparator, Comparator::Equal | Comparator::NotEqual);
        for operand in [&left, &right] {
            if let Operand::Value(value) = operand
                && is_order
                && !["S", "N", "B"].contains(&value.kind())
            {
                return Err(invalid(format!(
                    "Invalid {KIND}: Incorrect operand type for operator or function; operator: {symbol}, operand type: {}",
                    value.kind()
                )));
            }
        }
        Ok(Condition::Compare(left, comparator, right))
    }

    fn operand(&mut self) -> Result<Operand, ApiError> {
        match self.parser.value()? {
            Some(value) => Ok(Operand::Value(value)),
            None => self.parser.path().map(Operand::Path),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn words() -> Words {
        let values = json!({":n": {"N": "5"}, ":s": {"S": "b"}, ":t": {"BOOL": true}});
        Words::new(
            BTreeMap::from([("#until".to_owned(), "until".to_owned()), ("#m".to_owned(), "m".to_owned())]),
            serde_json::from_value(values).expect("values"),
        )
    }

    fn item(value: Value) -> Item {
        serde_json::from_value(value).expect("an item")
    }

    #[test]
    fn conditions_hold_or_not() {
        let item = item(json!({
            "a": {"N": "4"}, "b": {"S": "b"}, "until": {"N": "5.0"},
            "m": {"M": {"x": {"L": [{"S": "a"}, {"S": "b"}]}}},
        }));
        let rows = [
            ("attribute_exists(a)", true),
            ("attribute_not_exists(a)", false),
            ("attribute_exists(c) OR attribute_exists(b)", true),
            ("a < :n", true),
            ("a <= :n AND a <> :n", true),
            ("#until = :n", true),
            ("#until > :n", false),
            ("#until >= :n", true),
            ("b = :s", true),
            ("b < :n", false),
            ("b <> :n", true),
            ("c = :n", false),
            ("c <> :n", true),
            ("c < :n", false),
            ("NOT c < :n", true),
            ("not a = :n and b = :s", true),
            ("a = :n OR b = :s AND c = :s", false),
            ("(a = :n OR b = :s) AND NOT c = :s", true),
            ("#m.x[1] = :s", true),
            ("#m.x[0] = :s", false),
            ("attribute_exists(#m.x[2])", false),
            ("attribute_not_exists(c) OR (a = :n AND b <> :s) OR (b = :s AND #until < :n)", true),
        ];
        for (text, expected) in rows {
            let condition = parse(text, &words()).expect(text);
            assert_eq!(condition.holds(&item), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        let rows = [
            ("", "can not be empty"),
            ("a =", "Syntax error; token: \"<EOF>\""),
            ("a = :n b", "Syntax error; token: \"b\""),
            ("a == :n", "Syntax error; token: \"=\""),
            ("until = :n", "reserved keyword: until"),
            ("a.Request = :n", "reserved keyword: Request"),
            ("#no = :n", "attribute name: #no"),
            ("a = :no", "attribute value: :no"),
            ("a < :t", "operator: <, operand type: BOOL"),
            ("((a = :n))", "redundant parentheses"),
            ("(a = :n", "Syntax error; token: \"<EOF>\""),
            ("exists(a)", "function: exists"),
            ("a ! :n", "Syntax error; token: \"!\""),
        ];
        for (text, expected) in rows {
            let refused = parse(text, &words()).expect_err(text).message;
            assert!(refused.contains(expected), "{text}: {refused}");
        }
    }

    #[test]
    fn every_word_must_be_used() {
        let words = words();
        parse("a = :n AND #m = :t", &words).expect("a condition");
        let refused = words.check_all_used(true).expect_err("two are not").message;
        assert!(refused.ends_with("unused in expressions: names: {#until}"), "{refused}");
    }
}
