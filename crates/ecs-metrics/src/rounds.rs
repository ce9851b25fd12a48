//! What is read once a minute, cluster after cluster, at a pace that leaves the account's quotas to others.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_helpers::fault::Fault;
use aws_helpers::pace::Pace;
use jiff::Timestamp;

use crate::decide::details::{Details, first_of_round, note_disconnected};
use crate::decide::schedule::until;
use crate::metric::Datum;
use crate::settings::Extra;
use crate::snapshot::Cluster;
use crate::{EcsMetrics, observe};

/// Between two reads of services, or two of container instances and tasks: each are refilled at 20 a second, of which
/// this takes a fifth.
const EVERY: Duration = Duration::from_millis(250);
/// Left of a round's time to write what was read.
const WRITING: Duration = Duration::from_secs(5);

/// Since when agents have been seen disconnected, by cluster. May be lost: then it takes five minutes more.
#[derive(Debug, Default)]
pub(crate) struct Silent(Mutex<BTreeMap<String, BTreeMap<String, Timestamp>>>);

/// The distances that reads keep.
struct Paces {
    services: Pace,
    instances_and_tasks: Pace,
}

impl EcsMetrics {
    /// Whether there is anything to read once a minute.
    pub(crate) fn has_rounds(&self) -> bool {
        self.settings.extras.iter().any(|extra| *extra != Extra::LaunchTypes)
    }

    /// Reads as many clusters as there is time for before `end`, and writes what was asked for as of `minute`.
    pub(crate) async fn round(&self, minute: Timestamp, end: Timestamp) {
        if !self.has_rounds() {
            return;
        }
        let mut paces = Paces { services: Pace::new(EVERY), instances_and_tasks: Pace::new(EVERY) };
        let names = match self.names(Duration::MAX).await {
            Ok(names) => names,
            Err(fault) => return tracing::error!("no round of further metrics: {fault}"),
        };
        let sight = observe::clusters(&self.clients, &names, false).await;
        for (clusters, fault) in &sight.failed {
            tracing::error!(clusters, kind = ?fault.kind, "no further metrics: {fault}");
        }
        let mut clusters = sight.clusters;
        let first = first_of_round(minute, clusters.len());
        clusters.rotate_left(first);
        let (mut data, mut visited) = (Vec::new(), 0);
        for cluster in &clusters {
            let left = until(self.now(), end).saturating_sub(WRITING);
            match tokio::time::timeout(left, self.details(cluster, minute, &mut paces)).await {
                Ok(Ok(of_cluster)) => data.extend(of_cluster),
                Ok(Err(fault)) => {
                    tracing::warn!(cluster = cluster.name, kind = ?fault.kind, "no further metrics: {fault}");
                }
                Err(_) => break,
            }
            visited += 1;
        }
        if visited < clusters.len() {
            tracing::info!(
                visited,
                clusters = clusters.len(),
                "the round goes on elsewhere in the next minute"
            );
        }
        if self.in_time(end, self.write(data)).await.is_none() {
            tracing::error!("the round's time was over before all was written");
        }
    }

    async fn details(
        &self,
        cluster: &Cluster,
        minute: Timestamp,
        paces: &mut Paces,
    ) -> Result<Vec<Datum>, Fault> {
        let wants = |extra| self.settings.wants(extra);
        let name = &cluster.name;
        let mut details = Details::new(name, minute);
        let mut active = Vec::new();
        if (wants(Extra::Instances) || wants(Extra::Capacity)) && cluster.instances > 0 {
            let instances = observe::instances(&self.clients, name, &mut paces.instances_and_tasks).await?;
            if wants(Extra::Instances) {
                let mut silent = self.silent.0.lock().unwrap_or_else(PoisonError::into_inner);
                let since = silent.entry(name.clone()).or_default();
                note_disconnected(since, &instances.disconnected, self.now());
                details.instances(&instances, since);
            }
            active = instances.active;
        } else if wants(Extra::Instances) {
            details.instances(&crate::snapshot::Instances::default(), &BTreeMap::new());
        }
        if wants(Extra::Services) && cluster.services > 0 {
            details.services(&observe::services(&self.clients, name, &mut paces.services).await?);
        }
        let any = cluster.running + cluster.pending > 0;
        let tasks = if (wants(Extra::Capacity) && any) || (wants(Extra::PendingAge) && cluster.pending > 0) {
            observe::tasks(&self.clients, name, &mut paces.instances_and_tasks).await?
        } else {
            Vec::new()
        };
        if wants(Extra::Capacity) && any {
            let rooms = observe::rooms(&self.clients, name, &active, &mut paces.instances_and_tasks).await?;
            details.capacity(&rooms, &tasks);
        }
        if wants(Extra::PendingAge) {
            details.pending_age(&tasks);
        }
        Ok(details.into_data())
    }
}
