//! Which function called what, about what: written down for those who hold it against the permissions.
//!
//! A function says who it is in the SDK's user agent (`app/NAME`); calls without that are a scenario's or a
//! test's own and are left out. One line of JSON for each kind of call: what differs only in ids that AWS makes up is
//! of one kind, so that a fleet of a thousand is not a thousand lines. Nothing is done, and no time lost, unless
//! [`World::record_calls`] was asked to.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, PoisonError},
};

use http::HeaderMap;
use serde_json::json;

use crate::{
    services::subject::{self, Subject},
    wire::Request,
    world::World,
};

/// The variable that names the folder which tests write their calls to.
pub const FOLDER: &str = "RECORD_CALLS";

/// The file that the calls of this process's tests are written to, if there is to be one.
pub(crate) fn file() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os(FOLDER)?);
    Some(folder.join(format!("{}.jsonl", std::process::id())))
}

/// Writes a call down that no World has seen, of a service that it has not, if there is a folder for it.
pub fn note(
    function: &str,
    variables: BTreeMap<String, String>,
    action: &str,
    resource: &str,
) -> io::Result<()> {
    let Some(file) = file() else { return Ok(()) };
    let subject = Subject { resource: resource.to_owned(), context: BTreeMap::new() };
    Recorder::new(&file, variables)?.note(function, action, &subject)
}

/// Where the calls of a World go.
#[derive(Debug)]
pub(crate) struct Recorder {
    file: File,
    /// What the functions were set to, where a test knows.
    variables: BTreeMap<String, String>,
}

/// The kinds of calls that are written down already: a process has a World for each of its tests.
static SEEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

impl World {
    /// Writes down from now on what functions call, at the end of a file. `variables` are the function's environment,
    /// which says what it may call.
    pub fn record_calls(&mut self, file: &Path, variables: BTreeMap<String, String>) -> io::Result<()> {
        self.recorder = Some(Recorder::new(file, variables)?);
        Ok(())
    }

    /// Writes a call down, if that was asked for and a function made it.
    pub(crate) fn note_call(&mut self, headers: &HeaderMap, request: &Request) {
        let Some(mut recorder) = self.recorder.take() else { return };
        if let Some(function) = caller(headers) {
            let action = subject::action(request);
            let mut subjects = subject::subjects(self, request);
            if subjects.is_empty() {
                // Whoever reads it must see that there was a call.
                subjects.push(Subject { resource: String::new(), context: BTreeMap::new() });
            }
            for subject in subjects {
                if let Err(error) = recorder.note(function, &action, &subject) {
                    tracing::error!(%error, "a call could not be written down");
                }
            }
        }
        self.recorder = Some(recorder);
    }
}

impl Recorder {
    fn new(file: &Path, variables: BTreeMap<String, String>) -> io::Result<Self> {
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        Ok(Self { file: OpenOptions::new().create(true).append(true).open(file)?, variables })
    }

    fn note(&mut self, function: &str, action: &str, subject: &Subject) -> io::Result<()> {
        let keys: Vec<_> = subject.context.keys().map(String::as_str).collect();
        let place = subject.context.values().next().map(|value| kind(value)).unwrap_or_default();
        let (resource, keys, variables) = (kind(&subject.resource), keys.join(","), &self.variables);
        let of_kind = format!("{function} {action} {resource} {keys} {place} {variables:?}");
        if !SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(of_kind) {
            return Ok(());
        }
        let line = json!({
            "function": function,
            "action": action,
            "resource": subject.resource,
            "context": subject.context,
            "variables": self.variables,
        });
        // One write a line: tests of one process share the file.
        self.file.write_all(format!("{line}\n").as_bytes())
    }
}

/// The name that the SDK was given by the function.
fn caller(headers: &HeaderMap) -> Option<&str> {
    let agent = headers.get("x-amz-user-agent")?.to_str().ok()?;
    agent.split(' ').find_map(|part| part.strip_prefix("app/"))
}

/// An ARN without the ids that AWS makes up, and without numbers.
fn kind(resource: &str) -> String {
    let is_made_up = |part: &str| {
        let id = part.strip_prefix("i-").unwrap_or(part);
        id.len() >= 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let parts = resource.split('/').filter(|part| !is_made_up(part));
    parts.collect::<Vec<_>>().join("/").replace(|letter: char| letter.is_ascii_digit(), "")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn functions_name_themselves() {
        let rows = [
            ("aws-sdk-rust/1.3.9 api/ecs/1.1 os/linux lang/rust/1.95 app/ecs-drainer", Some("ecs-drainer")),
            ("aws-sdk-rust/1.3.9 app/tag-policy m/E", Some("tag-policy")),
            ("Boto3/1.44", None),
        ];
        for (agent, expected) in rows {
            let headers =
                [(http::HeaderName::from_static("x-amz-user-agent"), HeaderValue::from_static(agent))];
            assert_eq!(caller(&headers.into_iter().collect()), expected, "{agent}");
        }
        assert_eq!(caller(&HeaderMap::new()), None);
    }

    #[test]
    fn ids_that_aws_makes_up_make_no_difference() {
        let rows = [
            (
                "arn:aws:ecs:r:1:task/a/0123456789abcdef0123456789abcdef",
                "arn:aws:ecs:r:1:task/a/fedcba9876543210fedcba9876543210",
                true,
            ),
            (
                "arn:aws:ec2:r:1:instance/i-0123456789abcdef0",
                "arn:aws:ec2:r:2:instance/i-00000000000000000",
                true,
            ),
            ("arn:aws:ecs:r:1:cluster/c-1", "arn:aws:ecs:r:1:cluster/c-2", true),
            ("arn:aws:ecs:r:1:cluster/prod", "arn:aws:ecs:r:1:cluster/test", false),
        ];
        for (one, other, alike) in rows {
            assert_eq!(kind(one) == kind(other), alike, "{one}");
        }
    }
}
