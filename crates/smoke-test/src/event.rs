//! A raw event → a [`Command`]: who asks for a test, and waits for a word.

use aws_helpers::envelope::BadMessage;
use serde_json::Value;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `CodePipeline`, after a deployment.
    Job {
        /// The job that is to be reported.
        id: String,
    },
    /// `CodeDeploy`, before a version gets traffic.
    Hook {
        /// The deployment.
        deployment: String,
        /// Its hook that is to be reported.
        execution: String,
    },
    /// Whoever invokes the function and reads its answer.
    Plain,
    /// Nobody, for this reason.
    Skip(String),
}

/// Reads an event.
pub fn classify(event: &Value) -> Result<Command, BadMessage> {
    if let Some(job) = event.get("CodePipeline.job") {
        return Ok(Command::Job { id: text("job of CodePipeline", job, "id")? });
    }
    if event.get("LifecycleEventHookExecutionId").is_some() {
        const KIND: &str = "hook of CodeDeploy";
        return Ok(Command::Hook {
            deployment: text(KIND, event, "DeploymentId")?,
            execution: text(KIND, event, "LifecycleEventHookExecutionId")?,
        });
    }
    if event.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(Command::Plain);
    }
    Ok(Command::Skip("neither a job of CodePipeline, a hook of CodeDeploy nor an empty event".to_owned()))
}

fn text(kind: &'static str, message: &Value, field: &'static str) -> Result<String, BadMessage> {
    let text = message.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or(BadMessage { kind, field, problem: "is missing or not a text" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_shape_of_trigger() {
        let job = || Command::Job { id: "11111111-abcd-1111-abcd-111111abcdef".to_owned() };
        let hook = || Command::Hook {
            deployment: "d-EXAMPLE11".to_owned(),
            execution: "eyJlbmNyeXB0ZWREYXRhIjoi".to_owned(),
        };
        let skip = || {
            Command::Skip("neither a job of CodePipeline, a hook of CodeDeploy nor an empty event".to_owned())
        };
        let sample = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for (name, event, expected) in [
            (
                "CodePipeline",
                sample(include_str!("../../../events/smoke-test/codepipeline-job.json")),
                Ok(job()),
            ),
            (
                "CodeDeploy",
                sample(include_str!("../../../events/smoke-test/codedeploy-hook.json")),
                Ok(hook()),
            ),
            ("plain", sample(include_str!("../../../events/smoke-test/plain.json")), Ok(Command::Plain)),
            ("another", sample(include_str!("../../../events/smoke-test/other-event.json")), Ok(skip())),
            (
                "a job without id",
                sample(include_str!("../../../events/smoke-test/bad-job-without-id.json")),
                Err("job of CodePipeline: id is missing or not a text".to_owned()),
            ),
            (
                "a hook without deployment",
                json!({"LifecycleEventHookExecutionId": "x"}),
                Err("hook of CodeDeploy: DeploymentId is missing or not a text".to_owned()),
            ),
            ("no object", json!(null), Ok(skip())),
        ] {
            assert_eq!(classify(&event).map_err(|error| error.to_string()), expected, "{name}");
        }
    }
}
