//! A password that a command prints.

use std::process::{Command, Stdio};

use serde::Deserialize;

use super::no_password;
use super::password::first_line;
use crate::failure::Result;

/// A command.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Argv {
    /// For `sh -c`.
    Shell(String),
    /// A program and its arguments.
    List(Vec<String>),
}

/// How much of a failed command's words is shown.
const SHOWN: usize = 200;

/// The first line of its standard output, which is never shown, whatever happens.
pub(super) fn output(argv: &Argv) -> Result<String> {
    let mut command = match argv {
        Argv::Shell(text) => {
            let mut command = Command::new("sh");
            command.args(["-c", text]);
            command
        }
        Argv::List(words) => match words.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
            None => return Err(no_password("password command", "it is empty").into()),
        },
    };
    // Its arguments may hold a secret of another kind, so only the program is named.
    let program = command.get_program().to_string_lossy().into_owned();
    let what = format!("password command ({program})");
    let done = command.stdin(Stdio::inherit()).stderr(Stdio::piped()).output();
    let done = done.map_err(|e| no_password(&what, e.to_string()))?;
    if !done.status.success() {
        let said: String = String::from_utf8_lossy(&done.stderr).trim().chars().take(SHOWN).collect();
        let said = if said.is_empty() { "and it said nothing".into() } else { said };
        return Err(no_password(what, format!("{}: {said}", done.status)).into());
    }
    let text =
        String::from_utf8(done.stdout).map_err(|_| no_password(&what, "what it prints is not UTF-8"))?;
    Ok(first_line(&text).ok_or_else(|| no_password(what, "the first line that it prints is empty"))?)
}
