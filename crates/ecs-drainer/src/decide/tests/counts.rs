//! How many tasks must be seen to have stopped, and when "none" is believed.

use super::*;
use crate::drain::Count;

fn counted(tasks: usize, from: i64) -> Drain {
    Drain { count: Some(Count { tasks, holds_from: at(from) }), ..drain() }
}

#[test]
fn a_count_is_made_once_draining_is_old_enough_and_again_when_it_is_old() {
    let young = Drain { draining_since: None, ..drain() };
    for (name, drain, wanted, asked, expected) in [
        ("not DRAINING yet", young, 2, 60, None),
        ("an answer may be older than DRAINING", drain(), 2, 4, None),
        ("none of them can be", drain(), 2, 5, Some((2, 11))),
        ("none wanted any more", drain(), 0, 60, Some((0, 66))),
        ("counted before", counted(3, 300), 1, 600, Some((3, 300))),
        ("counted before, and none is wanted now", counted(3, 300), 0, 600, Some((0, 606))),
        ("ten minutes ago", counted(3, 300), 1, 900, Some((1, 906))),
        ("ten minutes ago, and none is wanted now", counted(3, 300), 0, 900, Some((0, 906))),
        ("counted a moment ago, and none is wanted now", counted(3, 62), 0, 60, Some((0, 66))),
        ("a moment ago, and some are wanted still", counted(3, 62), 2, 60, Some((3, 62))),
        ("none was wanted, and none will be", counted(0, 300), 0, 9_000, Some((0, 300))),
    ] {
        let mut drain = drain;
        // The answer takes a second.
        count(&mut drain, wanted, false, [at(asked), at(asked + 1)], &settings(&[]));
        let expected = expected.map(|(tasks, from)| Count { tasks, holds_from: at(from) });
        assert_eq!(drain.count, expected, "{name}");
    }
}

#[test]
fn a_task_that_stopped_is_looked_for_among_those_that_were_counted() {
    for (name, from, expected) in
        [("a count that holds", 60, (3, 60)), ("one that does not yet", 62, (0, 65))]
    {
        let mut drain = counted(3, from);
        count(&mut drain, 0, true, [at(60), at(60)], &settings(&[]));
        let (tasks, from) = expected;
        assert_eq!(drain.count, Some(Count { tasks, holds_from: at(from) }), "{name}");
    }
}

#[test]
fn lists_are_waited_for_only_where_they_alone_decide() {
    for (name, drain, second, expected) in [
        ("not counted", drain(), 5, None),
        ("counted just now", counted(0, 10), 5, Some(5)),
        ("a moment later", counted(0, 10), 9, Some(1)),
        ("long enough ago", counted(0, 10), 10, None),
        ("a mark that somebody else has written", counted(0, 9_999_999), 5, Some(5)),
        ("tasks that must be seen to stop", counted(1, 10), 5, None),
    ] {
        assert_eq!(unlisted(&drain, at(second), &settings(&[])), expected.map(Duration::from_secs), "{name}");
    }
}

#[test]
fn tasks_that_were_counted_must_be_seen_to_have_stopped_since() {
    let task = |stopped, second| Task {
        arn: "a".to_owned(),
        group: "service:web".to_owned(),
        wanted: false,
        stopped,
        stopping_at: Some(at(second)),
    };
    let (done, earlier, stopping) = (task(true, 17), task(true, 7), task(false, 17));
    for (name, drain, tasks, asked, expected) in [
        ("both have stopped", counted(2, 10), vec![done.clone(), done.clone()], 60, false),
        ("one more than counted", counted(1, 10), vec![done.clone(), done.clone()], 60, false),
        ("none were wanted", counted(0, 10), vec![], 10, false),
        ("none were wanted, but the lists may be older", counted(0, 10), vec![], 9, true),
        ("one is in neither list", counted(2, 10), vec![done.clone()], 60, true),
        ("the other had begun before", counted(2, 10), vec![done.clone(), earlier.clone()], 60, true),
        ("only an earlier one", counted(1, 10), vec![earlier], 60, true),
        ("not all have stopped: no question", counted(2, 10), vec![done.clone(), stopping], 60, false),
        ("not counted", drain(), vec![done.clone(), done], 60, true),
    ] {
        assert_eq!(unaccounted(&drain, &tasks, at(asked)), expected, "{name}");
    }
}
