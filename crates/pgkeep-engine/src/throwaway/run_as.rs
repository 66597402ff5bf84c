//! The user that the server runs as: PostgreSQL refuses to be root's.

use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{EngineError, ErrorKind, Result};

/// Users that are taken in root's place, the first that there is.
const STAND_INS: [&str; 2] = ["postgres", "nobody"];

/// Whom the server's programs run as.
#[derive(Debug, Clone)]
pub(super) struct RunAs(Option<User>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
}

impl RunAs {
    /// This process's own user, or another one where that is root.
    pub(super) fn choose() -> Result<RunAs> {
        if !rustix::process::geteuid().is_root() {
            return Ok(RunAs(None));
        }
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        match STAND_INS.iter().find_map(|name| user(&users, name)) {
            Some(user) => Ok(RunAs(Some(user))),
            None => Err(EngineError::new(
                ErrorKind::Config,
                "starting a throwaway server",
                "PostgreSQL does not run as root, and there is no user postgres or nobody here",
            )
            .hint("run pgkeep as another user, or add one: useradd --system postgres")),
        }
    }

    /// A program to be run as that user, in a process group of its own: a Ctrl-C is for pgkeep, which then stops the
    /// server in order.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(user) = &self.0 {
            command.uid(user.uid).gid(user.gid);
        }
        command.current_dir("/").env("LC_ALL", "C").process_group(0).stdin(Stdio::null());
        command
    }

    /// Gives a file or folder to that user.
    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        match &self.0 {
            Some(user) => chown(path, Some(user.uid), Some(user.gid)),
            None => Ok(()),
        }
    }

    /// Whether a folder is that user's, and so none that somebody else planted.
    pub(super) fn owns(&self, path: &Path) -> bool {
        let uid = self.0.as_ref().map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid);
        std::fs::symlink_metadata(path).is_ok_and(|m| m.is_dir() && m.uid() == uid)
    }

    /// What stands before a command line so that this user runs it.
    pub(super) fn prefix(&self) -> String {
        self.0.as_ref().map(|user| format!("runuser -u {} -- ", user.name)).unwrap_or_default()
    }
}

/// A line of passwd(5).
fn user(users: &str, name: &str) -> Option<User> {
    users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
        (fields[0] == name).then(|| User { name: name.to_owned(), uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_name_alone() {
        let users =
            "root:x:0:0::/root:/bin/sh\npostgresql:x:7:8::/:\nbroken\npostgres:x:101:104::/:/bin/sh\n";
        let found = User { name: "postgres".into(), uid: 101, gid: 104 };
        assert_eq!(user(users, "postgres"), Some(found));
        assert_eq!(user(users, "nobody"), None);
    }
}
