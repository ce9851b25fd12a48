//! What is sent to which function, and whether what came of it is right. Pure: no I/O, no clock.
//!
//! The events are chosen so that they reach as much of a function as they can in a production account without changing
//! anything there.

use aws_helpers::fault::{Fault, Kind};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::observe::Reply;

/// The functions that are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Drains.
    EcsDrainer,
    /// Hands spot notices on.
    SpotInterruption,
    /// Checks tags.
    TagPolicy,
    /// Writes metrics.
    EcsMetrics,
}

impl Function {
    /// Its crate.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EcsDrainer => "ecs-drainer",
            Self::SpotInterruption => "spot-interruption",
            Self::TagPolicy => "tag-policy",
            Self::EcsMetrics => "ecs-metrics",
        }
    }
}

/// What came of one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The function.
    pub function: Function,
    /// The version that was to be tested.
    pub version: String,
    /// What was seen, or what is wrong.
    pub outcome: Result<String, String>,
}

impl Check {
    /// For the answer.
    #[must_use]
    pub fn line(&self) -> Value {
        let (Ok(what) | Err(what)) = &self.outcome;
        let passed = self.outcome.is_ok();
        json!({"function": self.function.name(), "version": self.version, "passed": passed, "outcome": what})
    }
}

/// An instance that there is not: EC2 draws ids at random.
const NOBODY: &str = "i-00000000000000000";
/// The time that the drain is given: less than the drainer wants for another look (ten seconds and its interval), so that
/// whatever happens there is none; and more than a cold start takes, after which it would not be looked at.
const DRAIN: SignedDuration = SignedDuration::from_secs(10);

/// The event that a function is sent.
///
/// - ecs-drainer: a request for an instance that no cluster has. It reads clusters and Auto Scaling, finds nothing that
///   could still be registering, and ends at its first look.
/// - spot-interruption: an event that is not for it. Every notice that is would be told to the operators.
/// - tag-policy: a dry run over all instances, which reads and plans, and writes nothing.
/// - ecs-metrics: one tick of all clusters. It writes a sample, the one thing here that stays: CloudWatch counts that
///   moment twice where the schedule writes it too, and its maximum, minimum and average are the same.
#[must_use]
pub fn event(function: Function, now: Timestamp) -> Value {
    match function {
        Function::EcsDrainer => {
            let until = now.saturating_add(DRAIN).unwrap_or(now);
            let request = json!({
                "DrainRequest": "smoke test",
                "EC2InstanceId": NOBODY,
                "LaunchedAt": "2000-01-01T00:00:00Z",
                "Until": until.to_string(),
            });
            json!({"Records": [{"messageId": "smoke-test", "eventSource": "aws:sqs", "body": request.to_string()}]})
        }
        Function::SpotInterruption => json!({
            "source": "aws.ec2",
            "detail-type": "EC2 Instance State-change Notification",
            "detail": {"instance-id": NOBODY, "state": "terminated"},
        }),
        Function::TagPolicy => json!({"dryRun": true}),
        Function::EcsMetrics => json!({}),
    }
}

/// What was seen, in a few words, or what is wrong.
pub fn judge(function: Function, version: &str, reply: &Reply) -> Result<String, String> {
    if reply.failed {
        return Err(format!("failed: {}", message(&reply.payload)));
    }
    match reply.version.as_deref() {
        Some(ran) if ran == version => {}
        Some(ran) => return Err(format!("version {ran} answered instead of {version}")),
        None => return Err("Lambda does not say which version answered".to_owned()),
    }
    match function {
        Function::EcsDrainer => drained(reply),
        Function::SpotInterruption => skipped(reply),
        Function::TagPolicy => planned(reply),
        Function::EcsMetrics => ticked(reply),
    }
}

/// What is said of a function that could not be invoked.
pub fn untried(function: Function, fault: &Fault) -> Result<String, String> {
    // Its two invocations at a time are taken where it is at work: it runs, and its own alarms watch it.
    if function == Function::EcsMetrics && fault.kind == Kind::Throttled {
        return Ok("not tried: all its invocations were taken".to_owned());
    }
    Err(fault.to_string())
}

/// All that was seen, or all that is wrong.
pub fn verdict(checks: &[Check]) -> Result<String, String> {
    let line = |check: &Check| {
        let (Ok(what) | Err(what)) = &check.outcome;
        format!("{} version {}: {what}", check.function.name(), check.version)
    };
    let join = |lines: Vec<String>| lines.join("; ");
    let failed: Vec<String> = checks.iter().filter(|check| check.outcome.is_err()).map(line).collect();
    if failed.is_empty() { Ok(join(checks.iter().map(line).collect())) } else { Err(join(failed)) }
}

/// Characters of a function's own words that are repeated.
const WORDS: usize = 400;

/// Why a function says that it failed.
fn message(payload: &Value) -> String {
    let message = payload.get("errorMessage").and_then(Value::as_str).unwrap_or("it does not say why");
    message.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).take(WORDS).collect()
}

/// The answer is the same whether the instance was looked for or could not be, since a drain goes on in a later
/// message. The log tells them apart.
fn drained(reply: &Reply) -> Result<String, String> {
    const ENDED: &str = "drained, no hook to complete: no cluster has the instance";
    let failures = reply.payload.get("batchItemFailures").and_then(Value::as_array);
    if failures.is_none_or(|failures| !failures.is_empty()) {
        return Err("a drain request that is sound was given back".to_owned());
    }
    let texts = |level: &'static str| {
        let lines = reply.log.iter().filter(move |line| line.get("level").is_some_and(|is| is == level));
        lines.filter_map(|line| line.get("message")?.as_str())
    };
    if let Some(wrong) = texts("ERROR").chain(texts("WARN")).next() {
        return Err(wrong.chars().take(WORDS).collect());
    }
    match (texts("INFO").any(|text| text.starts_with(ENDED)), texts("INFO").next()) {
        (true, _) => Ok("looked for an instance that is not there, and let it go".to_owned()),
        (false, Some(text)) => Err(format!(
            "did not let an instance go that is not there: {}",
            text.chars().take(WORDS).collect::<String>()
        )),
        (false, None) => Ok("took a drain request; its log level hides how that ended".to_owned()),
    }
}

fn skipped(reply: &Reply) -> Result<String, String> {
    match reply.payload.get("skipped").and_then(Value::as_str) {
        Some(_) => Ok("skipped an event that is not for it".to_owned()),
        None => Err("did not skip an event that is not for it".to_owned()),
    }
}

/// The part of tag-policy's answer that matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    report_only: Value,
    counts: Counts,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    instances: u64,
    rule_faults: u64,
}

fn planned(reply: &Reply) -> Result<String, String> {
    let plan =
        Plan::deserialize(&reply.payload).map_err(|_| "its answer is no summary of a run".to_owned())?;
    if plan.report_only != "dryRun" {
        return Err("what was to be a dry run was not".to_owned());
    }
    let Counts { instances, rule_faults } = plan.counts;
    // Rules are the account's, and were faulty before this deployment or are not: no reason to hold it up.
    let faults = if rule_faults > 0 { format!(", faulty rules: {rule_faults}") } else { String::new() };
    Ok(format!("planned, instances: {instances}{faults}"))
}

/// The part of ecs-metrics' answer that matters here.
#[derive(Deserialize)]
struct Tick {
    clusters: u64,
    data: u64,
    failed: u64,
}

fn ticked(reply: &Reply) -> Result<String, String> {
    let Tick { clusters, data, failed } =
        Tick::deserialize(&reply.payload).map_err(|_| "its answer is not that of a tick".to_owned())?;
    if failed > 0 {
        return Err(format!("clusters or data of a tick that failed: {failed}; its log says why"));
    }
    if clusters > 0 && data == 0 {
        return Err(format!("wrote nothing, clusters read: {clusters}"));
    }
    Ok(format!("measured, clusters: {clusters}, data written: {data}"))
}

#[cfg(test)]
mod tests;
