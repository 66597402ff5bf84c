//! pgkeep: PostgreSQL backups that are proven to restore.

mod cli;
mod config;
mod connect;
mod failure;
mod filters;
mod job;
mod keys;
mod notify;
mod production;
mod resolve;
mod retention;
mod rules;
mod sealed;
mod show;
mod signals;
mod state;
mod stores;
mod target;

fn main() -> std::process::ExitCode {
    cli::main()
}
