//! The program as an AWS Lambda function.

use std::path::Path;
use std::process::ExitCode;

use pgkeep_lambda::Host;

use crate::config::Config;
use crate::failure::{Exit, Failure, Result};
use crate::show::warn;

/// Answers Lambda's events.
pub(crate) fn main() -> ExitCode {
    match host() {
        Ok(host) => pgkeep_lambda::run(host),
        Err(failure) => {
            warn(format!("pgkeep: error: {}", failure.message));
            ExitCode::FAILURE
        }
    }
}

/// What the function needs of this program.
pub(crate) fn host() -> Result<Host> {
    let program = std::env::current_exe()
        .map_err(|e| Failure::new(Exit::Failed, "failed", format!("the program's own path: {e}")))?;
    Ok(Host { program, configured })
}

/// The names of the databases in the configuration that `PGKEEP_CONFIG` names, or that lies where it usually does.
fn configured() -> Result<Vec<String>, String> {
    let named = std::env::var_os("PGKEEP_CONFIG");
    let config = Config::load(named.as_ref().map(Path::new)).map_err(|f| f.message)?;
    Ok(config.databases.into_keys().collect())
}
