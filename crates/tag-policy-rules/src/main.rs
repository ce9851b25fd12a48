//! The command `tag-policy-rules`. See `tag-policy-rules --help`.

use std::process::ExitCode;

use clap::Parser;
use tag_policy_rules::{options::Options, run, show};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(answer) => show::print(&answer),
        Err(error) => show::complain(&error),
    }
}
