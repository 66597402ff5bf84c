//! `pgkeep user`.

use std::io::IsTerminal;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use pgkeep_serve::web::{Role, hash_user};

use crate::failure::{Failure, Result};
use crate::show::print;

/// Options of `user`.
#[derive(Parser)]
pub(super) struct Options {
    /// The user's name
    name: String,
    /// What they may do: see everything, or begin and stop runs, too
    #[arg(long, default_value = "viewer", value_parser = PossibleValuesParser::new(["viewer", "operator"]))]
    role: String,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let unreadable = |e: std::io::Error| Failure::usage(format!("reading the password: {e}"));
    let password = match std::io::stdin().is_terminal() {
        true => rpassword::prompt_password("Password: ").map_err(unreadable)?,
        false => std::io::read_to_string(std::io::stdin()).map_err(unreadable)?,
    };
    let role = Role::of(&options.role).ok_or_else(|| Failure::usage("--role: viewer or operator"))?;
    let password = password.lines().next().unwrap_or_default();
    print(hash_user(&options.name, role, password).map_err(Failure::usage)?);
    Ok(())
}
