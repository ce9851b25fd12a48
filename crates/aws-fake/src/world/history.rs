//! What happened, for assertions, the demo and the server's `GET /history`.

use serde_json::{Map, Value, json};

use super::{
    World,
    clock::{Calendar, Moment},
};

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When.
    pub at: Moment,
    /// `call`, `task_started`, `task_running`, `task_stopping`, `task_stopped`, `task_killed`,
    /// `instance_state`, `container_instance_state`, `hook_started`, `hook_completed`, `heartbeat`,
    /// `published`, `looked_up`, `interrupted`, `rebalance_recommended` or `target_state`.
    pub what: &'static str,
    /// What else there is to say of it.
    pub fields: Map<String, Value>,
}

impl Entry {
    /// A field's text, when it is there and a text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// As one flat JSON object with the moment as RFC 3339.
    pub fn to_json(&self, calendar: Calendar) -> Value {
        let mut object = self.fields.clone();
        object.insert("at".to_owned(), json!(calendar.rfc3339(self.at)));
        object.insert("what".to_owned(), json!(self.what));
        Value::Object(object)
    }
}

impl World {
    /// Writes down what happens now. Fields are the members of an object.
    pub(crate) fn record(&mut self, what: &'static str, fields: Value) {
        let fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        self.remember(Entry { at: self.now(), what, fields });
    }

    /// The calls so far: when, which operation, and the error's code if there was one.
    pub fn calls(&self) -> impl Iterator<Item = (Moment, &str, Option<&str>)> {
        let calls = self.history().iter().filter(|entry| entry.what == "call");
        calls.map(|call| (call.at, call.text("operation").unwrap_or_default(), call.text("error")))
    }

    /// How often an operation was called, refused calls included.
    pub fn count_calls(&self, operation: &str) -> usize {
        self.calls().filter(|(_, called, _)| *called == operation).count()
    }

    /// How often each operation was called, refused calls included.
    pub fn calls_by_operation(&self) -> std::collections::BTreeMap<String, usize> {
        let mut counts = std::collections::BTreeMap::new();
        for (_, operation, _) in self.calls() {
            *counts.entry(operation.to_owned()).or_default() += 1;
        }
        counts
    }
}
