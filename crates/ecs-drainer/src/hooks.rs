//! Hooks that wait for instances of which no message told them: their names have to be looked up.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::decide::{self, Then, Why};
use crate::drain::{Drain, Hook, Membership};
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
                self.drain.take_hook(hook.clone(), self.other.as_ref());
                true
            }
        }
    }
}

impl Drainer {
    /// The hooks that instances wait for, where no message told: their group's terminating hook that
    /// notifies our topic. For an instance that does not wait for one, none.
    pub(crate) async fn hooks_of(&self, nameless: Vec<(String, Option<String>)>) -> HashMap<String, Hook> {
        let ids = nameless.iter().map(|(id, _)| id.clone()).collect();
        let memberships = observe::memberships(&self.clients, ids).await;
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut found = HashMap::new();
        for (id, token) in nameless {
            let Some(Ok(Membership::Member { group, waiting: true })) = memberships.get(&id) else {
                continue;
            };
            if !names.contains_key(group) {
                let hooks = observe::terminate_hooks(&self.clients, group).await.unwrap_or_default();
                let ours = hooks
                    .into_iter()
                    .filter(|hook| hook.notification_target_arn.as_ref() == Some(&self.settings.topic));
                names.insert(group.clone(), ours.filter_map(|hook| hook.lifecycle_hook_name).collect());
            }
            // With several hooks the mark's token could be another's: left to the drain's own chain.
            if let Some([name]) = names.get(group).map(Vec::as_slice) {
                found.insert(id, Hook { group: group.clone(), name: name.clone(), token, terms: None });
            }
        }
        found
    }

    /// Ends the drains of instances that EC2 has terminated, and completes the hooks that still wait for them. Returns
    /// the chains whose hook could not be completed.
    pub(crate) async fn let_go(
        &self,
        terminated: BTreeSet<String>,
        subjects: &mut Vec<Subject>,
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
        self.finish_all(gone.into_iter().map(end).collect()).await
    }
}
