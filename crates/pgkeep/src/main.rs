//! pgkeep: PostgreSQL backups that are proven to restore.

mod cli;
mod config;
mod connect;
mod failure;
mod filters;
mod job;
mod keys;
mod lambda;
mod notify;
mod production;
mod publish;
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
    // A function's program is started without words; its child processes have some.
    if pgkeep_lambda::is_lambda() && std::env::args_os().len() == 1 {
        return lambda::main();
    }
    cli::main()
}
