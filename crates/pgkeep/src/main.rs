//! pgkeep: PostgreSQL backups that are proven to restore.

mod cli;
mod config;
mod connect;
mod failure;
mod filters;
mod resolve;
mod rules;
mod show;
mod signals;
mod target;

fn main() -> std::process::ExitCode {
    cli::main()
}
