//! Asking CloudTrail who launched what: at its pace, no more than a run may, each answer remembered.

use std::collections::VecDeque;
use std::time::Duration;

use aws_helpers::fault::Fault;
use aws_helpers::pace::Pace;

use crate::owner::{self, Key, Owner, Search, Wanted};
use crate::{TagPolicy, act, observe};

/// Between two calls: CloudTrail allows two a second for the whole account and region, and the account's
/// other users call too.
pub(crate) const PACE: Duration = Duration::from_millis(600);
/// Answers that are remembered together; losing the function loses fewer.
const REMEMBERED_AT_ONCE: usize = 25;

/// What came of the look-ups.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// What is known now; none: nobody can tell.
    pub(crate) answers: Vec<(Key, Option<Owner>)>,
    /// Calls made.
    pub(crate) calls: u32,
    /// What is left for the next run.
    pub(crate) owed: Vec<Key>,
    /// Why they were broken off, if a call failed.
    pub(crate) fault: Option<Fault>,
}

impl TagPolicy {
    /// Asks until all is answered, the cap is reached, a call fails, or `go_on` says that time is up.
    pub(crate) async fn look_up(&self, wanted: Vec<Wanted>, go_on: impl Fn() -> bool) -> Asked {
        let mut asked = Asked::default();
        let mut pace = Pace::new(PACE);
        let mut remembered = 0;
        let mut searches: VecDeque<Search> = owner::searches(wanted).into();
        while let Some(mut search) = searches.pop_front() {
            let (mut token, mut pages) = (None, 0);
            let all = search.wanted.len();
            while !search.wanted.is_empty() {
                if asked.calls >= self.settings.lookups || asked.fault.is_some() || !go_on() {
                    asked.owed.extend(search.wanted.drain(..).map(|one| one.key));
                    break;
                }
                asked.calls += 1;
                pages += 1;
                let (events, next) = match observe::trail(&self.clients, &mut pace, &search, token).await {
                    Ok(found) => found,
                    Err(fault) => {
                        tracing::warn!("look-ups broken off: {fault}");
                        asked.fault = Some(fault);
                        token = None;
                        continue;
                    }
                };
                for event in &events {
                    let answers = search.answers(event);
                    search.wanted.retain(|one| answers.iter().all(|(key, _)| *key != one.key));
                    asked.answers.extend(answers);
                }
                token = next;
                if token.is_none() {
                    self.not_found(&mut search, &mut asked);
                } else if search.is_poor(pages, all - search.wanted.len()) {
                    let rest = owner::one_by_one(std::mem::take(&mut search.wanted));
                    rest.into_iter().rev().for_each(|search| searches.push_front(search));
                } else if search.is_enough(pages) {
                    self.not_found(&mut search, &mut asked);
                }
            }
            if asked.answers.len() - remembered >= REMEMBERED_AT_ONCE || searches.is_empty() {
                self.remember(asked.answers.get(remembered..).unwrap_or_default()).await;
                remembered = asked.answers.len();
            }
        }
        asked
    }

    fn not_found(&self, search: &mut Search, asked: &mut Asked) {
        let now = self.now();
        for one in search.wanted.drain(..) {
            if owner::is_final(&one, now) {
                asked.answers.push((one.key, None));
            } else {
                asked.owed.push(one.key);
            }
        }
    }

    /// Remembers answers. What cannot be remembered is looked up anew one day, and no more.
    pub(crate) async fn remember(&self, answers: &[(Key, Option<Owner>)]) {
        if answers.is_empty() {
            return;
        }
        let table = &self.settings.state_table;
        if let Err(fault) = act::remember(&self.clients, table, answers, self.now()).await {
            tracing::warn!("who launched what could not be remembered: {fault}");
        }
    }
}
