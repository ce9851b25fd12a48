//! Expressions: words, names that stand for attributes (`#name`), and values (`:value`).
//!
//! Syntax: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html>. Of the
//! functions there are `attribute_exists`, `attribute_not_exists` and `if_not_exists`.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    error::ApiError,
    world::{
        tables::invalid,
        values::{Attribute, Item},
    },
};

pub(super) mod condition;
pub(super) mod update;

pub(super) type Names = BTreeMap<String, String>;
pub(super) type Values = BTreeMap<String, Attribute>;

/// Words that no attribute may be called in an expression, in capitals
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html>).
const RESERVED: &str = include_str!("reserved.txt");

fn is_reserved(word: &str) -> bool {
    RESERVED.split_ascii_whitespace().any(|reserved| reserved.eq_ignore_ascii_case(word))
}

/// The names and values of a call, and which of them its expressions have used.
pub(super) struct Words {
    names: Names,
    values: Values,
    used: RefCell<BTreeSet<String>>,
}

impl Words {
    pub(super) fn new(names: Names, values: Values) -> Self {
        Self { names, values, used: RefCell::default() }
    }

    /// Names and values that no expression uses are refused.
    pub(super) fn check_all_used(&self, has_expressions: bool) -> Result<(), ApiError> {
        let kinds = [
            ("ExpressionAttributeNames", "names", self.names.keys().collect::<Vec<_>>()),
            ("ExpressionAttributeValues", "values", self.values.keys().collect()),
        ];
        let used = self.used.borrow();
        for (parameter, kind, given) in kinds {
            if !given.is_empty() && !has_expressions {
                return Err(invalid(format!("{parameter} can only be specified when using expressions")));
            }
            let unused: Vec<_> = given.into_iter().filter(|word| !used.contains(*word)).cloned().collect();
            if !unused.is_empty() {
                return Err(invalid(format!(
                    "Value provided in {parameter} unused in expressions: {kind}: {{{}}}",
                    unused.join(", ")
                )));
            }
        }
        Ok(())
    }

    fn name(&self, word: &str) -> Option<String> {
        self.used.borrow_mut().insert(word.to_owned());
        self.names.get(word).cloned()
    }

    fn value(&self, word: &str) -> Option<Attribute> {
        self.used.borrow_mut().insert(word.to_owned());
        self.values.get(word).cloned()
    }
}

/// A step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
}

/// Where an attribute, or a part of one, is: its name, and the steps from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::services::dynamodb) struct Path {
    attribute: String,
    steps: Vec<Step>,
}

impl Path {
    fn find<'i>(&self, item: &'i Item) -> Option<&'i Attribute> {
        let mut found = item.get(&self.attribute)?;
        for step in &self.steps {
            found = match (step, found) {
                (Step::Member(name), Attribute::Map(members)) => members.get(name)?,
                (Step::Element(number), Attribute::List(elements)) => elements.get(*number)?,
                _ => return None,
            };
        }
        Some(found)
    }

    /// Whether one is the other, or within it.
    fn overlaps(&self, other: &Self) -> bool {
        self.attribute == other.attribute && self.steps.iter().zip(&other.steps).all(|(a, b)| a == b)
    }
}

/// A word of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A keyword, a function or an attribute.
    Word(String),
    /// `#name`
    Name(String),
    /// `:value`
    Value(String),
    /// A list's index.
    Index(usize),
    /// Anything else.
    Symbol(&'static str),
}

/// Longer ones before those that they begin with.
const SYMBOLS: [&str; 15] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ".", ",", "+", "-", "*"];

fn tokens(kind: &str, text: &str) -> Result<Vec<Token>, ApiError> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_prefixed = first == '#' || first == ':';
        let body = if is_prefixed { rest.get(1..).unwrap_or_default() } else { rest };
        let length = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
        let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
        let end = length + usize::from(is_prefixed);
        let word = rest.get(..end).unwrap_or_default().to_owned();
        let (token, end) = match (first, symbol) {
            (_, Some(symbol)) => (Token::Symbol(symbol), symbol.len()),
            ('#', _) if length > 0 => (Token::Name(word), end),
            (':', _) if length > 0 => (Token::Value(word), end),
            ('0'..='9', _) => match word.parse() {
                Ok(index) => (Token::Index(index), end),
                Err(_) => return Err(syntax_error(kind, &word)),
            },
            _ if length > 0 && !is_prefixed => (Token::Word(word), end),
            _ => return Err(syntax_error(kind, &first.to_string())),
        };
        found.push(token);
        rest = rest.get(end..).unwrap_or_default().trim_start();
    }
    if found.is_empty() {
        return Err(invalid(format!("Invalid {kind}: The expression can not be empty;")));
    }
    Ok(found)
}

fn syntax_error(kind: &str, token: &str) -> ApiError {
    invalid(format!("Invalid {kind}: Syntax error; token: \"{token}\""))
}

/// Reads an expression from left to right.
struct Parser<'w> {
    /// Which expression it is, for its errors.
    kind: &'static str,
    words: &'w Words,
    tokens: Vec<Token>,
    next: usize,
}

impl<'w> Parser<'w> {
    fn new(kind: &'static str, text: &str, words: &'w Words) -> Result<Self, ApiError> {
        Ok(Self { kind, words, tokens: tokens(kind, text)?, next: 0 })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.next += 1;
        token
    }

    fn take_symbol(&mut self, symbol: &'static str) -> bool {
        let is_next = self.peek() == Some(&Token::Symbol(symbol));
        self.next += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), ApiError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.error()) }
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(is_next);
        is_next
    }

    /// The name of a function, if one is called next.
    fn take_function(&mut self) -> Option<String> {
        let (Some(Token::Word(name)), Some(Token::Symbol("("))) =
            (self.tokens.get(self.next), self.tokens.get(self.next + 1))
        else {
            return None;
        };
        let name = name.clone();
        self.next += 2;
        Some(name)
    }

    fn unknown_function(&self, name: &str) -> ApiError {
        invalid(format!("Invalid {}: Invalid function name; function: {name}", self.kind))
    }

    fn end(&self) -> Result<(), ApiError> {
        if self.next == self.tokens.len() { Ok(()) } else { Err(self.error()) }
    }

    /// That the next token does not belong where it is.
    fn error(&self) -> ApiError {
        let token = match self.peek() {
            None => "<EOF>",
            Some(Token::Word(text) | Token::Name(text) | Token::Value(text)) => text,
            Some(Token::Index(_)) => "a number",
            Some(Token::Symbol(symbol)) => symbol,
        };
        syntax_error(self.kind, token)
    }

    fn path(&mut self) -> Result<Path, ApiError> {
        let attribute = self.name()?;
        let mut steps = Vec::new();
        loop {
            if self.take_symbol(".") {
                steps.push(Step::Member(self.name()?));
            } else if self.take_symbol("[") {
                let Some(Token::Index(number)) = self.peek().cloned() else { return Err(self.error()) };
                self.next += 1;
                self.expect("]")?;
                steps.push(Step::Element(number));
            } else {
                return Ok(Path { attribute, steps });
            }
        }
    }

    fn name(&mut self) -> Result<String, ApiError> {
        let kind = self.kind;
        match self.peek().cloned() {
            Some(Token::Word(word)) if is_reserved(&word) => Err(invalid(format!(
                "Invalid {kind}: Attribute name is a reserved keyword; reserved keyword: {word}"
            ))),
            Some(Token::Word(word)) => {
                self.next += 1;
                Ok(word)
            }
            Some(Token::Name(word)) => {
                self.next += 1;
                let undefined = || {
                    invalid(format!(
                        "Invalid {kind}: An expression attribute name used in the document path is not defined; attribute name: {word}"
                    ))
                };
                self.words.name(&word).ok_or_else(undefined)
            }
            _ => Err(self.error()),
        }
    }

    /// A value, if one is next.
    fn value(&mut self) -> Result<Option<Attribute>, ApiError> {
        let kind = self.kind;
        let Some(Token::Value(word)) = self.peek().cloned() else { return Ok(None) };
        self.next += 1;
        let undefined = || {
            invalid(format!(
                "Invalid {kind}: An expression attribute value used in expression is not defined; attribute value: {word}"
            ))
        };
        self.words.value(&word).ok_or_else(undefined).map(Some)
    }
}
