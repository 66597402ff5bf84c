//! `pgkeep role`.

use clap::Parser;
use pgkeep_engine::role::role_sql;

use crate::config::Config;
use crate::connect::{self, PasswordFlags};
use crate::failure::{Failure, Result};
use crate::show::print;
use crate::signals;

/// Options of `role`.
#[derive(Parser)]
pub(super) struct Options {
    /// A postgres:// URL or a name from the configuration
    database: String,
    /// The role's name
    #[arg(long, default_value = "pgkeep")]
    role: String,
    /// For RDS and Aurora: log in by IAM tokens
    #[arg(long)]
    iam: bool,
    #[command(flatten)]
    password: PasswordFlags,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let info = connect::target(&options.database, &options.password, config)?.info;
    print(role_sql(&info, &options.role, options.iam, &cancel)?.trim_end());
    Ok(())
}
