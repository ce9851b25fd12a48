use super::*;
use serde_json::json;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_750_000_000 + minutes * 60).unwrap()
}

fn instance(id: &str, reservation: &str, minutes: i64) -> Instance {
    Instance {
        id: id.to_owned(),
        reservation: reservation.to_owned(),
        first_launch: at(minutes),
        ..Instance::default()
    }
}

fn in_group(mut instance: Instance, group: &str) -> Instance {
    instance.tags.push(("aws:autoscaling:groupName".to_owned(), group.to_owned()));
    instance
}

fn launch(reservation: &str, minutes: i64) -> Wanted {
    let resource = format!("i-of-{reservation}");
    Wanted { key: Key::Reservation(reservation.to_owned()), resource, at: Some(at(minutes)) }
}

#[test]
fn the_person_is_named_where_there_is_one() {
    let assumed = |role: &str, session: &str| {
        json!({
            "type": "AssumedRole",
            "arn": format!("arn:aws:sts::123456789012:assumed-role/{role}/{session}"),
            "sessionContext": {"sessionIssuer": {"type": "Role", "userName": role}},
        })
    };
    for (name, identity, expected) in [
        ("root", json!({"type": "Root", "arn": "arn:aws:iam::123456789012:root"}), Some("root")),
        (
            "an IAM user",
            json!({"type": "IAMUser", "userName": "ann", "arn": "arn:aws:iam::1:user/x"}),
            Some("ann"),
        ),
        (
            "a user of SSO",
            assumed("AWSReservedSSO_Admin_0123456789abcdef", "ann@example.com"),
            Some("ann@example.com"),
        ),
        ("a user of SSO whose name is a number", assumed("AWSReservedSSO_Admin_01", "4711"), Some("4711")),
        ("a named session", assumed("deployer", "bob"), Some("bob")),
        ("an instance's role", assumed("ci-runner", "i-0123456789abcdef0"), Some("ci-runner")),
        ("an SDK's session", assumed("ci-runner", "botocore-session-1700000000"), Some("ci-runner")),
        ("another SDK's session", assumed("ci-runner", "1700000000123"), Some("ci-runner")),
        (
            "a service's role",
            assumed("AWSServiceRoleForAutoScaling", "AutoScaling"),
            Some("AWSServiceRoleForAutoScaling"),
        ),
        (
            "a user of Identity Center",
            json!({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1", "identityStoreArn": "x"}}),
            Some("u-1"),
        ),
        (
            "a federated user",
            json!({"type": "FederatedUser", "arn": "arn:aws:sts::1:federated-user/eve"}),
            Some("eve"),
        ),
        ("a web identity", json!({"type": "WebIdentityUser", "userName": "repo:main"}), Some("repo:main")),
        (
            "a service",
            json!({"type": "AWSService", "invokedBy": "spot.amazonaws.com"}),
            Some("spot.amazonaws.com"),
        ),
        ("another account", json!({"type": "AWSAccount", "accountId": "210987654321"}), Some("210987654321")),
        (
            "a user without a name",
            json!({"type": "IAMUser", "arn": "arn:aws:iam::1:user/ops/ann"}),
            Some("ann"),
        ),
        ("nobody", json!({}), None),
        ("no identity", json!(null), None),
    ] {
        assert_eq!(super::identity(&identity).map(|owner| owner.name).as_deref(), expected, "{name}");
    }
    let source = super::identity(&json!({"type": "IAMUser", "userName": "ann"})).map(|owner| owner.source);
    assert_eq!(source.as_deref(), Some("CloudTrail:IAMUser"));
}

#[test]
fn what_is_known_is_not_looked_up() {
    let ann = Owner { name: "ann".to_owned(), source: "x".to_owned() };
    let owners = Owners::from([
        (Key::Reservation("r-ann".to_owned()), Some(ann.clone())),
        (Key::Reservation("r-nobody".to_owned()), None),
        (Key::Group("web".to_owned()), Some(ann.clone())),
    ]);
    let day = 24 * 60;
    let managed = Instance { operator: Some("eks.amazonaws.com".to_owned()), ..instance("i-1", "r-new", 0) };
    let eks = Owner { name: "eks.amazonaws.com".to_owned(), source: "Operator".to_owned() };
    for (name, instance, expected) in [
        ("known", instance("i-1", "r-ann", 0), Launcher::Known(ann.clone())),
        ("known to be unknown", instance("i-1", "r-nobody", 0), Launcher::Untold),
        ("new", instance("i-1", "r-new", 0), Launcher::Pending),
        ("89 days old", instance("i-1", "r-new", -89 * day), Launcher::Pending),
        ("90 days old", instance("i-1", "r-new", -90 * day), Launcher::Untold),
        ("old, and known", instance("i-1", "r-ann", -90 * day), Launcher::Known(ann.clone())),
        ("of a group", in_group(instance("i-1", "r-new", -200 * day), "web"), Launcher::Known(ann)),
        ("of another group", in_group(instance("i-1", "r-ann", 0), "api"), Launcher::Pending),
        ("managed", managed, Launcher::Known(eks)),
    ] {
        assert_eq!(launcher(&instance, &owners, at(0)), expected, "{name}");
    }
}

#[test]
fn each_reservation_and_group_is_wanted_once_and_the_owed_come_first() {
    let instances = [
        instance("i-1", "r-1", 30),
        instance("i-2", "r-1", 30),
        instance("i-3", "r-2", 10),
        instance("i-4", "r-3", 20),
        in_group(instance("i-5", "r-4", 0), "web"),
        in_group(instance("i-6", "r-5", 0), "web"),
    ];
    let owed = [Key::Reservation("r-1".to_owned()), Key::Reservation("r-gone".to_owned())];
    let wanted = super::wanted(instances.iter(), &owed);
    let keys: Vec<String> = wanted.iter().map(|one| one.key.to_text()).collect();
    assert_eq!(keys, ["r-1", "group/web", "r-2", "r-3"]);
    assert_eq!((wanted[0].resource.as_str(), wanted[0].at), ("i-1", Some(at(30))));
}

#[test]
fn launches_that_are_near_each_other_share_a_sweep() {
    let group = Wanted { key: Key::Group("web".to_owned()), resource: "web".to_owned(), at: None };
    for (name, wanted, expected) in [
        ("nothing", vec![], vec![]),
        ("alone", vec![launch("r-1", 0)], vec![("i-of-r-1", -5, 5, 1)]),
        (
            "far from each other, in the order in which they were wanted",
            vec![launch("r-2", 60), launch("r-1", 0)],
            vec![("i-of-r-2", 55, 65, 1), ("i-of-r-1", -5, 5, 1)],
        ),
        (
            "near each other",
            vec![launch("r-1", 0), launch("r-2", 3), launch("r-3", 12), launch("r-4", 23)],
            vec![("RunInstances", -5, 17, 3), ("i-of-r-4", 18, 28, 1)],
        ),
        ("a group", vec![group], vec![("CreateAutoScalingGroup", 0, 0, 1)]),
    ] {
        let found: Vec<_> = searches(wanted)
            .into_iter()
            .map(|search| {
                let by = match search.by {
                    By::Resource(name) => name,
                    By::Event(name) => name.to_owned(),
                };
                let minutes = |moment: Timestamp| moment.duration_since(at(0)).as_secs() / 60;
                let (from, to) = search.window.map_or((0, 0), |(from, to)| (minutes(from), minutes(to)));
                (by, from, to, search.wanted.len())
            })
            .collect();
        let expected: Vec<_> =
            expected.into_iter().map(|(by, from, to, wanted)| (by.to_owned(), from, to, wanted)).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn an_event_answers_what_it_launched() {
    let event = |name: &str, change: Value| {
        let mut event = json!({
            "eventName": name, "userIdentity": {"type": "IAMUser", "userName": "ann"},
            "responseElements": {"reservationId": "r-1", "instancesSet": {"items": [{"instanceId": "i-of-r-1"}]}},
            "requestParameters": {"autoScalingGroupName": "web"},
        });
        for (name, value) in change.as_object().unwrap() {
            event[name] = value.clone();
        }
        event
    };
    let group = Wanted { key: Key::Group("web".to_owned()), resource: "web".to_owned(), at: None };
    let search = Search {
        by: By::Event("RunInstances"),
        window: None,
        wanted: vec![launch("r-1", 0), launch("r-2", 0), group],
    };
    let by_id = json!({"responseElements": {"instancesSet": {"items": [{"instanceId": "i-of-r-2"}]}}});
    for (name, event, expected) in [
        ("its launch", event("RunInstances", json!({})), vec![("r-1", Some("ann"))]),
        ("by its instance", event("RunInstances", by_id), vec![("r-2", Some("ann"))]),
        ("by nobody", event("RunInstances", json!({"userIdentity": {}})), vec![("r-1", None)]),
        ("a failed launch", event("RunInstances", json!({"errorCode": "Client.Limit"})), vec![]),
        ("another call", event("StopInstances", json!({})), vec![]),
        ("without an answer", event("RunInstances", json!({"responseElements": null})), vec![]),
        ("its group", event("CreateAutoScalingGroup", json!({})), vec![("group/web", Some("ann"))]),
    ] {
        let found: Vec<_> = search.answers(&event);
        let found: Vec<_> =
            found.into_iter().map(|(key, owner)| (key.to_text(), owner.map(|owner| owner.name))).collect();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(key, name): (&str, Option<&str>)| (key.to_owned(), name.map(str::to_owned)))
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn not_found_is_no_answer_while_the_event_may_be_on_its_way() {
    for (wanted, now, expected) in [
        (launch("r-1", 0), at(30), false),
        (launch("r-1", 0), at(61), true),
        (Wanted { key: Key::Group("web".to_owned()), resource: "web".to_owned(), at: None }, at(0), true),
    ] {
        assert_eq!(is_final(&wanted, now), expected, "{wanted:?}");
    }
}
