//! `pgkeep key`.

mod check;
mod new;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::Result;
use crate::keys::{EncryptFlags, IdentityFlags};
use crate::stores::StoreFlags;

/// Options of `key`.
#[derive(Parser)]
pub(super) struct Options {
    action: Action,
    /// With new: the file for the secret half; one that is there is not replaced
    #[arg(long, value_name = "FILE", default_value = "pgkeep.key", help_heading = THIS_RUN)]
    out: PathBuf,
    #[command(flatten)]
    keys: IdentityFlags,
    #[command(flatten)]
    encrypt: EncryptFlags,
    #[command(flatten)]
    store: StoreFlags,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    /// Make a key that opens what is encrypted to its public half
    New,
    /// Try secret keys on the newest backup of each name, and list who can open what
    Check,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    match options.action {
        Action::New => new::run(&options.out, options.json),
        Action::Check => check::run(options, config),
    }
}
