//! Lifecycle hooks and the actions that hold an instance.

use std::time::Duration;

use serde_json::json;

use super::{Happening, World, clock::Moment, events, names};
use crate::error::ApiError;

/// A hook for terminating instances.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// Topic that is told; without one only the event bus is.
    pub target: Option<String>,
    /// Role that may publish there.
    pub role: Option<String>,
    /// Text that goes with every message.
    pub metadata: Option<String>,
    /// How long an action waits without a heartbeat: 30 to 7,200 s.
    pub heartbeat: Duration,
    /// What a time-out counts as.
    pub default_result: ActionResult,
}

impl Hook {
    /// The longest wait, heartbeats or not: 48 hours or 100 heartbeat timeouts, whichever is shorter.
    pub fn global_timeout(&self) -> Duration {
        (self.heartbeat * 100).min(Duration::from_hours(48))
    }
}

/// How a lifecycle action ends. A terminating instance goes either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionResult {
    /// Other hooks may still hold the instance.
    Continue,
    /// No other hook holds it any longer.
    Abandon,
}

impl ActionResult {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Continue => "CONTINUE",
            Self::Abandon => "ABANDON",
        }
    }

    /// From the API's text.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        match text {
            "CONTINUE" => Ok(Self::Continue),
            "ABANDON" => Ok(Self::Abandon),
            other => Err(ApiError::validation(format!(
                "Lifecycle action result must be CONTINUE or ABANDON, not {other}"
            ))),
        }
    }
}

/// Who ended a lifecycle action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// `CompleteLifecycleAction`.
    Call,
    /// No heartbeat in time, or the global timeout.
    Timeout,
    /// Another hook was abandoned, or the instance left by another way.
    Cancelled,
}

/// How a lifecycle action ended.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// When.
    pub at: Moment,
    /// CONTINUE or ABANDON.
    pub result: ActionResult,
    /// Who ended it.
    pub by: EndedBy,
    /// Tasks of the instance whose last status was not STOPPED at that instant: the World's truth.
    pub tasks_not_stopped: usize,
}

/// An instance, held by a hook.
#[derive(Clone, Debug)]
pub struct LifecycleAction {
    /// Its token.
    pub token: String,
    /// The hook, as it was when the action began.
    pub hook: Hook,
    /// Name of the group.
    pub group: String,
    /// The instance that is held.
    pub instance: String,
    /// When it began.
    pub began_at: Moment,
    /// When it times out unless a heartbeat comes.
    pub expires_at: Moment,
    /// Heartbeats so far.
    pub heartbeats: usize,
    /// Its end.
    pub outcome: Option<Outcome>,
}

/// Which lifecycle action a call means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActionKey<'a> {
    pub(crate) group: &'a str,
    pub(crate) hook: &'a str,
    pub(crate) instance: Option<&'a str>,
    pub(crate) token: Option<&'a str>,
}

impl World {
    pub(crate) fn begin_action(&mut self, instance: &str, group: &str, hook: &Hook) {
        let token = names::uuid(&mut self.rng);
        let action = LifecycleAction {
            token: token.clone(),
            hook: hook.clone(),
            group: group.to_owned(),
            instance: instance.to_owned(),
            began_at: self.now,
            expires_at: self.now + hook.heartbeat,
            heartbeats: 0,
            outcome: None,
        };
        self.record("hook_started", json!({"instance": instance, "hook": hook.name, "token": token}));
        self.announce(&action);
        self.at(action.expires_at, Happening::ActionExpires(token.clone()));
        self.actions.insert(token, action);
    }

    /// The open action that a call means, by token or by instance; both must fit when both are given.
    pub(crate) fn find_action(&self, key: ActionKey<'_>) -> Result<String, ApiError> {
        let mut open = self.actions.values().filter(|action| action.outcome.is_none());
        let found = open.find(|action| {
            action.group == key.group
                && action.hook.name == key.hook
                && key.instance.is_none_or(|instance| action.instance == instance)
                && key.token.is_none_or(|token| action.token == token)
        });
        match (found, key.instance, key.token) {
            (_, None, None) => Err(ApiError::validation("Either a token or an instance ID must be given")),
            (Some(action), ..) => Ok(action.token.clone()),
            (None, Some(instance), None) => Err(no_action("instance ID", instance)),
            (None, _, Some(token)) => Err(no_action("token", token)),
        }
    }

    /// Starts an action's time-out again, never past the global timeout.
    pub(crate) fn heartbeat(&mut self, token: &str) {
        let now = self.now;
        let Some(action) = self.actions.get_mut(token).filter(|action| action.outcome.is_none()) else {
            return;
        };
        let limit = action.began_at + action.hook.global_timeout();
        action.expires_at = (now + action.hook.heartbeat).min(limit);
        action.heartbeats += 1;
        let (expires_at, instance) = (action.expires_at, action.instance.clone());
        self.record("heartbeat", json!({"instance": instance, "token": token}));
        self.at(expires_at, Happening::ActionExpires(token.to_owned()));
    }

    pub(crate) fn action_expires(&mut self, token: &str) {
        let Some(action) = self.actions.get(token).filter(|action| action.expires_at == self.now) else {
            return;
        };
        self.end_action(token, action.hook.default_result, EndedBy::Timeout);
    }

    /// Ends an action; the instance proceeds when none holds it any more.
    pub(crate) fn end_action(&mut self, token: &str, result: ActionResult, by: EndedBy) {
        let Some(action) = self.actions.get(token).filter(|action| action.outcome.is_none()) else { return };
        let (instance, hook) = (action.instance.clone(), action.hook.name.clone());
        let outcome =
            Outcome { at: self.now, result, by, tasks_not_stopped: self.unstopped_tasks(&instance) };
        self.record(
            "hook_completed",
            json!({
                "instance": instance, "hook": hook, "token": token, "result": result.name(),
                "by": format!("{by:?}").to_lowercase(), "tasks_not_stopped": outcome.tasks_not_stopped,
            }),
        );
        if let Some(action) = self.actions.get_mut(token) {
            action.outcome = Some(outcome);
        }
        if by == EndedBy::Cancelled {
            return;
        }
        let others = self.open_actions(&instance);
        if result == ActionResult::Abandon {
            for other in &others {
                self.end_action(other, ActionResult::Abandon, EndedBy::Cancelled);
            }
        }
        if others.is_empty() || result == ActionResult::Abandon {
            self.proceed(&instance);
        }
    }

    /// Tokens of the actions that hold an instance.
    pub(crate) fn open_actions(&self, instance: &str) -> Vec<String> {
        let of_instance = self.actions.values().filter(|action| action.instance == instance);
        of_instance.filter(|action| action.outcome.is_none()).map(|action| action.token.clone()).collect()
    }

    /// Sends the one message by which a new hook's target is tried.
    pub(crate) fn test_hook(&mut self, group: &str, target: &str) {
        let message = events::test_notification(self, group);
        let subject = format!("Auto Scaling: test notification for group \"{group}\"");
        self.notify(target, Some(subject), message);
    }

    /// Tells the hook's target and the event bus that an action began.
    fn announce(&mut self, action: &LifecycleAction) {
        if let Some(target) = &action.hook.target {
            let subject = format!(
                "Auto Scaling:  Lifecycle action 'TERMINATING' for instance {} in progress.",
                action.instance
            );
            let message = events::lifecycle_message(self, action);
            self.notify(target, Some(subject), message);
        }
        let event = events::lifecycle_event(self, action);
        self.send(event);
    }
}

fn no_action(by: &str, value: &str) -> ApiError {
    ApiError::validation(format!("No active Lifecycle Action found with {by} {value}"))
}
