//! The cluster query language, as far as it is used here.
//!
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html>

use crate::{
    error::ApiError,
    world::{clock::Moment, ecs::ContainerInstance},
};

/// What a container instance must be to be listed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// One of these EC2 instances.
    Instances(Vec<String>),
    /// Its agent answers, or does not.
    Connected(bool),
}

impl Filter {
    /// Reads `ec2InstanceId == i-…`, `ec2InstanceId in [i-…, i-…]` or `agentConnected == false`; everything else
    /// of the language is refused.
    pub(super) fn read(filter: &str) -> Result<Self, ApiError> {
        let invalid = || ApiError::invalid_parameter(format!("Invalid filter expression: {filter}"));
        let filter = filter.trim();
        let read = match filter.strip_prefix("agentConnected") {
            Some(rest) => connected(rest.trim()),
            None => filter.strip_prefix("ec2InstanceId").and_then(|rest| instances(rest.trim())),
        };
        read.ok_or_else(invalid)
    }

    /// Whether a container instance is listed.
    pub(super) fn takes(&self, member: &ContainerInstance, at: Moment) -> bool {
        match self {
            Self::Instances(wanted) => wanted.contains(&member.instance),
            Self::Connected(wanted) => member.connected.at(at) == Some(*wanted),
        }
    }
}

fn connected(rest: &str) -> Option<Filter> {
    let wanted = rest.strip_prefix("==")?.trim();
    wanted.parse().ok().map(Filter::Connected)
}

fn instances(rest: &str) -> Option<Filter> {
    let listed: Vec<_> = if let Some(one) = rest.strip_prefix("==") {
        vec![one]
    } else {
        rest.strip_prefix("in")?.trim().strip_prefix('[')?.strip_suffix(']')?.split(',').collect()
    };
    let ids: Vec<_> = listed.into_iter().map(|id| id.trim().to_owned()).collect();
    let is_id = |id: &String| {
        id.strip_prefix("i-").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    ids.iter().all(is_id).then_some(Filter::Instances(ids))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read() {
        let instances =
            |ids: &[&str]| Some(Filter::Instances(ids.iter().map(|id| (*id).to_owned()).collect()));
        let rows = [
            ("ec2InstanceId==i-1", instances(&["i-1"])),
            (" ec2InstanceId == i-1 ", instances(&["i-1"])),
            ("ec2InstanceId in [i-1]", instances(&["i-1"])),
            ("ec2InstanceId in [i-1, i-2,i-3]", instances(&["i-1", "i-2", "i-3"])),
            ("ec2InstanceId==i-1, i-2", None),
            ("ec2InstanceId in []", None),
            ("ec2InstanceId in i-1", None),
            ("ec2InstanceId", None),
            ("agentConnected == false", Some(Filter::Connected(false))),
            ("agentConnected==true", Some(Filter::Connected(true))),
            ("agentConnected != true", None),
            ("agentConnected == no", None),
            ("agentConnected", None),
            ("attribute:zone == a", None),
            ("", None),
        ];
        for (filter, expected) in rows {
            assert_eq!(Filter::read(filter).ok(), expected, "{filter}");
        }
    }
}
