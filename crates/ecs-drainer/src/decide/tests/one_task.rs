//! One task that has not stopped tells as much as all of them.

use super::*;

fn stopping(arn: &str, stopped: bool, second: Option<i64>) -> Task {
    let group = "service:web".to_owned();
    Task { arn: arn.to_owned(), group, wanted: second.is_none(), stopped, stopping_at: second.map(at) }
}

#[test]
fn the_task_to_wait_for_is_the_one_that_began_to_stop_last() {
    for (name, tasks, expected) in [
        ("nothing runs", vec![], None),
        ("all have stopped", vec![stopping("a", true, Some(3))], None),
        (
            "the later one",
            vec![
                stopping("a", false, Some(3)),
                stopping("b", false, Some(5)),
                stopping("c", false, Some(4)),
                stopping("d", true, Some(9)),
            ],
            Some("b"),
        ),
        ("none has begun to", vec![stopping("a", false, None)], Some("a")),
    ] {
        assert_eq!(waits_for(&tasks).as_deref(), expected, "{name}");
    }
}

#[test]
fn one_task_will_do_unless_all_must_be_named_or_stopped() {
    let stop = [("STANDALONE_TASKS", "stop"), ("STANDALONE_STOP_AFTER_SECONDS", "60")];
    for (name, more, second, expected) in [
        ("in the middle of a drain", &[][..], 60, true),
        ("the deadline names what runs", &[][..], 7_200, false),
        ("before standalone tasks are stopped", &stop[..], 59, true),
        ("when they are", &stop[..], 60, false),
    ] {
        assert_eq!(one_task_will_do(&drain(), at(second), &settings(more)), expected, "{name}");
    }
}

#[test]
fn a_task_that_has_not_stopped_is_waited_for_whatever_the_others_do() {
    let task = || Some(stopping("a", false, Some(3)));
    let waits = "wait for 0: tasks have not stopped: service:web 1 at least";
    for (name, wanted, tasks, waited_for, second, expected) in [
        ("it alone was read", 0, None, task(), 60, waits),
        (
            "others are wanted",
            2,
            None,
            task(),
            60,
            "wait for 2: tasks have not stopped: 2 running or pending",
        ),
        ("all were read", 0, tasks("web"), task(), 60, "CONTINUE: every task has stopped"),
        ("nothing was read", 0, None, None, 60, "wait for 0: the container instance is not DRAINING yet"),
        (
            "the deadline came meanwhile",
            0,
            None,
            task(),
            7_200,
            "CONTINUE: the deadline has come; still there: tasks have not stopped: service:web 1 at least",
        ),
    ] {
        let presence = Presence::Registered(registered(Status::Draining, wanted));
        let sight = Sight { presence, tasks, waited_for, membership: None };
        assert_eq!(said(&next(&drain(), &sight, at(second), &settings(&[]))), expected, "{name}");
    }
}
