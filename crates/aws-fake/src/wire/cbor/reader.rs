//! CBOR straight into what an operation takes (<https://www.rfc-editor.org/rfc/rfc8949>).
//!
//! A call can have a thousand metric data, some twenty thousand items. Readers that are generic over their
//! source take four times as long unoptimised, which is how tests are built.

use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    value::StrDeserializer,
};

use super::EPOCH_SECONDS;

/// A type of this name is a date: tagged as such, in seconds since the Unix epoch. No other value has a tag.
const DATE: &str = "Date";
/// Deeper values than any operation has are refused.
const DEEPEST: u8 = 16;

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::wire) struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

impl de::Error for Malformed {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

fn malformed<T>(message: &str) -> Result<T, Malformed> {
    Err(Malformed(message.to_owned()))
}

/// What is left of a body.
#[derive(Debug)]
pub(super) struct Reader<'b> {
    rest: &'b [u8],
    depth: u8,
}

/// The beginning of an item: its major type, the five bits beside it, and their argument. None is an indefinite
/// length.
struct Head {
    major: u8,
    bits: u8,
    argument: Option<u64>,
}

/// Ends an array or a map of indefinite length.
const BREAK: u8 = 0xff;

impl<'b> Reader<'b> {
    pub(super) fn new(body: &'b [u8]) -> Self {
        Self { rest: body, depth: 0 }
    }

    /// That nothing is left.
    pub(super) fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { malformed("something follows the parameters") }
    }

    fn take(&mut self, length: u64) -> Result<&'b [u8], Malformed> {
        let taken = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        let Some((taken, rest)) = taken else { return malformed("the body ends too early") };
        self.rest = rest;
        Ok(taken)
    }

    fn head(&mut self) -> Result<Head, Malformed> {
        let Some((first, rest)) = self.rest.split_first() else {
            return malformed("the body ends too early");
        };
        self.rest = rest;
        let (major, bits) = (first >> 5, first & 31);
        let argument = match bits {
            0..24 => Some(u64::from(bits)),
            24..28 => {
                let bytes = self.take(1 << (bits - 24))?;
                Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
            }
            31 => None,
            _ => return malformed("a reserved length"),
        };
        Ok(Head { major, bits, argument })
    }

    fn text(&mut self, length: Option<u64>) -> Result<&'b str, Malformed> {
        // No client of ours sends texts in pieces.
        let Some(length) = length else { return malformed("a text without a length") };
        let text = self.take(length)?;
        std::str::from_utf8(text).map_err(|_| Malformed("a text is no UTF-8".to_owned()))
    }

    /// Reads what is inside of an array or a map, to its end.
    fn within<R>(
        &mut self,
        left: Option<u64>,
        visit: impl FnOnce(&mut Items<'_, 'b>) -> Result<R, Malformed>,
    ) -> Result<R, Malformed> {
        if self.depth == DEEPEST {
            return malformed("the parameters are too deep");
        }
        self.depth += 1;
        let mut items = Items { reader: self, left };
        let read = visit(&mut items)?;
        if items.left != Some(0) {
            return malformed("more items than a parameter has");
        }
        self.depth -= 1;
        Ok(read)
    }
}

/// A float of two bytes. boto3 sends what is no number as one.
fn half(bits: u64) -> f64 {
    let bits = u32::try_from(bits).unwrap_or_default();
    let (exponent, fraction) = ((bits >> 10) & 31, bits & 0x3ff);
    let part = f64::from(fraction) / 1_024.0;
    let size = match (exponent, fraction) {
        (0, _) => part * 2.0_f64.powi(-14),
        (31, 0) => f64::INFINITY,
        (31, _) => f64::NAN,
        _ => (1.0 + part) * 2.0_f64.powi(i32::try_from(exponent).unwrap_or_default() - 15),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        let head = self.head()?;
        match (head.major, head.bits, head.argument) {
            (0, _, Some(number)) => visitor.visit_u64(number),
            (1, _, Some(number)) => match i64::try_from(number) {
                Ok(number) => visitor.visit_i64(-1 - number),
                Err(_) => malformed("a number is too small"),
            },
            (3, _, length) => visitor.visit_borrowed_str(self.text(length)?),
            (4, _, length) => self.within(length, |items| visitor.visit_seq(items)),
            (5, _, length) => self.within(length, |items| visitor.visit_map(items)),
            (7, 20, _) => visitor.visit_bool(false),
            (7, 21, _) => visitor.visit_bool(true),
            (7, 22 | 23, _) => visitor.visit_unit(),
            (7, 25, Some(bits)) => visitor.visit_f64(half(bits)),
            (7, 26, Some(bits)) => {
                visitor.visit_f64(f32::from_bits(u32::try_from(bits).unwrap_or_default()).into())
            }
            (7, 27, Some(bits)) => visitor.visit_f64(f64::from_bits(bits)),
            _ => malformed("an item that no parameter is"),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        if let Some((0xf6 | 0xf7, rest)) = self.rest.split_first() {
            self.rest = rest;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        if name == DATE {
            let head = self.head()?;
            if (head.major, head.argument) != (6, Some(EPOCH_SECONDS)) {
                return malformed("a date is not tagged as one");
            }
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        let head = self.head()?;
        if head.major != 3 {
            return malformed("a word is no text");
        }
        let word: StrDeserializer<'_, Malformed> = self.text(head.argument)?.into_deserializer();
        visitor.visit_enum(word)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

/// The items of an array, or the pairs of a map, that are left; none: until a break.
struct Items<'r, 'b> {
    reader: &'r mut Reader<'b>,
    left: Option<u64>,
}

impl Items<'_, '_> {
    /// Whether there is one more.
    fn next(&mut self) -> bool {
        match self.left {
            Some(0) => return false,
            Some(left) => self.left = Some(left - 1),
            None => {
                if let Some(rest) = self.reader.rest.strip_prefix(&[BREAK]) {
                    self.reader.rest = rest;
                    self.left = Some(0);
                    return false;
                }
            }
        }
        true
    }
}

impl<'de> SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = Malformed;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Malformed> {
        if self.next() { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }

    /// What a list makes room for. A length that is made up must not fill the memory.
    fn size_hint(&self) -> Option<usize> {
        self.left.and_then(|left| usize::try_from(left).ok()).map(|left| left.min(self.reader.rest.len()))
    }
}

impl<'de> MapAccess<'de> for &mut Items<'_, 'de> {
    type Error = Malformed;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Malformed> {
        if self.next() { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Malformed> {
        seed.deserialize(&mut *self.reader)
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, de::DeserializeOwned};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Given {
        at: Option<Date>,
        n: Option<f64>,
        list: Option<Vec<i64>>,
        word: Option<Word>,
        text: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    struct Date(f64);

    #[derive(Debug, Deserialize)]
    enum Word {
        One,
    }

    fn read<T: DeserializeOwned>(hex: &str) -> Result<T, Malformed> {
        let digits: Vec<_> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hexadecimal");
        let bytes: Vec<_> = digits.chunks(2).map(byte).collect();
        let mut reader = Reader::new(&bytes);
        let read = T::deserialize(&mut reader)?;
        reader.end().map(|()| read)
    }

    #[test]
    fn items_are_read() {
        let whole = "a5 626174 c1 fb 41da55b180000000 616e 05 646c697374 83 01 20 1903e8 64776f7264 634f6e65 6474657874 60";
        let given: Given = read(whole).expect(whole);
        assert_eq!(given.at.map(|at| at.0), Some(1_767_294_464.0));
        assert_eq!(
            (given.n, given.list, given.text.as_deref()),
            (Some(5.0), Some(vec![1, -1, 1_000]), Some(""))
        );
        assert!(matches!(given.word, Some(Word::One)));
        let rows = [
            ("nothing", "a0", None),
            ("without a length", "bf 616e fb 3ff8000000000000 ff", Some(1.5)),
            ("four bytes", "a1 616e fa 3fc00000", Some(1.5)),
            ("two bytes", "a1 616e f9 be00", Some(-1.5)),
            ("a small one of two bytes", "a1 616e f9 0200", Some(2.0_f64.powi(-15))),
            ("endless", "a1 616e f9 fc00", Some(f64::NEG_INFINITY)),
            ("null", "a1 616e f6", None),
        ];
        for (case, hex, expected) in rows {
            assert_eq!(read::<Given>(hex).map(|given| given.n), Ok(expected), "{case}");
        }
        assert!(read::<Given>("a1 616e f9 7e00").is_ok_and(|given| given.n.is_some_and(f64::is_nan)));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let rows = [
            ("nothing", ""),
            ("a pair is missing", "a1"),
            ("a value is missing", "a1 616e"),
            ("half a number", "a1 616e fb 3ff8"),
            ("more than there is", "a1 6474657874 7b ffffffffffffffff 61"),
            ("no end", "bf 616e 01"),
            ("something after the end", "a0 00"),
            ("an unknown name", "a1 6178 01"),
            ("no number", "a1 616e 6131"),
            ("a date that is not tagged", "a1 626174 01"),
            ("a date of another kind", "a1 626174 c0 01"),
            ("a number with a tag", "a1 616e c1 01"),
            ("another word", "a1 64776f7264 6354776f"),
            ("no UTF-8", "a1 6474657874 61 ff"),
            ("a reserved length", "a1 616e 1c"),
        ];
        for (case, hex) in rows {
            assert!(read::<Given>(hex).is_err(), "{case}");
        }
        assert!(read::<serde::de::IgnoredAny>(&"81".repeat(20)).is_err_and(|error| error.0.contains("deep")));
    }
}
