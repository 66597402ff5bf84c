//! `pgkeep rds`.

mod copy;
mod create;
mod export;
mod figures;
mod list;
mod place;
mod prune;
mod remove;
mod restore;
mod status;
mod watch;

use clap::{Parser, Subcommand};

pub(super) use list::{show, snapshots_of};
pub(super) use place::is_on_rds;
pub(super) use restore::{drill_json, not_true, tell_drill};

use super::layers::parse_with;
use super::{Cli, Command};
use crate::config::{Config, Settings};
use crate::failure::{Failure, Result};

/// Options of `rds`.
#[derive(Parser)]
pub(super) struct Options {
    #[command(subcommand)]
    about: About,
}

#[derive(Subcommand)]
enum About {
    /// Snapshots of instances and clusters
    Snapshot {
        #[command(subcommand)]
        action: Action,
    },
}

#[derive(Subcommand)]
enum Action {
    /// Make snapshots and wait until they are available
    Create(Box<create::Options>),
    /// List snapshots
    List(list::Options),
    /// Copy snapshots that another region lacks
    Copy(copy::Options),
    /// Have RDS export a snapshot to S3, for archives
    Export(export::Options),
    /// Restore into a new instance or cluster, from a snapshot or to a point in time; drill it there, and remove it
    Restore(Box<restore::Options>),
    /// Delete an instance or cluster that `restore` has made
    Remove(remove::Options),
    /// Delete snapshots of pgkeep's that no retention rule keeps
    Prune(prune::Options),
    /// Tell how databases are kept: automated backups, newest snapshot, what is wrong
    Status(status::Options),
}

impl Options {
    pub(super) fn json(&self) -> bool {
        let About::Snapshot { action } = &self.about;
        match action {
            Action::Create(o) => o.json,
            Action::List(o) => o.json,
            Action::Copy(o) => o.json,
            Action::Export(o) => o.json,
            Action::Restore(o) => o.json,
            Action::Remove(o) => o.json,
            Action::Prune(o) => o.json,
            Action::Status(o) => o.json,
        }
    }
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let About::Snapshot { action } = &options.about;
    match action {
        Action::Create(options) => create::run(options, config),
        Action::List(options) => list::run(options, config),
        Action::Copy(options) => copy::run(options, config),
        Action::Export(options) => export::run(options, config),
        Action::Restore(options) => restore::run(options, config),
        Action::Remove(options) => remove::run(options, config),
        Action::Prune(options) => prune::run(options, config),
        Action::Status(options) => status::run(options, config),
    }
}

/// The command line with what is configured behind it.
fn action_with(settings: &Settings) -> Result<Action> {
    action_of(parse_with(settings)?)
}

fn action_of(cli: Cli) -> Result<Action> {
    match cli.command {
        Command::Rds(Options { about: About::Snapshot { action } }) => Ok(action),
        _ => Err(Failure::usage("the command line is not about RDS")),
    }
}
