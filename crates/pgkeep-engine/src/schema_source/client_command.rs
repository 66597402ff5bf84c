//! A PostgreSQL client program, told where to connect.

use std::process::{Command, Stdio};

use super::ClientTool;
use crate::conn::{ClientEnv, ConnInfo};
use crate::error::Result;

/// The program with its connection in the environment, where unlike its arguments only its own user can read it; and
/// what must be kept for as long as it runs.
///
/// # Errors
/// Where the password is asked for: its source's; where a file of certificates cannot be written.
pub(crate) fn client_command(tool: &ClientTool, info: &ConnInfo) -> Result<(Command, ClientEnv)> {
    let mut command = Command::new(&tool.path);
    let connection = info.client_env()?;
    connection.apply(&mut command);
    command.env("LC_MESSAGES", "C");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok((command, connection))
}
