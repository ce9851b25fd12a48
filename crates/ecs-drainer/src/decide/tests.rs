use aws_helpers::fault::Kind;
use aws_helpers::settings::Variables;

use super::*;
use crate::drain::{Hook, Mark};

mod counts;
mod one_task;
mod terms;
mod urgent;

/// Seconds since the drain was first seen; DRAINING was set in the first.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn settings(more: &[(&str, &str)]) -> Settings {
    let topic = ("DRAIN_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:drain");
    let variables: Variables = more.iter().copied().chain([topic]).collect();
    Settings::read(&variables).unwrap()
}

fn terms(heartbeat: u32, held_until: i64, limit: i64) -> Terms {
    Terms { heartbeat_seconds: heartbeat, held_until: at(held_until), limit: at(limit) }
}

fn drain() -> Drain {
    Drain {
        pass: 1,
        instance: "i-1".to_owned(),
        cluster: Some("prod".to_owned()),
        container_instance: Some("ci-1".to_owned()),
        hook: Some(Hook {
            group: "g".to_owned(),
            name: "h".to_owned(),
            token: Some("t".to_owned()),
            terms: Some(terms(900, 900, 90_000)),
        }),
        first_seen: at(0),
        until: None,
        launched_at: None,
        draining_since: Some(at(0)),
        count: None,
        waits_for: None,
        not_before: None,
    }
}

fn hookless() -> Drain {
    Drain { hook: None, ..drain() }
}

fn registered(status: Status, wanted_tasks: usize) -> ContainerInstance {
    ContainerInstance {
        cluster: "prod".to_owned(),
        arn: "ci-1".to_owned(),
        instance: "i-1".to_owned(),
        status,
        wanted_tasks,
        connected: true,
        mark: None,
    }
}

fn fault() -> Fault {
    Fault {
        operation: "ecs:X",
        code: "ThrottlingException".to_owned(),
        message: "Rate exceeded".to_owned(),
        kind: Kind::Throttled,
    }
}

/// `web` of a service, `job` standalone; small letters are STOPPED, `!` is no longer wanted.
#[allow(clippy::unnecessary_wraps, reason = "the tables say what a sight holds")]
fn tasks(words: &str) -> Option<Result<Vec<Task>, Fault>> {
    let task = |(at, word): (usize, &str)| {
        let name = word.trim_end_matches('!').to_lowercase();
        let group = if name == "web" { format!("service:{name}") } else { format!("family:{name}") };
        let stopped = word.starts_with(char::is_lowercase);
        Task {
            arn: format!("{name}-{at}"),
            group,
            wanted: !stopped && !word.ends_with('!'),
            stopped,
            stopping_at: None,
        }
    };
    Some(Ok(words.split_whitespace().enumerate().map(task).collect()))
}

fn said(plan: &Plan) -> String {
    let then = match &plan.then {
        Then::Complete(outcome, why) => format!("{}: {why}", outcome.as_str()),
        Then::Wait(left, why) => format!("wait for {left}: {why}"),
        Then::End(why) => format!("end: {why}"),
    };
    if plan.stop.is_empty() { then } else { format!("stop {}, {then}", plan.stop.join(" ")) }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one table")]
fn the_next_step_follows_from_what_was_seen() {
    let draining = |wanted| Presence::Registered(registered(Status::Draining, wanted));
    let active = Presence::Registered(registered(Status::Active, 0));
    let member = Some(Ok(Membership::Member { group: "g".to_owned(), waiting: true }));
    let gone = Some(Ok(Membership::Gone));
    let unreadable = Presence::Unreadable(fault());
    let throttled = "ecs:X failed: ThrottlingException: Rate exceeded";
    let empty = "CONTINUE: every task has stopped";
    for (name, drain, second, presence, tasks, membership, expected) in [
        ("never had a task", drain(), 60, draining(0), tasks(""), None, empty),
        ("all have stopped", drain(), 60, draining(0), tasks("web web job"), None, empty),
        (
            "counted, not listed",
            drain(),
            60,
            draining(2),
            None,
            None,
            "wait for 2: tasks have not stopped: 2 running or pending",
        ),
        (
            "count 0, one stopping",
            drain(),
            60,
            draining(0),
            tasks("web WEB! web"),
            None,
            "wait for 1: tasks have not stopped: service:web 1",
        ),
        (
            "listed empty, counted one",
            drain(),
            60,
            draining(1),
            tasks("web"),
            None,
            "wait for 1: tasks have not stopped: not listed yet 1",
        ),
        (
            "DRAINING too young",
            drain(),
            4,
            draining(0),
            tasks(""),
            None,
            "wait for 0: the container instance is not DRAINING yet",
        ),
        ("DRAINING just old enough", drain(), 5, draining(0), tasks(""), None, empty),
        (
            "empty but ACTIVE",
            drain(),
            60,
            active.clone(),
            tasks(""),
            None,
            "wait for 0: the container instance is not DRAINING yet",
        ),
        (
            "tasks unreadable",
            drain(),
            60,
            draining(0),
            Some(Err(fault())),
            None,
            &format!("wait for 0: {throttled}"),
        ),
        (
            "instance unreadable",
            drain(),
            60,
            unreadable.clone(),
            None,
            None,
            &format!("wait for 0: {throttled}"),
        ),
        (
            "gone",
            drain(),
            60,
            Presence::Absent,
            None,
            gone.clone(),
            "end: Auto Scaling no longer waits for the instance",
        ),
        (
            "gone, agent lost, tasks counted",
            drain(),
            60,
            draining(3),
            None,
            gone.clone(),
            "end: Auto Scaling no longer waits for the instance",
        ),
        (
            "not registered yet",
            drain(),
            299,
            Presence::Absent,
            None,
            member.clone(),
            "wait for 0: no cluster has the instance; it may be registering",
        ),
        (
            "never registered",
            drain(),
            300,
            Presence::Absent,
            None,
            member.clone(),
            "CONTINUE: no cluster has the instance, and the wait is over",
        ),
        (
            "absent, Auto Scaling unreadable",
            drain(),
            600,
            Presence::Absent,
            None,
            Some(Err(fault())),
            &format!("wait for 0: {throttled}"),
        ),
        (
            "operator's, absent from its group",
            hookless(),
            600,
            Presence::Absent,
            None,
            gone,
            "CONTINUE: no cluster has the instance, and the wait is over",
        ),
        (
            "deadline, still busy",
            drain(),
            7_200,
            draining(0),
            tasks("WEB! WEB JOB"),
            None,
            "CONTINUE: the deadline has come; still there: family:job 1, service:web 2",
        ),
        ("deadline, but empty", drain(), 7_200, draining(0), tasks("web"), None, empty),
        (
            "deadline, unreadable",
            drain(),
            7_200,
            unreadable,
            None,
            None,
            &format!("CONTINUE: the deadline has come; still there: {throttled}"),
        ),
        (
            "deadline, never registered",
            drain(),
            7_200,
            Presence::Absent,
            None,
            member,
            "CONTINUE: no cluster has the instance, and the wait is over",
        ),
    ] {
        let sight = Sight { presence, tasks, waited_for: None, membership };
        assert_eq!(said(&next(&drain, &sight, at(second), &settings(&[]))), expected, "{name}");
    }
}

#[test]
fn settings_change_the_step() {
    let stop = [("STANDALONE_TASKS", "stop"), ("STANDALONE_STOP_AFTER_SECONDS", "60")];
    let draining = Presence::Registered(registered(Status::Draining, 1));
    let absent = Presence::Absent;
    let member = Some(Ok(Membership::Member { group: "g".to_owned(), waiting: true }));
    let busy = "wait for 2: tasks have not stopped: family:job 1, service:web 1";
    for (name, more, second, presence, tasks, expected) in [
        ("stop, too early", &stop[..], 59, draining.clone(), tasks("WEB JOB"), busy.to_owned()),
        ("stop, due", &stop[..], 60, draining.clone(), tasks("WEB JOB"), format!("stop job-1, {busy}")),
        ("stop, stopping already", &stop[..], 60, draining.clone(), tasks("WEB JOB!"), busy.to_owned()),
        ("wait", &[], 600, draining.clone(), tasks("WEB JOB"), busy.to_owned()),
        (
            "deadline with ABANDON",
            &[("DEADLINE_RESULT", "ABANDON"), ("DEADLINE_SECONDS", "600")],
            600,
            draining,
            tasks("JOB"),
            "ABANDON: the deadline has come; still there: family:job 1".to_owned(),
        ),
        (
            "never registered with ABANDON",
            &[("UNREGISTERED_RESULT", "ABANDON")],
            300,
            absent,
            None,
            "ABANDON: no cluster has the instance, and the wait is over".to_owned(),
        ),
    ] {
        let membership = member.clone().filter(|_| presence == Presence::Absent);
        let sight = Sight { presence, tasks, waited_for: None, membership };
        assert_eq!(said(&next(&drain(), &sight, at(second), &settings(more))), expected, "{name}");
    }
}

#[test]
fn young_draining_is_waited_out_only_where_it_matters() {
    for (name, status, wanted, second, expected) in [
        ("just set", Status::Draining, 0, 0, Some(5)),
        ("three seconds old", Status::Draining, 0, 3, Some(2)),
        ("old enough", Status::Draining, 0, 5, None),
        ("busy anyway", Status::Draining, 1, 0, None),
        ("not DRAINING", Status::Active, 0, 0, None),
    ] {
        let found = unsettled(&drain(), &registered(status, wanted), at(second), &settings(&[]));
        assert_eq!(found, expected.map(Duration::from_secs), "{name}");
    }
}

#[test]
fn tasks_are_read_only_when_they_matter() {
    let stop = [("STANDALONE_TASKS", "stop"), ("STANDALONE_STOP_AFTER_SECONDS", "60")];
    for (name, more, status, wanted, second, expected) in [
        ("counted busy", &[][..], Status::Draining, 2, 60, false),
        ("counted empty", &[][..], Status::Draining, 0, 60, true),
        ("counted empty, not DRAINING", &[][..], Status::Active, 0, 60, false),
        ("deadline", &[][..], Status::Draining, 2, 7_200, true),
        ("standalone tasks, too early", &stop[..], Status::Draining, 2, 59, false),
        ("standalone tasks, due", &stop[..], Status::Draining, 2, 60, true),
    ] {
        let found = needs_tasks(&drain(), &registered(status, wanted), at(second), &settings(more));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn auto_scaling_is_asked_only_about_what_ecs_cannot_tell() {
    let connected = registered(Status::Draining, 1);
    let lost = ContainerInstance { connected: false, ..connected.clone() };
    for (name, presence, second, expected) in [
        ("connected", Presence::Registered(connected), 61, false),
        ("agent lost", Presence::Registered(lost), 61, true),
        ("absent", Presence::Absent, 61, true),
        ("absent, and the drain has only begun", Presence::Absent, 60, false),
        ("unreadable", Presence::Unreadable(fault()), 61, false),
    ] {
        assert_eq!(needs_membership(&drain(), &presence, at(second)), expected, "{name}");
        let older = Drain { first_seen: at(60), launched_at: Some(at(0)), ..drain() };
        assert_eq!(needs_membership(&older, &presence, at(second)), expected, "{name}, by its launch");
    }
}
