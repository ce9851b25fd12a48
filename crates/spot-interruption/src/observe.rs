//! The reads: SDK answers → plain data. Writes nothing.

use aws_helpers::fault::{Fault, Kind};
use aws_sdk_ec2::types::Instance;
use jiff::Timestamp;

use crate::Clients;

/// As a policy names it.
pub(crate) const DESCRIBE: &str = "ec2:DescribeInstances";

/// What EC2 tells of an instance, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Its last launch.
    pub launched_at: Option<Timestamp>,
    /// The value of the tag that names its target groups.
    pub target_groups: Option<String>,
}

/// One instance, by its id and nothing else; none if EC2 does not know it (any more).
pub async fn instance(clients: &Clients, id: &str, tag: &str) -> Result<Option<Sight>, Fault> {
    let answer = clients.ec2.describe_instances().instance_ids(id).send().await;
    let answer = match answer.map_err(|error| Fault::of(DESCRIBE, error)) {
        Ok(answer) => answer,
        Err(fault) if fault.kind == Kind::Gone => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let reservations = answer.reservations.unwrap_or_default().into_iter();
    Ok(sight(reservations.flat_map(|one| one.instances.unwrap_or_default()), id, tag))
}

/// The instance among what was answered, which may be more than was asked for: by another's tag it would leave
/// target groups that are none of its business.
fn sight(mut instances: impl Iterator<Item = Instance>, id: &str, tag: &str) -> Option<Sight> {
    let instance = instances.find(|instance| instance.instance_id.as_deref() == Some(id))?;
    let mut tags = instance.tags.unwrap_or_default().into_iter();
    Some(Sight {
        launched_at: instance.launch_time.and_then(|at| Timestamp::from_second(at.secs()).ok()),
        target_groups: tags.find(|own| own.key.as_deref() == Some(tag)).and_then(|own| own.value),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::primitives::DateTime;
    use aws_sdk_ec2::types::Tag;

    use super::*;

    fn instance(id: &str, launched_at: i64, tags: &[(&str, &str)]) -> Instance {
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(*key).value(*value).build());
        let launched_at = DateTime::from_secs(launched_at);
        Instance::builder().instance_id(id).launch_time(launched_at).set_tags(Some(tags.collect())).build()
    }

    #[test]
    fn only_the_instance_itself_and_only_its_tag_count() {
        let answer = || {
            [
                instance("i-2", 2, &[("groups", "two")]),
                instance("i-1", 1, &[("Groups", "other"), ("groups", "one")]),
                instance("i-3", 3, &[("Name", "groups")]),
                Instance::builder().build(),
            ]
            .into_iter()
        };
        let seen = |launched_at, groups: Option<&str>| {
            let launched_at = Some(Timestamp::from_second(launched_at).unwrap());
            Some(Sight { launched_at, target_groups: groups.map(str::to_owned) })
        };
        for (id, expected) in [
            ("i-1", seen(1, Some("one"))),
            ("i-2", seen(2, Some("two"))),
            ("i-3", seen(3, None)),
            ("i-4", None),
        ] {
            assert_eq!(sight(answer(), id, "groups"), expected, "{id}");
        }
    }
}
