//! Hooks' timeouts and limits, and the mark of an earlier pass.

use super::*;

#[test]
fn the_hooks_own_limit_is_a_deadline_too() {
    let mut drain = drain();
    drain.hook.as_mut().unwrap().terms = Some(terms(30, 30, 3_000));
    for (second, expected) in [(2_809, false), (2_811, true)] {
        assert_eq!(overdue(&drain, at(second), &settings(&[])), expected, "{second}");
    }
}

#[test]
fn a_copy_is_known_by_the_mark() {
    let mark = |pass, token: Option<&str>| Mark {
        pass,
        draining_since: at(0),
        count: None,
        until: None,
        token: token.map(str::to_owned),
    };
    for (name, drain, status, mark, expected) in [
        ("no mark", drain(), Status::Draining, None, false),
        ("its own pass", drain(), Status::Draining, Some(mark(1, Some("t"))), false),
        ("a later pass", drain(), Status::Draining, Some(mark(2, Some("t"))), true),
        ("an earlier pass, read late", drain(), Status::Draining, Some(mark(0, Some("t"))), false),
        ("an earlier drain's", drain(), Status::Draining, Some(mark(9, Some("u"))), false),
        ("an operator's copy", hookless(), Status::Draining, Some(mark(2, None)), true),
        ("an operator's after a reactivation", hookless(), Status::Active, Some(mark(2, None)), false),
    ] {
        let instance = ContainerInstance { mark, ..registered(status, 3) };
        assert_eq!(superseded(&drain, &instance), expected, "{name}");
    }
}

#[test]
fn heartbeats_come_two_intervals_early_and_never_past_the_limit() {
    // Interval 180 s, so that 370 s must be left.
    for (name, terms, second, expected) in [
        ("plenty left", Some(terms(900, 900, 90_000)), 530, false),
        ("two intervals left", Some(terms(900, 900, 90_000)), 531, true),
        ("overdue", Some(terms(900, 900, 90_000)), 1_000, true),
        ("held to the limit already", Some(terms(900, 90_000, 90_000)), 89_900, false),
        ("past the limit", Some(terms(900, 900, 900)), 901, false),
        ("unknown", None, 0, true),
    ] {
        let mut drain = drain();
        drain.hook.as_mut().unwrap().terms = terms;
        assert_eq!(needs_heartbeat(&drain, None, at(second), &settings(&[])), expected, "{name}");
    }
    assert!(!needs_heartbeat(&hookless(), None, at(0), &settings(&[])), "no hook");
    // A pass that is lost comes back after the queue's visibility timeout: 180 s, of the urgent queue 90.
    for (name, until, interval, left, expected) in [
        ("short interval", None, "13", 203, false),
        ("short interval, not for two more looks", None, "13", 202, true),
        ("long interval", None, "600", 1_210, false),
        ("long interval, not for two more looks", None, "600", 1_209, true),
        ("little time", Some(at(5_000)), "180", 115, false),
        ("little time, not for two more looks", Some(at(5_000)), "180", 114, true),
    ] {
        let mut drain = Drain { until, ..drain() };
        drain.hook.as_mut().unwrap().terms = Some(terms(7_200, left, 90_000));
        let settings = settings(&[("PASS_INTERVAL_SECONDS", interval)]);
        assert_eq!(needs_heartbeat(&drain, None, at(0), &settings), expected, "{name}");
    }
    assert_eq!(held(&terms(900, 900, 90_000), at(540)), terms(900, 1_440, 90_000));
    assert_eq!(held(&terms(900, 900, 1_000), at(540)), terms(900, 1_000, 1_000), "the limit holds");
}

#[test]
fn a_hook_shorter_than_the_interval_is_told() {
    for (heartbeat, expected) in [(30, true), (189, true), (190, false), (900, false)] {
        let mut drain = drain();
        drain.hook.as_mut().unwrap().terms = Some(terms(heartbeat, 0, 90_000));
        assert_eq!(too_short(&drain, &settings(&[])), expected, "{heartbeat}");
    }
    assert!(!too_short(&hookless(), &settings(&[])), "no hook");
}

#[test]
fn a_hook_is_asked_after_where_the_instance_may_be_in_service_again() {
    let first = Drain { draining_since: None, ..drain() };
    for (name, drain, status, second, expected) in [
        ("the first pass", first.clone(), Status::Active, 60, false),
        ("a message of long ago", first, Status::Active, 61, true),
        ("it was DRAINING before, just now", drain(), Status::Active, 60, false),
        ("it was DRAINING before, long ago", drain(), Status::Active, 61, true),
        ("it still is", drain(), Status::Draining, 61, false),
        ("a request", hookless(), Status::Active, 601, false),
    ] {
        assert_eq!(doubts_hook(&drain, &registered(status, 0), at(second)), expected, "{name}");
    }
}

#[test]
fn a_later_drain_of_the_same_instance_is_reason_to_ask_whether_this_one_is_over() {
    let mark = |second, token: Option<&str>| Mark {
        pass: 1,
        draining_since: at(second),
        count: None,
        until: None,
        token: token.map(str::to_owned),
    };
    for (name, drain, other, expected) in [
        ("no other", drain(), None, false),
        ("of another hook, at the same time", drain(), Some(mark(60, Some("u"))), false),
        ("much later", drain(), Some(mark(61, Some("u"))), true),
        ("much later, but an operator's", drain(), Some(mark(61, None)), false),
        ("an earlier one", drain(), Some(mark(-600, Some("u"))), false),
        ("this one has no hook", hookless(), Some(mark(61, Some("u"))), false),
    ] {
        assert_eq!(needs_heartbeat(&drain, other.as_ref(), at(100), &settings(&[])), expected, "{name}");
    }
}
