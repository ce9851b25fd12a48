//! What a World begins with: read from JSON by the server, or built step by step in a test.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use crate::{
    settings::Settings,
    world::{
        World,
        clock::Calendar,
        clusters::{Cluster, Counts, Life},
        groups::{Group, GroupTag, LifecycleState},
        hooks::Hook,
        launches::MachinePlan,
        machines::Tags,
        names,
        tables::TablePlan,
        targets::TargetGroupPlan,
        task::Size,
    },
};

mod plans;

pub use crate::world::play::{Action, Step};
pub use plans::{ClusterPlan, GroupPlan, HookPlan, ServicePlan};

/// A World before it begins.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// How the World is set.
    pub settings: Settings,
    /// Topics by name.
    pub topics: Vec<String>,
    /// Clusters, each with one group of instances.
    pub clusters: Vec<ClusterPlan>,
    /// Groups that want no instances: they have a name and tags.
    pub groups: Vec<GroupPlan>,
    /// Machines of EC2 that no cluster knows.
    pub machines: Vec<MachinePlan>,
    /// Tables.
    pub tables: Vec<TablePlan>,
    /// Target groups of load balancers.
    pub target_groups: Vec<TargetGroupPlan>,
    /// What happens by itself, from the first moment on.
    pub script: Vec<Step>,
}

impl Scenario {
    /// An empty scenario.
    pub fn new(seed: u64) -> Self {
        Self { settings: Settings { seed, ..Settings::default() }, ..Self::default() }
    }

    /// Changes settings.
    #[must_use]
    pub fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Adds a topic by name.
    #[must_use]
    pub fn topic(mut self, name: &str) -> Self {
        self.topics.push(name.to_owned());
        self
    }

    /// Adds a cluster with a group `<name>-ecs` of so many instances.
    #[must_use]
    pub fn cluster(mut self, name: &str, instances: usize) -> Self {
        self.clusters.push(ClusterPlan { name: name.to_owned(), instances, ..ClusterPlan::default() });
        self
    }

    /// Adds a cluster that is nothing but these numbers.
    #[must_use]
    pub fn counted_cluster(mut self, name: &str, counts: Counts) -> Self {
        let (name, counts) = (name.to_owned(), Some(counts));
        self.clusters.push(ClusterPlan { name, counts, ..ClusterPlan::default() });
        self
    }

    /// Changes the cluster that was added last.
    #[must_use]
    pub fn with_cluster(mut self, change: impl FnOnce(&mut ClusterPlan)) -> Self {
        self.clusters.last_mut().map(change);
        self
    }

    /// Adds a service to the cluster that was added last. Its tasks take so many seconds to stop.
    #[must_use]
    pub fn service(self, name: &str, tasks: usize, stop_seconds: impl StopSeconds) -> Self {
        let stop_seconds = stop_seconds.range();
        self.with_service(ServicePlan {
            name: name.to_owned(),
            tasks,
            stop_seconds,
            ..ServicePlan::default()
        })
    }

    /// Adds a daemon service to the cluster that was added last.
    #[must_use]
    pub fn daemon(self, name: &str, stop_seconds: impl StopSeconds) -> Self {
        let stop_seconds = stop_seconds.range();
        let plan =
            ServicePlan { name: name.to_owned(), daemon: true, stop_seconds, ..ServicePlan::default() };
        self.with_service(plan)
    }

    /// Adds a service with all that can be said of one.
    #[must_use]
    pub fn with_service(self, plan: ServicePlan) -> Self {
        self.with_cluster(|cluster| cluster.services.push(plan))
    }

    /// Gives the group of the cluster that was added last a hook `drain` on a topic, which is added too.
    /// The hook's metadata names the cluster.
    #[must_use]
    pub fn hook(self, topic: &str, heartbeat_seconds: u64) -> Self {
        self.topic(topic).with_cluster(|cluster| {
            cluster.hook = Some(HookPlan {
                topic: Some(topic.to_owned()),
                metadata: Some(serde_json::json!({"cluster": cluster.name}).to_string()),
                heartbeat_seconds,
                ..HookPlan::default()
            });
        })
    }

    /// Adds machines of EC2.
    #[must_use]
    pub fn machines(mut self, plan: MachinePlan) -> Self {
        self.machines.push(plan);
        self
    }

    /// Adds a group that wants no instances.
    #[must_use]
    pub fn group(mut self, plan: GroupPlan) -> Self {
        self.groups.push(plan);
        self
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, plan: TablePlan) -> Self {
        self.tables.push(plan);
        self
    }

    /// Adds a target group.
    #[must_use]
    pub fn target_group(mut self, plan: TargetGroupPlan) -> Self {
        self.target_groups.push(plan);
        self
    }

    /// Has something happen at a moment.
    #[must_use]
    pub fn step(mut self, after: Duration, action: Action) -> Self {
        self.script.push(Step { after, action });
        self
    }

    /// The World, in its first moment, all tasks running.
    pub fn build(self, calendar: Calendar) -> World {
        let mut world = World::new(self.settings, calendar);
        world.topics.extend(self.topics.iter().map(|topic| names::topic_arn(topic)));
        for plan in self.clusters {
            world.create_cluster(plan);
        }
        for plan in self.groups {
            world.add_group(&plan);
        }
        for plan in &self.machines {
            world.add_machines(plan);
        }
        for plan in self.tables {
            world.add_table(plan);
        }
        for plan in &self.target_groups {
            world.plan_target_group(plan);
        }
        world.play(self.script);
        world
    }
}

/// One number of seconds, or from and to.
pub trait StopSeconds {
    /// From and to.
    fn range(self) -> (f64, f64);
}

impl StopSeconds for u32 {
    fn range(self) -> (f64, f64) {
        (self.into(), self.into())
    }
}

impl StopSeconds for (u32, u32) {
    fn range(self) -> (f64, f64) {
        (self.0.into(), self.1.into())
    }
}

impl World {
    /// Creates a cluster with all that its plan has. One that was deleted is there again.
    pub fn create_cluster(&mut self, plan: ClusterPlan) {
        let now = self.now;
        let new = || Cluster::new(&plan.name, now);
        let cluster = self.clusters.entry(plan.name.clone()).or_insert_with(new);
        cluster.life.set(now, Life::Active);
        cluster.tags.clone_from(&plan.cluster_tags);
        cluster.counts.set(now, plan.counts.clone());
        if plan.counts.is_none() {
            self.furnish(plan);
        }
    }

    fn furnish(&mut self, plan: ClusterPlan) {
        let group = plan.group();
        let size = Size { cpu: plan.cpu, memory: plan.memory };
        let max = if plan.max == 0 { plan.instances * 2 } else { plan.max };
        let hooks = plan.hook.map(Hook::from).map(|hook| (hook.name.clone(), hook));
        self.groups.insert(
            group.clone(),
            Group {
                name: group.clone(),
                min: plan.min,
                max,
                desired: plan.instances,
                cluster: plan.name.clone(),
                size,
                hooks: hooks.into_iter().collect(),
                tags: group_tags(&plan.tags, true),
                capacity_rebalance: plan.capacity_rebalance,
                reuse: plan.reuse,
            },
        );
        for _ in 0..plan.instances {
            let instance = self.add_instance(&group, LifecycleState::InService);
            self.add_container_instance(&instance, &plan.name, size);
        }
        let now = self.now;
        let services = plan.services.into_iter().map(|service| service.of(&plan.name, now));
        self.services.entry(plan.name.clone()).or_default().extend(services);
        self.schedule(&plan.name);
    }
}

impl World {
    /// Adds a group that wants no instances.
    pub fn add_group(&mut self, plan: &GroupPlan) {
        let mut group = Group::empty(&plan.name);
        group.tags = group_tags(&plan.tags, false);
        self.groups.insert(plan.name.clone(), group);
        if let Some(creator) = &plan.creator {
            self.write_group_creation(&plan.name, creator, plan.created_ago);
        }
    }
}

fn group_tags(tags: &Tags, propagates: bool) -> BTreeMap<String, GroupTag> {
    let tag = |value: &String| GroupTag { value: value.clone(), propagates };
    tags.iter().map(|(key, value)| (key.clone(), tag(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_read_strictly() {
        let rows = [
            ("nothing", r"{}", true),
            ("a typing error", r#"{"cluster": []}"#, false),
            ("a setting", r#"{"settings": {"staleness_seconds": 1.5, "seed": 4}}"#, true),
            ("a negative time", r#"{"settings": {"latency_seconds": -1}}"#, false),
            ("a fault", r#"{"settings": {"faults": [{"calls": {"nth": 2}, "kind": "kill_after"}]}}"#, true),
            ("a slow call", r#"{"settings": {"faults": [{"calls": "all", "kind": {"latency": 2}}]}}"#, true),
            ("no such fault", r#"{"settings": {"faults": [{"calls": "all", "kind": "fire"}]}}"#, false),
            (
                "a cluster of numbers",
                r#"{"clusters": [{"name": "a", "counts": {"running": 3, "statistics": {"RunningFargateTasksCount": 1}}}]}"#,
                true,
            ),
            ("a count of something else", r#"{"clusters": [{"counts": {"stopped": 3}}]}"#, false),
            (
                "a service with troubles",
                r#"{"clusters": [{"services": [{"waits": true, "rollout": "in_progress", "activating_seconds": 2}]}]}"#,
                true,
            ),
            ("a hook", r#"{"clusters": [{"name": "a", "hook": {"topic": "drain"}}]}"#, true),
            (
                "machines",
                r#"{"machines": [{"count": 2, "tags": {"a": "b"}, "owner": {"iam_user": "alice"}}]}"#,
                true,
            ),
            (
                "by a role",
                r#"{"machines": [{"owner": {"assumed_role": {"role": "r", "session": "s"}}}]}"#,
                true,
            ),
            ("by the root user", r#"{"machines": [{"owner": "root", "state": "shutting-down"}]}"#, true),
            ("by nobody", r#"{"machines": [{"owner": "nobody"}]}"#, false),
            ("launched", r#"{"machines": [{"launched_hours_ago": 1.5, "attached_hours_ago": 72}]}"#, true),
            ("launched tomorrow", r#"{"machines": [{"launched_hours_ago": -24}]}"#, false),
            (
                "a table",
                r#"{"tables": [{"name": "t", "key": [{"name": "Id", "type": "S"}], "items": [{"Id": {"S": "x"}}]}]}"#,
                true,
            ),
            (
                "a target group",
                r#"{"target_groups": [{"name": "web", "port": 8080, "targets": ["i-1"], "group": "prod-ecs", "deregistration_delay_seconds": 5}]}"#,
                true,
            ),
            (
                "a target group that never ends",
                r#"{"target_groups": [{"deregistration_delay_seconds": -1}]}"#,
                false,
            ),
            (
                "a script",
                r#"{"script": [{"action": {"interrupt": "i-1"}}, {"after_seconds": 3, "action": {"recommend_rebalance": "prod-ecs"}}]}"#,
                true,
            ),
            ("a script of nothing", r#"{"script": [{"after_seconds": 3}]}"#, false),
            ("a script of something else", r#"{"script": [{"action": {"explode": "i-1"}}]}"#, false),
            ("a group that rebalances", r#"{"clusters": [{"name": "a", "capacity_rebalance": true}]}"#, true),
            ("a table of nothing", r#"{"tables": [{"name": "t"}]}"#, false),
        ];
        for (case, text, expected) in rows {
            let read = serde_json::from_str::<Scenario>(text);
            assert_eq!(read.is_ok(), expected, "{case}: {read:?}");
        }
    }
}
