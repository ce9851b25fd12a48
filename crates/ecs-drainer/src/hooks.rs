//! Hooks that wait for instances of which no message told them: their names have to be looked up.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_autoscaling::types::LifecycleHook;
use tokio::time::Instant;

use crate::decide::{self, Then, Why};
use crate::drain::{Drain, Hook, Membership, Presence};
use crate::pass::Presences;
use crate::settings::Outcome;
use crate::subjects::{Cause, Subject};
use crate::{Drainer, observe};

impl Subject {
    /// Takes in the hook that was found to wait for its instance; false if there is nothing left to do here, since the
    /// hook's own drain does it.
    pub(crate) fn meet(&mut self, hook: &Hook) -> bool {
        if self.drain.hook.is_some() {
            return true;
        }
        match self.cause {
            Cause::Chain(_) if !decide::takes_hook(&self.drain, self.other.as_ref()) => false,
            _ => {
                self.looked_up = true;
                self.drain.take_hook(hook.clone(), self.other.as_ref());
                true
            }
        }
    }
}

impl Drainer {
    /// The hooks that instances wait for, where no message told: their group's terminating hook that notifies our
    /// topic. For an instance that does not wait for one, none. `nameless` are instances with the token of a mark.
    pub(crate) async fn hooks_of(&self, nameless: Vec<(String, Option<String>)>) -> HashMap<String, Hook> {
        let ids = nameless.iter().map(|(id, _)| id.clone()).collect();
        let memberships = observe::memberships(&self.clients, ids).await;
        let mut names: BTreeMap<String, Option<(String, bool)>> = BTreeMap::new();
        let mut found = HashMap::new();
        for (id, token) in nameless {
            let Some(Ok(Membership::Member { group, waiting: true })) = memberships.get(&id) else {
                continue;
            };
            if !names.contains_key(group) {
                names.insert(group.clone(), self.our_hook(group).await);
            }
            if let Some(Some((name, only))) = names.get(group) {
                // Where the group has other hooks, the token may be of one of them: group, name and instance tell.
                let token = token.filter(|_| *only);
                found.insert(id, Hook { group: group.clone(), name: name.clone(), token, terms: None });
            }
        }
        found
    }

    /// The name of a group's terminating hook that notifies our topic, and whether it is the only one that the group
    /// has. None if there are several such hooks, or none.
    async fn our_hook(&self, group: &str) -> Option<(String, bool)> {
        let hooks = observe::terminate_hooks(&self.clients, group).await.unwrap_or_default();
        let is_ours =
            |hook: &&LifecycleHook| hook.notification_target_arn.as_ref() == Some(&self.settings.topic);
        let ours: Vec<&LifecycleHook> = hooks.iter().filter(is_ours).collect();
        let [hook] = ours.as_slice() else { return None };
        Some((hook.lifecycle_hook_name.clone()?, hooks.len() == 1))
    }

    /// Ends the drains of instances that take tasks again and that no hook holds any more: they were drained before, and
    /// are back in service, or the message is a late one. To set them to DRAINING would drain a healthy instance.
    pub(crate) async fn end_returned(&self, subjects: &mut Vec<Subject>, presences: &mut Presences) {
        let now = self.now();
        let is_doubted = |drain: &Drain, presences: &Presences| {
            matches!(presences.get(&drain.instance), Some(Presence::Registered(instance))
                if decide::doubts_hook(drain, instance, now))
        };
        let (doubted, believed): (Vec<_>, Vec<_>) =
            std::mem::take(subjects).into_iter().partition(|subject| is_doubted(&subject.drain, presences));
        let ids = doubted.iter().map(|subject| subject.drain.instance.clone()).collect();
        let memberships = observe::memberships(&self.clients, ids).await;
        // A young drain of the same instance is not doubted with them: the answer may be of the time before it.
        *subjects = believed;
        subjects.extend(doubted.into_iter().filter(|Subject { drain, .. }| {
            match memberships.get(&drain.instance) {
                None | Some(Ok(Membership::Member { waiting: true, .. })) => true,
                Some(Err(fault)) => {
                    presences.insert(drain.instance.clone(), Presence::Unreadable(fault.clone()));
                    true
                }
                Some(Ok(_)) => {
                    tracing::info!(instance = drain.instance, pass = drain.pass, "ended: {}", Why::Gone);
                    self.watch().end(drain);
                    false
                }
            }
        }));
    }

    /// Ends the drains of instances that EC2 has terminated, and completes the hooks that still wait for them. Returns
    /// the chains whose hook could not be completed.
    pub(crate) async fn let_go(
        &self,
        terminated: BTreeSet<String>,
        subjects: &mut Vec<Subject>,
        until: Instant,
    ) -> Vec<(Subject, usize)> {
        let is_gone = |subject: &mut Subject| {
            terminated.contains(&subject.drain.instance)
                || self.watch().is_terminated(&subject.drain.instance)
        };
        let mut gone: Vec<Subject> = subjects.extract_if(.., is_gone).collect();
        let mut nameless = Vec::new();
        for id in terminated {
            let has_hook = |subject: &Subject| subject.drain.instance == id && subject.drain.hook.is_some();
            if gone.iter().any(has_hook) {
                continue;
            }
            match self.watch().drain(&id) {
                Some((_, true)) => {}
                Some((drain, false)) if drain.hook.is_some() => {
                    gone.push(Subject::new(drain.clone(), Cause::Event));
                }
                _ => nameless.push((id, None)),
            }
        }
        for (id, hook) in self.hooks_of(nameless).await {
            let drain = Drain { hook: Some(hook), ..Drain::begin(id, self.now()) };
            gone.push(Subject::new(drain, Cause::Event));
        }
        let end = |subject| (subject, Then::Complete(Outcome::Continue, Why::Terminated));
        self.finish_all(gone.into_iter().map(end).collect(), until).await
    }
}
