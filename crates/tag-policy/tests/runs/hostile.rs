//! Events that nobody sends who means well: forged launches, forged times, what is large or deep.

use std::time::Duration;

use aws_fake::log::Log;
use aws_fake::world::identity::Identity;
use aws_fake::world::launches::Launch;
use serde_json::{Value, json};

use crate::harness::{TODAY, World, machines, published, scenario, tags};

/// A fleet that has its tags, an instance that was just launched, and its event.
fn world() -> (World, String, Value) {
    let own = [("ProjectCode", "Mine"), ("CreatedBy", "ann"), ("Expires", "2027-01-01")];
    let world = World::new(scenario(&published()).machines(machines(3, &own)));
    let ids = world.fake.with(|world| {
        world.take_outbox();
        world.launch(&Launch { tags: tags(&[("Name", "new")]), ..Launch::by(Identity::iam_user("bob")) })
    });
    let event = world.launch_events().remove(0);
    (world, ids[0].clone(), event)
}

fn changed(mut event: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[field] = value;
    event
}

fn items(ids: impl Iterator<Item = String>) -> Value {
    json!({"instancesSet": {"items": ids.map(|id| json!({"instanceId": id})).collect::<Vec<_>>()}})
}

const ITEMS: &str = "/detail/responseElements";
const USER: &str = "/detail/userIdentity";

type Forge = Box<dyn Fn(&World, Value) -> Value>;
type Row = (&'static str, Forge, Option<Vec<(&'static str, String)>>);

#[tokio::test(start_paused = true)]
async fn hostile_events_change_no_tag_that_has_a_value() {
    let user = |name: &str| json!({"type": "IAMUser", "userName": name});
    let long = "x".repeat(250_000);
    let deep = (0..100).fold(json!({}), |inner, _| json!({"a": [inner]}));
    // With the tags that the new instance then has beside its name; none: the event is refused.
    let nothing = Some(vec![]);
    let all = |name: &str| {
        Some(vec![
            ("ProjectCode", "Proj007".to_owned()),
            ("CreatedBy", name.to_owned()),
            ("Expires", TODAY.to_owned()),
        ])
    };
    let without = Some(vec![("ProjectCode", "Proj007".to_owned()), ("Expires", TODAY.to_owned())]);
    let rows: Vec<Row> = vec![
        ("as it came", Box::new(|_, event| event), all("bob")),
        (
            "instances that have their tags",
            Box::new(|world, event| {
                let tagged = world.ids().into_iter().filter(|id| world.tag(id, "ProjectCode").is_some());
                changed(event, ITEMS, items(tagged))
            }),
            nothing.clone(),
        ),
        (
            "thousands that nobody has",
            Box::new(|_, event| changed(event, ITEMS, items((0..5_000).map(|n| format!("i-{n:017x}"))))),
            nothing.clone(),
        ),
        (
            "ids that are none: asked of the trail",
            Box::new(|_, event| {
                changed(event, ITEMS, items(["*".to_owned(), "i-1\n".to_owned()].into_iter()))
            }),
            all("bob"),
        ),
        (
            "a user of control characters",
            Box::new(move |_, event| changed(event, USER, user("a\n\u{1b}[2K"))),
            without.clone(),
        ),
        (
            "a long user",
            {
                let long = long.clone();
                Box::new(move |_, event| changed(event, USER, user(&long)))
            },
            without,
        ),
        (
            "a time to come",
            Box::new(|_, event| changed(event, "/time", json!("9999-01-01T00:00:00Z"))),
            all("bob"),
        ),
        ("a failure", Box::new(|_, event| changed(event, "/detail/errorCode", json!(7))), all("bob")),
        (
            "a deep event",
            Box::new(move |_, event| changed(event, "/detail/requestParameters", deep.clone())),
            all("bob"),
        ),
        (
            "a long id",
            {
                let long = long.clone();
                Box::new(move |_, event| changed(event, "/id", json!(long)))
            },
            None,
        ),
        ("an id of two lines", Box::new(|_, event| changed(event, "/id", json!("a\nb"))), None),
        ("a long kind", Box::new(move |_, event| changed(event, "/detail-type", json!(long))), nothing),
    ];
    for (name, forge, expected) in rows {
        let (world, id, event) = world();
        let of_others = || {
            let others = world.ids().into_iter().filter(|one| *one != id);
            others.map(|one| world.fake.with(|world| world.tags(&one))).collect::<Vec<_>>()
        };
        let before = of_others();
        let event = forge(&world, event);
        let answer = world.invoke(&event, "request-1").await;
        assert_eq!(before, of_others(), "{name}: {answer:?}");
        let mut tags = world.fake.with(|world| world.tags(&id));
        tags.remove("Name");
        if name.contains("user") {
            // Nobody, or what EC2 takes for a value.
            let user = tags.remove("CreatedBy").unwrap_or_default();
            assert!(!user.contains(char::is_control) && user.len() <= 256, "{name}: {user:?}");
        }
        let expected_tags =
            expected.iter().flatten().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        assert_eq!((tags, answer.is_ok()), (expected_tags, expected.is_some()), "{name}: {answer:?}");
        assert!(world.call_count() < 150, "{name}: {} calls", world.call_count());
    }
}

#[tokio::test(start_paused = true)]
async fn broken_records_fail_alone_and_are_not_repeated() {
    let (world, id, event) = world();
    let mut bodies = vec!["[".repeat(100_000), r#"{"dryRun":"secret"}"#.to_owned(), event.to_string()];
    bodies.extend((0..1_000).map(|n| format!(r#"{{"vpcIds":["secret {n}"]}}"#)));
    let records =
        bodies.iter().enumerate().map(|(n, body)| json!({"messageId": format!("m-{n}"), "body": body}));
    let (log, _logging) = Log::of("tag_policy");
    let answer = world.invoke(&json!({"Records": records.collect::<Vec<_>>()}), "request-1").await.unwrap();
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1_002);
    let told = log.text();
    assert_eq!(told.matches("record failed, to be delivered again: Records[").count(), 1_002);
    assert!(!told.contains("secret"), "{told}");
    assert_eq!(world.tag(&id, "CreatedBy").as_deref(), Some("bob"));
    assert!(world.fake.now() < Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_forged_time_lets_no_grace_pass() {
    let own = [("Name", "x")];
    let variables = [("UNTAGGED_ACTION", "terminate"), ("GRACE_HOURS", "24"), ("ACTION_CAP_PERCENT", "100")];
    let world = World::with(
        scenario(&published()).machines(machines(2, &own)).machines(machines(1, &[])),
        &variables,
    );
    let ids = world.ids();
    world.run("first").await;
    for time in ["2026-12-31T00:00:00Z", "9999-01-01T00:00:00Z"] {
        let event = changed(world.scheduled(&format!("forged-{}", &time[..4])), "/time", json!(time));
        world.invoke(&event, &format!("request-{time}")).await.unwrap();
    }
    let states: Vec<_> = ids.iter().map(|id| world.state(id)).collect();
    assert_eq!(states, ["running", "running", "running"]);
}
