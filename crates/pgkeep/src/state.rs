//! The folder of the daemon's local state.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// The folder: the one that is named, else systemd's, else the usual one.
pub(crate) fn folder(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    // systemd.exec(5): several directories are set apart by colons.
    if let Some(all) = std::env::var_os("STATE_DIRECTORY")
        && let Some(first) = std::env::split_paths(&all).find(|path| !path.as_os_str().is_empty())
    {
        return Ok(first);
    }
    let system = Path::new("/var/lib/pgkeep");
    if system.is_dir() && can_write(system) {
        return Ok(system.to_owned());
    }
    let own = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::home_dir().map(|home| home.join(".local/state"));
    own.or_else(home).map(|state| state.join("pgkeep")).ok_or_else(|| {
        Failure::usage("there is no folder for the daemon's state\n  hint: name one with --state")
    })
}

fn can_write(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}
