//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::blinders::Blinder;

const EXAMPLES: &str = "\
Examples:
  simulate --seeds 5000
  simulate --seed 123                      one world, with its timeline
  simulate --seeds 1000 --blind token      with a protection switched off: must fail
  simulate --seeds 1000000 --resume target/simulation.json --report docs/reliability.md";

/// Runs whole worlds with everything that can go wrong, and checks what must hold after every step.
#[derive(Clone, Debug, Parser)]
#[command(name = "simulate", version, after_long_help = EXAMPLES)]
pub struct Options {
    /// How many worlds
    #[arg(long, default_value_t = 1_000)]
    pub seeds: u64,
    /// The first world's seed
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    pub from: u64,
    /// This world alone, with its timeline
    #[arg(long, conflicts_with_all = ["seeds", "from", "resume", "report"])]
    pub seed: Option<u64>,
    /// Switch a protection off
    #[arg(long, value_enum, value_name = "PROTECTION")]
    pub blind: Option<Blinder>,
    /// Worlds at a time [default: one for each core]
    #[arg(long)]
    pub threads: Option<usize>,
    /// Keep what is done in this file, and go on from there
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// Write the result into this file, between its two marks
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Stop after so many worlds that fail
    #[arg(long, default_value_t = 10)]
    pub failures: usize,
}

impl Options {
    /// Worlds at a time.
    pub(crate) fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.unwrap_or_else(cores).max(1)
    }
}
