//! A notice and what EC2 tells of its instance → what to do. Pure: no I/O, no clock, no SDK types.

use std::time::Duration;

use aws_helpers::fault::{Fault, Kind as FaultKind};
use jiff::Timestamp;
use serde::Serialize;

use crate::event::{Kind, Notice};
use crate::observe::Sight;
use crate::settings::{Rebalance, Settings};

/// From a warning until EC2 takes the instance (EC2, Spot Instance interruption notices).
pub const WARNING: Duration = Duration::from_secs(120);

/// Target groups of a tag's value that are called for. A value has 256 characters and an ARN at least 82, so
/// that no more fit; the bound of six calls an instance must not hang on that.
pub const TARGET_GROUPS: usize = 3;

/// What is done about a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Course {
    /// Drain request, target groups and a notice to the operators.
    HandOver,
    /// A drain request alone.
    Drain,
    /// It came when its two minutes were over. A terminated instance is gone, and a stopped one may have been
    /// started again under the same id: nothing is done to it. The operators are told.
    Late,
    /// Nothing, for this reason.
    Skip(&'static str),
}

/// What is done about a notice that is read at `now`.
#[must_use]
pub fn course(notice: &Notice, now: Timestamp, settings: &Settings) -> Course {
    match (notice.kind, settings.rebalance) {
        (Kind::Interruption(_), _) if until(notice).is_some_and(|until| until <= now) => Course::Late,
        (Kind::Interruption(_), _) => Course::HandOver,
        (Kind::Rebalance, Rebalance::Drain) => Course::Drain,
        (Kind::Rebalance, Rebalance::Ignore) => {
            Course::Skip("rebalance recommendations are ignored (REBALANCE)")
        }
    }
}

/// When EC2 takes the instance, if it said so.
#[must_use]
pub fn until(notice: &Notice) -> Option<Timestamp> {
    match notice.kind {
        Kind::Interruption(_) => Some(notice.time.checked_add(WARNING).unwrap_or(Timestamp::MAX)),
        Kind::Rebalance => None,
    }
}

/// What the drainer is asked for: the message of its topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DrainRequest {
    /// Why, in a few words, for the drainer's log.
    #[serde(rename = "DrainRequest")]
    pub reason: String,
    /// The instance.
    #[serde(rename = "EC2InstanceId")]
    pub instance: String,
    /// When the instance is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Its launch: one of long ago that no cluster knows is not about to register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launched_at: Option<Timestamp>,
}

/// The drain request for a notice. It is made whatever EC2 tells of the instance, also when EC2 does not know
/// it: reads of EC2 may be late, the drainer looks in ECS and not in EC2, and asking it in vain costs two calls.
#[must_use]
pub fn request(notice: &Notice, sight: Option<&Sight>) -> DrainRequest {
    let reason = match notice.kind {
        Kind::Interruption(action) => format!("spot interruption: {}", action.as_str()),
        Kind::Rebalance => "rebalance recommendation".to_owned(),
    };
    DrainRequest {
        reason,
        instance: notice.instance.clone(),
        until: until(notice),
        launched_at: sight.and_then(|sight| sight.launched_at),
    }
}

/// What a tag's value says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetGroups {
    /// ARNs of target groups, each once, in the order of the value.
    pub arns: Vec<String>,
    /// What stands beside them, and is none.
    pub refused: Vec<String>,
}

/// The target groups that a tag's value names, separated by commas or blanks.
#[must_use]
pub fn target_groups(value: &str) -> TargetGroups {
    let mut found = TargetGroups::default();
    let words = value.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    for word in words {
        let known = found.arns.iter().chain(&found.refused).any(|known| known == word);
        match (known, is_target_group(word) && found.arns.len() < TARGET_GROUPS) {
            (true, _) => {}
            (false, true) => found.arns.push(word.to_owned()),
            (false, false) => found.refused.push(word.to_owned()),
        }
    }
    found
}

/// `arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/my-targets/73e2d6bc24d8a067`.
fn is_target_group(word: &str) -> bool {
    let parts: Vec<&str> = word.split(':').collect();
    let ["arn", partition, "elasticloadbalancing", region, account, resource] = parts.as_slice() else {
        return false;
    };
    let Some(("targetgroup", name_and_id)) = resource.split_once('/') else { return false };
    let Some((name, id)) = name_and_id.split_once('/') else { return false };
    let is_name = |text: &str| {
        (1..=32).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    partition.starts_with("aws")
        && is_name(partition)
        && is_name(region)
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && is_name(name)
        && id.len() == 16
        && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether what failed can succeed when it is done again. What is denied, wrong or not there stays so until
/// somebody changes it, and is only told.
#[must_use]
pub fn may_succeed_again(fault: &Fault) -> bool {
    match fault.kind {
        FaultKind::Throttled | FaultKind::Unavailable => true,
        FaultKind::Gone | FaultKind::Denied | FaultKind::Invalid => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Action;

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn notice(kind: Kind) -> Notice {
        let (instance, time) = ("i-0b662ef9931388ba0".to_owned(), at("2026-05-08T17:00:00Z"));
        Notice { instance, kind, time, account: None, region: None }
    }

    fn settings(rebalance: Rebalance) -> Settings {
        Settings { drain_topic: "t".to_owned(), notice_topic: None, tag: "g".to_owned(), rebalance }
    }

    #[test]
    fn the_course_is_by_kind_time_and_setting() {
        let warning = Kind::Interruption(Action::Terminate);
        let skip = Course::Skip("rebalance recommendations are ignored (REBALANCE)");
        for (name, kind, now, rebalance, expected) in [
            ("at once", warning, "2026-05-08T17:00:00Z", Rebalance::Ignore, Course::HandOver),
            (
                "with a second left",
                Kind::Interruption(Action::Stop),
                "2026-05-08T17:01:59Z",
                Rebalance::Ignore,
                Course::HandOver,
            ),
            (
                "when it is over",
                Kind::Interruption(Action::Hibernate),
                "2026-05-08T17:02:00Z",
                Rebalance::Ignore,
                Course::Late,
            ),
            ("an hour later", warning, "2026-05-08T18:00:00Z", Rebalance::Drain, Course::Late),
            ("rebalance, off", Kind::Rebalance, "2026-05-08T17:00:01Z", Rebalance::Ignore, skip),
            ("rebalance, on", Kind::Rebalance, "2026-05-08T17:00:01Z", Rebalance::Drain, Course::Drain),
            ("rebalance, late", Kind::Rebalance, "2026-05-08T17:10:00Z", Rebalance::Drain, Course::Drain),
        ] {
            assert_eq!(course(&notice(kind), at(now), &settings(rebalance)), expected, "{name}");
        }
    }

    #[test]
    fn a_request_carries_the_deadline_and_what_is_known() {
        let launched = Sight { launched_at: Some(at("2026-05-08T09:00:00Z")), target_groups: None };
        for (kind, sight, expected) in [
            (
                Kind::Interruption(Action::Terminate),
                Some(&launched),
                r#"{"DrainRequest":"spot interruption: terminate","EC2InstanceId":"i-0b662ef9931388ba0","Until":"2026-05-08T17:02:00Z","LaunchedAt":"2026-05-08T09:00:00Z"}"#,
            ),
            (
                Kind::Interruption(Action::Hibernate),
                None,
                r#"{"DrainRequest":"spot interruption: hibernate","EC2InstanceId":"i-0b662ef9931388ba0","Until":"2026-05-08T17:02:00Z"}"#,
            ),
            (
                Kind::Rebalance,
                Some(&launched),
                r#"{"DrainRequest":"rebalance recommendation","EC2InstanceId":"i-0b662ef9931388ba0","LaunchedAt":"2026-05-08T09:00:00Z"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&request(&notice(kind), sight)).unwrap(), expected);
        }
    }

    #[test]
    fn a_tag_names_target_groups_each_once() {
        let arn = |name: &str| {
            format!("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}/73e2d6bc24d8a067")
        };
        let [a, b, c, d] = ["a", "b", "c", "d"].map(arn);
        let china = "arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012:targetgroup/a/73e2d6bc24d8a067";
        let balancer =
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/50dc6c495c0c9188";
        for (name, value, arns, refused) in [
            ("nothing", String::new(), vec![], vec![]),
            ("blanks and commas", " , ,\t".to_owned(), vec![], vec![]),
            ("one", a.clone(), vec![&*a], vec![]),
            ("commas", format!("{a},{b},{c}"), vec![&*a, &b, &c], vec![]),
            ("blanks", format!(" {a} {b}\n{c} "), vec![&*a, &b, &c], vec![]),
            ("both", format!("{a}, {b}"), vec![&*a, &b], vec![]),
            ("one twice", format!("{a},{b},{a}"), vec![&*a, &b], vec![]),
            ("another partition", china.to_owned(), vec![china], vec![]),
            ("a name", "web".to_owned(), vec![], vec!["web"]),
            ("a name beside an ARN", format!("web,{a},web"), vec![&*a], vec!["web"]),
            ("a load balancer", format!("{balancer} {a}"), vec![&*a], vec![balancer]),
            ("one too many", format!("{a},{b},{c},{d}"), vec![&*a, &b, &c], vec![&*d]),
        ] {
            let found = target_groups(&value);
            let expected = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect::<Vec<_>>();
            let expected = TargetGroups { arns: expected(arns), refused: expected(refused) };
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn what_only_looks_like_a_target_group_is_none() {
        let good =
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/my-targets/73e2d6bc24d8a067";
        assert!(is_target_group(good));
        for (part, instead) in [
            ("arn:", "urn:"),
            (":aws:", ":gov:"),
            ("elasticloadbalancing", "ecs"),
            ("us-east-1", ""),
            ("123456789012", "12345678901"),
            ("123456789012", "12345678901x"),
            ("targetgroup/", "loadbalancer/"),
            ("my-targets", "my_targets"),
            ("my-targets", &"x".repeat(33)),
            ("/my-targets", ""),
            ("73e2d6bc24d8a067", "73e2d6bc24d8a06"),
            ("73e2d6bc24d8a067", "73e2d6bc24d8a06g"),
            ("73e2d6bc24d8a067", "73e2d6bc24d8a067/more"),
            ("73e2d6bc24d8a067", "73e2d6bc24d8a067:more"),
        ] {
            let word = good.replace(part, instead);
            assert!(word != good && !is_target_group(&word), "{word}");
        }
    }

    #[test]
    fn no_value_of_a_tag_holds_a_fourth_target_group() {
        // Partition and region as short as AWS has them, a name of one letter.
        let shortest = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/73e2d6bc24d8a067";
        assert!(is_target_group(shortest));
        let characters = |groups: usize| groups * shortest.len() + groups - 1;
        assert!(characters(TARGET_GROUPS) <= 256 && characters(TARGET_GROUPS + 1) > 256);
    }

    #[test]
    fn what_a_repetition_can_help_is_repeated() {
        for (kind, expected) in [
            (FaultKind::Throttled, true),
            (FaultKind::Unavailable, true),
            (FaultKind::Gone, false),
            (FaultKind::Denied, false),
            (FaultKind::Invalid, false),
        ] {
            let fault = Fault { operation: "x", code: String::new(), message: String::new(), kind };
            assert_eq!(may_succeed_again(&fault), expected, "{kind:?}");
        }
    }
}
