//! A queue, as far as Lambda's poller sees it.

use crate::world::clock::Moment;

use super::{PlumbingSettings, lambda};

/// A message in a queue.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) sent_at: Moment,
    pub(super) visible_at: Moment,
    pub(super) receives: u32,
}

/// A queue with its dead-letter rule.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Vec<Message>,
    /// Invocations with messages of this queue.
    pub(super) running: usize,
}

impl Queue {
    pub(super) fn put(&mut self, message: Message) {
        self.waiting.push(message);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When the next batch goes: the window after its first message is visible, or at once when it is
    /// full. Never while the function is at its limit.
    pub(super) fn batch_due(&self, settings: &PlumbingSettings) -> Option<Moment> {
        if self.running >= settings.max_concurrency {
            return None;
        }
        let mut visible: Vec<_> = self.waiting.iter().map(|message| message.visible_at).collect();
        visible.sort();
        let window_ends = *visible.first()? + settings.batching_window;
        let full_at = visible.get(settings.max_batch.saturating_sub(1)).copied();
        Some(full_at.map_or(window_ends, |full_at| full_at.min(window_ends)))
    }

    /// Takes a batch of what is visible, oldest first. Messages that were received too often are sorted
    /// out into the second list.
    pub(super) fn receive(
        &mut self,
        now: Moment,
        settings: &PlumbingSettings,
    ) -> (Vec<Message>, Vec<Message>) {
        self.waiting.sort_by_key(|message| message.visible_at);
        let dead = self
            .waiting
            .extract_if(.., |message| message.visible_at <= now && message.receives >= settings.max_receive);
        let dead = dead.collect();
        let visible = self.waiting.iter().take_while(|message| message.visible_at <= now);
        let count = visible.count().min(settings.max_batch);
        let mut batch: Vec<_> = self.waiting.drain(..count).collect();
        for message in &mut batch {
            message.receives += 1;
            message.visible_at = now + settings.visibility_timeout;
        }
        (batch, dead)
    }

    /// Ends an invocation: what it did not do is waiting again, unseen until its visibility timeout.
    pub(super) fn settle(&mut self, batch: Vec<Message>, failed: &lambda::Failed) -> usize {
        self.running = self.running.saturating_sub(1);
        let before = self.waiting.len();
        self.waiting.extend(batch.into_iter().filter(|message| failed.has(&message.id)));
        self.waiting.len() - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, visible_second: u64) -> Message {
        let visible_at = Moment::from_secs(visible_second);
        Message { id: id.to_owned(), body: String::new(), sent_at: visible_at, visible_at, receives: 0 }
    }

    fn ids(messages: &[Message]) -> String {
        messages.iter().map(|message| message.id.as_str()).collect()
    }

    #[test]
    fn batches_wait_for_their_window_or_until_they_are_full() {
        let settings = PlumbingSettings { max_batch: 2, ..PlumbingSettings::default() };
        let mut queue = Queue::default();
        assert_eq!(queue.batch_due(&settings), None, "empty");
        queue.put(message("a", 10));
        assert_eq!(queue.batch_due(&settings), Some(Moment::from_secs(11)), "the window");
        queue.put(message("b", 10));
        assert_eq!(queue.batch_due(&settings), Some(Moment::from_secs(10)), "full");
        queue.running = settings.max_concurrency;
        assert_eq!(queue.batch_due(&settings), None, "the function is at its limit");
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
        assert_eq!(queue.settle(batch, &lambda::Failed::Named(vec!["b".into()])), 1);
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
