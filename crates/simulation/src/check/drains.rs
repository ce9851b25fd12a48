//! What is known of each lifecycle action and of each message.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

use aws_fake::plumbing::Line;
use aws_fake::world::clock::Moment;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::rules::Disturbed;

/// A lifecycle action, from its begin to its end.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Held {
    pub(super) instance: String,
    pub(super) began_at: Moment,
    pub(super) heartbeat: Duration,
    /// The longest wait, heartbeats or not.
    pub(super) limit: Duration,
    /// The last heartbeat, or the begin.
    pub(super) renewed_at: Moment,
    /// Messages about it that wait, or are being worked on.
    pub(super) live: usize,
    /// Continuations that were published.
    pub(super) continuations: usize,
    /// Messages that came twice, or came back; and requests for the same instance, whose drains meet this one.
    pub(super) copies: usize,
    /// Whether its first message has been sent. Auto Scaling may tell it as an event, too.
    pub(super) is_told: bool,
    /// Whether it has had an end of its own to keep, from a spot notice.
    pub(super) urgent: bool,
    /// Whether the drain of a request has looked a hook of the instance up, and goes on by itself.
    pub(super) looked_up: bool,
    /// Whether AWS lost an event about it.
    pub(super) lost: bool,
    /// What kept the function from it.
    pub(super) strikes: Vec<Strike>,
    /// Whether it has ended.
    pub(super) is_over: bool,
    /// When that was.
    pub(super) ended_at: Option<Moment>,
    /// Whether its instance cannot bear a mark, as far as the function has said, or bears another drain's.
    pub(super) unmarked: bool,
    /// How often a pass began while another of it was at work: the mark may be the older one's.
    pub(super) races: usize,
}

/// A pass, or what should have been one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strike {
    pub(super) at: Moment,
    /// If it was lost, or could not do what was due: until the next one.
    pub(super) lost: Option<Duration>,
    /// How late it came.
    pub(super) late: Duration,
    /// How long it took.
    pub(super) long: Duration,
}

impl Strike {
    /// One that could not do what was due.
    pub(super) fn lost(at: Moment, wait: Duration, long: Duration) -> Self {
        Self { at, lost: Some(wait), late: Duration::ZERO, long }
    }
}

impl Held {
    /// What kept the function from it since a moment.
    pub(super) fn disturbed(&self, since: Moment) -> Disturbed {
        let strikes = self.strikes.iter().filter(|strike| strike.at >= since);
        strikes.fold(Disturbed::default(), |sum, strike| Disturbed {
            lost: sum.lost + u32::from(strike.lost.is_some()),
            wait: sum.wait + strike.lost.unwrap_or_default(),
            late: sum.late.max(strike.late),
            long: sum.long.max(strike.long),
        })
    }
}

/// A message, as far as a drain is concerned.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The lifecycle action that it is about, by token.
    pub(super) token: Option<Rc<str>>,
    /// The pass; none in the hook's own message.
    pub(super) pass: Option<u32>,
    /// When it should be seen, had it not been late.
    pub(super) due: Moment,
    /// Whether it names the container instance.
    pub(super) is_placed: bool,
    /// The instance, where it is somebody's request.
    pub(super) requested: Option<String>,
    /// The instance, where it carries a drain without a token: a request's, whose hook was looked up.
    pub(super) nameless: Option<String>,
    /// Whether it carries a hook.
    pub(super) is_hooked: bool,
}

#[derive(Deserialize)]
struct Body {
    #[serde(rename = "LifecycleActionToken")]
    token: Option<String>,
    #[serde(rename = "DrainPass")]
    pass: Option<u32>,
    #[serde(rename = "Hook")]
    hook: Option<HookBody>,
    #[serde(rename = "ContainerInstance")]
    place: Option<IgnoredAny>,
    #[serde(rename = "DrainRequest")]
    request: Option<IgnoredAny>,
    #[serde(rename = "EC2InstanceId")]
    instance: Option<String>,
    detail: Option<Detail>,
}

#[derive(Deserialize)]
struct HookBody {
    #[serde(rename = "Token")]
    token: Option<String>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(rename = "LifecycleActionToken")]
    token: Option<String>,
}

impl Known {
    /// Reads a message that is on its way.
    pub(super) fn read(body: &str, due: Moment) -> Self {
        let nothing = Self {
            token: None,
            pass: None,
            due,
            is_placed: false,
            requested: None,
            nameless: None,
            is_hooked: false,
        };
        let Ok(body) = serde_json::from_str::<Body>(body) else { return nothing };
        let is_hooked = body.hook.is_some();
        let token = body.token.or(body.hook.and_then(|hook| hook.token));
        let token = token.or(body.detail.and_then(|detail| detail.token));
        let nameless = body.instance.clone().filter(|_| token.is_none() && body.pass.is_some());
        let requested = body.request.and(body.instance);
        let (token, is_placed) = (token.map(Rc::from), body.place.is_some());
        Self { token, pass: body.pass, due, is_placed, requested, nameless, is_hooked }
    }
}

/// An invocation that runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) line: Line,
    pub(super) began_at: Moment,
    pub(super) ids: Vec<Rc<str>>,
    /// Calls so far, without the SDK's further attempts.
    pub(super) calls: usize,
    /// If every message in it is a copy of one that was answered before: most calls for all of them.
    pub(super) copies_cost: Option<usize>,
    /// Whether a call had to be made again.
    pub(super) is_troubled: bool,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// By token.
    pub(super) held: HashMap<Rc<str>, Held>,
    /// Instances that are in service again, or at last.
    pub(super) in_service: HashSet<String>,
    /// Instances whose drain somebody asked for.
    pub(super) asked_for: HashSet<String>,
    /// Instances whose drain a message has asked for, and of which the log has not said yet how it ended.
    pub(super) requested: HashMap<String, Moment>,
    /// Instances that EC2 interrupts, and since when.
    pub(super) interrupted: HashMap<String, Moment>,
    /// How many messages have asked for the drain of an instance, copies too.
    pub(super) requests: HashMap<String, usize>,
    /// By message id.
    pub(super) messages: HashMap<Rc<str>, Known>,
    pub(super) running: HashMap<usize, Running>,
    /// Tokens and passes of messages that were answered, and by when.
    pub(super) answered: HashMap<(Rc<str>, Option<u32>), Moment>,
    /// Instances whose registration is not what the function can count on, and since when.
    pub(super) uncertain: HashMap<String, Moment>,
    /// Tokens of each instance that the function asked to be completed, and in which invocation.
    pub(super) asked: HashMap<String, Vec<(Option<String>, usize)>>,
}

impl Book {
    /// The lifecycle actions that a message is about, by token: its own, or, where it carries no token, those that
    /// hold its instance.
    pub(super) fn about(&self, id: &Rc<str>) -> Vec<Rc<str>> {
        let Some(known) = self.messages.get(id) else { return Vec::new() };
        if let Some(token) = &known.token {
            return vec![Rc::clone(token)];
        }
        let Some(instance) = known.requested.as_ref().or(known.nameless.as_ref()) else { return Vec::new() };
        let holds = |held: &Held| !held.is_over && held.instance == *instance;
        self.held.iter().filter(|(_, held)| holds(held)).map(|(token, _)| Rc::clone(token)).collect()
    }
}
