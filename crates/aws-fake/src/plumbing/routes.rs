//! What goes where: subscriptions with their filters, and rules.

use std::{rc::Rc, time::Duration};

use rand::Rng;
use serde_json::Value;

use super::{
    Line, Move, Plumbing,
    driver::{Direct, To},
    queue::Message,
};
use crate::world::{Departure, Outgoing, clock::Moment, names, text_for};

impl Plumbing {
    /// Delivers what left the World, twice now and then.
    pub(super) fn route(&mut self, outgoing: Outgoing) {
        if let Departure::Event(event) = &outgoing.what
            && self.loses(event)
        {
            self.stats.lost_events += 1;
            let event = event.clone();
            self.moved(|| Move::Lost(event));
            return;
        }
        let twice = self.rng.random_bool(self.settings.duplicate.clamp(0.0, 1.0));
        self.deliver(outgoing.clone(), false);
        if twice {
            self.stats.duplicates += 1;
            self.deliver(outgoing, true);
        }
    }

    /// Whether AWS loses an event. Those of ECS are durable; see the module's documentation.
    fn loses(&mut self, event: &Value) -> bool {
        let source = event.get("source").and_then(Value::as_str);
        match source {
            Some("aws.ecs") => self.settings.lose_task_events,
            Some("aws.ec2" | "aws.autoscaling") if self.settings.lose_best_effort > 0.0 => {
                self.rng.random_bool(self.settings.lose_best_effort.min(1.0))
            }
            _ => false,
        }
    }

    fn deliver(&mut self, Outgoing { at, what }: Outgoing, copy: bool) {
        match what {
            Departure::Notification { topic, subject, message, is_json, .. } => {
                // The queues and the function subscribe; a text of their own is what both are given.
                let protocol = if self.settings.direct { "lambda" } else { "sqs" };
                self.notify(topic, subject, text_for(&message, is_json, protocol), at, copy);
            }
            Departure::Event(event) => {
                let matching = self.others.iter().enumerate().filter(|(_, other)| (other.matches)(&event));
                let matching: Vec<_> = matching.map(|(place, _)| place).collect();
                for place in matching {
                    let message = self.message(event.to_string(), at, Duration::ZERO);
                    self.hand(Direct { to: To::Other(place), message }, copy);
                }
                if self.is_ruled(&event) {
                    self.put(Line::First, event.to_string(), at, copy);
                }
            }
        }
    }

    /// Whether a rule takes an event to the first queue.
    fn is_ruled(&self, event: &Value) -> bool {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        match text("/source") {
            Some("aws.ecs") => true,
            Some("aws.autoscaling") => self.settings.lifecycle_events,
            Some("aws.ec2") => {
                text("/detail-type") == Some("EC2 Instance State-change Notification")
                    && text("/detail/state") == Some("terminated")
            }
            _ => false,
        }
    }

    /// The subscriptions' filters read the body: one that is no JSON object passes none of them.
    fn notify(&mut self, topic: String, subject: Option<String>, body: String, at: Moment, copy: bool) {
        let Ok(Value::Object(object)) = serde_json::from_str(&body) else {
            self.stats.filtered += 1;
            return;
        };
        match (object.contains_key("DrainPass"), object.contains_key("Until")) {
            (true, true) => self.put(Line::Urgent, body, at, copy),
            (true, false) => self.put(Line::Continuation, body, at, copy),
            (false, _) if self.settings.direct => {
                let message = self.message(body, at, Duration::ZERO);
                self.hand(Direct { to: To::Topic { topic, subject }, message }, copy);
            }
            (false, _) => self.put(Line::First, body, at, copy),
        }
    }

    /// Puts a message into a queue, with the queue's delay.
    pub(super) fn put(&mut self, line: Line, body: String, at: Moment, copy: bool) {
        let delay = match line {
            Line::Continuation => self.settings.pass_interval,
            Line::Urgent => self.settings.urgent_interval,
            Line::First | Line::Topic | Line::Event => Duration::ZERO,
        };
        let message = self.message(body, at, delay);
        self.sent(line, &message, copy);
        self.queue(line).put(message);
    }

    fn hand(&mut self, direct: Direct, copy: bool) {
        let line = if matches!(direct.to, To::Other(_)) { Line::Event } else { Line::Topic };
        self.sent(line, &direct.message, copy);
        self.direct.push(direct);
    }

    fn sent(&mut self, line: Line, message: &Message, copy: bool) {
        self.moved(|| Move::Sent {
            line,
            id: Rc::clone(&message.id),
            body: Rc::clone(&message.body),
            seen_at: message.visible_at,
            copy,
        });
    }

    fn message(&mut self, body: String, sent_at: Moment, delay: Duration) -> Message {
        let (from, to) = self.settings.delivery_seconds;
        let seconds = if from < to { self.rng.random_range(from..=to) } else { from };
        let delivery = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let id = names::uuid(&mut self.rng).into();
        let visible_at = sent_at + delivery + delay;
        Message { id, body: body.into(), sent_at, visible_at, receives: 0 }
    }
}
