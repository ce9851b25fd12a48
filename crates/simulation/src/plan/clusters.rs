//! What is in a world: clusters with their groups, hooks and services.

use aws_fake::scenario::{HookPlan, Scenario, ServicePlan};

use super::{TOPIC, Terms};
use crate::dice::Dice;

/// CPU units and MiB of every instance.
const INSTANCE: (u32, u32) = (4_096, 16_384);

/// Instances of a cluster, at most.
const MOST: usize = 500;

/// A world's groups, before anything happens.
pub(super) struct Clusters {
    pub(super) scenario: Scenario,
    pub(super) groups: Vec<GroupOf>,
    pub(super) told_by_topic: bool,
    /// Whether all instances of all groups leave at the same moment.
    pub(super) all_leave: bool,
}

/// A group and its cluster.
#[derive(Clone, Debug)]
pub(super) struct GroupOf {
    pub(super) name: String,
    pub(super) cluster: String,
    pub(super) instances: usize,
    /// A second hook, if there is one.
    pub(super) second: Option<HookPlan>,
    /// Whether a warm pool keeps instances that leave, for later.
    pub(super) reuse: bool,
    /// Whether its instances are spot instances.
    pub(super) spot: bool,
}

/// How many instances a cluster has: few, nearly always.
fn instances(dice: &mut Dice) -> usize {
    match dice.between(0, 999) {
        0..700 => dice.count(1, 3),
        700..920 => dice.count(3, 10),
        920..985 => dice.count(10, 30),
        985..998 => dice.count(30, 120),
        _ => dice.count(120, MOST),
    }
}

pub(super) fn draw(dice: &mut Dice, terms: &Terms) -> Clusters {
    let told_by_topic = !dice.chance(0.1);
    // Two of 500: a thousand leave at once.
    let all_leave = dice.between(0, 2_499) == 0;
    let count = match dice.between(0, 99) {
        _ if all_leave => 2,
        0..80 => 1,
        80..95 => 2,
        _ => dice.count(3, 5),
    };
    let mut scenario = Scenario::new(0).topic(TOPIC);
    let mut groups = Vec::with_capacity(count);
    for at in 0..count {
        let instances = if all_leave { MOST } else { instances(dice) };
        let cluster = format!("cluster-{at}");
        scenario = scenario.cluster(&cluster, instances);
        for service in services(dice, instances) {
            scenario = scenario.with_service(service);
        }
        let hook = hook(dice, &cluster, terms, told_by_topic);
        let (reuse, spot, rebalance) = (dice.chance(0.12), dice.chance(0.2), dice.chance(0.4));
        // A warm pool takes no spot instances (EC2 Auto Scaling, "Warm pools": limitations).
        let reuse = reuse && !spot;
        let second = dice.chance(0.1).then(|| {
            let ours = dice.chance(0.5);
            let topic = ours.then(|| TOPIC.to_owned());
            HookPlan { name: "second".to_owned(), topic, ..hook.clone() }
        });
        scenario = scenario.with_cluster(|plan| {
            (plan.cpu, plan.memory) = INSTANCE;
            plan.hook = Some(hook);
            plan.reuse = reuse;
            plan.capacity_rebalance = spot && rebalance;
        });
        groups.push(GroupOf { name: format!("{cluster}-ecs"), cluster, instances, second, reuse, spot });
    }
    Clusters { scenario, groups, told_by_topic, all_leave }
}

fn hook(dice: &mut Dice, cluster: &str, terms: &Terms, told_by_topic: bool) -> HookPlan {
    let heartbeat = match dice.between(0, 9) {
        0 => dice.between(30, 120),
        1..=3 => 900,
        4 => 7_200,
        5..=7 => dice.between(terms.interval.as_secs() + 30, 7_200),
        _ => dice.between(30, 7_200),
    };
    let named = |name: &str| Some(serde_json::json!({"cluster": name}).to_string());
    let metadata = dice.pick(&[
        (15, named(cluster)),
        (3, None),
        (1, named("elsewhere")),
        (1, Some("for somebody else".to_owned())),
    ]);
    HookPlan {
        topic: told_by_topic.then(|| TOPIC.to_owned()),
        metadata: metadata.flatten(),
        heartbeat_seconds: heartbeat.clamp(30, 7_200),
        abandon: dice.chance(0.3),
        ..HookPlan::default()
    }
}

/// Seconds that tasks take to stop, from and to.
fn stop(dice: &mut Dice) -> (f64, f64) {
    let longest = match dice.between(0, 9) {
        0..4 => dice.scale(0.5, 30.0),
        4..8 => dice.scale(30.0, 300.0),
        8 => dice.scale(300.0, 1_800.0),
        _ => dice.scale(1_800.0, 14_400.0),
    };
    (dice.scale(0.1, longest.max(0.2)), longest)
}

fn services(dice: &mut Dice, instances: usize) -> Vec<ServicePlan> {
    let most = if instances > 30 { 2 } else { 6 };
    let mut services = Vec::new();
    for at in 0..dice.count(0, 2) {
        let per_instance = dice.count(1, most);
        // Without room: so large that the instances are full.
        let full = dice.chance(0.2);
        let memory = if full { INSTANCE.1 / u32::try_from(per_instance).unwrap_or(1) } else { 256 };
        let start = dice.scale(1.0, 60.0);
        let limits =
            dice.pick(&[(4, (100, 200)), (2, (50, 100)), (1, (100, 100)), (2, (0, 100)), (1, (0, 200))]);
        let (minimum_healthy_percent, maximum_percent) = limits.unwrap_or((100, 200));
        services.push(ServicePlan {
            name: format!("web-{at}"),
            tasks: per_instance * instances,
            memory,
            start_seconds: (start, start * 2.0),
            waits: dice.chance(0.2),
            stop_seconds: stop(dice),
            minimum_healthy_percent,
            maximum_percent,
            ..ServicePlan::default()
        });
    }
    if dice.chance(0.25) {
        let stop_seconds = stop(dice);
        services.push(ServicePlan {
            name: "agent".to_owned(),
            daemon: true,
            stop_seconds,
            ..ServicePlan::default()
        });
    }
    services
}
