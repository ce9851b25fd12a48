use std::collections::HashSet;

use serde_json::json;

use super::{frame, hours_ago, instance, owners, published, rules};
use crate::decide::*;
use crate::instance::{Instance, State};
use crate::settings::UntaggedAction;

fn policy(action: UntaggedAction) -> Policy {
    Policy { action, grace_hours: 24, cap: 2, cap_percent: 50 }
}

/// A memory in which these instances were first seen untagged so many hours ago.
fn seen(entries: &[(&str, i64)]) -> Memory {
    let untagged =
        entries.iter().map(|(id, hours)| ((*id).to_owned(), Seen { first: hours_ago(*hours), tagged: None }));
    Memory { untagged: untagged.collect(), ..Memory::default() }
}

#[test]
fn an_untagged_instance_is_due_only_when_everything_says_so() {
    use UntaggedAction::{Report, Stop, Terminate};
    let bare = || instance(&[]);
    let due_since = |hours: i64| Standing::Held(Held::Grace { until: hours_ago(hours - 24) });
    let held = |why: Held| Standing::Held(why);
    let spared = Standing::Spared;
    let pending = Instance { reservation: "r-2".to_owned(), ..bare() };
    let grouped = instance(&[("aws:autoscaling:groupName", "web")]);
    let exempt = instance(&[("aws:cloudformation:stack-name", "lab")]);
    for (name, action, instance, seen_hours, expected) in [
        ("due", Terminate, bare(), Some(24), Standing::Due),
        ("due to be stopped", Stop, bare(), Some(24), Standing::Due),
        ("only to be reported", Report, bare(), Some(24), spared(Spared::ReportOnly)),
        ("never seen before", Terminate, bare(), None, due_since(0)),
        ("seen too lately", Terminate, bare(), Some(23), due_since(23)),
        (
            "launched too lately",
            Terminate,
            Instance { first_launch: hours_ago(5), ..bare() },
            Some(24),
            due_since(5),
        ),
        ("pending", Terminate, Instance { state: State::Pending, ..bare() }, Some(24), held(Held::Changing)),
        ("stopping", Stop, Instance { state: State::Stopping, ..bare() }, Some(24), held(Held::Changing)),
        (
            "stopped already",
            Stop,
            Instance { state: State::Stopped, ..bare() },
            Some(24),
            held(Held::Stopped),
        ),
        (
            "stopped, to be terminated",
            Terminate,
            Instance { state: State::Stopped, ..bare() },
            Some(24),
            Standing::Due,
        ),
        ("in a group", Terminate, grouped, Some(24), spared(Spared::AutoScaling)),
        ("spot", Terminate, Instance { spot: true, ..bare() }, Some(24), spared(Spared::Spot)),
        (
            "managed",
            Terminate,
            Instance { operator: Some("eks".to_owned()), ..bare() },
            Some(24),
            spared(Spared::Managed),
        ),
        ("exempt", Terminate, exempt, Some(24), spared(Spared::Exempt)),
        ("of another VPC", Terminate, Instance { vpc: None, ..bare() }, Some(24), spared(Spared::Exempt)),
        (
            "cannot be stopped",
            Stop,
            Instance { instance_store: true, ..bare() },
            Some(24),
            spared(Spared::InstanceStore),
        ),
        (
            "can be terminated",
            Terminate,
            Instance { instance_store: true, ..bare() },
            Some(24),
            Standing::Due,
        ),
        ("owed a look-up", Terminate, pending, Some(24), held(Held::OwnerPending)),
    ] {
        let rules = rules(&[json!({
            "RuleId": 2, "TagKey": "CreatedBy", "Action": "UserLookup", "Scope": {"VpcIds": ["vpc-1"]},
            "Exempt": {"aws:cloudformation:stack-name": "lab"},
        })]);
        let memory = seen_hours.map_or_else(Memory::default, |hours| seen(&[("i-1", hours)]));
        let found = standing(&instance, &rules, &policy(action), &memory, &owners(), &frame());
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn over_the_cap_none_is_touched() {
    let fleet = |untagged: usize, tagged: usize| -> Vec<Instance> {
        let one = |n: usize| Instance { id: format!("i-{n}"), ..instance(&[]) };
        let other = |n: usize| Instance { id: format!("i-{n}"), ..instance(&[("Name", "x")]) };
        (0..untagged).map(one).chain((untagged..untagged + tagged).map(other)).collect()
    };
    let memory = seen(&[("i-0", 48), ("i-1", 48), ("i-2", 48)]);
    for (name, instances, due, acted_on, over) in [
        ("none", fleet(0, 3), 0, 0, false),
        ("within", fleet(2, 2), 2, 2, false),
        ("over the percentage", fleet(2, 1), 2, 0, true),
        ("over the count", fleet(3, 30), 3, 0, true),
    ] {
        let policy = policy(UntaggedAction::Terminate);
        let plan = untagged(&instances, &published(), &policy, &memory, &owners(), &frame());
        assert_eq!((plan.due, plan.to_act_on().count(), plan.over_cap), (due, acted_on, over), "{name}");
        // Whether it acts or not, no rule is applied to what it would act on: a tag would hide it.
        let without: HashSet<usize> = (0..due).collect();
        assert_eq!(plan.without_rules(), without, "{name}");
    }
}

#[test]
fn a_first_sighting_outlives_a_tag_for_as_long_as_the_grace() {
    let tagged = instance(&[("Name", "x")]);
    let bare = instance(&[]);
    let grouped = instance(&[("aws:autoscaling:groupName", "web")]);
    let entry =
        |first, tagged: Option<i64>| Some(Seen { first: hours_ago(first), tagged: tagged.map(hours_ago) });
    for (name, instance, known, action, expected) in [
        ("first seen", &bare, None, UntaggedAction::Stop, entry(0, None)),
        ("still untagged", &bare, entry(50, None), UntaggedAction::Stop, entry(50, None)),
        ("just tagged", &tagged, entry(50, None), UntaggedAction::Stop, entry(50, Some(0))),
        ("tagged for a while", &tagged, entry(50, Some(23)), UntaggedAction::Stop, entry(50, Some(23))),
        ("tagged for the grace", &tagged, entry(50, Some(24)), UntaggedAction::Stop, None),
        ("untagged again", &bare, entry(50, Some(23)), UntaggedAction::Stop, entry(50, None)),
        ("never untagged", &tagged, None, UntaggedAction::Stop, None),
        ("never to be touched", &grouped, None, UntaggedAction::Stop, None),
        ("only reported", &bare, entry(50, None), UntaggedAction::Report, None),
    ] {
        let untagged = known.map(|seen| ("i-1".to_owned(), seen)).into_iter().collect();
        let memory = Memory { untagged, ..Memory::default() };
        let instances = std::slice::from_ref(instance);
        let found = remember(instances, &published(), &policy(action), &memory, &frame());
        assert_eq!(found.get("i-1").copied(), expected, "{name}");
    }
}
