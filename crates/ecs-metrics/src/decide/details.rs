//! What is read once a minute → data; and in which order clusters are visited.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::decide::schedule::until;
use crate::metric::{Datum, Resolution, Unit};
use crate::snapshot::{Instances, Service, Size, Task};

/// How long an agent must be disconnected to be counted. Agents reconnect several times an hour as a matter of
/// course.
pub const DISCONNECTED: Duration = Duration::from_secs(300);

/// The place in a list of clusters at which a minute's round begins.
///
/// A round that does not come to the end of the list is not continued, since nothing is remembered; steps of the golden
/// ratio spread the beginnings, so that every cluster has its turn.
#[must_use]
pub fn first_of_round(minute: Timestamp, clusters: usize) -> usize {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15; // 2^64 / 1.618…
    let minutes = u64::try_from(minute.as_second() / 60).unwrap_or_default();
    let part = u128::from(minutes.wrapping_mul(STEP));
    let place = (part * u128::try_from(clusters).unwrap_or_default()) >> 64;
    usize::try_from(place).unwrap_or_default()
}

/// Notes since when agents of a cluster have been seen disconnected, and forgets those that are connected again.
pub fn note_disconnected(since: &mut BTreeMap<String, Timestamp>, disconnected: &[String], now: Timestamp) {
    since.retain(|arn, _| disconnected.contains(arn));
    for arn in disconnected {
        since.entry(arn.clone()).or_insert(now);
    }
}

/// Data of a cluster's minute.
#[derive(Clone, Debug)]
pub struct Details {
    cluster: Arc<str>,
    at: Timestamp,
    data: Vec<Datum>,
}

impl Details {
    /// None yet.
    #[must_use]
    pub fn new(cluster: &str, at: Timestamp) -> Self {
        Self { cluster: cluster.into(), at, data: Vec::new() }
    }

    /// All there are.
    #[must_use]
    pub fn into_data(self) -> Vec<Datum> {
        self.data
    }

    fn push(&mut self, name: &'static str, service: Option<&Arc<str>>, value: f64, unit: Unit) {
        self.data.push(Datum {
            name: name.into(),
            cluster: Arc::clone(&self.cluster),
            service: service.cloned(),
            value,
            unit,
            at: self.at,
            resolution: Resolution::Standard,
        });
    }

    /// Container instances. `since`: when the disconnected ones were first seen so.
    pub fn instances(&mut self, instances: &Instances, since: &BTreeMap<String, Timestamp>) {
        let long = |arn: &&String| since.get(*arn).is_some_and(|since| until(*since, self.at) > DISCONNECTED);
        let disconnected = instances.disconnected.iter().filter(long).count();
        for (name, count) in [
            ("ActiveInstances", instances.active.len()),
            ("DrainingInstances", instances.draining),
            ("DisconnectedInstances", disconnected),
        ] {
            self.push(name, None, number(count), Unit::Count);
        }
    }

    /// Services.
    pub fn services(&mut self, services: &[Service]) {
        for service in services {
            let name: Arc<str> = service.name.as_str().into();
            for (metric, value) in [
                ("ServiceRunningTask", f64::from(service.running)),
                ("ServicePendingTask", f64::from(service.pending)),
                ("ServiceDesiredTask", f64::from(service.desired)),
                ("DeploymentsInProgress", number(service.in_progress)),
                ("DeploymentsFailed", number(service.rolled_wrong)),
            ] {
                self.push(metric, Some(&name), value, Unit::Count);
            }
        }
    }

    /// How many more of the largest task fit. A cluster without tasks has no largest one, and no datum.
    pub fn capacity(&mut self, rooms: &[Size], tasks: &[Task]) {
        if let Some(fit) = fit(rooms, tasks) {
            self.push("CapacityForLargestTask", None, fit, Unit::Count);
        }
    }

    /// Age of the oldest pending task; 0 where none is.
    pub fn pending_age(&mut self, tasks: &[Task]) {
        let oldest = tasks.iter().filter_map(|task| task.pending_since).min();
        let age = oldest.map_or(Duration::ZERO, |since| until(since, self.at));
        self.push("OldestPendingTask", None, age.as_secs_f64(), Unit::Seconds);
    }
}

/// The largest task is the one with most memory and most CPU of all, which may be of two tasks: then what fits is
/// understated rather than overstated. Ports and placement constraints are not counted.
fn fit(rooms: &[Size], tasks: &[Task]) -> Option<f64> {
    let cpu = tasks.iter().map(|task| task.size.cpu).max()?;
    let memory = tasks.iter().map(|task| task.size.memory).max()?;
    if cpu <= 0 && memory <= 0 {
        return None;
    }
    let times = |room: i64, size: i64| if size > 0 { room.max(0) / size } else { i64::MAX };
    let fits = rooms.iter().map(|room| times(room.cpu, cpu).min(times(room.memory, memory)));
    #[allow(clippy::cast_precision_loss, reason = "a number of tasks")]
    Some(fits.sum::<i64>() as f64)
}

#[allow(clippy::cast_precision_loss, reason = "a count of things that were read one by one")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn values(details: Details) -> Vec<String> {
        details.into_data().iter().map(|datum| format!("{} {}", datum.name, datum.value)).collect()
    }

    #[test]
    fn what_fits_is_counted_by_instance() {
        let size = |(cpu, memory)| Size { cpu, memory };
        for (name, rooms, tasks, expected) in [
            ("no task", vec![(1_000, 1_000)], vec![], None),
            ("tasks of no size", vec![(1_000, 1_000)], vec![(0, 0)], None),
            ("by memory", vec![(4_000, 1_000)], vec![(256, 512)], Some(1.0)),
            ("by cpu", vec![(512, 9_000)], vec![(256, 512)], Some(2.0)),
            ("rests do not add up", vec![(255, 512), (255, 512)], vec![(256, 512)], Some(0.0)),
            ("several instances", vec![(512, 1_024), (256, 512)], vec![(256, 512)], Some(3.0)),
            ("the largest counts", vec![(1_024, 2_048)], vec![(128, 128), (512, 1_024)], Some(2.0)),
            ("most of each", vec![(1_024, 2_048)], vec![(1_024, 128), (128, 2_048)], Some(1.0)),
            ("no cpu asked for", vec![(0, 2_048)], vec![(0, 512)], Some(4.0)),
            ("overbooked", vec![(-5, 2_048)], vec![(256, 512)], Some(0.0)),
        ] {
            let rooms: Vec<Size> = rooms.into_iter().map(size).collect();
            let task = |sizes| Task { size: size(sizes), pending_since: None };
            let tasks: Vec<Task> = tasks.into_iter().map(task).collect();
            assert_eq!(fit(&rooms, &tasks), expected, "{name}");
        }
    }

    #[test]
    fn an_agent_counts_after_five_minutes_of_silence() {
        let mut since = BTreeMap::new();
        for (second, disconnected, expected) in [
            (0, vec!["a"], 0),
            (240, vec!["a", "b"], 0),
            (300, vec!["a"], 0),
            (301, vec!["a", "b"], 1),
            (360, vec![], 0),
            (420, vec!["a"], 0),
        ] {
            let now: Vec<String> = disconnected.iter().map(ToString::to_string).collect();
            note_disconnected(&mut since, &now, at(second));
            let mut details = Details::new("prod", at(second));
            let instances = Instances { disconnected: now, ..Instances::default() };
            details.instances(&instances, &since);
            assert_eq!(
                values(details).last().unwrap(),
                &format!("DisconnectedInstances {expected}"),
                "{second}"
            );
        }
    }

    #[test]
    fn the_oldest_pending_task_is_as_old_as_it_is() {
        let task = |since: Option<i64>| Task { size: Size::default(), pending_since: since.map(at) };
        for (tasks, expected) in
            [(vec![], 0), (vec![None], 0), (vec![Some(90), None, Some(30)], 70), (vec![Some(130)], 0)]
        {
            let mut details = Details::new("prod", at(100));
            details.pending_age(&tasks.iter().map(|since| task(*since)).collect::<Vec<_>>());
            assert_eq!(values(details), [format!("OldestPendingTask {expected}")], "{tasks:?}");
        }
    }

    #[test]
    fn every_cluster_has_its_turn() {
        for (clusters, reach) in [(1, 1), (10, 3), (1_000, 60)] {
            let mut seen = vec![false; clusters];
            for minute in 0..60 {
                let first = first_of_round(at(minute * 60), clusters);
                (0..reach).for_each(|step| seen[(first + step) % clusters] = true);
            }
            assert!(seen.iter().all(|seen| *seen), "{reach} of {clusters} a minute, for an hour");
        }
        assert_eq!(first_of_round(at(0), 0), 0);
    }
}
