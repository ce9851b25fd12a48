//! Typed settings from the environment. Read once, at start; a bad one stops the start with an error
//! that names the variable, the value and what is allowed.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// The variable has no default and is not there.
    #[error("setting {name} is missing; set it to {allowed}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it may be.
        allowed: String,
    },
    /// The variable is there and cannot be used.
    #[error("setting {name} is {value:?}; allowed: {allowed}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// Its value. Settings hold names and numbers, never secrets.
        value: String,
        /// What it may be.
        allowed: String,
    },
}

/// The variables that settings are read from. An empty variable counts as absent: that is what a
/// CloudFormation parameter without a value becomes.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// The process's environment.
    #[must_use]
    pub fn from_env() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A value that must be there and that `parse` must accept; `allowed` says in words what it takes.
    pub fn required<T>(
        &self,
        name: &'static str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, SettingError> {
        let value =
            self.get(name).ok_or_else(|| SettingError::Missing { name, allowed: allowed.to_owned() })?;
        parse(value).ok_or_else(|| SettingError::Invalid {
            name,
            value: value.to_owned(),
            allowed: allowed.to_owned(),
        })
    }

    /// A value that `parse` must accept; `default` where the variable is absent.
    pub fn or<T>(
        &self,
        name: &'static str,
        default: &str,
        allowed: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, SettingError> {
        match self.get(name).is_none().then(|| parse(default)).flatten() {
            Some(default) => Ok(default),
            None => self.required(name, allowed, parse),
        }
    }

    /// A value that `parse` must accept, if the variable is there.
    pub fn optional<T>(
        &self,
        name: &'static str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, SettingError> {
        self.get(name).map(|_| self.required(name, allowed, parse)).transpose()
    }

    /// A whole number within `range`, both ends included.
    pub fn number(
        &self,
        name: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> Result<u32, SettingError> {
        self.counted(name, default, range, "a whole number")
    }

    /// A whole number of seconds within `range`, both ends included.
    pub fn seconds(
        &self,
        name: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> Result<Duration, SettingError> {
        let seconds = self.counted(name, default, range, "a whole number of seconds")?;
        Ok(Duration::from_secs(seconds.into()))
    }

    fn counted(
        &self,
        name: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
        what: &str,
    ) -> Result<u32, SettingError> {
        if self.get(name).is_none() {
            return Ok(default);
        }
        let allowed = format!("{what} from {} to {}", range.start(), range.end());
        self.required(name, &allowed, |value| value.parse().ok().filter(|n| range.contains(n)))
    }

    /// The ARN of an SNS topic.
    pub fn topic(&self, name: &'static str) -> Result<String, SettingError> {
        self.required(name, "the ARN of an SNS topic", |value| {
            let is_topic =
                value.starts_with("arn:") && value.split(':').count() == 6 && value.contains(":sns:");
            is_topic.then(|| value.to_owned())
        })
    }

    /// One of a few words, compared exactly; the first is the default.
    pub fn choice<T: Copy, const N: usize>(
        &self,
        name: &'static str,
        words: [(&str, T); N],
    ) -> Result<T, SettingError> {
        let find = |value: &str| words.iter().find(|(word, _)| *word == value).map(|(_, meant)| *meant);
        let allowed = words.map(|(word, _)| word).join(" or ");
        match (self.get(name), words.first()) {
            (None, Some((_, default))) => Ok(*default),
            _ => self.required(name, &allowed, find),
        }
    }

    /// Comma-separated words, each accepted by `valid`; an absent variable is an empty list.
    pub fn list(
        &self,
        name: &'static str,
        allowed: &str,
        valid: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>, SettingError> {
        let words = self.get(name).unwrap_or_default().split(',').map(str::trim);
        words
            .filter(|word| !word.is_empty())
            .map(|word| {
                valid(word).then(|| word.to_owned()).ok_or_else(|| SettingError::Invalid {
                    name,
                    value: word.to_owned(),
                    allowed: format!("a comma-separated list of {allowed}"),
                })
            })
            .collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// What a DynamoDB table may be called, in words; see [`table_name`].
pub const TABLE_NAME: &str =
    "the name of a DynamoDB table (3 to 255 letters, digits, dots, hyphens, underscores)";

/// The name of a DynamoDB table, if it is one.
#[must_use]
pub fn table_name(value: &str) -> Option<String> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    ((3..=255).contains(&value.len()) && value.bytes().all(valid)).then(|| value.to_owned())
}

/// Where a function's settings differ from the table in its documentation; for the tests that hold them
/// together. A row of the table is `| name | meaning | default | allowed | parameter |`; the default is a
/// value, `required` or `empty`.
///
/// `source` is the code that reads the settings through a value called `variables`; `read` does so.
pub fn undocumented<T: PartialEq>(
    page: &str,
    source: &str,
    read: impl Fn(&[(&str, &str)]) -> Result<T, String>,
) -> Vec<String> {
    let code = source.split("\n#[cfg(test)]").next().unwrap_or_default();
    let mut called: Vec<&str> = code
        .split("variables")
        .skip(1)
        .filter_map(|call| call.strip_prefix('.')?.split('"').nth(1))
        .collect();
    let rows: Vec<(&str, &str, &str)> = page.lines().filter_map(row).collect();
    let mut names: Vec<&str> = rows.iter().map(|(name, ..)| *name).collect();
    called.sort_unstable();
    names.sort_unstable();
    let mut wrong = Vec::new();
    if names != called {
        wrong.push(format!("documented are {names:?}, but read are {called:?}"));
    }
    for (name, default, allowed) in rows {
        match read(&[(name, "!\u{1}")]) {
            Err(error) if error.contains(allowed) => {}
            Err(error) => wrong.push(format!("{name}: documented is {allowed:?}, but {error}")),
            Ok(_) => wrong.push(format!("{name} takes anything")),
        }
        let is_value = !["required", "empty"].contains(&default);
        if is_value && (read(&[(name, default)]).is_err() || read(&[(name, default)]) != read(&[])) {
            wrong.push(format!("{name}: the default is not {default}"));
        }
    }
    wrong
}

/// A row of the table. Lambda's own variable is no setting of ours.
fn row(line: &str) -> Option<(&str, &str, &str)> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let ["", name, _, default, allowed, _, ""] = cells.as_slice() else { return None };
    let name = name.strip_prefix('`')?.strip_suffix('`')?;
    let is_variable = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    (is_variable && name != "AWS_LAMBDA_LOG_LEVEL").then_some((name, default, allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> Variables {
        [("X", value)].into_iter().collect()
    }

    #[test]
    fn seconds_are_whole_numbers_in_range() {
        for (value, expected) in [
            ("", Ok(180)),
            ("  ", Ok(180)),
            ("1", Ok(1)),
            (" 900 ", Ok(900)),
            ("0", Err("0")),
            ("901", Err("901")),
            ("3m", Err("3m")),
            ("-5", Err("-5")),
            ("1.5", Err("1.5")),
            ("99999999999999999999", Err("99999999999999999999")),
        ] {
            let found = with(value).seconds("X", 180, 1..=900);
            let wanted = expected.map(Duration::from_secs).map_err(|value: &str| SettingError::Invalid {
                name: "X",
                value: value.to_owned(),
                allowed: "a whole number of seconds from 1 to 900".to_owned(),
            });
            assert_eq!(found, wanted, "X={value:?}");
        }
    }

    #[test]
    fn numbers_are_whole_and_in_range() {
        for (value, expected) in [
            ("", Ok(5)),
            ("0", Ok(0)),
            ("9", Ok(9)),
            ("10", Err(r#"setting X is "10"; allowed: a whole number from 0 to 9"#)),
            ("2.5", Err(r#"setting X is "2.5"; allowed: a whole number from 0 to 9"#)),
        ] {
            let found = with(value).number("X", 5, 0..=9).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "X={value:?}");
        }
    }

    #[test]
    fn a_default_and_an_absence_are_no_errors() {
        let word =
            |value: &str| value.bytes().all(|byte| byte.is_ascii_lowercase()).then(|| value.to_owned());
        let refused = || Err(r#"setting X is "B"; allowed: small letters"#.to_owned());
        for (value, or, optional) in [
            ("", Ok("d".to_owned()), Ok(None)),
            ("b", Ok("b".to_owned()), Ok(Some("b".to_owned()))),
            ("B", refused(), refused().map(Some)),
        ] {
            let variables = with(value);
            let found = variables.or("X", "d", "small letters", word).map_err(|error| error.to_string());
            assert_eq!(found, or, "X={value:?}");
            let found = variables.optional("X", "small letters", word).map_err(|error| error.to_string());
            assert_eq!(found, optional, "X={value:?}");
        }
    }

    #[test]
    fn a_choice_is_one_of_its_words() {
        let words = [("CONTINUE", 1), ("ABANDON", 2)];
        for (value, expected) in [
            ("", Ok(1)),
            ("CONTINUE", Ok(1)),
            ("ABANDON", Ok(2)),
            ("abandon", Err(r#"setting X is "abandon"; allowed: CONTINUE or ABANDON"#)),
            ("both", Err(r#"setting X is "both"; allowed: CONTINUE or ABANDON"#)),
        ] {
            let found = with(value).choice("X", words).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "X={value:?}");
        }
    }

    #[test]
    fn a_list_is_split_trimmed_and_checked() {
        for (value, expected) in [
            ("", Ok(vec![])),
            ("a", Ok(vec!["a"])),
            (" a, b ,,c ", Ok(vec!["a", "b", "c"])),
            ("a,B!", Err(r#"setting X is "B!"; allowed: a comma-separated list of small letters"#)),
        ] {
            let small = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase());
            let found = with(value).list("X", "small letters", small).map_err(|error| error.to_string());
            let wanted = expected.map(|words| words.into_iter().map(str::to_owned).collect());
            assert_eq!(found, wanted.map_err(str::to_owned), "X={value:?}");
        }
    }

    #[test]
    fn a_required_setting_says_what_it_takes() {
        let arn = |value: &str| value.strip_prefix("arn:").map(str::to_owned);
        for (value, expected) in [
            ("arn:x", Ok("x")),
            ("", Err("setting X is missing; set it to an ARN")),
            ("x", Err(r#"setting X is "x"; allowed: an ARN"#)),
        ] {
            let found = with(value).required("X", "an ARN", arn).map_err(|error| error.to_string());
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "X={value:?}");
        }
    }

    #[test]
    fn documentation_that_says_something_else_is_found() {
        let source = "variables.seconds(\"A_SECONDS\", 5, 1..=9)\n#[cfg(test)]\nvariables.list(\"B\")";
        let read = |variables: &[(&str, &str)]| {
            let variables: Variables = variables.iter().copied().collect();
            variables.seconds("A_SECONDS", 5, 1..=9).map_err(|error| error.to_string())
        };
        let row =
            |name: &str, default: &str, allowed: &str| format!("| `{name}` | x | {default} | {allowed} | |");
        let right = row("A_SECONDS", "5", "a whole number of seconds from 1 to 9");
        for (page, expected) in [
            (right.clone(), 0),
            (String::new(), 1),
            (row("A_SECONDS", "6", "a whole number of seconds from 1 to 9"), 1),
            (row("A_SECONDS", "5", "from 1 to 10"), 1),
            (format!("{right}\n{}", row("AWS_LAMBDA_LOG_LEVEL", "INFO", "x")), 0),
            (format!("{right}\n{}", row("OTHER", "empty", "x")), 2),
        ] {
            let wrong = undocumented(&page, source, read);
            assert_eq!(wrong.len(), expected, "{page}: {wrong:?}");
        }
    }
}
