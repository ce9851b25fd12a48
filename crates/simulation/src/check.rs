//! What must hold, after every step and at the end.

use std::rc::Rc;
use std::time::Duration;

use aws_fake::plumbing::{Ending, Line as Way, Move, Plumbing};
use aws_fake::world::World;
use aws_fake::world::clock::Moment;
use aws_fake::world::history::Entry;

use crate::lines::{self, Line};
use crate::run::Failure;
use crate::seam::Seam;
use crate::tally::Tally;
use crate::timeline;

mod deliveries;
mod drains;
mod ends;
pub(crate) mod rules;

use drains::{Book, Held, Strike};
use rules::{FRESH, Rules};

/// What others do that makes it uncertain where an instance is registered, and what runs on it.
const MEDDLES: [&str; 6] =
    ["LateComer", "RegistersAnew", "IsDeregistered", "IsSetActive", "Dies", "IsTerminated"];

/// How the log's line of a drain begins that has ended.
const ENDS: [&str; 5] = [
    "drained, no hook to complete",
    "given up, no hook to complete",
    "hook completed",
    "ended",
    "skipped: a copy, or its drain has ended",
];

/// Looks on, and stops the run at the first thing that does not hold.
pub(crate) struct Checker {
    rules: Rules,
    seam: Seam,
    book: Book,
    tally: Tally,
    /// Entries of the world's history that have been read.
    read: usize,
    /// Somebody other than the function acts on this at this moment.
    by_hand: Option<(Moment, String)>,
    /// Completions with tasks that had not stopped, which the log must explain: instance and invocation.
    unexplained: Vec<(String, usize)>,
    failure: Option<(Moment, String)>,
    timeline: Option<Vec<String>>,
}

impl Checker {
    pub(crate) fn new(rules: Rules, seam: Seam, keeps_timeline: bool) -> Self {
        Self {
            rules,
            seam,
            book: Book::default(),
            tally: Tally { seeds: 1, ..Tally::default() },
            read: 0,
            by_hand: None,
            unexplained: Vec::new(),
            failure: None,
            timeline: keeps_timeline.then(Vec::new),
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Checks everything that is new since the last step; true when something does not hold.
    pub(crate) fn step(&mut self, plumbing: &mut Plumbing, world: &World) -> bool {
        self.tally.steps += 1;
        let moves = plumbing.take_moves();
        let lines = lines::take();
        let calls = self.seam.take();
        let history = world.history().get(self.read..).unwrap_or_default();
        self.read += history.len();
        if let Some(timeline) = &mut self.timeline {
            timeline.extend(timeline::step(history, &moves, &lines, &calls));
        }
        // What begins first, what ends last: an end is judged by all that happened before it.
        let (ends, begins): (Vec<_>, Vec<_>) =
            moves.into_iter().partition(|(_, moved)| matches!(moved, Move::Ended { .. } | Move::Dead { .. }));
        for entry in history.iter().filter(|entry| entry.what == "hook_started") {
            self.started(entry, world);
        }
        for (at, moved) in begins {
            self.moved(at, moved);
        }
        for call in calls {
            if let Some(running) = self.book.running.get_mut(&call.invocation) {
                running.calls += usize::from(call.is_first);
                running.is_troubled |= !call.is_first;
                if !call.is_first && call.operation == "PublishBatch" {
                    // The answer may have been lost, and not the call: it publishes once more.
                    let ids = running.ids.clone();
                    for token in ids.iter().flat_map(|id| self.book.about(id)).collect::<Vec<_>>() {
                        if let Some(held) = self.book.held.get_mut(&token) {
                            held.copies += 1;
                        }
                    }
                }
            }
            if let Some((instance, token)) = call.about.filter(|_| call.operation.starts_with("Complete")) {
                self.book.asked.entry(instance).or_default().push((token, call.invocation));
            }
        }
        for entry in history {
            self.happened(entry);
        }
        for line in &lines {
            self.said(line);
        }
        for (at, moved) in ends {
            self.moved(at, moved);
        }
        self.has_failed()
    }

    /// The last checks, when everything is quiet, or should be.
    pub(crate) fn end(&mut self, world: &World, quiet: bool) {
        if self.has_failed() {
            return;
        }
        let now = world.now();
        if !quiet {
            self.fail(now, "messages go round and round: no end after five days".to_owned());
        }
        if let Some(held) = self.book.held.values().find(|held| !held.is_over) {
            let what = format!("the hook of {} is still open", held.instance);
            self.fail(now, what);
        }
        if let Some((instance, at)) = self.book.requested.iter().next() {
            let what = format!("the drain of {instance}, asked for after {at:?}, has no end");
            self.fail(now, what);
        }
    }

    /// What became of the run.
    pub(crate) fn finish(mut self, plumbing: &Plumbing, world: &World) -> (Tally, Option<Failure>) {
        let stats = plumbing.stats();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.tally.invocations = count(stats.invocations);
        self.tally.killed = count(stats.killed);
        self.tally.ended_by_timeout = count(stats.timed_out);
        self.tally.duplicates = count(stats.duplicates);
        self.tally.lost_events = count(stats.lost_events);
        self.tally.virtual_seconds = world.now().as_secs();
        self.tally.timeline = self.timeline;
        (self.tally, self.failure.map(|(at, what)| Failure { at, what }))
    }

    /// The first failure counts.
    fn fail(&mut self, at: Moment, what: String) {
        self.failure.get_or_insert((at, what));
    }

    fn started(&mut self, entry: &Entry, world: &World) {
        let token = entry.text("token").unwrap_or_default();
        let Some(action) = world.actions().find(|action| action.token == token) else { return };
        // A hook that tells somebody else is somebody else's.
        if action.hook.target.is_none() && !self.rules.by_events {
            return;
        }
        self.tally.held += 1;
        let mut held = Held {
            instance: action.instance.clone(),
            began_at: action.began_at,
            heartbeat: action.hook.heartbeat,
            limit: action.hook.global_timeout(),
            renewed_at: action.began_at,
            live: 0,
            continuations: 0,
            copies: self.book.requests.get(&action.instance).copied().unwrap_or_default(),
            is_told: false,
            urgent: false,
            looked_up: false,
            lost: false,
            strikes: Vec::new(),
            is_over: false,
            ended_at: None,
            unmarked: false,
            races: 0,
        };
        // The mark is one for both.
        let others =
            self.book.held.values_mut().filter(|other| !other.is_over && other.instance == action.instance);
        for other in others {
            other.unmarked = true;
            held.unmarked = true;
        }
        self.book.held.insert(Rc::from(token), held);
    }

    fn happened(&mut self, entry: &Entry) {
        match entry.what {
            "call" => {
                self.tally.calls += 1;
                match entry.text("error") {
                    None => {}
                    Some("ThrottlingException" | "Throttling") => self.tally.throttled += 1,
                    Some(_) => self.tally.failed += 1,
                }
            }
            "note" => {
                let note = entry.text("text").unwrap_or_default();
                if let Some((what, instance)) = note.split_once(' ') {
                    if ["IsRequested", "IsInterrupted", "IsRecommended"].contains(&what) {
                        self.book.asked_for.insert(instance.to_owned());
                    }
                    if MEDDLES.contains(&what) {
                        self.book.uncertain.insert(instance.to_owned(), entry.at);
                    }
                    self.by_hand = Some((entry.at, instance.to_owned()));
                }
            }
            "heartbeat" => {
                let token = entry.text("token").unwrap_or_default();
                if let Some(held) = self.book.held.get_mut(token) {
                    held.renewed_at = entry.at;
                }
            }
            "interrupted" => {
                self.tally.interrupted += 1;
                let instance = entry.text("instance").unwrap_or_default().to_owned();
                self.book.interrupted.insert(instance, entry.at);
            }
            "instance_state" => {
                let instance = entry.text("instance").unwrap_or_default();
                if entry.text("state") == Some("InService") {
                    self.book.in_service.insert(instance.to_owned());
                } else {
                    self.book.in_service.remove(instance);
                }
            }
            "container_instance_state" if entry.text("status") == Some("DRAINING") => {
                self.set_draining(entry);
            }
            "task_stopped" => self.tally.tasks_stopped += 1,
            "hook_completed" => self.completed(entry),
            _ => {}
        }
    }

    /// The function has set an instance to DRAINING: it must be on its way out, or somebody has asked for it.
    fn set_draining(&mut self, entry: &Entry) {
        let instance = entry.text("instance").unwrap_or_default();
        let mine = |held: &&Held| held.instance == instance;
        let mut mine = self.book.held.values().filter(mine).peekable();
        let race = self.rules.race();
        let was_leaving = |held: &Held| {
            // A message that is less than a minute old is believed: reads may be late by seconds, too.
            held.began_at + FRESH >= entry.at
                || held.ended_at.is_none_or(|ended_at| ended_at + race >= entry.at)
        };
        let is_in_service = self.book.in_service.contains(instance);
        let is_asked_for = self.book.asked_for.contains(instance);
        if is_in_service && mine.peek().is_some() && !mine.any(was_leaving) && !is_asked_for {
            self.fail(entry.at, format!("{instance}: set to DRAINING, though it is in service"));
        }
    }

    /// The function has logged something.
    fn said(&mut self, line: &Line) {
        let interval = self.rules.interval;
        if let Some(instance) = &line.instance {
            // Where it could not be read whether a hook holds an instance that takes tasks, it is left alone, and unmarked.
            let unmarked =
                ["no cluster has the instance", "waiting: autoscaling:DescribeAutoScalingInstances failed"];
            if unmarked.iter().any(|part| line.message.contains(part)) {
                for held in self.book.held.values_mut().filter(|held| held.instance == *instance) {
                    held.unmarked = true;
                }
            }
            let explains = line.message.starts_with("hook completed: the deadline has come")
                || line.message.starts_with("hook completed: no cluster has the instance")
                || line.message.starts_with("hook not completed");
            if explains {
                self.unexplained.retain(|(unexplained, _)| unexplained != instance);
            }
            if ENDS.iter().any(|begin| line.message.starts_with(begin)) {
                self.book.requested.remove(instance);
            }
            let undone = ["hook not completed", "heartbeat not recorded"];
            if undone.iter().any(|begin| line.message.starts_with(begin)) {
                for held in self.book.held.values_mut().filter(|held| held.instance == *instance) {
                    held.strikes.push(Strike::lost(line.at, interval, Duration::ZERO));
                }
            }
        }
        // It does not name the instance, as its request is not read any further.
        if line.message.starts_with("skipped: drain request: its time is over") {
            let running = line.invocation.and_then(|number| self.book.running.get(&number));
            let ids = running.map(|running| running.ids.as_slice()).unwrap_or_default();
            for known in ids.iter().filter_map(|id| self.book.messages.get(id)) {
                if let Some(instance) = &known.requested {
                    self.book.requested.remove(instance);
                }
            }
        }
        // A mark is left where DRAINING is set.
        let unmarked = ["mark not left", "not set to DRAINING"];
        for token in self.tokens(line) {
            let Some(held) = self.book.held.get_mut(&token) else { continue };
            if unmarked.iter().any(|begin| line.message.starts_with(begin)) {
                held.unmarked = true;
            } else {
                held.strikes.push(Strike::lost(line.at, interval, Duration::ZERO));
            }
        }
        if line.message.starts_with("the look took too long") {
            self.unexplained.retain(|(_, invocation)| Some(*invocation) != line.invocation);
        }
    }

    /// The drains of a line that is about all of its invocation.
    fn tokens(&self, line: &Line) -> Vec<Rc<str>> {
        let about_all = [
            "timeouts of the hooks not read in time",
            "the look took too long",
            "mark not left",
            "not set to DRAINING",
        ];
        if !about_all.iter().any(|begin| line.message.starts_with(begin)) {
            return Vec::new();
        }
        let running = line.invocation.and_then(|number| self.book.running.get(&number));
        let ids = running.map(|running| running.ids.as_slice()).unwrap_or_default();
        ids.iter().filter_map(|id| self.book.messages.get(id)?.token.clone()).collect()
    }

    fn moved(&mut self, at: Moment, moved: Move) {
        match moved {
            Move::Sent { line, id, body, copy, .. } => self.sent(line, &id, &body, at, copy),
            Move::Lost(event) => self.lost(&event.to_string()),
            Move::Began { invocation, line, ids } => self.began(at, invocation, line, ids),
            Move::Ended { invocation, ending, done, back } => {
                self.ended(at, invocation, ending, &done, &back);
            }
            Move::Dead { id, body } => self.died(at, &id, &body),
        }
    }
}

/// Whether a way leads to the drainer.
fn is_drainers(line: Way) -> bool {
    line != Way::Event
}

/// Whether an invocation ended without an answer that Lambda could take.
fn is_lost(ending: Ending) -> bool {
    matches!(ending, Ending::Killed | Ending::TimedOut)
}
