//! What a test or a scenario does to the World from outside, and the truth that it asks for.

use std::time::Duration;

use serde_json::json;

use super::{
    Happening, World,
    clock::Moment,
    ecs::{Start, Status},
    groups::LifecycleState,
    hooks::{ActionResult, EndedBy, Hook, Outcome},
    task::{Owner, Size},
};
use crate::scenario::HookPlan;

impl World {
    /// Wants `n` instances less in a group, whatever its least capacity is.
    pub fn scale_in(&mut self, group: &str, n: usize) {
        if let Some(group) = self.groups.get_mut(group) {
            group.desired = group.desired.saturating_sub(n);
            group.min = group.min.min(group.desired);
        }
        self.reconcile(group);
    }

    /// Takes an instance back from the warm pool: it is in use again, its container instance takes tasks, and
    /// its group wants one more. False when it is not in the pool.
    pub fn take_back(&mut self, instance: &str) -> bool {
        if self.lifecycle_state(instance) != Some(LifecycleState::Warmed) {
            return false;
        }
        self.set_state(instance, LifecycleState::InService);
        let group = self.instances.get(instance).map(|instance| instance.group.clone());
        if let Some(group) = group.and_then(|group| self.groups.get_mut(&group)) {
            group.desired += 1;
            group.max = group.max.max(group.desired);
        }
        if self.container_instance_status(instance) == Some(Status::Draining) {
            self.set_container_instance_status(instance, Status::Active);
        }
        true
    }

    /// Gives a group one more hook, or changes it. Its target gets no test notification.
    pub fn put_hook(&mut self, group: &str, plan: HookPlan) {
        let hook = Hook::from(plan);
        if let Some(group) = self.groups.get_mut(group) {
            group.hooks.insert(hook.name.clone(), hook);
        }
    }

    /// Takes one instance out of its group for good, as an operator or an instance refresh does.
    pub fn scale_in_instance(&mut self, instance: &str) {
        let group = self.instances.get(instance).map(|instance| instance.group.clone());
        if let Some(group) = group.and_then(|group| self.groups.get_mut(&group)) {
            group.desired = group.desired.saturating_sub(1);
            group.min = group.min.min(group.desired);
        }
        self.begin_termination(instance);
    }

    /// Somebody terminates the machine itself: what ran there is killed, and Auto Scaling, when its health
    /// check has noticed, still sends the gone instance through its hooks.
    pub fn terminate(&mut self, instance: &str) {
        self.host_gone(instance);
        self.later(self.settings.health_check, Happening::Unhealthy(instance.to_owned()));
    }

    /// The machine dies, in mid-drain for instance: the agent is silent at once, Auto Scaling forgets the
    /// instance and its lifecycle actions, and ECS ends its tasks when it has noticed.
    pub fn die(&mut self, instance: &str) {
        self.disconnect_agent(instance);
        for token in self.open_actions(instance) {
            self.end_action(&token, ActionResult::Abandon, EndedBy::Cancelled);
        }
        self.set_state(instance, LifecycleState::Terminated);
        self.later(self.settings.health_check, Happening::HostGone(instance.to_owned()));
        if let Some(group) = self.instances.get(instance).map(|instance| instance.group.clone()) {
            self.later(self.settings.health_check, Happening::Reconcile(group));
        }
    }

    /// The ECS agent of an instance is silent from now on.
    pub fn disconnect_agent(&mut self, instance: &str) {
        let (now, id) = (self.now, self.container_instance_of(instance).map(|member| member.id.clone()));
        if let Some(member) = id.and_then(|id| self.container_instances.get_mut(&id)) {
            member.connected.set(now, false);
        }
    }

    /// The ECS agent of an instance answers again, if its machine is there.
    pub fn reconnect_agent(&mut self, instance: &str) {
        let now = self.now;
        let there = self.instances.get(instance).filter(|instance| instance.exists);
        let id = there.and_then(|instance| instance.container_instance.clone());
        if let Some(member) = id.and_then(|id| self.container_instances.get_mut(&id)) {
            member.connected.set(now, true);
        }
    }

    /// Deregisters an instance from its cluster by force: its tasks are lost to ECS.
    pub fn deregister(&mut self, instance: &str) {
        let Some(member) = self.container_instance_of(instance) else { return };
        let (id, tasks) = (member.id.clone(), member.tasks.clone());
        for task in tasks {
            self.kill_task(&task, "Container instance deregistered");
        }
        self.set_status(&id, Status::Inactive);
    }

    /// The agent of an instance loses its state and registers again, as a new container instance that takes
    /// tasks; what ran before is lost to ECS. Nothing happens where there is no machine any more.
    pub fn register_anew(&mut self, instance: &str) {
        let Some(machine) = self.instances.get(instance).filter(|machine| machine.exists) else { return };
        let group = self.groups.get(&machine.group).map(|group| (group.cluster.clone(), group.size));
        self.deregister(instance);
        if let Some((cluster, size)) = group {
            self.add_container_instance(instance, &cluster, size);
        }
    }

    /// Gives an instance's container instance a custom attribute.
    pub fn set_attribute(&mut self, instance: &str, name: &str, value: &str) {
        let id = self.container_instance_of(instance).map(|member| member.id.clone());
        if let Some(member) = id.and_then(|id| self.container_instances.get_mut(&id)) {
            member.attributes.insert(name.to_owned(), Some(value.to_owned()));
        }
    }

    /// Launches an instance, `InService` at once, whose agent registers only after this time. Its group
    /// wants one more.
    pub fn launch_unregistered(&mut self, group: &str, registers_after: Duration) -> String {
        if let Some(group) = self.groups.get_mut(group) {
            group.desired += 1;
            group.max = group.max.max(group.desired);
        }
        let id = self.add_instance(group, LifecycleState::InService);
        self.later(registers_after, Happening::Register(id.clone()));
        id
    }

    /// Runs a task outside any service on an instance; with `ends_after` it stops by itself then.
    /// Answers the task's id, none when the instance is not registered.
    pub fn run_standalone(
        &mut self,
        instance: &str,
        family: &str,
        stop_takes: Duration,
        ends_after: Option<Duration>,
    ) -> Option<String> {
        let member = self.container_instance_of(instance)?.id.clone();
        let owner = Owner::Family(family.to_owned());
        let cluster = self.container_instances.get(&member)?.cluster.clone();
        let task = self.create_task(&cluster, owner, Size { cpu: 64, memory: 64 }, stop_takes);
        self.place_task(&task, &member, Start::default());
        if let Some(end) = ends_after {
            self.later(end, Happening::TaskEnds(task.clone()));
        }
        Some(task)
    }

    /// Somebody else ends an instance's lifecycle actions.
    pub fn complete_hook(&mut self, instance: &str, result: ActionResult) {
        for token in self.open_actions(instance) {
            self.end_action(&token, result, EndedBy::Call);
        }
    }

    /// Sets a container instance ACTIVE or DRAINING by another hand.
    pub fn set_container_instance_status(&mut self, instance: &str, status: Status) {
        if let Some(id) = self.container_instance_of(instance).map(|member| member.id.clone()) {
            self.set_status(&id, status);
        }
    }

    /// Sends a message to a topic, as any other publisher would.
    pub fn publish(&mut self, topic: &str, message: &serde_json::Value) {
        self.notify(topic, None, message.to_string());
    }

    /// Writes something of the caller's own into the history.
    pub fn note(&mut self, text: &str) {
        self.record("note", json!({"text": text}));
    }

    /// Tasks of an instance whose last status is not STOPPED. The truth, not a read.
    pub fn unstopped_tasks(&self, instance: &str) -> usize {
        let member = self.container_instance_of(instance);
        let tasks = member.into_iter().flat_map(|member| self.tasks_on(member, self.now));
        tasks.filter(|task| !task.is_stopped(self.now)).count()
    }

    /// When the last task of an instance stopped; none while there is one that has not.
    pub fn last_stop(&self, instance: &str) -> Option<Moment> {
        let tasks = &self.container_instance_of(instance)?.tasks;
        let tasks = tasks.iter().filter_map(|id| self.tasks.get(id));
        let ends: Option<Vec<_>> = tasks.map(|task| task.stop.as_ref().map(|stop| stop.done_at)).collect();
        ends?.into_iter().max().filter(|end| *end <= self.now)
    }

    /// How the lifecycle action of an instance ended; of several the last.
    pub fn hook_outcome(&self, instance: &str) -> Option<Outcome> {
        let actions = self.actions.values().filter(|action| action.instance == instance);
        actions.filter_map(|action| action.outcome).max_by_key(|outcome| outcome.at)
    }

    /// Where in its life an instance is.
    pub fn lifecycle_state(&self, instance: &str) -> Option<LifecycleState> {
        self.instances.get(instance).map(|instance| instance.state.latest())
    }

    /// Status of an instance's container instance.
    pub fn container_instance_status(&self, instance: &str) -> Option<Status> {
        self.container_instance_of(instance).map(|member| member.status.latest())
    }

    /// Custom attributes of an instance's container instance: name and value.
    pub fn attribute(&self, instance: &str, name: &str) -> Option<String> {
        self.container_instance_of(instance)?.attributes.get(name)?.clone()
    }

    /// Ids of a group's instances that Auto Scaling lists, in order.
    pub fn instances(&self, group: &str) -> Vec<String> {
        self.instances_of(group, self.now).map(|instance| instance.id.clone()).collect()
    }

    /// Ids of the instances that are or were held by a lifecycle action.
    pub fn held_instances(&self) -> Vec<String> {
        let mut held: Vec<_> = self.actions.values().map(|action| action.instance.clone()).collect();
        held.sort();
        held.dedup();
        held
    }

    /// The lifecycle actions so far, of all instances.
    pub fn actions(&self) -> impl Iterator<Item = &super::hooks::LifecycleAction> {
        self.actions.values()
    }
}
