//! What the parsers take, field by field, and what becomes of it next.

use std::sync::LazyLock;

use aws_helpers::settings::Variables;
use ecs_drainer::decide::{self, Sight};
use ecs_drainer::drain::{Drain, Mark, Presence};
use ecs_drainer::event::Command as Drainer;
use ecs_drainer::settings::Settings;
use ecs_metrics::event::Command as Metrics;
use jiff::Timestamp;
use serde_json::{Value, json};
use smoke_test::event::Command as Smoke;
use spot_interruption::decide as spot;
use spot_interruption::event::{Command as Spot, Notice};
use tag_policy::event::Command as Tags;

use super::{Asked, Violation, holds, now};

/// Checks what was taken of a message.
pub(super) fn check(asked: &Asked, message: &Value) -> Result<(), Violation> {
    match &asked.drainer {
        Ok(Drainer::Drain(drain)) => self::drain(drain, message.get("DrainPass").is_some())?,
        Ok(Drainer::TaskStopped(event)) => {
            let texts = [&event.cluster, &event.container_instance, &event.task];
            holds(texts.iter().all(|text| !text.is_empty()), || format!("{event:?}"))?;
        }
        Ok(Drainer::Terminated(id)) => instance(id)?,
        Ok(Drainer::Skip(_)) | Err(_) => {}
    }
    match &asked.metrics {
        Ok(Metrics::Minute(minute)) => {
            let whole = minute.as_second() % 60 == 0 && minute.subsec_nanosecond() == 0;
            holds(whole, || format!("{minute} is no whole minute"))?;
        }
        Ok(Metrics::Tick(tick)) => {
            let clusters = tick.clusters.iter().flatten();
            clusters.into_iter().try_for_each(|name| cluster(name))?;
            holds(tick.clusters.as_ref().is_none_or(|names| !names.is_empty()), || "no cluster".to_owned())?;
        }
        Ok(Metrics::Skip(_)) | Err(_) => {}
    }
    if let Ok(Spot::Notice(notice)) = &asked.spot {
        self::notice(notice)?;
    }
    match &asked.smoke {
        Ok(Smoke::Job { id }) => holds(!id.is_empty(), || "a job without id".to_owned())?,
        Ok(Smoke::Hook { deployment, execution }) => {
            holds(!deployment.is_empty() && !execution.is_empty(), || "a hook without id".to_owned())?;
        }
        Ok(Smoke::Plain) => holds(*message == json!({}), || "a plain event that says something".to_owned())?,
        Ok(Smoke::Skip(_)) | Err(_) => {}
    }
    match &asked.tags {
        Ok(Tags::Run(run)) => {
            let ids = run.vpcs.iter().flatten();
            ids.into_iter().try_for_each(|id| named(id, "vpc-"))?;
            holds(run.vpcs.as_ref().is_none_or(|ids| !ids.is_empty()), || "no VPC".to_owned())?;
            holds(run.frame.now <= now(), || format!("a run of {}", run.frame.now))
        }
        Ok(Tags::Launch(launch)) => {
            launch.instances.iter().try_for_each(|id| instance(id))?;
            holds(!launch.id.is_empty(), || "no id".to_owned())?;
            holds(launch.frame.now <= now(), || format!("a launch of {}", launch.frame.now))
        }
        Ok(Tags::Skip(_)) | Err(_) => Ok(()),
    }
}

/// Checks what reads a text by itself: the drain's mark (an attribute has 128 characters), and the tag of the target
/// groups (a tag's value has 256).
pub(super) fn texts(event: &Value) -> Result<(), Violation> {
    for text in super::texts(event).into_iter().filter(|text| text.len() <= 256) {
        if let Some(mark) = Mark::from_value(&text) {
            let value = mark.to_value();
            holds(Mark::from_value(&value) == Some(mark), || format!("{text:?} becomes {value:?}"))?;
        }
        let groups = spot::target_groups(&text);
        holds(groups.arns.len() <= spot::TARGET_GROUPS, || format!("{} target groups", groups.arns.len()))?;
    }
    Ok(())
}

/// A drain: its fields, its continuation, and that every decision about it has an answer.
fn drain(drain: &Drain, continued: bool) -> Result<(), Violation> {
    static SETTINGS: LazyLock<Option<Settings>> = LazyLock::new(|| {
        let topic = [("DRAIN_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:drain")];
        Settings::read(&Variables::from_iter(topic)).ok()
    });
    instance(&drain.instance)?;
    // A continuation has what a describe told.
    if let Some(name) = drain.cluster.as_deref().filter(|_| !continued) {
        cluster(name)?;
    }
    let text = serde_json::to_string(drain).map_err(|error| format!("not written: {error}"))?;
    let read = serde_json::from_str(&text).map_err(|error| format!("not read: {error}"))?;
    let again = ecs_drainer::event::classify(&read, Timestamp::MAX);
    let same = matches!(&again, Ok(Drainer::Drain(again)) if **again == *drain);
    holds(same, || format!("{drain:?} becomes {again:?}"))?;
    let settings = SETTINGS.as_ref().ok_or("no settings")?;
    for now in [Timestamp::MIN, now(), Timestamp::MAX] {
        let sight = Sight { presence: Presence::Absent, tasks: None, waited_for: None, membership: None };
        let _ = decide::next(drain, &sight, now, settings);
        let _ = (decide::needs_heartbeat(drain, None, now, settings), decide::too_short(drain, settings));
        let terms = drain.hook.as_ref().and_then(|hook| hook.terms.as_ref());
        let _ = terms.map(|terms| decide::held(terms, now));
    }
    Ok(())
}

/// A spot notice, and the request that it becomes: both functions must mean the same by it.
fn notice(notice: &Notice) -> Result<(), Violation> {
    instance(&notice.instance)?;
    holds(notice.time <= now(), || format!("a notice of {}", notice.time))?;
    let request = spot::request(notice, None);
    let message = serde_json::to_value(&request).map_err(|error| format!("not written: {error}"))?;
    let taken = ecs_drainer::event::classify(&message, now());
    let agreed = match &taken {
        Ok(Drainer::Drain(drain)) => {
            let asked = (&notice.instance, request.until, now());
            (&drain.instance, drain.until, drain.first_seen) == asked && drain.hook.is_none()
        }
        Ok(Drainer::Skip(_)) => request.until.is_some_and(|until| until <= now()),
        _ => false,
    };
    holds(agreed, || format!("{request:?} is taken as {taken:?}"))
}

/// An instance's id goes into a filter expression.
fn instance(id: &str) -> Result<(), Violation> {
    named(id, "i-")
}

fn named(id: &str, prefix: &str) -> Result<(), Violation> {
    let tail = id.strip_prefix(prefix).unwrap_or_default();
    let is_id = (1..=32).contains(&tail.len()) && tail.bytes().all(|byte| byte.is_ascii_alphanumeric());
    holds(is_id, || format!("{id:?} is taken for an id"))
}

fn cluster(name: &str) -> Result<(), Violation> {
    let name_of = name.rsplit_once(":cluster/").filter(|_| name.starts_with("arn:"));
    let tail = name_of.map_or(name, |(_, tail)| tail);
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_name = (1..=255).contains(&tail.len()) && tail.bytes().all(is_word);
    holds(is_name, || format!("{name:?} is taken for a cluster"))
}
