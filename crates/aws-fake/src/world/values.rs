//! DynamoDB's attribute values, as its JSON writes them: `{"S": "text"}`.

use std::{cmp::Ordering, collections::BTreeMap, collections::BTreeSet, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// An item, or a key: attributes by name.
pub type Item = BTreeMap<String, Attribute>;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Attribute {
    /// A text.
    #[serde(rename = "S")]
    Text(String),
    /// A number.
    #[serde(rename = "N")]
    Number(Number),
    /// Bytes, in base64.
    #[serde(rename = "B")]
    Binary(String),
    /// True or false.
    #[serde(rename = "BOOL")]
    Bool(bool),
    /// Nothing.
    #[serde(rename = "NULL")]
    Null(bool),
    /// A list.
    #[serde(rename = "L")]
    List(Vec<Attribute>),
    /// A map.
    #[serde(rename = "M")]
    Map(Item),
    /// A set of texts.
    #[serde(rename = "SS", deserialize_with = "set")]
    Texts(BTreeSet<String>),
    /// A set of numbers.
    #[serde(rename = "NS", deserialize_with = "set")]
    Numbers(BTreeSet<Number>),
    /// A set of bytes.
    #[serde(rename = "BS", deserialize_with = "set")]
    Binaries(BTreeSet<String>),
}

/// A set has at least one member, and none twice.
fn set<'de, T: Ord + Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<BTreeSet<T>, D::Error> {
    let members = Vec::<T>::deserialize(from)?;
    let given = members.len();
    let set = BTreeSet::from_iter(members);
    match set.len() {
        0 => Err(D::Error::custom("One or more parameter values were invalid: An set  may not be empty")),
        distinct if distinct < given => Err(D::Error::custom(
            "One or more parameter values were invalid: Input collection contains duplicates.",
        )),
        _ => Ok(set),
    }
}

impl Attribute {
    /// The API's letters for its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "S",
            Self::Number(_) => "N",
            Self::Binary(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null(_) => "NULL",
            Self::List(_) => "L",
            Self::Map(_) => "M",
            Self::Texts(_) => "SS",
            Self::Numbers(_) => "NS",
            Self::Binaries(_) => "BS",
        }
    }

    /// What it takes of an item's 400 KB
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>).
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(number) => number.size(),
            Self::Binary(base64) => binary_size(base64),
            Self::Bool(_) | Self::Null(_) => 1,
            Self::List(items) => 3 + items.iter().map(|item| item.size() + 1).sum::<usize>(),
            Self::Map(members) => 3 + size(members) + members.len(),
            Self::Texts(texts) => texts.iter().map(String::len).sum(),
            Self::Numbers(numbers) => numbers.iter().map(Number::size).sum(),
            Self::Binaries(binaries) => binaries.iter().map(|base64| binary_size(base64)).sum(),
        }
    }

    /// How it compares with another: texts, numbers and bytes with their like, others not at all.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Number(a), Self::Number(b)) => Some(a.cmp(b)),
            (Self::Binary(a), Self::Binary(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// Size of an item: names and values.
pub fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value.size()).sum()
}

/// Bytes that a base64 text stands for.
fn binary_size(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}

/// Most significant digits of a number.
const MOST_DIGITS: usize = 38;
/// Powers of ten of the first digit, least and greatest.
const MAGNITUDES: std::ops::RangeInclusive<i32> = -130..=125;

/// A decimal number of up to 38 digits, exactly: `0.d₁d₂d₃… · 10^exponent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    negative: bool,
    exponent: i32,
    /// Without zeros at either end; none: the number is 0.
    digits: Vec<u8>,
}

impl Number {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("The parameter cannot be converted to a numeric value: {text}");
        let unsigned = text.strip_prefix('-');
        let rest = unsigned.or_else(|| text.strip_prefix('+')).unwrap_or(text);
        let (mantissa, power) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let power: i32 = power.parse().map_err(|_| wrong())?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let leading = all.len() - all.trim_start_matches('0').len();
        let digits: Vec<u8> = all.trim_matches('0').bytes().map(|byte| byte - b'0').collect();
        if digits.is_empty() {
            return Ok(Self { negative: false, exponent: 0, digits });
        }
        if digits.len() > MOST_DIGITS {
            return Err("Attempting to store more than 38 significant digits in a Number".to_owned());
        }
        let places =
            i32::try_from(whole.len()).map_err(|_| wrong())? - i32::try_from(leading).map_err(|_| wrong())?;
        let exponent = power.checked_add(places).ok_or_else(wrong)?;
        if exponent > MAGNITUDES.end() + 1 {
            return Err(
                "Number overflow. Attempting to store a number with magnitude larger than supported range"
                    .to_owned(),
            );
        }
        if exponent < MAGNITUDES.start() + 1 {
            return Err(
                "Number underflow. Attempting to store a number with magnitude smaller than supported range"
                    .to_owned(),
            );
        }
        Ok(Self { negative: unsigned.is_some(), exponent, digits })
    }

    /// The sum, or with `minus` the difference.
    pub(crate) fn add(&self, other: &Self, minus: bool) -> Result<Self, String> {
        // Whole numbers are all that is counted with here.
        let whole = |number: &Self| number.to_string().parse::<i128>();
        let (Ok(a), Ok(b)) = (whole(self), whole(other)) else {
            return Err("This World adds whole numbers only".to_owned());
        };
        let sum = if minus { a.checked_sub(b) } else { a.checked_add(b) };
        Self::parse(&sum.ok_or("Number overflow")?.to_string())
    }

    fn size(&self) -> usize {
        self.digits.len().div_ceil(2) + 1 + usize::from(self.negative)
    }

    fn magnitude(&self, other: &Self) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits)),
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Number {
    /// As DynamoDB gives it back: without needless zeros, and without an exponent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let whole = usize::try_from(self.exponent).unwrap_or(0);
        if whole == 0 {
            f.write_str("0.")?;
            f.write_str(&"0".repeat(usize::try_from(-self.exponent).unwrap_or(0)))?;
        }
        for (place, digit) in self.digits.iter().enumerate() {
            if place == whole && whole > 0 {
                f.write_str(".")?;
            }
            write!(f, "{digit}")?;
        }
        f.write_str(&"0".repeat(whole.saturating_sub(self.digits.len())))
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_given_back_without_needless_zeros() {
        let rows = [
            ("0", Some("0")),
            ("-0.0", Some("0")),
            ("007", Some("7")),
            ("1.50", Some("1.5")),
            ("-12.25", Some("-12.25")),
            ("0.001", Some("0.001")),
            ("1e3", Some("1000")),
            ("12E-1", Some("1.2")),
            ("1767225600", Some("1767225600")),
            ("", None),
            (".", None),
            ("1x", None),
            ("--1", None),
            ("NaN", None),
            ("1e126", None),
            ("1e-131", None),
            ("123456789012345678901234567890123456789", None),
        ];
        for (text, expected) in rows {
            let read = Number::parse(text).ok().map(|number| number.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_ordered_by_value() {
        let ascending = ["-100", "-99.5", "-1", "-0.01", "0", "0.009", "0.01", "2", "10", "10.5", "1e20"];
        let numbers: Vec<_> = ascending.iter().map(|text| Number::parse(text).expect(text)).collect();
        let mut sorted = numbers.clone();
        sorted.reverse();
        sorted.sort();
        assert_eq!(sorted, numbers);
    }

    #[test]
    fn values_are_read_strictly_and_written_as_they_were() {
        let item = json!({"S": "x"});
        let nested =
            json!({"M": {"a": {"L": [{"N": "1"}, {"BOOL": true}, {"NULL": true}]}, "b": {"SS": ["x", "y"]}}});
        for value in [item, nested] {
            let read: Attribute = serde_json::from_value(value.clone()).expect("a value");
            assert_eq!(serde_json::to_value(&read).expect("JSON"), value);
        }
        for wrong in
            [json!({"N": 1}), json!({"X": "1"}), json!("x"), json!({"SS": []}), json!({"SS": ["a", "a"]})]
        {
            assert!(serde_json::from_value::<Attribute>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
