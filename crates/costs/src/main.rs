//! The command `costs`. See `costs --help`.

use std::process::ExitCode;

use clap::Parser;
use costs::{options::Options, run, show};

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(text) => show::print(&text),
        Err(error) => error.exit(),
    }
}
