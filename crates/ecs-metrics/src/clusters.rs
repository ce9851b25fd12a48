//! Which clusters are measured.

use std::collections::{BTreeMap, BTreeSet};

use wildmatch::WildMatch;

/// One word of the setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// A cluster by name.
    Name(String),
    /// All whose name matches, `*` for any characters and `?` for one.
    Pattern(String),
    /// All that have this tag.
    Tag(String, String),
}

/// A cluster that exists, with its tags where they were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Selector {
    /// Reads one word; none if it is no cluster's name, pattern or tag.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        if let Some(tag) = word.strip_prefix("tag:") {
            let (key, value) = tag.split_once('=')?;
            return (!key.is_empty()).then(|| Self::Tag(key.to_owned(), value.to_owned()));
        }
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-_*?".contains(&byte);
        if word.is_empty() || word.len() > 255 || !word.bytes().all(valid) {
            return None;
        }
        let word = word.to_owned();
        Some(if word.contains(['*', '?']) { Self::Pattern(word) } else { Self::Name(word) })
    }

    /// Whether the clusters that exist must be known to answer it.
    #[must_use]
    pub fn needs_list(&self) -> bool {
        !matches!(self, Self::Name(_))
    }

    /// Whether their tags must be known, too.
    #[must_use]
    pub fn needs_tags(&self) -> bool {
        matches!(self, Self::Tag(..))
    }
}

/// The names that selectors mean, each once and in order. A cluster that is named is in it whether it is listed or
/// not: that it is missing is found out at each tick.
#[must_use]
pub fn select(selectors: &[Selector], listed: &[Listed]) -> Vec<String> {
    let mut names = BTreeSet::new();
    for selector in selectors {
        match selector {
            Selector::Name(name) => {
                names.insert(name.as_str());
            }
            Selector::Pattern(pattern) => {
                let pattern = WildMatch::new(pattern);
                names.extend(listed.iter().map(|one| one.name.as_str()).filter(|name| pattern.matches(name)));
            }
            Selector::Tag(key, value) => {
                let tagged = listed.iter().filter(|one| one.tags.get(key) == Some(value));
                names.extend(tagged.map(|one| one.name.as_str()));
            }
        }
    }
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_mean_each_cluster_once() {
        let listed = [("prod-a", "web"), ("prod-b", "data"), ("test", "web")].map(|(name, team)| Listed {
            name: name.to_owned(),
            tags: [("team".to_owned(), team.to_owned())].into(),
        });
        for (words, expected) in [
            ("*", vec!["prod-a", "prod-b", "test"]),
            ("prod-*", vec!["prod-a", "prod-b"]),
            ("prod-?", vec!["prod-a", "prod-b"]),
            ("test,gone", vec!["gone", "test"]),
            ("tag:team=web", vec!["prod-a", "test"]),
            ("tag:team=", vec![]),
            ("tag:team=web,prod-*,test", vec!["prod-a", "prod-b", "test"]),
            ("t*t", vec!["test"]),
            ("staging-*", vec![]),
        ] {
            let selectors: Vec<Selector> =
                words.split(',').map(|word| Selector::parse(word).unwrap()).collect();
            assert_eq!(select(&selectors, &listed), expected, "{words}");
        }
    }

    #[test]
    fn what_no_cluster_can_be_called_is_refused() {
        for word in ["", "a b", "tag:", "tag:=x", "tag:team", "prod/a", "ä"] {
            assert_eq!(Selector::parse(word), None, "{word:?}");
        }
    }
}
