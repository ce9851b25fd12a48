//! How far everything is for one notice, and the words for it: for people, and for machines.

use std::fmt::Write as _;

use aws_helpers::fault::Fault;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::decide::{self, TargetGroups};
use crate::event::{Action, Kind, Notice};

/// The protocols that get the JSON; all others get the text.
const MACHINES: [&str; 4] = ["sqs", "lambda", "http", "https"];

/// How far one thing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Step {
    /// Not done, and not given up.
    #[default]
    Open,
    /// Done.
    Done,
    /// It failed.
    Failed(Fault),
}

impl Step {
    /// What a call came to.
    pub fn of<T>(answer: Result<T, Fault>) -> Self {
        answer.map_or_else(Self::Failed, |_| Self::Done)
    }

    /// `done` stands for what was done.
    fn words(&self, done: &str) -> String {
        match self {
            Self::Open => "NOT YET, still being tried".to_owned(),
            Self::Done => done.to_owned(),
            Self::Failed(fault) if decide::may_succeed_again(fault) => {
                format!("FAILED, to be tried again: {fault}")
            }
            Self::Failed(fault) => format!("FAILED for good: {fault}"),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Failed(_) => "failed",
        }
    }

    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Failed(fault) => Some(fault),
            Self::Open | Self::Done => None,
        }
    }
}

/// How far everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    kind: Kind,
    instance: String,
    until: Option<Timestamp>,
    account: Option<String>,
    region: Option<String>,
    /// The key of the tag.
    tag: String,
    /// Whether the notice came too late for anything.
    late: bool,
    /// The look at the instance, for its tag.
    pub look: Step,
    unknown: bool,
    /// The drain request.
    pub request: Step,
    /// Target groups by ARN, in the order of the tag.
    targets: Vec<(String, Step)>,
    /// What stands in the tag and is no target group.
    refused: Vec<String>,
    /// The notice to the operators; none where nobody is to be told.
    pub notice: Option<Step>,
}

impl Report {
    /// Nothing is done yet.
    #[must_use]
    pub fn new(notice: &Notice, tag: &str, late: bool) -> Self {
        Self {
            kind: notice.kind,
            instance: notice.instance.clone(),
            until: decide::until(notice),
            account: notice.account.clone(),
            region: notice.region.clone(),
            tag: tag.to_owned(),
            late,
            look: Step::Open,
            unknown: false,
            request: Step::Open,
            targets: Vec::new(),
            refused: Vec::new(),
            notice: None,
        }
    }

    /// EC2 does not know the instance.
    pub fn unknown(&mut self) {
        self.look = Step::Done;
        self.unknown = true;
    }

    /// The instance's tag was read.
    pub fn seen(&mut self, groups: &TargetGroups) {
        self.look = Step::Done;
        self.targets = groups.arns.iter().map(|arn| (arn.clone(), Step::Open)).collect();
        self.refused.clone_from(&groups.refused);
    }

    /// What became of the instance's registration with a target group.
    pub fn deregistered(&mut self, arn: &str, step: Step) {
        if let Some((_, own)) = self.targets.iter_mut().find(|(own, _)| own == arn) {
            *own = step;
        }
    }

    /// What failed and may succeed when it is done again. Target groups are counted: the log has a line for each, and
    /// their list is the value of a tag.
    #[must_use]
    pub fn to_be_done_again(&self) -> Vec<String> {
        let may = |step: &Step| step.fault().is_some_and(decide::may_succeed_again);
        let steps = self.steps().into_iter().filter(|(_, step)| may(step)).map(|(what, _)| what);
        let groups = match self.targets.iter().filter(|(_, step)| may(step)).count() {
            0 => None,
            1 => Some("1 target group".to_owned()),
            n => Some(format!("{n} target groups")),
        };
        let notice = self.notice.iter().filter(|step| may(step)).map(|_| "the notice".to_owned());
        steps.chain(groups).chain(notice).collect()
    }

    /// What is done but for target groups and notice.
    fn steps(&self) -> [(String, &Step); 2] {
        [("drain request".to_owned(), &self.request), (format!("tag {}", self.tag), &self.look)]
    }

    /// What is wrong, in words.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.late {
            problems.push("the notice came when the two minutes were over: nothing was done".to_owned());
        }
        let targets = self.targets.iter().map(|(arn, step)| (format!("target group {arn}"), step));
        let steps = self.steps().into_iter().chain(targets);
        let failed = steps.filter_map(|(what, step)| Some((what, step.fault()?)));
        problems.extend(failed.map(|(what, fault)| format!("{what}: {fault}")));
        if self.unknown {
            problems.push("EC2 does not know the instance: no target groups".to_owned());
        }
        problems.extend(self.refused.iter().map(|word| self.no_target_group(word)));
        problems
    }

    fn no_target_group(&self, word: &str) -> String {
        format!("tag {}: {word:?} is not the ARN of a target group", self.tag)
    }

    fn event(&self) -> String {
        match self.kind {
            Kind::Interruption(action) => format!("spot interruption: {}", action.as_str()),
            Kind::Rebalance => "rebalance recommendation".to_owned(),
        }
    }

    /// The subject of the notice: ASCII, fewer than 100 characters, as SNS wants it.
    #[must_use]
    pub fn subject(&self) -> String {
        let problems = match (self.late, self.problems().len()) {
            (true, _) => ", TOO LATE".to_owned(),
            (false, 0) => String::new(),
            (false, 1) => ", 1 problem".to_owned(),
            (false, n) => format!(", {n} problems"),
        };
        let action = match self.kind {
            Kind::Interruption(action) => action.as_str(),
            Kind::Rebalance => "rebalance",
        };
        format!("Spot interruption: {} ({action}){problems}", self.instance)
    }

    /// The notice as a mail's text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}.\n", self.head());
        let mut line = |line: &str| {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{line}");
        };
        if self.late {
            line("\nThe notice came when the two minutes were over: nothing was done.");
            return text;
        }
        line(&format!("\nDrain request: {}", self.request.words("published")));
        match &self.look {
            Step::Done if self.unknown => {
                line("Target groups: none, since EC2 does not know the instance");
            }
            Step::Done if self.targets.is_empty() && self.refused.is_empty() => {
                line(&format!("Target groups: none in the tag {}", self.tag));
            }
            Step::Done => {}
            other => line(&format!("Target groups: {}", other.words(""))),
        }
        for (arn, step) in &self.targets {
            line(&format!("Target group {arn}: {}", step.words("deregistered")));
        }
        for word in &self.refused {
            line(&format!("FAILED for good: {}", self.no_target_group(word)));
        }
        text
    }

    fn head(&self) -> String {
        let Self { instance, .. } = self;
        let what = match self.kind {
            Kind::Interruption(Action::Terminate) => format!("EC2 terminates {instance}"),
            Kind::Interruption(Action::Stop) => format!("EC2 stops {instance}"),
            Kind::Interruption(Action::Hibernate) => format!("EC2 hibernates {instance}, from now on"),
            Kind::Interruption(Action::Interrupt) => format!("EC2 interrupts {instance}"),
            Kind::Rebalance => format!("{instance} is likelier than others to be interrupted"),
        };
        let hibernates = self.kind == Kind::Interruption(Action::Hibernate);
        let until =
            self.until.filter(|_| !hibernates).map(|until| format!(", at {until}")).unwrap_or_default();
        let account = self.account.as_ref().map(|account| format!(", account {account}"));
        let region = self.region.as_ref().map(|region| format!(", {region}"));
        format!("{what}{until}{}{}", account.unwrap_or_default(), region.unwrap_or_default())
    }

    /// The same for machines; with the notice itself, once it was tried, also the function's answer.
    #[must_use]
    pub fn answer(&self) -> Value {
        let targets: Vec<_> =
            self.targets.iter().map(|(arn, step)| json!({"arn": arn, "state": step.word()})).collect();
        let mut answer = json!({
            "instance": self.instance,
            "event": self.event(),
            "until": self.until,
            "account": self.account,
            "region": self.region,
            "drainRequest": if self.late { "none" } else { self.request.word() },
            "targetGroups": targets,
            "problems": self.problems(),
        });
        if let (Some(step), Some(fields)) = (&self.notice, answer.as_object_mut()) {
            fields.insert("notice".to_owned(), step.word().into());
        }
        answer
    }

    /// The notice's message: an object with a text for each protocol.
    #[must_use]
    pub fn message(&self) -> String {
        let answer = self.answer().to_string();
        let machines = MACHINES.iter().map(|protocol| ((*protocol).to_owned(), answer.clone().into()));
        let mut message: Map<String, Value> = machines.collect();
        message.insert("default".to_owned(), self.text().into());
        Value::Object(message).to_string()
    }
}

#[cfg(test)]
mod tests;
