//! The command `simulate`. See `simulate --help`.

use std::process::ExitCode;

use clap::Parser;
use simulation::{command, options::Options};

fn main() -> ExitCode {
    match command::run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            anstream::eprintln!("simulate: {error}");
            ExitCode::from(2)
        }
    }
}
