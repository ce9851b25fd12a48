//! What a test asks of machines, tables and topics, and does to them by other hands. The truth, not a read.

use super::{
    World,
    events::Published,
    machines::{Machine, MachineState, Tags},
};

/// A look-up in the trail that somebody asked for, page by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookUp<'w> {
    /// The attribute, for instance `ResourceName`; empty: none.
    pub attribute: &'w str,
    /// Its value.
    pub value: &'w str,
}

impl World {
    /// A machine, gone or not, unless it was removed.
    pub fn machine(&self, id: &str) -> Option<&Machine> {
        self.fleet.get(id)
    }

    /// Every machine, in the order of their ids.
    pub fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.fleet.iter()
    }

    /// Tags of a machine, those with `aws:` too; none when it is not there.
    pub fn tags(&self, id: &str) -> Tags {
        self.fleet.get(id).map(|machine| machine.tags.newest().clone()).unwrap_or_default()
    }

    /// One tag of a machine.
    pub fn tag(&self, id: &str, key: &str) -> Option<&str> {
        self.fleet.get(id)?.tags.newest().get(key).map(String::as_str)
    }

    /// State of a machine; none when EC2 does not know it, or no longer.
    pub fn machine_state(&self, id: &str) -> Option<MachineState> {
        self.fleet.get(id)?.seen(self.now)
    }

    /// Somebody sets a tag, even one with `aws:`.
    pub fn set_tag(&mut self, id: &str, key: &str, value: &str) {
        let now = self.now;
        if let Some(machine) = self.fleet.get_mut(id) {
            machine.retag(now, |tags| {
                tags.insert(key.to_owned(), value.to_owned());
            });
        }
    }

    /// Somebody deletes a tag.
    pub fn delete_tag(&mut self, id: &str, key: &str) {
        let now = self.now;
        if let Some(machine) = self.fleet.get_mut(id) {
            machine.retag(now, |tags| {
                tags.remove(key);
            });
        }
    }

    /// Makes EC2 forget a machine at once.
    pub fn remove_machine(&mut self, id: &str) {
        self.fleet.remove(id);
    }

    /// Has EC2 know a machine again that was removed.
    pub fn restore_machine(&mut self, machine: Machine) {
        self.fleet.insert(machine);
    }

    /// Changes a machine by another hand: its protections, its dates, its operator.
    pub fn change_machine(&mut self, id: &str, change: impl FnOnce(&mut Machine)) {
        if let Some(machine) = self.fleet.get_mut(id) {
            change(machine);
        }
    }

    /// Sets a machine's protection against being terminated by a call.
    pub fn protect(&mut self, id: &str, protected: bool) {
        self.change_machine(id, |machine| machine.termination_protected = protected);
    }

    /// Everything that was published, oldest first, whether or not it has left.
    pub fn published(&self) -> &[Published] {
        &self.published
    }

    /// Everything that was published to a topic, by its name.
    pub fn published_to<'w>(&'w self, topic: &str) -> impl Iterator<Item = &'w Published> {
        let topic = super::names::topic_arn(topic);
        self.published.iter().filter(move |message| message.topic == topic)
    }

    /// The look-ups in the trail so far, oldest first: each answered page is one.
    pub fn look_ups(&self) -> impl Iterator<Item = LookUp<'_>> {
        let entries = self.history().iter().filter(|entry| entry.what == "looked_up");
        entries.map(|entry| LookUp {
            attribute: entry.text("attribute").unwrap_or_default(),
            value: entry.text("value").unwrap_or_default(),
        })
    }
}
