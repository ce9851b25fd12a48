//! `aws-fake`: the World on loopback. See `aws-fake --help`.

use std::io;

use aws_fake::{options::Options, server};
use clap::Parser;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), server::ServerError> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(io::stderr).init();
    server::serve(Options::parse()).await
}
