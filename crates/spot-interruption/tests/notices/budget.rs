//! What is done when, while one of the calls fails or hangs: the others are done in their time.

use std::time::Duration;

use aws_fake::faults::{Calls, FaultKind};

use crate::harness::{Blow, Run, tag};

/// One thing that goes wrong, and what must be so all the same.
struct Row {
    name: &'static str,
    blows: Vec<Blow>,
    /// By when the drain is requested; none: not at all.
    requested: Option<u64>,
    /// Whether the request tells the launch.
    launch: bool,
    /// Whether both target groups are left.
    deregistered: bool,
    /// By when the operators are told.
    told: Option<u64>,
    /// What the notice says of target groups.
    groups: &'static str,
    /// What is to be done again; empty: the invocation succeeds.
    again: &'static str,
    /// By when the invocation is over.
    over: u64,
}

impl Default for Row {
    /// All goes well: the look, then the writes, then the notice.
    fn default() -> Self {
        Self {
            name: "",
            blows: Vec::new(),
            requested: Some(100),
            launch: true,
            deregistered: true,
            told: Some(100),
            groups: "deregistered",
            again: "",
            over: 100,
        }
    }
}

const LOOK: &str = "DescribeInstances";
const DEREGISTER: &str = "DeregisterTargets";
const PUBLISH: &str = "Publish";
/// When the look and both writes have had their effect, and the notice not yet.
const BEFORE_THE_NOTICE: u64 = 45;

#[tokio::test(start_paused = true)]
async fn whatever_fails_or_hangs_the_others_are_done_in_their_time() {
    let passing = [FaultKind::Throttle, FaultKind::ServerError, FaultKind::TimeoutBefore].map(passing);
    for row in [Row::default()].into_iter().chain(passing.into_iter().flatten()).chain(for_good()) {
        row.check().await;
    }
}

/// Troubles that may pass.
fn passing(kind: FaultKind) -> Vec<Row> {
    let (all, once) = (Calls::All, Calls::First(1));
    // An attempt that hangs is given up after 2 s.
    let soon = if kind == FaultKind::TimeoutBefore { 2_500 } else { 500 };
    vec![
        Row {
            name: "the look, once",
            blows: vec![(0, LOOK, once, kind)],
            requested: Some(soon),
            told: Some(soon),
            over: soon,
            ..Row::default()
        },
        Row {
            name: "the look, for good",
            blows: vec![(0, LOOK, all, kind)],
            requested: Some(3_100),
            launch: false,
            deregistered: false,
            told: Some(8_100),
            groups: "Target groups: NOT YET, still being tried",
            again: "tag loadBalancerTargetGroup",
            over: 24_100,
        },
        Row {
            name: "deregistering, once each",
            blows: vec![(0, DEREGISTER, Calls::First(2), kind)],
            told: Some(soon),
            over: soon,
            ..Row::default()
        },
        Row {
            name: "deregistering, for good",
            blows: vec![(0, DEREGISTER, all, kind)],
            deregistered: false,
            told: Some(8_100),
            groups: "NOT YET, still being tried",
            again: "2 target groups",
            over: 24_100,
            ..Row::default()
        },
        Row {
            name: "the drain request, once",
            blows: vec![(0, PUBLISH, once, kind)],
            requested: Some(soon),
            told: Some(soon),
            over: soon,
            ..Row::default()
        },
        Row {
            name: "SNS, for good",
            blows: vec![(0, PUBLISH, all, kind)],
            requested: None,
            told: None,
            again: "drain request, the notice",
            over: 24_100,
            ..Row::default()
        },
        Row {
            name: "the notice, once",
            blows: vec![(BEFORE_THE_NOTICE, PUBLISH, once, kind)],
            told: Some(soon),
            over: soon,
            ..Row::default()
        },
        Row {
            name: "the notice, for good",
            blows: vec![(BEFORE_THE_NOTICE, PUBLISH, all, kind)],
            told: None,
            again: "the notice",
            over: 24_100,
            ..Row::default()
        },
        Row {
            name: "look and target groups, for good",
            blows: vec![(0, LOOK, all, kind), (0, DEREGISTER, all, kind)],
            requested: Some(3_100),
            launch: false,
            deregistered: false,
            told: Some(8_100),
            groups: "Target groups: NOT YET, still being tried",
            again: "tag loadBalancerTargetGroup",
            over: 24_100,
        },
    ]
}

/// Troubles that do not, and others.
fn for_good() -> Vec<Row> {
    use FaultKind::{AccessDenied, TimeoutAfter, TimeoutBefore};
    vec![
        Row {
            name: "SNS hangs while the drain is requested, and answers then",
            blows: vec![(0, PUBLISH, Calls::First(4), TimeoutBefore)],
            requested: Some(13_000),
            told: Some(8_100),
            groups: "Drain request: NOT YET, still being tried",
            over: 13_000,
            ..Row::default()
        },
        Row {
            name: "done, but without an answer",
            blows: vec![(0, DEREGISTER, Calls::All, TimeoutAfter)],
            told: Some(8_100),
            groups: "NOT YET, still being tried",
            again: "2 target groups",
            over: 24_100,
            ..Row::default()
        },
        Row {
            name: "a slow look",
            blows: vec![(0, LOOK, Calls::All, FaultKind::Latency(Duration::from_millis(1_500)))],
            requested: Some(1_700),
            told: Some(1_700),
            over: 1_700,
            ..Row::default()
        },
        Row {
            name: "the look is denied",
            blows: vec![(0, LOOK, Calls::All, AccessDenied)],
            launch: false,
            deregistered: false,
            groups: "Target groups: FAILED for good: ec2:DescribeInstances failed: UnauthorizedOperation",
            ..Row::default()
        },
        Row {
            name: "deregistering is denied",
            blows: vec![(0, DEREGISTER, Calls::All, AccessDenied)],
            deregistered: false,
            groups: "FAILED for good: elasticloadbalancing:DeregisterTargets failed: AccessDenied",
            ..Row::default()
        },
        Row {
            name: "the drain request is denied",
            blows: vec![(0, PUBLISH, Calls::First(1), AccessDenied)],
            requested: None,
            groups: "Drain request: FAILED for good: sns:Publish failed: AuthorizationError",
            ..Row::default()
        },
        Row {
            name: "the notice is denied",
            blows: vec![(BEFORE_THE_NOTICE, PUBLISH, Calls::All, AccessDenied)],
            told: None,
            ..Row::default()
        },
    ]
}

impl Row {
    async fn check(&self) {
        let run = Run::new(&[]);
        run.target_groups(&["web", "api"]);
        let id = run.instance(Some(&tag(&["web", "api"])), &["web", "api"]);
        let event = run.warning(&id);
        let outcome = run.handle_under(&event, &self.blows).await;
        let name = format!("{}, {:?}: {:#?}", self.name, self.blows.first().map(|blow| blow.3), run.story());
        let by = |limit: u64| Duration::from_millis(limit);
        let requests = run.requests();
        assert_eq!(requests.len(), usize::from(self.requested.is_some()), "{name}");
        for ((at, request), limit) in requests.iter().zip(self.requested) {
            assert!(*at <= by(limit), "requested at {at:?}: {name}");
            assert_eq!(request.get("LaunchedAt").is_some(), self.launch, "{request}: {name}");
        }
        let left = run.targets("web").is_empty() && run.targets("api").is_empty();
        assert_eq!(left, self.deregistered, "{name}");
        let notices = run.notices();
        assert_eq!(notices.len(), usize::from(self.told.is_some()), "{name}");
        for ((at, _), limit) in notices.iter().zip(self.told) {
            assert!(*at <= by(limit), "told at {at:?}: {name}");
            let (_, text) = &run.mails()[0];
            assert!(text.contains(self.groups), "{text}: {name}");
        }
        assert!(outcome.took <= by(self.over), "{:?}: {name}", outcome.took);
        match &outcome.answer {
            Ok(_) => assert_eq!(self.again, "", "{name}"),
            Err(error) => {
                assert!(!self.again.is_empty(), "{error}: {name}");
                let expected = format!("{id}: to be tried again: {}", self.again);
                assert!(error.starts_with(&expected), "{error}: {name}");
            }
        }
    }
}
