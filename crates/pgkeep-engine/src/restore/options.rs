//! How to restore.

use std::time::Duration;

/// What a restore does and leaves out; the meanings are those of pg_restore's options of the same names.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// Connections that load and build; at least 1.
    pub jobs: usize,
    /// Create the database that the archive names, and restore into that.
    pub create: bool,
    /// Drop what the archive holds before creating it.
    pub clean: bool,
    /// With `clean`: do not mind what is not there.
    pub if_exists: bool,
    /// Leave everything to the user who restores.
    pub no_owner: bool,
    /// Leave out GRANT and REVOKE.
    pub no_privileges: bool,
    /// Leave out tablespaces: everything goes to the database's default.
    pub no_tablespaces: bool,
    /// Begin although the target holds something.
    pub force: bool,
    /// Keep in the target what is done, so that a restore that was interrupted can go on; not with `keep_going`.
    pub resumable: bool,
    /// Go on with a restore that was interrupted.
    pub resume: bool,
    /// Load without triggers and foreign keys being looked at, which only superusers may: for rows alone whose tables
    /// refer to each other in a circle.
    pub disable_triggers: bool,
    /// Note what fails and go on.
    pub keep_going: bool,
    /// Gather statistics for the planner at the end.
    pub analyze: bool,
    /// Longest wait for a lock; `None` waits for ever.
    pub lock_timeout: Option<Duration>,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        RestoreOptions {
            jobs: std::thread::available_parallelism().map_or(2, |n| n.get()).clamp(2, 8),
            create: false,
            clean: false,
            if_exists: false,
            no_owner: false,
            no_privileges: false,
            no_tablespaces: false,
            force: false,
            resumable: false,
            resume: false,
            disable_triggers: false,
            keep_going: false,
            analyze: true,
            lock_timeout: None,
        }
    }
}
