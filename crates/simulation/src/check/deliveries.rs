//! Messages and invocations: nothing forgotten, not too many of them, and not too many calls.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use aws_fake::plumbing::{Ending, Line as Way};
use aws_fake::world::clock::Moment;

use super::drains::{Known, Running, Strike};
use super::{Checker, is_drainers, is_lost};

impl Checker {
    pub(super) fn sent(&mut self, line: Way, id: &Rc<str>, body: &str, at: Moment, copy: bool) {
        if !is_drainers(line) {
            return;
        }
        let delay = match line {
            Way::Continuation => self.rules.interval,
            Way::Urgent => self.rules.urgent_interval,
            Way::First | Way::Topic | Way::Event => Duration::ZERO,
        };
        let known = Known::read(body, at + delay);
        if let Some(held) = known.token.as_ref().and_then(|token| self.book.held.get_mut(token)) {
            held.live += 1;
            held.copies += usize::from(copy || known.pass.is_none() && held.is_told);
            // An event that AWS loses takes nothing away where the topic tells the same.
            held.lost &= held.is_told;
            held.is_told = true;
            held.urgent |= line == Way::Urgent;
            held.continuations += usize::from(known.pass.is_some() && !copy);
            // A drain that does not know where its instance is registered leaves no mark there.
            held.unmarked |= known.pass.is_some() && !known.is_placed;
        }
        if line == Way::Urgent
            && known.is_hooked
            && let Some(instance) = &known.nameless
        {
            let theirs =
                self.book.held.values_mut().filter(|held| !held.is_over && held.instance == *instance);
            theirs.for_each(|held| held.looked_up = true);
        }
        if let Some(instance) = known.requested.clone() {
            *self.book.requests.entry(instance.clone()).or_default() += 1;
            for held in self.book.held.values_mut().filter(|held| !held.is_over && held.instance == instance)
            {
                held.copies += 1;
            }
            if !copy {
                self.book.requested.insert(instance, at);
            }
        }
        self.book.messages.insert(Rc::clone(id), known);
    }

    /// AWS lost an event: nobody may know of what it told.
    pub(super) fn lost(&mut self, event: &str) {
        let known = Known::read(event, Moment::ZERO);
        if let Some(held) = known.token.and_then(|token| self.book.held.get_mut(&token)) {
            held.lost |= !held.is_told;
        }
    }

    pub(super) fn began(&mut self, at: Moment, invocation: usize, line: Way, ids: Vec<Rc<str>>) {
        if !is_drainers(line) {
            return;
        }
        for token in self.at_work(&ids) {
            if let Some(held) = self.book.held.get_mut(&token) {
                held.races += 1;
            }
        }
        let mut cost = Some(0);
        for id in &ids {
            let Some(known) = self.book.messages.get(id) else { continue };
            let Some(token) = &known.token else {
                cost = None;
                continue;
            };
            let answered = self.book.answered.get(&(Rc::clone(token), known.pass));
            let Some(held) = self.book.held.get_mut(token) else { continue };
            let seen = answered.is_some_and(|answered| *answered + self.rules.staleness < at);
            // Where its registration has changed, the mark is gone with it; a request's drain leaves its own in its place.
            let is_there = !self.book.uncertain.contains_key(&held.instance)
                && !self.book.interrupted.contains_key(&held.instance)
                && !self.book.asked_for.contains(&held.instance);
            let is_known = is_there && seen && !held.is_over && !held.unmarked && held.races == 0;
            let most = self.rules.most_calls_for_copy(known.is_placed);
            cost = cost.filter(|_| is_known).map(|cost| cost + most);
            let late = at.saturating_sub(known.due);
            held.strikes.push(Strike { at, lost: None, late, long: Duration::ZERO });
        }
        let running = Running { line, began_at: at, ids, calls: 0, copies_cost: cost, is_troubled: false };
        self.book.running.insert(invocation, running);
    }

    /// Drains of these messages that another invocation is at work on.
    fn at_work(&self, ids: &[Rc<str>]) -> Vec<Rc<str>> {
        let running = self.book.running.values().flat_map(|running| &running.ids);
        let busy: HashSet<Rc<str>> = running.flat_map(|id| self.book.about(id)).collect();
        ids.iter().flat_map(|id| self.book.about(id)).filter(|token| busy.contains(token)).collect()
    }

    pub(super) fn ended(
        &mut self,
        at: Moment,
        invocation: usize,
        ending: Ending,
        done: &[Rc<str>],
        back: &[Rc<str>],
    ) {
        let Some(running) = self.book.running.remove(&invocation) else { return };
        if is_lost(ending) {
            self.unexplained.retain(|(_, number)| *number != invocation);
        } else if let Some((instance, _)) = self.unexplained.iter().find(|(_, number)| *number == invocation)
        {
            let what = format!(
                "{instance}: completed with tasks that had not stopped, and the log does not say why"
            );
            self.fail(at, what);
        }
        let is_smooth = ending == Ending::Answered && !running.is_troubled;
        let is_smooth = !self.seam.take_failed(invocation) && is_smooth;
        self.count_calls(at, &running, is_smooth);
        let long = at.saturating_sub(running.began_at);
        let visibility = self.rules.visibility;
        for id in back {
            let Some(known) = self.book.messages.get_mut(id) else { continue };
            known.due = running.began_at + visibility;
            // By the time it comes back, its time may be over.
            if let Some(instance) = &known.requested {
                self.book.requested.remove(instance);
            }
            let nameless = known.nameless.as_ref();
            let theirs = self.book.held.values_mut().filter(|held| Some(&held.instance) == nameless);
            theirs.for_each(|held| held.strikes.push(Strike::lost(at, visibility, long)));
            if let Some(held) = known.token.as_ref().and_then(|token| self.book.held.get_mut(token)) {
                held.strikes.push(Strike::lost(at, visibility, long));
                held.copies += 1;
            }
        }
        for id in done {
            let token = self.book.messages.get(id).and_then(|known| Some((known.token.clone()?, known.pass)));
            if let Some((token, pass)) = token {
                if let Some(held) = self.book.held.get_mut(&token) {
                    held.strikes.push(Strike { at, lost: None, late: Duration::ZERO, long });
                }
                self.book.answered.insert((token, pass), at);
            }
            self.dropped(at, id);
        }
    }

    /// A message was received too often. Without a queue that is soon: three times, as Lambda does it.
    pub(super) fn died(&mut self, at: Moment, id: &Rc<str>, body: &str) {
        let known = self.book.messages.get(id);
        if let Some(held) =
            known.and_then(|known| known.token.as_ref()).and_then(|token| self.book.held.get_mut(token))
            && self.rules.direct
        {
            held.lost = true;
        } else {
            self.fail(at, format!("a message ended in the dead letters: {body}"));
        }
        self.dropped(at, id);
    }

    /// A message is no more: the drain that it carried must be over, or live on in another.
    pub(super) fn dropped(&mut self, at: Moment, id: &Rc<str>) {
        let Some(known) = self.book.messages.remove(id) else { return };
        let Some(held) = known.token.as_ref().and_then(|token| self.book.held.get_mut(token)) else { return };
        held.live = held.live.saturating_sub(1);
        let lasted = at.saturating_sub(held.began_at);
        // A clock that is fast sees the hook's own limit before AWS does.
        let past_limit = lasted + self.rules.skew + Duration::from_secs(1) >= held.limit;
        let is_forgotten = held.live == 0 && !held.is_over && !held.lost && !past_limit;
        let most = self.rules.most_continuations(held, lasted);
        let what = if is_forgotten {
            Some(format!("{} is forgotten: its hook waits, and no message is about it", held.instance))
        } else if held.continuations > most {
            let continuations = held.continuations;
            Some(format!(
                "{}: {continuations} continuations in {:.0} s, of which {} were to be expected at most",
                held.instance,
                lasted.as_secs_f64(),
                most
            ))
        } else {
            None
        };
        if let Some(what) = what {
            self.fail(at, what);
        }
    }

    fn count_calls(&mut self, at: Moment, running: &Running, is_smooth: bool) {
        let calls = running.calls;
        if let Some(cost) = running.copies_cost.filter(|cost| is_smooth && calls > *cost) {
            let copies = running.ids.len();
            let what =
                format!("{calls} calls for {copies} messages that had been answered before: {cost} at most");
            self.fail(at, what);
        }
        let most = self.rules.most_calls(running.ids.len(), running.ids.len() * 100);
        if calls > most {
            let (line, messages) = (running.line, running.ids.len());
            self.fail(
                at,
                format!(
                    "{calls} calls in one invocation of {line:?} with {messages} messages: {most} at most"
                ),
            );
        }
    }
}
