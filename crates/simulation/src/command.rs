//! The command: what it runs, what it says, and where it goes on.

use std::path::Path;
use std::time::{Duration, Instant};

use anstream::{eprintln, println};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::options::Options;
use crate::sweep::{self, Found, How, Seeds};
use crate::{report, run, timeline};

/// Between two lines about how it stands, and two notes of it in the file.
const EVERY: Duration = Duration::from_secs(5);

/// What the file of `--resume` holds.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    /// What was checked out: worlds of two versions do not make one sweep.
    commit: String,
    seeds: Seeds,
    found: Found,
}

/// Runs what is asked for; true when everything held.
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]
pub fn run(options: &Options) -> Result<bool, Error> {
    if let Some(seed) = options.seed {
        let (ran, told) = run::with_timeline(seed, options.blind);
        for line in told {
            println!("{line}");
        }
        match &ran.failure {
            Some(failure) => {
                println!("seed {seed} fails at {}: {}", timeline::clock(failure.at), failure.what);
            }
            None => println!("seed {seed}: everything held\n\n{}", report::table(&ran.tally)),
        }
        return Ok(ran.failure.is_none());
    }
    let seeds = Seeds { from: options.from, count: options.seeds };
    // Of now: what is checked out later is not what runs.
    let commit = report::commit();
    let begin = match &options.resume {
        Some(path) => read(path, seeds, &commit)?,
        None => Found::default(),
    };
    let how = How { threads: options.threads(), blinder: options.blind, failures: options.failures };
    let (mut told_at, mut told_done) = (Instant::now(), begin.done);
    let mut kept = Ok(());
    let found = sweep::run(seeds, begin, how, |found| {
        if told_at.elapsed() < EVERY {
            return;
        }
        #[allow(clippy::cast_precision_loss, reason = "some hundreds")]
        let speed = (found.done - told_done) as f64 / told_at.elapsed().as_secs_f64();
        eprintln!("{}", report::progress(seeds, found, speed));
        if let Some(path) = options.resume.as_deref().filter(|_| kept.is_ok()) {
            kept = keep(path, seeds, found, &commit);
        }
        (told_at, told_done) = (Instant::now(), found.done);
    });
    kept?;
    if let Some(path) = &options.resume {
        keep(path, seeds, &found, &commit)?;
    }
    println!("{}", report::table(&found.tally));
    println!("{}", report::failures(&found, options.blind));
    if let Some(path) = &options.report {
        report::write(path, &report::result(seeds, &found, how.threads, &commit))?;
    }
    Ok(found.failed.is_empty())
}

fn read(path: &Path, seeds: Seeds, commit: &str) -> Result<Found, Error> {
    if !path.exists() {
        return Ok(Found::default());
    }
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    let wrong = |reason: String| Error::State { path: path.to_owned(), reason };
    let state: State = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if state.seeds.from != seeds.from {
        return Err(wrong(format!("it has the worlds from seed {} on", state.seeds.from)));
    }
    if state.commit != commit {
        return Err(wrong(format!(
            "it is of commit {}, and {commit} is checked out: remove it",
            state.commit
        )));
    }
    Ok(state.found)
}

/// Written beside and renamed, so that an interruption leaves the old one or the new one.
fn keep(path: &Path, seeds: Seeds, found: &Found, commit: &str) -> Result<(), Error> {
    let state = State { commit: commit.to_owned(), seeds, found: found.clone() };
    let text = serde_json::to_string(&state).unwrap_or_default();
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).map_err(Error::file(&beside))?;
    std::fs::rename(&beside, path).map_err(Error::file(path))
}
