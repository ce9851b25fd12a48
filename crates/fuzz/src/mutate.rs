//! Other events made of the samples: they are still JSON, with JSON inside of strings, and nearly right.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use crate::quote::opened;
use crate::samples::Samples;

mod odd;

/// Longest event that is made of a seed. SQS, SNS and EventBridge take 256 KiB, but what is long is not found more
/// often among long ones, and they are slow.
const LONGEST: usize = 32 << 10;

/// Makes events.
#[derive(Clone, Debug)]
pub struct Mutator {
    samples: Samples,
}

impl Mutator {
    /// From these samples.
    #[must_use]
    pub fn new(samples: Samples) -> Self {
        Self { samples }
    }

    /// A mutation of what an input holds; none if that is no JSON.
    #[must_use]
    pub fn bytes(&self, input: &[u8], seed: u64) -> Option<Vec<u8>> {
        let mut event = serde_json::from_slice(input).ok()?;
        self.mutate(&mut event, &mut SmallRng::seed_from_u64(seed));
        Some(event.to_string().into_bytes())
    }

    /// The event of a seed: a sample with one to eight mutations.
    #[must_use]
    pub fn event(&self, seed: u64) -> Value {
        let rng = &mut SmallRng::seed_from_u64(seed);
        let mut event = self.sample(rng);
        for _ in 0..rng.random_range(1..=8) {
            self.mutate(&mut event, rng);
            if size(&event) > LONGEST {
                event = self.sample(rng);
            }
        }
        event
    }

    fn sample(&self, rng: &mut SmallRng) -> Value {
        self.samples.events.choose(rng).map(|(_, event)| event.clone()).unwrap_or_default()
    }

    fn mutate(&self, event: &mut Value, rng: &mut SmallRng) {
        match rng.random_range(0..20) {
            0 => wrap(event, rng),
            1 => self.join(event, rng),
            other => self.somewhere(event, rng, other > 8),
        }
    }

    /// Puts the records of another sample beside the event's own.
    fn join(&self, event: &mut Value, rng: &mut SmallRng) {
        let mut other = self.sample(rng);
        match (event.pointer_mut("/Records"), other.pointer_mut("/Records").map(Value::take)) {
            (Some(Value::Array(own)), Some(Value::Array(more))) => own.extend(more),
            _ => *event = other,
        }
    }

    /// Changes something, at any depth, inside of strings that hold JSON, too. Deep: every value of the event is as
    /// likely as any other; otherwise every field of an object is, so that those near the top are likelier.
    fn somewhere(&self, value: &mut Value, rng: &mut SmallRng, deep: bool) {
        let weight = if deep { values } else { |_: &Value| 1 };
        let here = if deep { rng.random_range(0..values(value)) == 0 } else { rng.random_bool(0.25) };
        let inside = !here || rng.random_bool(0.7);
        match value {
            Value::Object(fields) if inside && !fields.is_empty() => {
                let at = chosen(fields.values(), rng, weight);
                match fields.values_mut().nth(at) {
                    Some(field) if !here => self.somewhere(field, rng, deep),
                    _ => self.fields(fields, rng),
                }
            }
            Value::Array(list) if inside && !list.is_empty() => {
                let at = chosen(list.iter(), rng, weight);
                match list.get_mut(at) {
                    Some(one) if !here => self.somewhere(one, rng, deep),
                    _ => odd::list(list, at, rng),
                }
            }
            Value::String(text) if inside => match opened(text) {
                Some(mut inner) => {
                    self.somewhere(&mut inner, rng, deep);
                    *text = inner.to_string();
                }
                None => odd::edit(text, &self.samples.words, rng),
            },
            other => self.replace(other, rng),
        }
    }

    /// Changes the fields of an object: one is gone, new, named otherwise, or has another's value.
    fn fields(&self, fields: &mut Map<String, Value>, rng: &mut SmallRng) {
        let names: Vec<String> = fields.keys().cloned().collect();
        let Some(name) = names.choose(rng) else { return };
        let other = names.choose(rng).unwrap_or(name);
        match rng.random_range(0..6) {
            0 => drop(fields.remove(name)),
            1 => {
                let value = fields.remove(name).unwrap_or_default();
                let mut name = name.clone();
                odd::edit(&mut name, &self.samples.words, rng);
                fields.insert(name, value);
            }
            2 => {
                let (one, two) = (fields.get(name).cloned(), fields.get(other).cloned());
                fields.extend(two.map(|value| (name.clone(), value)));
                fields.extend(one.map(|value| (other.clone(), value)));
            }
            3 => {
                let value = fields.get(name).cloned();
                fields.extend(value.map(|value| (other.clone(), value)));
            }
            // Of another sample: this is what makes one message into another, half way.
            _ => fields.extend(self.samples.fields.choose(rng).cloned()),
        }
    }

    /// Puts something else in a value's place.
    fn replace(&self, value: &mut Value, rng: &mut SmallRng) {
        *value = match rng.random_range(0..8) {
            0 => json!([value.take()]),
            1 => json!({"a": value.take()}),
            2 => value.take().to_string().into(),
            3 => odd::nested(value.take(), rng),
            4 | 5 => self.samples.fields.choose(rng).map(|(_, value)| value.clone()).unwrap_or_default(),
            _ => odd::scalar(&self.samples.words, rng),
        };
    }
}

/// Puts an event into an envelope, or an envelope's message into another.
fn wrap(event: &mut Value, rng: &mut SmallRng) {
    let text = event.take().to_string();
    let notification = json!({"Type": "Notification", "TopicArn": "t", "Message": text});
    let id = format!("m-{}", rng.random::<u16>());
    let body = |body: String| json!({"messageId": id, "body": body});
    let record = match rng.random_range(0..3) {
        0 => json!({"EventSource": "aws:sns", "Sns": notification}),
        1 => body(text),
        _ => body(notification.to_string()),
    };
    *event = json!({"Records": [record]});
}

/// Which of the values, by weight.
fn chosen<'v>(
    values: impl Iterator<Item = &'v Value>,
    rng: &mut SmallRng,
    weigh: fn(&Value) -> usize,
) -> usize {
    let ends = values.scan(0, |end, value| {
        *end += weigh(value);
        Some(*end)
    });
    let ends: Vec<usize> = ends.collect();
    let at = rng.random_range(0..ends.last().copied().unwrap_or_default().max(1));
    ends.partition_point(|end| *end <= at)
}

/// About how many values a value is made of; JSON in a string is not opened for it.
fn values(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(values).sum::<usize>(),
        Value::Array(all) => 1 + all.iter().map(values).sum::<usize>(),
        Value::String(text) if text.starts_with(['{', '[']) => 1 + text.len() / 32,
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

/// About how many bytes a value has.
fn size(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + size(value)).sum(),
        Value::Array(values) => values.iter().map(size).sum(),
        Value::String(text) => text.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 4,
    }
}
