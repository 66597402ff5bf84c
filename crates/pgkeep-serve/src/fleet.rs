//! What the daemon is to do: databases, and tasks with their times.

use std::time::Duration;

use pgkeep_keep::retention::Policy;

use crate::error::Result;

/// All of it, as the configuration says it.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    /// The databases, by name.
    pub members: Vec<Member>,
    /// What is done on a schedule, or by hand.
    pub tasks: Vec<Task>,
    /// How much at a time.
    pub limits: Limits,
}

impl Fleet {
    /// Databases that no schedule backs up.
    pub fn unscheduled(&self) -> impl Iterator<Item = &str> {
        let is_scheduled = |name: &str| {
            let of_it = |t: &&Task| t.kind == TaskKind::Backup && t.database.as_deref() == Some(name);
            self.tasks.iter().find(of_it).is_some_and(|t| t.schedule.is_some())
        };
        self.members.iter().map(|m| m.name.as_str()).filter(move |name| !is_scheduled(name))
    }
}

/// One database.
#[derive(Debug, Clone)]
pub struct Member {
    /// The configured name.
    pub name: String,
    /// The name under which its backups are kept; those of a server's databases (`all = true`) are below it.
    pub kept_as: String,
    /// Host and port as configured, which the limit by host goes by; never a password.
    pub host: String,
    /// The stores that its backups go to.
    pub stores: Vec<StoreUrl>,
    /// Whether it is marked as production.
    pub production: bool,
}

/// A store by its configured name.
#[derive(Debug, Clone)]
pub struct StoreUrl {
    /// The configured name, or the URL where it has none.
    pub name: String,
    /// URL or folder.
    pub url: String,
    /// What is kept there of the database.
    pub retention: Policy,
}

/// Something to be done again and again.
#[derive(Debug, Clone)]
pub struct Task {
    /// `<database>/<kind>`, or the kind alone for what concerns all.
    pub id: String,
    /// What it is.
    pub kind: TaskKind,
    /// The database that it is about.
    pub database: Option<String>,
    /// The command's words after `pgkeep`, such as `["backup", "shop"]`. `--json` and `--progress json` are added. No
    /// secret is ever among them.
    pub words: Vec<String>,
    /// When; without one it runs by hand only.
    pub schedule: Option<pgkeep_schedule::Schedule>,
    /// So much later than its scheduled times it is due, so that not everything begins at once.
    pub jitter: Duration,
    /// How late it may begin and end.
    pub windows: Windows,
    /// How often a failure is tried again.
    pub retries: Retries,
}

impl Task {
    /// The command's words with further ones: those that begin with an option come after the task's own, others take the
    /// place of all of them but the command's name.
    pub fn words_with(&self, more: &[String]) -> Vec<String> {
        let own = match more.first() {
            Some(first) if !first.starts_with('-') => self.words.get(..1),
            _ => Some(self.words.as_slice()),
        };
        [own.unwrap_or_default(), more].concat()
    }
}

/// Kinds of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// `pgkeep backup`.
    Backup,
    /// `pgkeep drill`.
    Drill,
    /// `pgkeep verify`.
    Verify,
    /// `pgkeep prune`.
    Prune,
    /// `pgkeep sync`.
    Sync,
    /// `pgkeep restore`, by hand, into a throwaway server.
    Restore,
    /// `pgkeep rds …`.
    Rds,
    /// `pgkeep vault status`.
    Vault,
}

impl TaskKind {
    /// All kinds.
    pub const ALL: [TaskKind; 8] = [
        TaskKind::Backup,
        TaskKind::Drill,
        TaskKind::Verify,
        TaskKind::Prune,
        TaskKind::Sync,
        TaskKind::Restore,
        TaskKind::Rds,
        TaskKind::Vault,
    ];

    /// The command's name.
    pub fn as_str(self) -> &'static str {
        match self {
            TaskKind::Backup => "backup",
            TaskKind::Drill => "drill",
            TaskKind::Verify => "verify",
            TaskKind::Prune => "prune",
            TaskKind::Sync => "sync",
            TaskKind::Restore => "restore",
            TaskKind::Rds => "rds",
            TaskKind::Vault => "vault",
        }
    }

    /// The kind of this name.
    pub fn of(word: &str) -> Option<TaskKind> {
        TaskKind::ALL.into_iter().find(|k| k.as_str() == word)
    }
}

/// How late a run may begin and end, counted from its scheduled time; beyond that it fails and says so. The names and
/// their meaning are those of AWS Backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Windows {
    /// A run that has not begun within this fails.
    pub start: Option<Duration>,
    /// A run that has not ended within this is stopped and fails.
    pub completion: Option<Duration>,
}

/// Tries after a failure that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// How many; 0 for none.
    pub count: u32,
    /// Wait before the first, doubled for each further one.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
}

impl Default for Retries {
    fn default() -> Retries {
        Retries { count: 3, first_wait: Duration::from_secs(60), longest_wait: Duration::from_secs(30 * 60) }
    }
}

/// How much runs at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Runs in all.
    pub total: usize,
    /// Runs against one host.
    pub per_host: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { total: 4, per_host: 2 }
    }
}

/// Where the fleet comes from.
pub trait FleetSource: Send + Sync {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`ServeError::Config`](crate::ServeError::Config) with all that is wrong; a daemon that runs keeps what it has.
    fn load(&self) -> Result<Fleet>;
}
