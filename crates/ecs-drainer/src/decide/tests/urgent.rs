//! Drains of instances that will soon be gone, whatever a hook says.

use super::*;

fn until(second: i64) -> Drain {
    Drain { until: Some(at(second)), ..drain() }
}

fn mark(token: Option<&str>, until: Option<i64>) -> Mark {
    let token = token.map(str::to_owned);
    Mark { pass: 4, draining_since: at(0), count: None, until: until.map(at), token }
}

#[test]
fn little_time_means_short_intervals_and_a_last_pass_before_the_end() {
    let busy = Presence::Registered(registered(Status::Draining, 1));
    let waits = "wait for 1: tasks have not stopped: service:web 1";
    let given_up = "CONTINUE: the deadline has come; still there: service:web 1";
    for (name, drain, second, expected) in [
        ("two passes are left", until(120), 80, waits),
        ("one more pass would come in time", until(120), 95, waits),
        ("the next pass could come too late", until(120), 96, given_up),
        ("the end has come", until(120), 121, given_up),
        ("the setting's deadline comes first", until(90_000), 7_200, given_up),
        ("no end is known", drain(), 96, waits),
    ] {
        let sight = Sight { presence: busy.clone(), tasks: tasks("WEB"), waited_for: None, membership: None };
        assert_eq!(said(&next(&drain, &sight, at(second), &settings(&[]))), expected, "{name}");
    }
    let settings = settings(&[("URGENT_INTERVAL_SECONDS", "7")]);
    let intervals = [until(120), drain()].map(|drain| interval(&drain, &settings).as_secs());
    assert_eq!(intervals, [7, 180]);
}

#[test]
fn an_instance_that_was_launched_long_ago_is_not_registering() {
    let waits = "wait for 0: no cluster has the instance; it may be registering";
    let over = "CONTINUE: no cluster has the instance, and the wait is over";
    for (name, launched, expected) in [
        ("unknown", None, waits),
        ("just now", Some(0), waits),
        ("299 s ago", Some(-298), waits),
        ("300 s ago", Some(-299), over),
    ] {
        let drain = Drain { launched_at: launched.map(at), ..hookless() };
        let sight = Sight {
            presence: Presence::Absent,
            tasks: None,
            waited_for: None,
            membership: Some(Ok(Membership::Gone)),
        };
        assert_eq!(said(&next(&drain, &sight, at(1), &settings(&[]))), expected, "{name}");
    }
}

#[test]
fn a_request_meets_the_hook_that_waits_for_its_instance() {
    let request = |until: Option<i64>| Drain { until: until.map(at), ..hookless() };
    for (name, drain, other, asks, takes) in [
        ("an operator's, no hook's drain is known", request(None), None, false, false),
        ("an operator's beside a hook's", request(None), Some(mark(Some("t"), None)), true, false),
        ("an operator's after another operator's", request(None), Some(mark(None, None)), false, false),
        ("a spot notice, no hook's drain is known", request(Some(120)), None, true, true),
        ("a spot notice beside a hook's", request(Some(120)), Some(mark(Some("t"), None)), true, true),
        ("which knows of a later end", request(Some(120)), Some(mark(Some("t"), Some(130))), true, true),
        ("which knows of this end", request(Some(120)), Some(mark(Some("t"), Some(120))), true, false),
        ("which knows of an earlier end", request(Some(120)), Some(mark(Some("t"), Some(90))), true, false),
        ("a hook's own drain", until(120), None, false, true),
    ] {
        let found = (looks_for_hook(&drain, other.as_ref()), takes_hook(&drain, other.as_ref()));
        assert_eq!(found, (asks, takes), "{name}");
    }
}

#[test]
fn the_earlier_end_holds_for_both_and_one_that_has_passed_for_none() {
    for (name, own, other, expected) in [
        ("none", None, None, None),
        ("its own", Some(100), None, Some(100)),
        ("the other's", None, Some(90), Some(90)),
        ("the other's is earlier", Some(100), Some(90), Some(90)),
        ("its own is earlier", Some(80), Some(90), Some(80)),
        ("the other's has passed", Some(100), Some(50), Some(100)),
    ] {
        let mut drain = Drain { until: own.map(at), ..drain() };
        drain.share_until(other.map(at), at(50));
        assert_eq!(drain.until, expected.map(at), "{name}");
    }
}

#[test]
fn a_hook_is_taken_from_the_pass_that_its_own_drain_has_reached() {
    let hook = drain().hook.unwrap();
    for (name, mark, expected) in [("no mark", None, 1), ("its drain's mark", Some(mark(Some("t"), None)), 4)]
    {
        let mut drain = hookless();
        drain.take_hook(hook.clone(), mark.as_ref());
        assert_eq!((drain.pass, drain.token()), (expected, Some("t")), "{name}");
    }
}

#[test]
fn the_time_of_a_drain_is_over_in_percent_of_what_ends_it_first() {
    let limited = |limit| {
        let hook = drain().hook.map(|hook| Hook { terms: Some(terms(900, 900, limit)), ..hook });
        Drain { hook, ..drain() }
    };
    for (name, drain, deadline, second, expected) in [
        ("at its beginning", drain(), "7200", 0, 0),
        ("half of the setting", drain(), "7200", 3_600, 50),
        ("a second before it is late", drain(), "1000", 799, 79),
        ("late", drain(), "1000", 800, 80),
        ("over", drain(), "1000", 1_500, 150),
        ("by a spot notice", Drain { until: Some(at(120)), ..drain() }, "7200", 60, 50),
        ("by the hook's own limit", limited(600), "7200", 60, 10),
        ("a clock that is behind", drain(), "1000", -5, 0),
        ("an end before its beginning", Drain { until: Some(at(-5)), ..drain() }, "7200", 1, 100),
    ] {
        let settings = settings(&[("DEADLINE_SECONDS", deadline)]);
        assert_eq!(spent(&drain, at(second), &settings), expected, "{name}");
    }
}
