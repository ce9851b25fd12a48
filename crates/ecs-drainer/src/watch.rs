//! A cache that may be lost: which drains this function has in hand, so that a busy instance's task
//! events, and copies of messages, cost no call. Without it every answer is the same, by asking ECS.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::drain::{Drain, TaskStopped};

/// Drains remembered. Beyond this all are forgotten, which costs a describe each.
const MOST: usize = 10_000;
/// Terminated instances remembered. Beyond this all are forgotten: then the wait for a registration ends their drains.
const MOST_TERMINATED: usize = 10_000;
/// How long a group's hooks are believed to be as they were read, in seconds.
const HOOKS_KEPT: i64 = 600;

/// Heartbeat timeout and global timeout of a hook, in seconds.
pub type Timeouts = (u32, u32);

/// The cache.
#[derive(Debug, Default)]
pub struct Watch {
    drains: HashMap<String, Watched>,
    instances: HashMap<String, String>,
    terminated: HashSet<String>,
    hooks: HashMap<String, (Timestamp, HashMap<String, Timeouts>)>,
}

#[derive(Debug)]
struct Watched {
    drain: Drain,
    /// At least this many tasks had to stop when they were counted; 0 if they never were.
    left: usize,
    seen: HashSet<String>,
    ended: bool,
}

/// What a stopped task means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Its container instance is not known here: ask.
    Unknown,
    /// Others must stop first.
    NotLast,
    /// It may have been the last of this drain.
    Last(Box<Drain>),
}

impl Watch {
    /// Remembers a drain as it was last published, with the number of tasks that must stop; 0 if nobody counted them:
    /// then an earlier count still holds.
    pub fn keep(&mut self, drain: &Drain, left: usize) {
        self.put(drain, left, false);
    }

    /// Remembers that a drain has ended, so that its last continuation costs nothing.
    pub fn end(&mut self, drain: &Drain) {
        self.put(drain, 0, true);
    }

    fn put(&mut self, drain: &Drain, left: usize, ended: bool) {
        // A hook's drain is not forgotten for a request that came beside it.
        let has_token = |watched: &Watched| watched.drain.token().is_some() && !watched.ended;
        if drain.hook.is_none() && self.drains.get(&drain.instance).is_some_and(has_token) {
            return;
        }
        if self.drains.len() >= MOST {
            self.drains.clear();
            self.instances.clear();
        }
        if let Some(arn) = &drain.container_instance {
            self.instances.insert(arn.clone(), drain.instance.clone());
        }
        let counted =
            |watched: &Watched| left == 0 && !ended && !watched.ended && same(&watched.drain, drain);
        let (left, seen) = match self.drains.remove(&drain.instance).filter(counted) {
            Some(watched) => (watched.left, watched.seen),
            None => (left, HashSet::new()),
        };
        let watched = Watched { drain: drain.clone(), left, seen, ended };
        self.drains.insert(drain.instance.clone(), watched);
    }

    /// Whether a message is a copy of one that was answered here, or of a drain that has ended. An operator may well
    /// ask for the same instance twice: drains without a token are told apart by when they began.
    #[must_use]
    pub fn answered(&self, drain: &Drain) -> bool {
        let Some(watched) = self.drains.get(&drain.instance) else { return false };
        match drain.token() {
            Some(token) => {
                watched.drain.token() == Some(token) && (watched.ended || watched.drain.pass > drain.pass)
            }
            None => drain.pass > 0 && watched.ended && watched.drain.first_seen == drain.first_seen,
        }
    }

    /// Counts a stopped task.
    pub fn stopped(&mut self, event: &TaskStopped) -> Stopped {
        let watched = self.instances.get(&event.container_instance).and_then(|id| self.drains.get_mut(id));
        let Some(watched) = watched else {
            return Stopped::Unknown;
        };
        watched.seen.insert(event.task.clone());
        let last = match watched.left {
            0 => watched.drain.waits_for.as_ref().is_none_or(|task| *task == event.task),
            left => watched.seen.len() >= left,
        };
        if watched.ended || !last { Stopped::NotLast } else { Stopped::Last(Box::new(watched.drain.clone())) }
    }

    /// Remembers that EC2 has terminated an instance: Auto Scaling may notice, and hold it in a hook, only later.
    pub fn terminate(&mut self, instance: &str) {
        if self.terminated.len() >= MOST_TERMINATED {
            self.terminated.clear();
        }
        self.terminated.insert(instance.to_owned());
    }

    /// Whether EC2 is known to have terminated an instance.
    #[must_use]
    pub fn is_terminated(&self, instance: &str) -> bool {
        self.terminated.contains(instance)
    }

    /// The drain of an instance, if it is known here; with whether it has ended.
    #[must_use]
    pub fn drain(&self, instance: &str) -> Option<(&Drain, bool)> {
        self.drains.get(instance).map(|watched| (&watched.drain, watched.ended))
    }

    /// A group's hooks, if they were read lately.
    #[must_use]
    pub fn hooks(&self, group: &str, now: Timestamp) -> Option<&HashMap<String, Timeouts>> {
        let (read, hooks) = self.hooks.get(group)?;
        (now.as_second() - read.as_second() < HOOKS_KEPT).then_some(hooks)
    }

    /// Remembers a group's hooks.
    pub fn keep_hooks(&mut self, group: &str, hooks: HashMap<String, Timeouts>, now: Timestamp) {
        self.hooks.insert(group.to_owned(), (now, hooks));
    }
}

/// Whether this is one drain at two looks.
fn same(one: &Drain, other: &Drain) -> bool {
    one.token() == other.token() && one.container_instance == other.container_instance
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drain::Hook;

    fn drain(token: Option<&str>, pass: u32) -> Drain {
        let token = token.map(str::to_owned);
        Drain {
            pass,
            instance: "i-1".to_owned(),
            cluster: Some("prod".to_owned()),
            container_instance: Some("ci-1".to_owned()),
            hook: token.map(|token| Hook {
                group: "g".to_owned(),
                name: "h".to_owned(),
                token: Some(token),
                terms: None,
            }),
            first_seen: Timestamp::UNIX_EPOCH,
            until: None,
            launched_at: None,
            draining_since: None,
            count: None,
            waits_for: None,
            not_before: None,
        }
    }

    fn stopped(container_instance: &str, task: &str) -> TaskStopped {
        let text = str::to_owned;
        TaskStopped { cluster: text("prod"), container_instance: text(container_instance), task: text(task) }
    }

    #[test]
    fn only_the_task_that_may_be_the_last_counts() {
        let mut watch = Watch::default();
        assert_eq!(watch.stopped(&stopped("ci-1", "a")), Stopped::Unknown);
        let kept = drain(Some("t"), 1);
        watch.keep(&kept, 2);
        for (name, event, expected) in [
            ("another instance", stopped("ci-2", "a"), Stopped::Unknown),
            ("the first of two", stopped("ci-1", "a"), Stopped::NotLast),
            ("the first again", stopped("ci-1", "a"), Stopped::NotLast),
            ("the second", stopped("ci-1", "b"), Stopped::Last(Box::new(kept.clone()))),
            ("one more than counted", stopped("ci-1", "c"), Stopped::Last(Box::new(kept.clone()))),
        ] {
            assert_eq!(watch.stopped(&event), expected, "{name}");
        }
        watch.end(&kept);
        assert_eq!(watch.stopped(&stopped("ci-1", "d")), Stopped::NotLast);
    }

    #[test]
    fn without_a_count_the_task_that_is_waited_for_counts() {
        let mut watch = Watch::default();
        let kept = drain(Some("t"), 1);
        watch.keep(&kept, 0);
        assert_eq!(watch.stopped(&stopped("ci-1", "a")), Stopped::Last(Box::new(kept)), "nothing is known");
        let kept = Drain { waits_for: Some("b".to_owned()), ..drain(Some("t"), 2) };
        watch.keep(&kept, 0);
        for (name, task, expected) in
            [("another", "a", Stopped::NotLast), ("the one", "b", Stopped::Last(Box::new(kept.clone())))]
        {
            assert_eq!(watch.stopped(&stopped("ci-1", task)), expected, "{name}");
        }
    }

    #[test]
    fn a_count_holds_until_there_is_another() {
        let mut watch = Watch::default();
        watch.keep(&drain(Some("t"), 1), 3);
        assert_eq!(watch.stopped(&stopped("ci-1", "a")), Stopped::NotLast);
        watch.keep(&drain(Some("t"), 2), 0);
        assert_eq!(watch.stopped(&stopped("ci-1", "b")), Stopped::NotLast, "two of three");
        let last = Stopped::Last(Box::new(drain(Some("t"), 2)));
        assert_eq!(watch.stopped(&stopped("ci-1", "c")), last, "the third; and its drain is the newer one");
        watch.keep(&drain(Some("u"), 1), 0);
        let last = Stopped::Last(Box::new(drain(Some("u"), 1)));
        assert_eq!(watch.stopped(&stopped("ci-1", "d")), last, "not for another drain");
    }

    #[test]
    fn a_copy_is_known_by_token_and_pass() {
        let mut watch = Watch::default();
        watch.keep(&drain(Some("t"), 2), 1);
        for (name, token, pass, expected) in [
            ("the hook's message again", Some("t"), 0, true),
            ("the pass that was answered", Some("t"), 1, true),
            ("the pass that is due", Some("t"), 2, false),
            ("another action of the instance", Some("u"), 0, false),
            ("an operator's request", None, 0, false),
        ] {
            assert_eq!(watch.answered(&drain(token, pass)), expected, "{name}");
        }
        watch.end(&drain(Some("t"), 2));
        assert!(watch.answered(&drain(Some("t"), 2)), "a drain that has ended");
    }

    #[test]
    fn hooks_are_believed_for_ten_minutes() {
        let mut watch = Watch::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        watch.keep_hooks("g", [("h".to_owned(), (900, 90_000))].into(), at(0));
        for (second, expected) in [(0, true), (599, true), (600, false)] {
            assert_eq!(watch.hooks("g", at(second)).is_some(), expected, "{second}");
        }
        assert_eq!(watch.hooks("other", at(0)), None);
    }

    #[test]
    fn a_requests_own_continuation_ends_with_it_and_a_second_request_does_not() {
        let mut watch = Watch::default();
        watch.end(&drain(None, 1));
        let later = Timestamp::from_second(60).unwrap();
        for (name, drain, expected) in [
            ("its continuation", drain(None, 1), true),
            ("the same request again", drain(None, 0), false),
            ("the continuation of another", Drain { first_seen: later, ..drain(None, 1) }, false),
        ] {
            assert_eq!(watch.answered(&drain), expected, "{name}");
        }
    }

    #[test]
    fn a_hooks_drain_is_not_forgotten_for_a_request_beside_it() {
        let mut watch = Watch::default();
        watch.keep(&drain(Some("t"), 1), 1);
        watch.keep(&drain(None, 1), 1);
        watch.end(&drain(None, 1));
        assert_eq!(watch.drain("i-1"), Some((&drain(Some("t"), 1), false)));
        watch.end(&drain(Some("t"), 1));
        watch.keep(&drain(None, 1), 1);
        assert_eq!(watch.drain("i-1"), Some((&drain(None, 1), false)), "once that has ended");
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut watch = Watch::default();
        for n in 0..=MOST.max(MOST_TERMINATED) {
            watch.keep(&Drain { instance: format!("i-{n}"), ..drain(Some("t"), 1) }, 1);
            watch.terminate(&format!("i-{n}"));
        }
        assert!(watch.drains.len() <= MOST);
        assert!(watch.terminated.len() <= MOST_TERMINATED);
        assert!(watch.is_terminated(&format!("i-{MOST_TERMINATED}")), "the latest");
    }
}
