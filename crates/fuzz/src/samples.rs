//! The events under `events/`: where mutations begin, and what they are spliced from. And the words that the parsers
//! know, which no sample may have.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::quote::opened;

/// Every sample event, and its fields.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Name (folder and file) and event, in the order of the names.
    pub events: Vec<(String, Value)>,
    /// Every field of every object in them, those inside of strings among them.
    pub fields: Vec<(String, Value)>,
    /// Every string literal of the parsers' sources: names of fields, kinds of events, prefixes.
    pub words: Vec<String>,
}

/// Where the literals are read, in every crate that has it.
const PARSERS: [&str; 3] = ["src/event.rs", "src/envelope.rs", "src/owner.rs"];

impl Samples {
    /// Where the samples are.
    #[must_use]
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
    }

    /// Reads them.
    ///
    /// # Panics
    /// If the samples cannot be read: there is nothing to do without them.
    #[must_use]
    pub fn read() -> Self {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let sources = listed(&crates).into_iter().flat_map(|one| PARSERS.map(|file| one.join(file)));
        let mut words: Vec<String> = sources
            .filter_map(|file| fs::read_to_string(file).ok())
            .flat_map(|source| literals(&source))
            .collect();
        words.sort();
        words.dedup();
        let mut events = Vec::new();
        let folders = listed(&Self::folder());
        for file in folders.iter().flat_map(|folder| listed(folder)) {
            let text = fs::read(&file).unwrap_or_default();
            let name = file.iter().rev().take(2).map(|part| part.to_string_lossy()).collect::<Vec<_>>();
            let event = serde_json::from_slice(&text);
            let event = event.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            events.push((name.into_iter().rev().collect::<Vec<_>>().join("/"), event));
        }
        assert!(!events.is_empty(), "no samples in {}", Self::folder().display());
        let mut fields = Vec::new();
        for (_, event) in &events {
            collect(event, &mut fields);
        }
        fields.sort_by_cached_key(|(name, value)| (name.clone(), value.to_string()));
        fields.dedup();
        Self { events, fields, words }
    }
}

/// The string literals of a source, tests left out; those that span lines or escape something are no words.
fn literals(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let pieces = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    pieces.filter(|word| !word.contains(['\\', '{', '}'])).map(str::to_owned).collect()
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn collect(value: &Value, fields: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                fields.push((name.clone(), value.clone()));
                collect(value, fields);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, fields)),
        Value::String(text) => {
            if let Some(inner) = opened(text) {
                collect(&inner, fields);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_the_parsers_compare_with() {
        let source = "/// A \"comment\".\nif text == \"aws.ec2\" && other != \"a\\n\" { say(\"is {it}\") }\n#[cfg(test)]\n\"x\"";
        assert_eq!(literals(source), ["aws.ec2"]);
        let words = Samples::read().words;
        for word in ["DrainPass", "detail-type", "vpcIds", "IdentityCenterUser", "hibernate", "Notification"]
        {
            assert!(words.iter().any(|one| one == word), "{word} is not among {words:?}");
        }
    }
}
