//! The lock of a run or a launch: taken before anything is written, given back after a failure.

use aws_helpers::fault::Fault;
use serde_json::Value;

use crate::act::Holder;
use crate::decide::Memory;
use crate::error::Error;
use crate::instance::Frame;
use crate::{Invocation, TagPolicy, act, observe, state};

impl TagPolicy {
    /// Takes the lock; none if the event has been answered. While another attempt of the same invocation
    /// may still be at work that is not certain: an error, so that Lambda tries again.
    pub(crate) async fn lock(&self, holder: &Holder, quiet: Option<usize>) -> Result<Option<Memory>, Error> {
        let table = &self.settings.state_table;
        let memory = act::lock(&self.clients, table, holder, self.now(), quiet).await?;
        if memory.is_none() {
            let item = observe::item(&self.clients, table, &holder.item).await?;
            if state::is_busy(item.as_ref(), &holder.event, &holder.request, self.now()) {
                return Err(Error::Busy(holder.until));
            }
        }
        Ok(memory)
    }

    /// Gives the lock back after a failure.
    pub(crate) async fn or_release(
        &self,
        ended: Result<Value, Fault>,
        holder: &Holder,
    ) -> Result<Value, Fault> {
        if let Err(fault) = &ended {
            tracing::error!("failed, to be tried again: {fault}");
            // If that fails too, the retries fail until this attempt's time is over.
            if let Err(fault) = act::release(&self.clients, &self.settings.state_table, holder).await {
                tracing::warn!("the lock was not given back: {fault}");
            }
        }
        ended
    }
}

/// Who holds the lock of an item in this invocation for an event. A hand-made event has no id of its own.
pub(crate) fn holder(item: String, id: Option<&str>, frame: &Frame, invocation: &Invocation) -> Holder {
    Holder {
        item,
        event: id.unwrap_or(&invocation.request).to_owned(),
        time: frame.now,
        request: invocation.request.clone(),
        until: invocation.deadline,
        kept: state::SCOPE,
    }
}
