//! A PostgreSQL client program, told where to connect.

use std::process::{Command, Stdio};

use super::ClientTool;
use crate::conn::ConnInfo;
use crate::error::Result;

/// The program with its connection in the environment, where unlike its arguments only its own user can read it.
///
/// # Errors
/// Where the password is asked for: its source's.
pub(crate) fn client_command(tool: &ClientTool, info: &ConnInfo) -> Result<Command> {
    let mut command = Command::new(&tool.path);
    // What libpq would take from the environment is decided by `info` alone; a foreign client encoding
    // would turn the output's text into another one than the database's.
    for var in
        ["PGCLIENTENCODING", "PGSERVICE", "PGHOSTADDR", "PGPASSFILE", "PGSSLNEGOTIATION", "PGREQUIRESSL"]
    {
        command.env_remove(var);
    }
    command.envs(info.to_env()?).env("LC_MESSAGES", "C");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}
