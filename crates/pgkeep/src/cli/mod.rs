//! The command line: parse, call, print. A file for each command.

mod adopt;
mod backup;
mod check;
mod choice;
mod compare;
mod completions;
mod config;
mod convert;
mod copy;
mod drill;
mod format;
mod hold;
mod init;
mod key;
mod lambda;
pub(crate) mod layers;
mod list;
mod notify;
mod prune;
mod rds;
mod restore;
mod role;
mod serve;
mod show;
mod status;
mod sync;
mod user;
mod vault;
mod verify;
mod wait;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{FromArgMatches, Parser, Subcommand};
use serde_json::json;

use crate::config::Config;
use crate::failure::Result;
use crate::show::{print_json, warn};
use crate::signals;
pub(crate) use layers::command;

const AFTER: &str = "\
Exit codes: 0 success, 1 failed, 2 usage or configuration, 3 damage or a difference \
found, 4 database not reached or log-in refused, 5 store failed, 6 no fitting pg_dump, \
7 rights missing, 8 a clock is wrong, 9 backups fail to come, 10 a copy is missing, \
11 a drill is incomplete, 130 stopped by a signal.";

/// PostgreSQL backups that are proven to restore.
#[derive(Parser)]
#[command(name = "pgkeep", version, max_term_width = 100, after_help = AFTER, propagate_version = true)]
struct Cli {
    /// Configuration file [default: ./pgkeep.toml, ~/.config/pgkeep/pgkeep.toml, /etc/pgkeep/pgkeep.toml]
    #[arg(long, global = true, env = "PGKEEP_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Back up databases into a folder or bucket
    Backup(Box<backup::Options>),
    /// Restore a backup, or any custom-format archive or SQL script, into a database, and prove the rows
    Restore(Box<restore::Options>),
    /// Turn a backup into another format or codec, without a database
    Convert(convert::Options),
    /// List the backups in a store
    List(list::Options),
    /// Show one backup with its tables
    Show(show::Options),
    /// Check a stored backup without a database: size, hashes, table of contents, every row
    Verify(verify::Options),
    /// Prove that a backup restores: into a throwaway server, every row and definition compared; the verdict is kept
    Drill(drill::Options),
    /// Compare two databases, or a database and a backup: definitions and every row
    Compare(compare::Options),
    /// Delete backups that no retention rule keeps, and what dead runs left
    Prune(prune::Options),
    /// Make backups of archives that others put into a store: read them whole and write manifests
    Adopt(adopt::Options),
    /// Copy backups to another store
    Copy(copy::Options),
    /// Bring every store to what it is to have: missing and damaged copies are made from whole ones
    Sync(sync::Options),
    /// Hold a backup, so that nothing deletes it, or release it
    Hold(hold::Options),
    /// Look whether databases can be backed up: rights, pg_dump, store, clocks, size and time
    Check(check::Options),
    /// Make a key for encrypted backups, or try whether keys open them
    Key(key::Options),
    /// Keep databases backed up, proven and pruned by their schedules
    Serve(Box<serve::Options>),
    /// Show what the daemon does, and whether all is well
    Status(status::Options),
    /// Make the line of a user who may sign in to the dashboard; the password comes from standard input
    User(user::Options),
    /// Print the SQL that makes a role for backups
    Role(role::Options),
    /// Write a commented configuration file
    Init(init::Options),
    /// Check the configuration file, or print its JSON schema
    Config(config::Options),
    /// Snapshots of RDS instances and Aurora clusters: make, copy, keep, restore them
    Rds(rds::Options),
    /// AWS Backup: vault, plan and selection as the configuration says; status, restores, costs
    Vault(vault::Options),
    /// Try the channels by which people are told
    Notify(notify::Options),
    /// Make the package of the AWS Lambda function
    Lambda(lambda::Options),
    /// Print shell completions
    Completions(completions::Options),
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    signals::end_with_daemon();
    let cli = Cli::from_arg_matches(&command().get_matches()).unwrap_or_else(|e| e.exit());
    let mut json = wants_json(&cli.command);
    let done = layered(cli).and_then(|(cli, config)| {
        json = wants_json(&cli.command);
        run(cli, &config)
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if json && !failure.told {
                print_json(&json!({ "ok": false, "error": failure }));
            }
            warn(format!("pgkeep: error: {}", failure.message));
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn wants_json(command: &Command) -> bool {
    match command {
        Command::Backup(o) => o.json,
        Command::Restore(o) => o.json,
        Command::Convert(o) => o.json,
        Command::List(o) => o.json,
        Command::Show(o) => o.json,
        Command::Verify(o) => o.json,
        Command::Drill(o) => o.json,
        Command::Compare(o) => o.json,
        Command::Prune(o) => o.json,
        Command::Hold(o) => o.json,
        Command::Copy(o) => o.json,
        Command::Sync(o) => o.json,
        Command::Adopt(o) => o.json,
        Command::Check(o) => o.json,
        Command::Key(o) => o.json,
        Command::Notify(o) => o.json(),
        Command::Rds(o) => o.json(),
        Command::Serve(o) => o.json,
        Command::Status(o) => o.json,
        Command::Vault(o) => o.json(),
        Command::Lambda(o) => o.json(),
        Command::User(_)
        | Command::Role(_)
        | Command::Init(_)
        | Command::Config(_)
        | Command::Completions(_)
        | Command::Man => false,
    }
}

/// Reads the configuration and puts it behind the command line. A command that names a kept backup goes by the entry of
/// its database; those that take several databases ask for each one's entry themselves.
fn layered(cli: Cli) -> Result<(Cli, Config)> {
    let entry = match &cli.command {
        Command::User(_)
        | Command::Completions(_)
        | Command::Man
        | Command::Init(_)
        | Command::Config(_)
        | Command::Lambda(_)
        | Command::Status(_) => {
            return Ok((cli, Config::default()));
        }
        Command::Restore(o) => Some(o.backup.as_str()),
        Command::Convert(o) => Some(o.backup.as_str()),
        Command::Show(o) => Some(o.backup.as_str()),
        Command::Verify(o) => o.backup.as_deref(),
        Command::List(o) => o.name.as_deref(),
        Command::Hold(o) => Some(o.backup.as_str()),
        Command::Copy(o) => Some(o.backup.as_str()),
        Command::Backup(_)
        | Command::Serve(_)
        | Command::Key(_)
        | Command::Notify(_)
        | Command::Drill(_)
        | Command::Compare(_)
        | Command::Check(_)
        | Command::Role(_)
        | Command::Prune(_)
        | Command::Adopt(_)
        | Command::Rds(_)
        | Command::Sync(_)
        | Command::Vault(_) => None,
    };
    let config = Config::load(cli.config.as_deref())?;
    let database = entry.map(|words| words.split('@').next().unwrap_or(words));
    let settings = config.settings_of(database);
    Ok((layers::parse_with(&settings)?, config))
}

fn run(cli: Cli, config: &Config) -> Result<()> {
    match cli.command {
        Command::Backup(options) => backup::run(&options, config),
        Command::Restore(options) => restore::run(&options, config),
        Command::Convert(options) => convert::run(&options, config),
        Command::List(options) => list::run(&options, config),
        Command::Show(options) => show::run(&options, config),
        Command::Verify(options) => verify::run(&options, config),
        Command::Drill(options) => drill::run(&options, config),
        Command::Compare(options) => compare::run(&options, config),
        Command::Prune(options) => prune::run(&options, config),
        Command::Hold(options) => hold::run(&options, config),
        Command::Copy(options) => copy::run(&options, config),
        Command::Sync(options) => sync::run(&options, config),
        Command::Adopt(options) => adopt::run(&options, config),
        Command::Check(options) => check::run(&options, config),
        Command::Key(options) => key::run(&options, config),
        Command::Notify(options) => notify::run(&options, config),
        Command::Rds(options) => rds::run(&options, config),
        Command::Serve(options) => serve::run(&options, cli.config.as_deref()),
        Command::Status(options) => status::run(&options, cli.config.as_deref()),
        Command::User(options) => user::run(&options),
        Command::Vault(options) => vault::run(&options, config),
        Command::Role(options) => role::run(&options, config),
        Command::Init(options) => init::run(&options),
        Command::Config(options) => config::run(&options, cli.config.as_deref()),
        Command::Lambda(options) => lambda::run(&options),
        Command::Completions(options) => completions::run(&options),
        Command::Man => completions::man(),
    }
}
