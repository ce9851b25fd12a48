//! A queue, as far as Lambda's poller sees it.

use std::{collections::BTreeMap, rc::Rc};

use crate::world::clock::Moment;

use super::{PlumbingSettings, lambda};

/// A message in a queue.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: Rc<str>,
    pub(super) body: Rc<str>,
    pub(super) sent_at: Moment,
    pub(super) visible_at: Moment,
    pub(super) receives: u32,
}

/// A queue with its dead-letter rule.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By the moment at which they are seen, then in the order in which they came.
    waiting: BTreeMap<(Moment, u64), Message>,
    put: u64,
    /// Invocations with messages of this queue.
    pub(super) running: usize,
}

impl Queue {
    pub(super) fn put(&mut self, message: Message) {
        self.put += 1;
        self.waiting.insert((message.visible_at, self.put), message);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When the next batch goes: the window after its first message is visible, or at once when it is
    /// full. Never while the function is at its limit.
    pub(super) fn batch_due(&self, settings: &PlumbingSettings, concurrency: usize) -> Option<Moment> {
        if self.running >= concurrency {
            return None;
        }
        let seen_at = |((at, _), _): ((Moment, u64), &Message)| at;
        let mut waiting = self.waiting.iter().map(|(key, message)| seen_at((*key, message)));
        let window_ends = waiting.next()? + settings.batching_window;
        let full_at = match settings.max_batch.checked_sub(2) {
            Some(rest) if self.waiting.len() >= settings.max_batch => waiting.nth(rest),
            Some(_) => None,
            None => self.waiting.first_key_value().map(|((at, _), _)| *at),
        };
        Some(full_at.map_or(window_ends, |full_at| full_at.min(window_ends)))
    }

    /// Takes a batch of what is visible, oldest first. Messages that were received too often are sorted
    /// out into the second list.
    pub(super) fn receive(
        &mut self,
        now: Moment,
        settings: &PlumbingSettings,
    ) -> (Vec<Message>, Vec<Message>) {
        let (mut batch, mut dead) = (Vec::new(), Vec::new());
        while batch.len() < settings.max_batch {
            let Some(first) = self.waiting.first_entry().filter(|first| first.key().0 <= now) else { break };
            let mut message = first.remove();
            if message.receives >= settings.max_receive {
                dead.push(message);
                continue;
            }
            message.receives += 1;
            message.visible_at = now + settings.visibility_timeout;
            batch.push(message);
        }
        (batch, dead)
    }

    /// Ends an invocation: what it did not do is waiting again, unseen until its visibility timeout.
    /// Answers the ids of what comes back.
    pub(super) fn settle(&mut self, batch: Vec<Message>, failed: &lambda::Failed) -> Vec<Rc<str>> {
        self.running = self.running.saturating_sub(1);
        let back = batch.into_iter().filter(|message| failed.has(&message.id));
        back.map(|message| {
            let id = Rc::clone(&message.id);
            self.put(message);
            id
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, visible_second: u64) -> Message {
        let visible_at = Moment::from_secs(visible_second);
        Message { id: id.into(), body: "".into(), sent_at: visible_at, visible_at, receives: 0 }
    }

    fn ids(messages: &[Message]) -> String {
        messages.iter().map(|message| &*message.id).collect()
    }

    #[test]
    fn batches_wait_for_their_window_or_until_they_are_full() {
        for (most, full_at) in [(1, 10), (2, 10), (3, 11)] {
            let settings = PlumbingSettings { max_batch: most, ..PlumbingSettings::default() };
            let mut queue = Queue::default();
            assert_eq!(queue.batch_due(&settings, 5), None, "empty");
            queue.put(message("a", 10));
            let alone = if most == 1 { 10 } else { 11 };
            assert_eq!(queue.batch_due(&settings, 5), Some(Moment::from_secs(alone)), "the window, {most}");
            queue.put(message("b", 10));
            assert_eq!(queue.batch_due(&settings, 5), Some(Moment::from_secs(full_at)), "full, {most}");
            queue.running = 5;
            assert_eq!(queue.batch_due(&settings, 5), None, "the function is at its limit, {most}");
        }
    }

    #[test]
    fn what_fails_comes_back_and_dies_at_last() {
        let settings = PlumbingSettings { max_receive: 2, ..PlumbingSettings::default() };
        let mut queue = Queue::default();
        queue.put(message("a", 0));
        queue.put(message("b", 0));
        queue.put(message("c", 50));
        let (batch, _) = queue.receive(Moment::from_secs(1), &settings);
        assert_eq!(ids(&batch), "ab", "what is visible");
        assert_eq!(queue.settle(batch, &lambda::Failed::Named(vec!["b".into()])), ["b".into()]);
        let (batch, _) = queue.receive(Moment::from_mins(3), &settings);
        assert_eq!(ids(&batch), "c", "b is not visible before 181 s");
        queue.settle(batch, &lambda::Failed::none());
        let (batch, dead) = queue.receive(Moment::from_secs(181), &settings);
        assert_eq!((ids(&batch), ids(&dead)), ("b".into(), String::new()));
        queue.settle(batch, &lambda::Failed::All);
        let (batch, dead) = queue.receive(Moment::from_secs(999), &settings);
        assert_eq!((ids(&batch), ids(&dead)), (String::new(), "b".into()), "received twice already");
    }
}
