//! `pgkeep key new`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use jiff::Timestamp;
use pgkeep_keep::encryption::new_identity;
use serde_json::json;

use crate::failure::{Exit, Failure, Result};
use crate::show::{print, print_json};

const NEXT: &str = "keep two copies, one of them offline and away from the backups: nobody can replace it
            name the public half where backups are taken: --encrypt-to, or encrypt_to = [\"…\"]
            make a second key for a safe, and name it there by --recovery-recipient
            `pgkeep key check --identity FILE` shows that a key opens the backups";

pub(super) fn run(out: &Path, json: bool) -> Result<()> {
    let (secret, public) = new_identity()?;
    // As age-keygen writes it.
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let head = format!("# created: {now}\n# public key: {public}\n");
    write(out, &[head.as_bytes(), secret.as_bytes(), b"\n"]).map_err(|e| {
        let hint = match e.kind() {
            ErrorKind::AlreadyExists => {
                "it is not replaced, since it may open backups: --out with another name"
            }
            _ => "--out FILE names another place",
        };
        Failure::new(Exit::Failed, "key", format!("{}: {e}\n  hint: {hint}", out.display()))
    })?;
    if json {
        print_json(&json!({ "ok": true, "file": out, "public": public }));
        return Ok(());
    }
    print(format!("made {}: whoever has it reads what is encrypted to its public half", out.display()));
    print(format!("  public    {public}"));
    print(format!("  next      {NEXT}"));
    Ok(())
}

/// Writes a file that is not there yet and that nobody else can read.
fn write(out: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(out)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.sync_all()
}
