//! How many tasks must be seen to have stopped.

use super::*;

fn stopping(second: i64, stopped: bool) -> Task {
    let (arn, group) = ("a".to_owned(), "service:web".to_owned());
    Task { arn, group, wanted: false, stopped, stopping_at: Some(at(second)) }
}

#[test]
fn a_count_grows_while_it_is_fresh_and_is_replaced_when_it_is_old() {
    let counted = |second| Drain { counted_at: Some(at(second)), ..drain() };
    for (name, drain, wanted, second, expected) in [
        ("fewer, at once", drain(), 1, 1, (Some(2), None)),
        ("more, at once", drain(), 3, 1, (Some(3), None)),
        ("fewer, after ten minutes", drain(), 1, 600, (Some(1), Some(at(605)))),
        ("none wanted any more", drain(), 0, 600, (Some(2), None)),
        ("counted in between", counted(300), 1, 600, (Some(2), Some(at(300)))),
        ("and ten minutes after that", counted(300), 1, 900, (Some(1), Some(at(905)))),
    ] {
        let mut drain = drain;
        count(&mut drain, wanted, at(second), &settings(&[]));
        assert_eq!((drain.tasks, drain.counted_at), expected, "{name}");
    }
}

#[test]
fn tasks_that_have_long_been_seen_to_stop_need_not_be_seen_again() {
    let both = |second| vec![stopping(second, true), stopping(second, false)];
    for (name, tasks, second, expected) in [
        ("both seen, long ago", both(5), 600, 0),
        ("both seen, but the drain is young", both(5), 599, 2),
        ("one of them only just: a late list may yet miss it", both(596), 600, 2),
        ("one not seen", vec![stopping(5, false)], 600, 2),
        ("one still wanted", vec![stopping(5, true), Task { wanted: true, ..stopping(5, false) }], 600, 2),
    ] {
        let mut drain = drain();
        count_off(&mut drain, &tasks, at(second), &settings(&[]));
        assert_eq!(drain.tasks, Some(expected), "{name}");
    }
}

#[test]
fn tasks_that_stopped_before_the_count_do_not_stand_for_those_that_were_counted() {
    let drain = Drain { counted_at: Some(at(605)), tasks: Some(1), ..drain() };
    for (name, tasks, expected) in [
        ("only an earlier one is seen", vec![stopping(5, true)], true),
        ("the one that was counted", vec![stopping(700, true)], false),
    ] {
        assert_eq!(unaccounted(&drain, &tasks), expected, "{name}");
    }
}
