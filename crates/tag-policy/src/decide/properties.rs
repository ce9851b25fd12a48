//! Random worlds: what must hold whatever the rules, the instances, the memory and the settings are.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::tests::{frame, hours_ago, now};
use super::*;
use crate::instance::{Instance, State};
use crate::owner::{self, Key, Launcher, Owner, Owners};
use crate::rules::{Action, Rule, check};
use crate::settings::UntaggedAction;

/// Random worlds that are tried.
const WORLDS: u64 = 100_000;

/// Keys of rules.
const KEYS: [&str; 4] = ["Team", "Owner", "Expires", "Stage"];
/// Keys of instances. No rule writes what exempts: that would take a second run to settle.
const TAGS: [&str; 7] = ["Team", "Owner", "Expires", "Stage", "team", "TEAM", "NoPolicy"];
const VALUES: [&str; 5] = ["", "core", "web", "CORE", "2020-01-01"];

struct World {
    rules: Vec<Rule>,
    instances: Vec<Instance>,
    /// What the second read finds: somebody may have tagged, stopped or removed what was due.
    fresh: Vec<Instance>,
    protected: BTreeSet<String>,
    owners: Owners,
    memory: Memory,
    policy: Policy,
    source_tag: Option<&'static str>,
}

fn pick<'p, T>(rng: &mut SmallRng, from: &'p [T]) -> &'p T {
    from.choose(rng).unwrap()
}

fn rule(rng: &mut SmallRng, id: usize) -> Value {
    let mut rule = json!({"RuleId": id, "TagKey": KEYS[id], "Required": pick(rng, &["Y", "N"])});
    let (action, default) = *pick(
        rng,
        &[
            ("Update", "core"),
            ("Update", "web"),
            ("UserLookup", ""),
            ("Function", "today()"),
            ("Function", "region()"),
        ],
    );
    rule["Action"] = json!(action);
    rule["Default"] = json!(default);
    let mut sometimes = |name: &str, value: Value| {
        if rng.random_bool(0.3) {
            rule[name] = value;
        }
    };
    sometimes("KeyCaseFix", json!("Y"));
    sometimes("OnDisallowed", json!("write"));
    sometimes("GraceHours", json!(24));
    sometimes("OnMissing", json!("report"));
    sometimes("Exempt", json!({"NoPolicy": "web"}));
    sometimes("Scope", json!({"VpcIds": ["vpc-1"]}));
    if action == "Update" {
        sometimes("AllowedValues", json!(["core", "web"]));
    }
    sometimes("Priority", json!(7));
    rule
}

fn instance(rng: &mut SmallRng, number: usize) -> Instance {
    let mut tags: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..*pick(rng, &[0, 0, 1, 2, 4]) {
        tags.insert((*pick(rng, &TAGS)).to_owned(), (*pick(rng, &VALUES)).to_owned());
    }
    if rng.random_bool(0.05) {
        let more = rng.random_range(44..=50);
        tags.extend((tags.len()..more).map(|n| (format!("K{n}"), "x".to_owned())));
    }
    if rng.random_bool(0.1) {
        tags.insert("aws:autoscaling:groupName".to_owned(), "web".to_owned());
    }
    Instance {
        id: format!("i-{number}"),
        reservation: format!("r-{}", number / 2),
        vpc: pick(rng, &[Some("vpc-1"), Some("vpc-2"), None]).map(str::to_owned),
        zone: (*pick(rng, &["a", "b"])).to_owned(),
        state: *pick(rng, &[State::Running, State::Running, State::Pending, State::Stopping, State::Stopped]),
        first_launch: hours_ago(*pick(rng, &[0, 1, 23, 24, 25, 100, 24 * 91])),
        tags: tags.into_iter().collect(),
        spot: rng.random_bool(0.1),
        instance_store: rng.random_bool(0.1),
        operator: rng.random_bool(0.1).then(|| "eks".to_owned()),
    }
}

fn world(seed: u64) -> World {
    let rng = &mut SmallRng::seed_from_u64(seed);
    let items: Vec<Value> = (0..rng.random_range(1..=4)).map(|id| rule(rng, id)).collect();
    let instances: Vec<Instance> = (0..rng.random_range(1..=8)).map(|n| instance(rng, n)).collect();
    let ann = Owner { name: "ann".to_owned(), source: "x".to_owned() };
    let mut owners = Owners::new();
    let mut memory = Memory::default();
    for instance in &instances {
        match rng.random_range(0..4) {
            0 => drop(owners.insert(owner::key(instance), Some(ann.clone()))),
            1 => drop(owners.insert(owner::key(instance), None)),
            2 => memory.owed.push(owner::key(instance)),
            _ => {}
        }
        if rng.random_bool(0.7) {
            let first = hours_ago(*pick(rng, &[0, 1, 23, 24, 25, 500]));
            let tagged = rng.random_bool(0.2).then(|| hours_ago(1));
            memory.untagged.insert(instance.id.clone(), Seen { first, tagged });
        }
    }
    let mut fresh = instances.clone();
    fresh.retain(|_| rng.random_bool(0.9));
    for instance in &mut fresh {
        if rng.random_bool(0.1) {
            instance.tags.push(("Name".to_owned(), "mine".to_owned()));
        }
        if rng.random_bool(0.1) {
            instance.state = State::Stopping;
        }
    }
    let protected = instances.iter().filter(|_| rng.random_bool(0.1)).map(|one| one.id.clone()).collect();
    let action = *pick(rng, &[UntaggedAction::Report, UntaggedAction::Stop, UntaggedAction::Terminate]);
    World {
        rules: check(&items).rules,
        instances,
        fresh,
        protected,
        owners,
        memory,
        policy: Policy {
            action,
            grace_hours: *pick(rng, &[1, 24, 100]),
            cap: rng.random_range(0..=4),
            cap_percent: *pick(rng, &[0, 25, 50, 100]),
        },
        source_tag: pick(rng, &[None, Some("Source")]).as_ref().copied(),
    }
}

impl World {
    fn untagged(&self) -> Untagged {
        untagged(&self.instances, &self.rules, &self.policy, &self.memory, &self.owners, &frame())
    }

    /// What is stopped or terminated after the second look.
    fn ended(&self) -> Vec<&Instance> {
        let mut untagged = self.untagged();
        let due: Vec<(usize, &Instance)> = untagged.to_act_on().map(|at| (at, &self.instances[at])).collect();
        let judge =
            |one: &Instance| standing(one, &self.rules, &self.policy, &self.memory, &self.owners, &frame());
        let held = unconfirmed(due.into_iter(), &self.fresh, &self.protected, judge);
        untagged.hold(&held);
        untagged.to_act_on().map(|at| &self.instances[at]).collect()
    }

    fn tags(&self, untagged: &Untagged) -> TagPlan {
        let without = untagged.without_rules();
        let included = |at: usize| !without.contains(&at);
        tags(&self.rules, &self.instances, included, &self.owners, &frame(), self.source_tag)
    }

    fn apply(&mut self, plan: &TagPlan) {
        for repair in &plan.repairs {
            let tags = &mut self.instances[repair.instance].tags;
            tags.retain(|(key, _)| *key != repair.key);
            tags.push((repair.key.clone(), repair.value.clone()));
        }
        for removal in &plan.removals {
            let tags = &mut self.instances[removal.instance].tags;
            tags.retain(|(key, value)| (key, value) != (&removal.key, &removal.value));
        }
    }
}

/// Every property that a world violates.
fn violations(seed: u64) -> Vec<String> {
    let mut world = world(seed);
    let mut wrong = Vec::new();
    let untagged = world.untagged();
    let plan = world.tags(&untagged);
    for repair in &plan.repairs {
        let instance = &world.instances[repair.instance];
        let rule = world.rules.iter().find(|rule| rule.id == repair.rule).unwrap();
        let value = instance.tag(&repair.key).unwrap_or_default();
        let may = !rule.allows(value)
            && rule.on_disallowed == crate::rules::Response::Write
            && rule.key == repair.key;
        if !value.is_empty() && !may {
            wrong.push(format!("overwrites {} = {value} of {}", repair.key, instance.id));
        }
        if !rule.applies(instance) || !frame().is_past(instance.first_launch, rule.grace_hours) {
            wrong.push(format!("writes {} to {}, which the rule is not for", repair.key, instance.id));
        }
        if repair.value.is_empty()
            || (rule.key == repair.key
                && !rule.allows(&repair.value)
                && !matches!(repair.problem, Problem::OtherCase(_)))
        {
            wrong.push(format!("writes {:?} to {}, which is not allowed", repair.value, instance.id));
        }
        if untagged.without_rules().contains(&repair.instance) {
            wrong.push(format!("tags {}, which is held", instance.id));
        }
    }
    for removal in &plan.removals {
        let renamed = plan.repairs.iter().any(|one| {
            let same = one.instance == removal.instance && one.key != removal.key;
            same && one.key.eq_ignore_ascii_case(&removal.key)
        });
        let twice = world.instances[removal.instance].own_tags().any(|(key, value)| {
            key != removal.key && value == removal.value && key.eq_ignore_ascii_case(&removal.key)
        });
        if !renamed && !twice {
            wrong.push(format!("removes {} without writing it anew", removal.key));
        }
    }
    ends(&world, &mut wrong);
    world.apply(&plan);
    for instance in &world.instances {
        if instance.own_tags().count() > 50 {
            wrong.push(format!("{} has more than 50 tags", instance.id));
        }
    }
    // What was held is still held, whatever has been written to others.
    let mut again = world.tags(&untagged);
    // A renamed tag leaves room for one that had none before.
    let had_no_room =
        |at: usize| plan.findings.iter().any(|one| one.instance == at && one.problem == Problem::NoRoom);
    again.repairs.retain(|one| !had_no_room(one.instance));
    if !again.repairs.is_empty() {
        wrong.push(format!("a repaired world is repaired again: {:?}", again.repairs));
    }
    // A value that was replaced may now be there twice, in two cases of the key.
    world.apply(&again);
    let last = world.tags(&untagged);
    if !last.removals.is_empty() {
        wrong.push(format!("a settled world is changed again: {:?}", last.removals));
    }
    wrong
}

/// What is due to be stopped or terminated, by conditions that are written down here once more.
fn ends(world: &World, wrong: &mut Vec<String>) {
    let due = world.ended();
    let percent = due.len() * 100;
    let most = usize::try_from(world.policy.cap_percent).unwrap() * world.instances.len();
    if due.len() > world.policy.cap || percent > most {
        wrong.push(format!("{} are ended, over the cap", due.len()));
    }
    for instance in due {
        let grace = world.policy.grace_hours * 3_600;
        let since = |moment: jiff::Timestamp| now().duration_since(moment).as_secs();
        let seen = world.memory.untagged.get(&instance.id).map_or(0, |seen| since(seen.first));
        let asked = world
            .rules
            .iter()
            .any(|rule| matches!(rule.action, Action::UserLookup(_)) && rule.applies(instance));
        let owed = world.memory.owed.contains(&owner::key(instance));
        let pending = owner::launcher(instance, &world.owners, now()) == Launcher::Pending;
        for (reason, spares) in [
            ("the setting", world.policy.action == UntaggedAction::Report),
            ("a tag", instance.tags.iter().any(|(key, _)| !key.starts_with("aws:"))),
            ("its grace since the launch", since(instance.first_launch) < grace),
            ("its grace since it was seen", seen < grace),
            ("its group", instance.tag("aws:autoscaling:groupName").is_some()),
            ("being spot", instance.spot),
            ("its service", instance.operator.is_some()),
            ("an exemption", world.rules.iter().any(|rule| rule.exempt.any(instance))),
            ("being pending", matches!(instance.state, State::Pending | State::Stopping)),
            ("a look-up", (asked || owed) && pending),
            ("its protection", world.protected.contains(&instance.id)),
            (
                "what the second read says",
                !world.fresh.iter().any(|one| {
                    one.id == instance.id && one.tags == instance.tags && one.state == instance.state
                }),
            ),
        ] {
            if spares {
                wrong.push(format!("{} is ended in spite of {reason}", instance.id));
            }
        }
    }
}

#[test]
fn random_worlds_keep_every_promise() {
    let (mut repairs, mut removals, mut due) = (0, 0, 0);
    for seed in 0..WORLDS {
        assert_eq!(violations(seed), Vec::<String>::new(), "seed {seed}");
        if seed % 100 == 0 {
            let world = world(seed);
            let untagged = world.untagged();
            let plan = world.tags(&untagged);
            repairs += plan.repairs.len();
            removals += plan.removals.len();
            due += world.ended().len();
        }
    }
    // The worlds are worth trying: each kind of plan is common among them.
    assert!(
        repairs > 1_000 && removals > 20 && due > 20,
        "{repairs} repairs, {removals} removals, {due} due"
    );
}

#[test]
fn a_key_is_what_the_memory_says_it_is() {
    for key in [Key::Reservation("r-1".to_owned()), Key::Group("web/1".to_owned())] {
        assert_eq!(Key::parse(&key.to_text()), key);
    }
}
