//! The command line: parse, call, print. A file for each command.

mod backup;
mod check;
mod completions;
mod convert;
mod format;
mod list;
mod restore;
mod role;
mod show;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::json;

use crate::config::Config;
use crate::failure::Result;
use crate::show::{print_json, warn};

const AFTER: &str = "\
Exit codes: 0 success, 1 failed, 2 usage or configuration, 3 damage or a difference \
found, 4 database not reached or log-in refused, 5 store failed, 6 no fitting pg_dump, \
7 rights missing, 8 a clock is wrong, 130 stopped by a signal.";

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
    Restore(restore::Options),
    /// Turn an archive into an SQL script, without a database
    Convert(convert::Options),
    /// List the backups in a store
    List(list::Options),
    /// Show one backup with its tables
    Show(show::Options),
    /// Check a stored backup without a database: size, hashes, table of contents, every row
    Verify(verify::Options),
    /// Look whether databases can be backed up: rights, pg_dump, store, clocks, size and time
    Check(check::Options),
    /// Print the SQL that makes a role for backups
    Role(role::Options),
    /// Print shell completions
    Completions(completions::Options),
    /// Print the manual page
    #[command(hide = true)]
    Man,
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = match &cli.command {
        Command::Backup(o) => o.json,
        Command::Restore(o) => o.json,
        Command::Convert(o) => o.json,
        Command::List(o) => o.json,
        Command::Show(o) => o.json,
        Command::Verify(o) => o.json,
        Command::Check(o) => o.json,
        Command::Role(_) | Command::Completions(_) | Command::Man => false,
    };
    match run(cli) {
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

fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Completions(options) => return completions::run(&options),
        Command::Man => return completions::man(),
        _ => {}
    }
    let config = Config::load(cli.config.as_deref())?;
    match cli.command {
        Command::Backup(options) => backup::run(&options, &config),
        Command::Restore(options) => restore::run(&options, &config),
        Command::Convert(options) => convert::run(&options, &config),
        Command::List(options) => list::run(&options, &config),
        Command::Show(options) => show::run(&options, &config),
        Command::Verify(options) => verify::run(&options, &config),
        Command::Check(options) => check::run(&options, &config),
        Command::Role(options) => role::run(&options, &config),
        Command::Completions(_) | Command::Man => Ok(()),
    }
}
