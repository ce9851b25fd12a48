//! Counts → data.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use crate::metric::{Datum, Resolution, Unit};
use crate::snapshot::Cluster;

/// Launch types as the metrics' names end. ECS writes them in other cases, and may add to them.
const LAUNCH_TYPES: [&str; 4] = ["EC2", "Fargate", "External", "ManagedInstances"];

/// Beginnings of a statistic's name, with what is counted and the metric's name.
const STATISTICS: [(&str, &str, &str); 4] = [
    ("running", "task", "RunningTask"),
    ("pending", "task", "PendingTask"),
    ("active", "service", "ActiveServices"),
    ("draining", "service", "DrainingServices"),
];

/// The data of a tick.
#[must_use]
pub fn data(clusters: &[Cluster], launch_types: bool, at: Timestamp) -> Vec<Datum> {
    let mut data = Vec::with_capacity(clusters.len() * 4);
    for one in clusters {
        let cluster: Arc<str> = one.name.as_str().into();
        let datum = |name: Cow<'static, str>, value: f64| Datum {
            name,
            cluster: Arc::clone(&cluster),
            service: None,
            value,
            unit: Unit::Count,
            at,
            resolution: Resolution::High,
        };
        let published = [
            ("RunningTask", one.running),
            ("PendingTask", one.pending),
            ("ActiveServices", one.services),
            ("RegisteredContainerInstances", one.instances),
        ];
        data.extend(published.map(|(name, count)| datum(name.into(), count.into())));
        if launch_types {
            let splits =
                one.statistics.iter().filter_map(|(name, value)| Some((metric(name)?, value.parse().ok()?)));
            data.extend(splits.map(|(name, value)| datum(name.into(), value)));
        }
    }
    data
}

/// The metric of a statistic: `RunningFargateTasksCount` → `RunningTaskFargate`. None of one that counts something
/// else.
fn metric(statistic: &str) -> Option<String> {
    let lower = statistic.to_ascii_lowercase();
    let (begin, counted, name) = STATISTICS.iter().find(|(begin, ..)| lower.starts_with(begin))?;
    let counted = [format!("{counted}scount"), format!("{counted}count")];
    let end = counted.iter().find(|end| lower.ends_with(end.as_str()))?;
    let found = statistic.get(begin.len()..statistic.len().checked_sub(end.len())?)?;
    let known = LAUNCH_TYPES.iter().find(|known| known.eq_ignore_ascii_case(found));
    (!found.is_empty()).then(|| format!("{name}{}", known.unwrap_or(&found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_read_in_whatever_case() {
        for (statistic, expected) in [
            ("runningEC2TasksCount", Some("RunningTaskEC2")),
            ("RunningFargateTasksCount", Some("RunningTaskFargate")),
            ("pendingEC2TasksCount", Some("PendingTaskEC2")),
            ("PendingFargateTasksCount", Some("PendingTaskFargate")),
            ("RunningExternalTasksCount", Some("RunningTaskExternal")),
            ("runningMANAGEDINSTANCESTasksCount", Some("RunningTaskManagedInstances")),
            ("activeEC2ServiceCount", Some("ActiveServicesEC2")),
            ("ActiveFargateServiceCount", Some("ActiveServicesFargate")),
            ("drainingEC2ServiceCount", Some("DrainingServicesEC2")),
            ("DrainingExternalServicesCount", Some("DrainingServicesExternal")),
            ("RunningMoonTasksCount", Some("RunningTaskMoon")),
            ("runningTasksCount", None),
            ("stoppedEC2TasksCount", None),
            ("activeCapacityProviders", None),
            ("", None),
        ] {
            assert_eq!(metric(statistic).as_deref(), expected, "{statistic}");
        }
    }

    #[test]
    fn a_cluster_has_the_published_four_and_what_is_asked_for() {
        let cluster = Cluster {
            name: "prod".to_owned(),
            running: 7,
            pending: 2,
            services: 3,
            instances: 4,
            statistics: [("runningEC2TasksCount", "7"), ("RunningFargateTasksCount", "many")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        };
        let published =
            ["RunningTask 7", "PendingTask 2", "ActiveServices 3", "RegisteredContainerInstances 4"];
        for (launch_types, more) in [(false, vec![]), (true, vec!["RunningTaskEC2 7"])] {
            let data = data(std::slice::from_ref(&cluster), launch_types, Timestamp::UNIX_EPOCH);
            let found: Vec<String> = data.iter().map(|one| format!("{} {}", one.name, one.value)).collect();
            assert_eq!(found, [published.to_vec(), more].concat());
            assert!(data.iter().all(|one| &*one.cluster == "prod" && one.resolution == Resolution::High));
        }
    }
}
