//! `CreateTags` and `DeleteTags`.

use std::collections::BTreeMap;

use aws_fake::{scenario::Scenario, world::launches::MachinePlan};
use aws_sdk_ec2::types::Tag;

use crate::{Clients, NO_ID, clients, code, ids, plan, refusal, tag, tags};

#[tokio::test(start_paused = true)]
async fn tags_are_written_over_and_deleted() {
    let machine = MachinePlan { tags: tags(&[("a", "1"), ("b", "2"), ("aws:x", "y")]), ..plan(2) };
    let Clients { fake, ec2, .. } = clients(Scenario::new(1).machines(machine));
    let some = ids(&fake);
    let create = ec2.create_tags().set_resources(Some(some.clone())).tags(tag("a", "3")).tags(tag("ä", ""));
    create.send().await.expect("created");
    let now = |id: &str| fake.with(|world| world.tags(id));
    for id in &some {
        assert_eq!(now(id), tags(&[("a", "3"), ("b", "2"), ("ä", ""), ("aws:x", "y")]));
    }
    let delete = |tag: Tag| ec2.delete_tags().resources(&some[0]).tags(tag).send();
    delete(tag("a", "1")).await.expect("deleted nothing");
    delete(tag("ä", "")).await.expect("deleted an empty one");
    delete(Tag::builder().key("b").build()).await.expect("deleted, whatever it was");
    assert_eq!(now(&some[0]), tags(&[("a", "3"), ("aws:x", "y")]));
    ec2.delete_tags().resources(&some[0]).send().await.expect("deleted all");
    assert_eq!(now(&some[0]), tags(&[("aws:x", "y")]), "but AWS's own");
}

#[tokio::test(start_paused = true)]
async fn tags_are_refused_wholly() {
    let full: BTreeMap<_, _> = (0..50).map(|number| (format!("k{number}"), String::new())).collect();
    let scenario = Scenario::new(1)
        .set(|settings| settings.throttling = false)
        .machines(plan(2))
        .machines(MachinePlan { tags: full.clone(), ..plan(1) });
    let Clients { fake, ec2, .. } = clients(scenario);
    let crowded = fake.with(|world| {
        world
            .machines()
            .find(|machine| !machine.tags.newest().is_empty())
            .map(|machine| machine.id.clone())
            .unwrap()
    });
    let free: Vec<_> = ids(&fake).into_iter().filter(|id| *id != crowded).collect();
    let create = |ids: &[&str], tags: Vec<Tag>| {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        ec2.create_tags().set_resources(Some(ids)).set_tags(Some(tags)).send()
    };
    let (a, b) = (free[0].as_str(), free[1].as_str());
    let long = "ä".repeat(129);
    let many: Vec<_> = (0..51).map(|number| tag(&format!("t{number}"), "")).collect();
    let thousand: Vec<String> = (0..1_001).map(|number| format!("i-{number:017x}")).collect();
    let thousand: Vec<&str> = thousand.iter().map(String::as_str).collect();
    let rows = [
        ("an unknown one", vec![a, NO_ID, b], vec![tag("k", "v")], "InvalidInstanceID.NotFound"),
        ("a malformed one", vec![a, "i-x"], vec![tag("k", "v")], "InvalidInstanceID.Malformed"),
        ("another thing", vec!["vol-0123456789abcdef0"], vec![tag("k", "v")], "InvalidID"),
        ("a 51st", vec![a, &crowded], vec![tag("k", "v")], "TagLimitExceeded"),
        ("51", vec![a], many, "TagLimitExceeded"),
        ("AWS's", vec![a], vec![tag("aws:k", "v")], "InvalidParameterValue"),
        ("AWS's in capitals", vec![a], vec![tag("AwS:k", "v")], "InvalidParameterValue"),
        ("a long key", vec![a], vec![tag(&long, "v")], "InvalidParameterValue"),
        ("a long value", vec![a], vec![tag("k", &long.repeat(2))], "InvalidParameterValue"),
        ("no key", vec![a], vec![tag("", "v")], "InvalidParameterValue"),
        ("a key twice", vec![a], vec![tag("k", "v"), tag("k", "w")], "InvalidParameterValue"),
        ("no tags", vec![a], vec![], "MissingParameter"),
        ("no instances", vec![], vec![tag("k", "v")], "MissingParameter"),
        ("1,001 instances", thousand, vec![tag("k", "v")], "InvalidParameterValue"),
    ];
    for (case, ids, tags, expected) in rows {
        assert_eq!(code(create(&ids, tags).await), expected, "{case}");
    }
    let message = refusal(create(&[a, NO_ID, "i-12345678"], vec![tag("k", "v")]).await).1;
    assert_eq!(message, format!("The instance IDs '{NO_ID}, i-12345678' do not exist"));
    assert!(fake.with(|world| free.iter().all(|id| world.tags(id).is_empty())), "nothing was written");
    create(&[&crowded], vec![tag("k7", "changed")]).await.expect("writing over is no 51st");
    assert_eq!(fake.with(|world| world.tag(&crowded, "k7").map(str::to_owned)).as_deref(), Some("changed"));
    let delete = ec2.delete_tags().resources(a).tags(Tag::builder().key("AWS:x").build());
    assert_eq!(code(delete.send().await), "InvalidParameterValue");
}
