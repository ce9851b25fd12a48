//! Updates: what is set, and what is removed. `ADD` and `DELETE` are not here.

use super::{Parser, Path, Step, Token, Words};
use crate::{
    error::ApiError,
    world::{
        tables::invalid,
        values::{Attribute, Item},
    },
};

const KIND: &str = "UpdateExpression";

/// An update.
#[derive(Debug, Default)]
pub(in crate::services::dynamodb) struct Update {
    set: Vec<(Path, Term)>,
    remove: Vec<Path>,
}

/// What is set: an operand, or two of them added or subtracted.
#[derive(Debug)]
enum Term {
    One(Operand),
    Sum(Operand, Operand),
    Difference(Operand, Operand),
}

#[derive(Debug)]
enum Operand {
    Path(Path),
    Value(Attribute),
    IfNotExists(Path, Box<Operand>),
}

/// Reads an update: `SET a = :a, b.c = :c REMOVE d`.
pub(in crate::services::dynamodb) fn parse(text: &str, words: &Words) -> Result<Update, ApiError> {
    let mut parser = Parser::new(KIND, text, words)?;
    let mut update = Update::default();
    while let Some(token) = parser.peek().cloned() {
        let section = match token {
            Token::Word(word) => word.to_ascii_uppercase(),
            _ => return Err(parser.error()),
        };
        let repeated = match section.as_str() {
            "SET" => !update.set.is_empty(),
            "REMOVE" => !update.remove.is_empty(),
            _ => return Err(parser.error()),
        };
        if repeated {
            return Err(invalid(format!(
                "Invalid {KIND}: The \"{section}\" section can only be used once in an update expression;"
            )));
        }
        parser.next += 1;
        loop {
            let path = parser.path()?;
            if section == "SET" {
                parser.expect("=")?;
                update.set.push((path, term(&mut parser)?));
            } else {
                update.remove.push(path);
            }
            if !parser.take_symbol(",") {
                break;
            }
        }
    }
    update.check_overlaps()?;
    Ok(update)
}

fn term(parser: &mut Parser<'_>) -> Result<Term, ApiError> {
    let left = operand(parser)?;
    if parser.take_symbol("+") {
        return Ok(Term::Sum(left, operand(parser)?));
    }
    if parser.take_symbol("-") {
        return Ok(Term::Difference(left, operand(parser)?));
    }
    Ok(Term::One(left))
}

fn operand(parser: &mut Parser<'_>) -> Result<Operand, ApiError> {
    if let Some(function) = parser.take_function() {
        if function != "if_not_exists" {
            return Err(parser.unknown_function(&function));
        }
        let path = parser.path()?;
        parser.expect(",")?;
        let otherwise = operand(parser)?;
        parser.expect(")")?;
        return Ok(Operand::IfNotExists(path, Box::new(otherwise)));
    }
    match parser.value()? {
        Some(value) => Ok(Operand::Value(value)),
        None => parser.path().map(Operand::Path),
    }
}

impl Update {
    /// The attributes that it changes.
    pub(in crate::services::dynamodb) fn attributes(&self) -> Vec<&str> {
        self.paths().map(|path| path.attribute.as_str()).collect()
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.set.iter().map(|(path, _)| path).chain(&self.remove)
    }

    fn check_overlaps(&self) -> Result<(), ApiError> {
        let paths: Vec<_> = self.paths().collect();
        for (number, one) in paths.iter().enumerate() {
            if let Some(two) = paths.iter().skip(number + 1).find(|two| one.overlaps(two)) {
                return Err(invalid(format!(
                    "Invalid {KIND}: Two document paths overlap with each other; must remove or rewrite one of these \
                     paths; path one: [{}], path two: [{}]",
                    one.attribute, two.attribute
                )));
            }
        }
        Ok(())
    }

    /// Changes an item. What is set is read from the item as it was.
    pub(in crate::services::dynamodb) fn apply(self, item: &mut Item) -> Result<(), ApiError> {
        let before = item.clone();
        for (path, term) in self.set {
            let value = term.value(&before)?;
            parent(item, &path)?.set(value);
        }
        // From the end of a list to its beginning, so that the numbers stay right.
        let mut remove = self.remove;
        remove.sort_by_key(|path| std::cmp::Reverse(path.steps.iter().map(step_number).collect::<Vec<_>>()));
        for path in remove {
            parent(item, &path)?.remove();
        }
        Ok(())
    }
}

fn step_number(step: &Step) -> usize {
    match step {
        Step::Member(_) => 0,
        Step::Element(number) => *number,
    }
}

/// The last step of a path, in what it goes into.
enum Place<'i> {
    Member(&'i mut Item, String),
    Element(&'i mut Vec<Attribute>, usize),
}

fn no_such_place() -> ApiError {
    invalid("The document path provided in the update expression is invalid for update")
}

/// All but the last step must be there.
fn parent<'i>(item: &'i mut Item, path: &Path) -> Result<Place<'i>, ApiError> {
    let mut place = Place::Member(item, path.attribute.clone());
    for step in &path.steps {
        let into = match place {
            Place::Member(members, name) => members.get_mut(&name),
            Place::Element(elements, number) => elements.get_mut(number),
        };
        place = match (into, step) {
            (Some(Attribute::Map(members)), Step::Member(name)) => Place::Member(members, name.clone()),
            (Some(Attribute::List(elements)), Step::Element(number)) => Place::Element(elements, *number),
            _ => return Err(no_such_place()),
        };
    }
    Ok(place)
}

impl Place<'_> {
    /// Sets it; past the end of a list is its end.
    fn set(self, value: Attribute) {
        match self {
            Self::Member(members, name) => drop(members.insert(name, value)),
            Self::Element(elements, number) => match elements.get_mut(number) {
                Some(element) => *element = value,
                None => elements.push(value),
            },
        }
    }

    /// Removes it, if it is there.
    fn remove(self) {
        match self {
            Self::Member(members, name) => drop(members.remove(&name)),
            Self::Element(elements, number) if number < elements.len() => drop(elements.remove(number)),
            Self::Element(..) => {}
        }
    }
}

impl Term {
    fn value(self, item: &Item) -> Result<Attribute, ApiError> {
        let (left, right, minus) = match self {
            Self::One(operand) => return operand.value(item),
            Self::Sum(left, right) => (left, right, false),
            Self::Difference(left, right) => (left, right, true),
        };
        match (left.value(item)?, right.value(item)?) {
            (Attribute::Number(left), Attribute::Number(right)) => {
                left.add(&right, minus).map(Attribute::Number).map_err(invalid)
            }
            _ => Err(invalid("An operand in the update expression has an incorrect data type")),
        }
    }
}

impl Operand {
    fn value(self, item: &Item) -> Result<Attribute, ApiError> {
        match self {
            Self::Value(value) => Ok(value),
            Self::IfNotExists(path, otherwise) => match path.find(item) {
                Some(value) => Ok(value.clone()),
                None => otherwise.value(item),
            },
            Self::Path(path) => path.find(item).cloned().ok_or_else(|| {
                invalid("The provided expression refers to an attribute that does not exist in the item")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn words() -> Words {
        let values = json!({":n": {"N": "5"}, ":s": {"S": "b"}, ":m": {"M": {}}});
        let names = BTreeMap::from([("#m".to_owned(), "m".to_owned())]);
        Words::new(names, serde_json::from_value(values).expect("values"))
    }

    fn updated(text: &str) -> Result<Value, String> {
        let item = json!({"Id": {"S": "x"}, "a": {"N": "4"}, "m": {"M": {"k": {"S": "v"}, "l": {"L": [{"S": "0"}, {"S": "1"}]}}}});
        let mut item: Item = serde_json::from_value(item).expect("an item");
        parse(text, &words()).and_then(|update| update.apply(&mut item)).map_err(|error| error.message)?;
        item.remove("Id");
        serde_json::to_value(item).map_err(|error| error.to_string())
    }

    #[test]
    fn updates_set_and_remove() {
        let m = json!({"M": {"k": {"S": "v"}, "l": {"L": [{"S": "0"}, {"S": "1"}]}}});
        let rows = [
            ("SET a = :n", json!({"a": {"N": "5"}, "m": m})),
            ("set a = a + :n, c = a", json!({"a": {"N": "9"}, "c": {"N": "4"}, "m": m})),
            ("SET a = a - :n REMOVE #m", json!({"a": {"N": "-1"}})),
            ("SET c = if_not_exists(c, :s) REMOVE a, #m", json!({"c": {"S": "b"}})),
            ("SET a = if_not_exists(a, :s) REMOVE #m", json!({"a": {"N": "4"}})),
            ("REMOVE a, nothing SET #m = :m", json!({"m": {"M": {}}})),
            ("SET #m.j = :s REMOVE #m.k, #m.l, a", json!({"m": {"M": {"j": {"S": "b"}}}})),
            (
                "SET #m.l[7] = :s REMOVE #m.l[0], #m.l[1], #m.k, a",
                json!({"m": {"M": {"l": {"L": [{"S": "b"}]}}}}),
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(updated(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_update_is_refused() {
        let rows = [
            ("", "can not be empty"),
            ("a = :n", "token: \"a\""),
            ("SET a", "token: \"<EOF>\""),
            ("SET a = :n SET c = :n", "can only be used once"),
            ("SET a = :n REMOVE a", "overlap"),
            ("SET #m.k = :n, #m = :m", "overlap"),
            ("SET a = :no", "attribute value: :no"),
            ("SET Request = :n", "reserved keyword: Request"),
            ("SET c = d", "does not exist in the item"),
            ("SET c = #m + :n", "incorrect data type"),
            ("SET c.d = :n", "invalid for update"),
            ("SET a[0] = :n", "invalid for update"),
            ("ADD a :n", "token: \"ADD\""),
            ("SET a = other(a, :n)", "function: other"),
        ];
        for (text, expected) in rows {
            let refused = updated(text).expect_err(text);
            assert!(refused.contains(expected), "{text}: {refused}");
        }
    }
}
