//! A plan of tags → the fewest calls → what became of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_helpers::fault::Fault;

use crate::act::{self, Unwritten, Write};
use crate::cover::cover;
use crate::decide::TagPlan;
use crate::instance::Instance;
use crate::{Clients, report};

/// What became of a plan.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// What was written.
    pub(crate) repairs: Vec<report::Repair>,
    /// What could not be, and why.
    pub(crate) failures: Vec<report::Failure>,
}

/// Writes a plan's tags, and then removes those that they replace.
pub(crate) async fn apply(clients: &Clients, plan: &TagPlan, instances: &[Instance], most: usize) -> Applied {
    let repairs = plan.repairs.iter().map(|one| (one.instance, one.key.as_str(), one.value.as_str()));
    let unwritten = act::create_tags(clients, writes(repairs, instances, most)).await;
    let failed = by_cell(&unwritten);
    let failed_ids: HashSet<&str> = unwritten.iter().map(|lost| lost.id.as_str()).collect();
    let is_failed = |at: usize| instances.get(at).is_none_or(|one| failed_ids.contains(one.id.as_str()));
    let removals = plan.removals.iter().filter(|one| !is_failed(one.instance));
    let removals = removals.map(|one| (one.instance, one.key.as_str(), one.value.as_str()));
    let undeleted = act::delete_tags(clients, writes(removals, instances, most)).await;
    let mut applied = Applied::default();
    for line in report::repairs(&plan.repairs, instances) {
        match failed.get(&(line.instance.as_str(), line.key.as_str())) {
            Some(fault) => applied.failures.push(failure(&line.instance, &line.key, fault)),
            None => applied.repairs.push(line),
        }
    }
    applied.failures.extend(undeleted.iter().map(|lost| failure(&lost.id, &lost.key, &lost.fault)));
    applied
}

fn by_cell(unwritten: &[Unwritten]) -> HashMap<(&str, &str), &Fault> {
    unwritten.iter().map(|lost| ((lost.id.as_str(), lost.key.as_str()), &lost.fault)).collect()
}

fn failure(instance: &str, key: &str, fault: &Fault) -> report::Failure {
    report::Failure { instance: instance.to_owned(), key: Some(key.to_owned()), reason: fault.to_string() }
}

/// Cells (instance, key, value) as calls.
fn writes<'c>(
    cells: impl Iterator<Item = (usize, &'c str, &'c str)>,
    instances: &[Instance],
    most: usize,
) -> Vec<Write> {
    let mut tags: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut names: Vec<(&str, &str)> = Vec::new();
    let mut seen: HashSet<(usize, &str)> = HashSet::new();
    let mut places = Vec::new();
    for (instance, key, value) in cells {
        // A call cannot hold two values for one key of an instance.
        if !seen.insert((instance, key)) {
            continue;
        }
        let tag = *tags.entry((key, value)).or_insert_with(|| {
            names.push((key, value));
            names.len() - 1
        });
        places.push((instance, tag));
    }
    let tag = |tag: &usize| names.get(*tag).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    cover(&places, most)
        .into_iter()
        .map(|rectangle| Write {
            ids: rectangle.instances.iter().filter_map(|at| Some(instances.get(*at)?.id.clone())).collect(),
            tags: rectangle.tags.iter().filter_map(tag).collect(),
        })
        .collect()
}
