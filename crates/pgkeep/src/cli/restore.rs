//! (stub)
use clap::Parser;
use crate::config::Config;
use crate::failure::{Failure, Result};
#[derive(Parser)]
pub(super) struct Options {
    #[arg(long)]
    pub(super) json: bool,
}
pub(super) fn run(_: &Options, _: &Config) -> Result<()> {
    Err(Failure::usage("not yet"))
}
