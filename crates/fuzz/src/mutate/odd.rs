//! Odd values: the ends of what can be written, and what looks like something else.

use rand::Rng;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

/// Texts that are at the edge of something: dates, ids, names, marks, JSON.
const TEXTS: [&str; 41] = [
    "",
    " ",
    "null",
    "{}",
    "[]",
    "{\"a\":",
    "\"",
    "\\",
    "\u{0}",
    "\u{2028}",
    "é\u{301}🦀",
    "0",
    "-1",
    "18446744073709551616",
    "1e999",
    "2026-05-08T17:00:00Z",
    "2026-05-08T16:58:00.000000001Z",
    "2026-05-08 17:00:00+24:00",
    "2026-05-08T23:59:60Z",
    "2026-02-30T00:00:00Z",
    "9999-12-30T22:00:00.999999999Z",
    "9999-12-31T23:59:59Z",
    "-009999-01-02T01:59:59Z",
    "0000-00-00T00:00:00Z",
    "1970-01-01T00:00:00Z[UTC]",
    "i-",
    "i-0123456789abcdef0",
    "i-0123456789abcdef0123456789abcdef0",
    "vpc-",
    "vpc-1",
    "arn:",
    "arn:aws:ecs:us-east-1:1:cluster/prod",
    "arn:aws:ecs:us-east-1:1:cluster/",
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/73e2d6bc24d8a067",
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/",
    "3:1763680000:10:86799385-e46d",
    "3:9223372036854775807:0@1:-",
    "3:0:0@9223372036854775807:-",
    "4294967295:0:18446744073709551615@-1:",
    "autoscaling:EC2_INSTANCE_TERMINATING",
    "{\"cluster\":\"prod\"}",
];

/// Characters that are put anywhere.
const CHARACTERS: [char; 14] =
    ['a', '0', '-', ':', '/', '@', ' ', '"', '\\', '{', '\n', '\u{0}', 'ß', '\u{10ffff}'];

/// A number, a word, a text: none that anybody waits for.
pub(super) fn scalar(words: &[String], rng: &mut SmallRng) -> Value {
    match rng.random_range(0..16) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(0),
        4 => json!(-1),
        5 => json!(rng.random::<u64>()),
        6 => json!(rng.random::<i64>()),
        7 => json!(u64::MAX),
        8 => json!(i64::MIN),
        9 => json!(1e308),
        10 => json!(-0.0),
        11 => json!(rng.random::<f64>()),
        12 => json!({}),
        13 => json!([]),
        14 => "x".repeat(1 << rng.random_range(0..15)).into(),
        _ => text(words, rng).into(),
    }
}

/// A text at the edge of something, or one that a parser waits for elsewhere.
fn text<'t>(words: &'t [String], rng: &mut SmallRng) -> &'t str {
    let word = words.choose(rng).filter(|_| rng.random_bool(0.6));
    word.map_or_else(|| TEXTS.choose(rng).copied().unwrap_or_default(), String::as_str)
}

/// A value inside of many lists or objects: up to about twice as many as `serde_json` follows (128).
pub(super) fn nested(value: Value, rng: &mut SmallRng) -> Value {
    let list = rng.random_bool(0.5);
    let levels = 1 << rng.random_range(0..8);
    (0..levels).fold(value, |inner, _| if list { json!([inner]) } else { json!({"detail": inner}) })
}

/// Changes a text a little, or makes it another.
pub(super) fn edit(text: &mut String, words: &[String], rng: &mut SmallRng) {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let at = starts.choose(rng).copied().unwrap_or_default();
    match rng.random_range(0..10) {
        0 => text.truncate(at),
        1 => text.insert(at, CHARACTERS.choose(rng).copied().unwrap_or_default()),
        2 if !text.is_empty() => drop(text.remove(at)),
        3 => *text = text.chars().rev().collect(),
        4 if rng.random_bool(0.5) => text.make_ascii_uppercase(),
        4 => text.make_ascii_lowercase(),
        5 if text.len() < 1_000 => *text = text.repeat(1 << rng.random_range(1..8)),
        6 if !text.is_empty() => {
            text.remove(at);
            text.insert(at, char::from(rng.random_range(b' '..=b'~')));
        }
        7 => text.push_str(&"x".repeat(1 << rng.random_range(0..13))),
        _ => self::text(words, rng).clone_into(text),
    }
}

/// Changes a list: one more, one less, many, none, or in another order.
pub(super) fn list(list: &mut Vec<Value>, at: usize, rng: &mut SmallRng) {
    match rng.random_range(0..5) {
        0 => drop(list.remove(at)),
        1 => list.reverse(),
        2 => list.clear(),
        3 => list.extend(list.get(at).cloned()),
        _ => {
            let one = list.get(at).cloned().unwrap_or_default();
            list.extend(std::iter::repeat_n(one, 1 << rng.random_range(0..7)));
        }
    }
}
