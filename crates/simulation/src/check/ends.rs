//! How a lifecycle action may end.

use std::time::Duration;

use aws_fake::world::clock::Moment;
use aws_fake::world::history::Entry;

use super::Checker;
use super::drains::{Held, Known};
use super::rules::{Disturbed, NOTICE};

impl Checker {
    /// A lifecycle action has ended.
    pub(super) fn completed(&mut self, entry: &Entry) {
        let text = |field: &str| entry.text(field).unwrap_or_default();
        let (token, instance) = (text("token"), text("instance"));
        let running = entry.fields.get("tasks_not_stopped").and_then(serde_json::Value::as_u64).unwrap_or(0);
        let by_hand = self.by_hand.as_ref().is_some_and(|(at, id)| *at == entry.at && id == instance);
        match text("by") {
            "call" if !by_hand => {
                self.tally.let_go += 1;
                self.by_the_function(entry.at, token, instance, running, text("result"));
            }
            "timeout" => self.timed_out(entry.at, token),
            _ => {}
        }
        if let Some(held) = self.book.held.get_mut(token) {
            held.is_over = true;
            held.ended_at = Some(entry.at);
        }
    }

    fn by_the_function(&mut self, at: Moment, token: &str, instance: &str, running: u64, result: &str) {
        let Some(held) = self.book.held.get(token) else { return };
        let asked = self.book.asked.get(instance).map(Vec::as_slice).unwrap_or_default();
        // Without a token means the one that waits now: where a request or an event made the function look for a hook.
        if !asked.iter().any(|(asked, _)| asked.as_deref().is_none_or(|asked| asked == token)) {
            self.fail(at, format!("{instance}: an action was completed that no completion was about"));
            return;
        }
        let lasted = at.saturating_sub(held.began_at);
        let patient = self.rules.patience(held.limit);
        let noticed = self.book.interrupted.get(instance).copied();
        let overdue =
            lasted >= patient || noticed.is_some_and(|noticed| at >= self.rules.last_urgent_pass(noticed));
        if let Some(what) = self.late_for_the_instance(at, token) {
            self.fail(at, what);
            return;
        }
        if running == 0 {
            return;
        }
        self.tally.by_policy += 1;
        // Never registered, by all that the function could see: only one that was late, or has vanished in between.
        let wait = self.rules.registration_wait.saturating_sub(self.rules.skew * 2 + Duration::from_secs(1));
        let meddled = self.book.uncertain.get(instance);
        let never_seen = meddled.is_some() && lasted >= wait;
        // Read before somebody else changed it: no reader can help that.
        if meddled.is_some_and(|since| *since + self.rules.race() >= at) {
            return;
        }
        if !overdue && !never_seen {
            let lasted = lasted.as_secs_f64();
            self.fail(at, format!("{instance}: completed with {result} after {lasted:.1} s, with {running} tasks that had not stopped"));
            return;
        }
        let invocation = asked.last().map_or(0, |(_, invocation)| *invocation);
        self.unexplained.push((instance.to_owned(), invocation));
    }

    /// A drain that knew that EC2 takes its instance has ended before that.
    fn late_for_the_instance(&self, at: Moment, token: &str) -> Option<String> {
        let held = self.book.held.get(token).filter(|held| held.urgent)?;
        let noticed = *self.book.interrupted.get(&held.instance)?;
        let disturbed = self.disturbed(at, token, held, noticed);
        let is_late = at > noticed + NOTICE && self.rules.ends_before_the_instance(disturbed);
        is_late.then(|| format!("{}: its hook outlived it, {disturbed:?}", held.instance))
    }

    fn timed_out(&mut self, at: Moment, token: &str) {
        self.tally.timed_out += 1;
        let Some(held) = self.book.held.get(token) else { return };
        if held.lost {
            return;
        }
        let limit_at = held.began_at + held.limit;
        let at_limit = at + Duration::from_secs(1) >= limit_at;
        let what = if at_limit {
            // Two passes and one that was lost: by then it must have been given up.
            let since = limit_at.saturating_sub(self.rules.interval * 2 + self.rules.visibility);
            let disturbed = self.disturbed(at, token, held, since);
            self.rules.ends_in_time(disturbed).then(|| format!("reached its own limit, {disturbed:?}"))
        } else {
            let disturbed = self.disturbed(at, token, held, held.renewed_at);
            let kept = self.rules.keeps(held, disturbed);
            kept.then(|| format!("got no heartbeat in {} s, {disturbed:?}", held.heartbeat.as_secs()))
        };
        if let Some(what) = what {
            let what = format!("{}: the hook {what}", held.instance);
            self.fail(at, what);
        }
    }

    /// What kept the function from a drain since a moment; what is still on its way, or at work, counts as far as it is.
    fn disturbed(&self, at: Moment, token: &str, held: &Held, since: Moment) -> Disturbed {
        let mut disturbed = held.disturbed(since);
        let is_about = |known: &Known| known.token.as_deref() == Some(token);
        for known in self.book.messages.values().filter(|known| is_about(known)) {
            disturbed.late = disturbed.late.max(at.saturating_sub(known.due));
        }
        for running in self.book.running.values() {
            let known = running.ids.iter().filter_map(|id| self.book.messages.get(id));
            if known.into_iter().any(is_about) {
                disturbed.long = disturbed.long.max(at.saturating_sub(running.began_at));
            }
        }
        disturbed
    }
}
