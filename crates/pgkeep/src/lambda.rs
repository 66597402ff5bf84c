//! The program as an AWS Lambda function.

use std::path::Path;
use std::process::ExitCode;

use crate::config::Config;
use crate::show::warn;

/// Answers Lambda's events.
pub(crate) fn main() -> ExitCode {
    match std::env::current_exe() {
        Ok(program) => pgkeep_lambda::run(pgkeep_lambda::Host { program, configured }),
        Err(e) => {
            warn(format!("pgkeep: error: the program's own path: {e}"));
            ExitCode::FAILURE
        }
    }
}

/// The names of the databases in the configuration that `PGKEEP_CONFIG` names, or that lies where it usually does.
fn configured() -> Result<Vec<String>, String> {
    let named = std::env::var_os("PGKEEP_CONFIG");
    let config = Config::load(named.as_ref().map(Path::new)).map_err(|f| f.message)?;
    Ok(config.databases.into_keys().collect())
}
