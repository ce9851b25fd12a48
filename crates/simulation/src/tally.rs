//! What happened, in numbers.

use serde::{Deserialize, Serialize};

/// Counts of one run, or of many.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Runs.
    pub seeds: u64,
    /// Instances that a hook held.
    pub held: u64,
    /// Of these, let go by the function.
    pub let_go: u64,
    /// Let go by the function with tasks that had not stopped, by the deadline's policy or the one for instances that
    /// never register.
    pub by_policy: u64,
    /// Timed out, for the reasons that excuse it.
    pub timed_out: u64,
    /// Calls, with all attempts.
    pub calls: u64,
    /// Calls that were refused as too fast.
    pub throttled: u64,
    /// Calls that failed otherwise.
    pub failed: u64,
    /// Invocations.
    pub invocations: u64,
    /// Invocations that were killed at a call.
    pub killed: u64,
    /// Invocations that their timeout ended.
    pub ended_by_timeout: u64,
    /// Messages that were delivered twice.
    pub duplicates: u64,
    /// Events that were lost.
    pub lost_events: u64,
    /// Spot notices.
    pub interrupted: u64,
    /// Tasks that stopped.
    pub tasks_stopped: u64,
    /// Checks, one after each step.
    pub steps: u64,
    /// Virtual time, in seconds.
    pub virtual_seconds: u64,
    /// What happened, line by line, if that was asked for.
    #[serde(skip)]
    pub timeline: Option<Vec<String>>,
}

impl Tally {
    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        let Self {
            seeds,
            held,
            let_go,
            by_policy,
            timed_out,
            calls,
            throttled,
            failed,
            invocations,
            killed,
            ended_by_timeout,
            duplicates,
            lost_events,
            interrupted,
            tasks_stopped,
            steps,
            virtual_seconds,
            timeline: _,
        } = other;
        for (mine, theirs) in [
            (&mut self.seeds, seeds),
            (&mut self.held, held),
            (&mut self.let_go, let_go),
            (&mut self.by_policy, by_policy),
            (&mut self.timed_out, timed_out),
            (&mut self.calls, calls),
            (&mut self.throttled, throttled),
            (&mut self.failed, failed),
            (&mut self.invocations, invocations),
            (&mut self.killed, killed),
            (&mut self.ended_by_timeout, ended_by_timeout),
            (&mut self.duplicates, duplicates),
            (&mut self.lost_events, lost_events),
            (&mut self.interrupted, interrupted),
            (&mut self.tasks_stopped, tasks_stopped),
            (&mut self.steps, steps),
            (&mut self.virtual_seconds, virtual_seconds),
        ] {
            *mine += theirs;
        }
    }
}
