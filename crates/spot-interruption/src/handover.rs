//! One notice, from its arrival to its end.
//!
//! # Budget
//! The instance has two minutes, Lambda gives the function 30 s, and its retry comes a minute after the end of an
//! attempt. So nothing waits for what hangs, and what fails is tried on for as long as there is time:
//!
//! | until | what |
//! |---|---|
//! | 3 s | the drain request waits for the look no longer, and goes out without the launch time |
//! | 8 s | the notice waits for the rest no longer, and says what is still being tried |
//! | 24 s | whatever has not succeeded is given up, and the invocation fails |
//!
//! The long end is for many notices at once: EC2 has 20 looks a second for all of an account.

use std::future::Future;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_helpers::fault::{Fault, Kind};
use futures::FutureExt as _;
use futures::future::{join, join_all};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::decide::Course;
use crate::event::Notice;
use crate::observe::{DESCRIBE, Sight};
use crate::report::{Report, Step};
use crate::{Spot, act, decide, observe, skipped};

/// How long the drain request waits for the look.
const LOOK: Duration = Duration::from_secs(3);
/// How long the notice waits for everything else.
const TELL: Duration = Duration::from_secs(8);
/// How long anything is tried.
const GIVE_UP: Duration = Duration::from_secs(24);

type Looked = Result<Option<Sight>, Fault>;

impl Spot {
    /// Does what a notice asks for, and says what was done; an error if something is to be done again.
    pub(crate) async fn hand_over(&self, notice: &Notice) -> Result<Value, String> {
        let course = decide::course(notice, self.now(), &self.settings);
        if let Course::Skip(reason) = course {
            return Ok(skipped(reason));
        }
        let handover = Handover {
            spot: self,
            notice,
            began: Instant::now(),
            report: Mutex::new(Report::new(notice, &self.settings.tag, course == Course::Late)),
        };
        handover.run(&course).await;
        let report = handover.report();
        let again = report.to_be_done_again();
        if again.is_empty() {
            return Ok(report.answer());
        }
        Err(format!("{}: to be tried again: {}", notice.instance, again.join(", ")))
    }
}

/// One notice at work.
struct Handover<'s> {
    spot: &'s Spot,
    notice: &'s Notice,
    began: Instant,
    report: Mutex<Report>,
}

impl Handover<'_> {
    async fn run(&self, course: &Course) {
        let look = self.look().boxed().shared();
        match course {
            Course::Skip(_) => {}
            Course::Late => {
                tracing::warn!(instance = self.notice.instance, "too late: the two minutes were over");
                self.tell().await;
            }
            Course::Drain => self.request(look).await,
            Course::HandOver => {
                let mut work = pin!(join(self.request(look.clone()), self.deregister(look)));
                if timeout_at(self.began + TELL, work.as_mut()).await.is_ok() {
                    self.tell().await;
                } else {
                    join(self.tell(), work).await;
                }
            }
        }
    }

    async fn look(&self) -> Looked {
        let Spot { clients, settings, .. } = self.spot;
        self.in_time(DESCRIBE, observe::instance(clients, &self.notice.instance, &settings.tag)).await
    }

    /// Asks the drainer.
    async fn request(&self, look: impl Future<Output = Looked>) {
        let sight = timeout_at(self.began + LOOK, look).await.ok().and_then(Result::ok).flatten();
        let request = decide::request(self.notice, sight.as_ref());
        let Spot { clients, settings, .. } = self.spot;
        let published = act::request_drain(clients, &settings.drain_topic, &request);
        let step = Step::of(self.in_time(act::PUBLISH, published).await);
        let instance = &self.notice.instance;
        if let Step::Failed(fault) = &step {
            tracing::error!(instance, kind = ?fault.kind, "drain not requested: {fault}");
        } else {
            tracing::info!(instance, until = request.until.map(tracing::field::display), "drain requested");
        }
        self.note(|report| report.request = step);
    }

    /// Takes the instance out of the target groups that its tag names, side by side.
    async fn deregister(&self, look: impl Future<Output = Looked>) {
        let instance = &self.notice.instance;
        let sight = match look.await {
            Ok(Some(sight)) => sight,
            Ok(None) => {
                tracing::warn!(instance, "EC2 does not know the instance: no target groups");
                return self.note(Report::unknown);
            }
            Err(fault) => {
                tracing::error!(instance, kind = ?fault.kind, "the tag could not be read: {fault}");
                return self.note(|report| report.look = Step::Failed(fault));
            }
        };
        let groups = decide::target_groups(sight.target_groups.as_deref().unwrap_or_default());
        if !groups.refused.is_empty() {
            // Not which: values of tags are not for the log. The notice says it.
            let words = groups.refused.len();
            tracing::error!(instance, words, "the tag holds what is no ARN of a target group");
        }
        self.note(|report| report.seen(&groups));
        join_all(groups.arns.iter().map(|arn| self.deregister_from(arn))).await;
    }

    async fn deregister_from(&self, arn: &str) {
        let instance = &self.notice.instance;
        let deregistered = act::deregister(&self.spot.clients, arn, instance);
        let step = Step::of(self.in_time(act::DEREGISTER, deregistered).await);
        if let Step::Failed(fault) = &step {
            tracing::error!(instance, targetGroup = arn, kind = ?fault.kind, "not deregistered: {fault}");
        } else {
            tracing::info!(instance, targetGroup = arn, "deregistered");
        }
        self.note(|report| report.deregistered(arn, step));
    }

    /// Tells the operators how far everything is.
    async fn tell(&self) {
        let Some(topic) = &self.spot.settings.notice_topic else { return };
        let report = self.report();
        let (subject, message) = (report.subject(), report.message());
        let told = act::tell(&self.spot.clients, topic, &subject, &message);
        let step = Step::of(self.in_time(act::PUBLISH, told).await);
        if let Step::Failed(fault) = &step {
            let instance = &self.notice.instance;
            tracing::error!(instance, kind = ?fault.kind, "no notice given: {fault}");
        }
        self.note(|report| report.notice = Some(step));
    }

    /// A call, given up when the invocation's time is over.
    async fn in_time<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        // Boxed: the SDK's futures are large, and there are six of them.
        let answer = timeout_at(self.began + GIVE_UP, Box::pin(call)).await;
        answer.unwrap_or_else(|_| {
            let message = format!("not done within {} s, whatever was tried", GIVE_UP.as_secs());
            Err(Fault { operation, code: "Timeout".to_owned(), message, kind: Kind::Unavailable })
        })
    }

    fn note(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn report(&self) -> Report {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
