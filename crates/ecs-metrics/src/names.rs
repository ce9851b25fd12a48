//! The names of the clusters that are measured, remembered for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_helpers::fault::Fault;
use jiff::Timestamp;

use crate::clusters::{Selector, select};
use crate::decide::schedule::until;
use crate::{EcsMetrics, observe};

/// What was listed last, and when.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<Option<(Timestamp, Arc<[String]>)>>);

impl EcsMetrics {
    /// The names that the setting means: as they were remembered, if that is no longer ago than `age`, or if they cannot be
    /// read now.
    pub(crate) async fn names(&self, age: Duration) -> Result<Arc<[String]>, Fault> {
        let now = self.now();
        let known = self.names.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, names)) = &known
            && until(*at, now) <= age
        {
            return Ok(Arc::clone(names));
        }
        let selectors = &self.settings.clusters;
        let listed = if selectors.iter().any(Selector::needs_list) {
            observe::listed(&self.clients, selectors.iter().any(Selector::needs_tags)).await
        } else {
            Ok(Vec::new())
        };
        match (listed, known) {
            (Ok(listed), _) => {
                let names: Arc<[String]> = select(selectors, &listed).into();
                *self.names.0.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((now, Arc::clone(&names)));
                Ok(names)
            }
            (Err(fault), Some((_, names))) => {
                tracing::warn!("clusters not listed, as they were before: {fault}");
                Ok(names)
            }
            (Err(fault), None) => Err(fault),
        }
    }
}
