//! A process as others can recognise it: who holds a mark in a store, and whether it still lives.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A process on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    host: String,
    pid: u32,
    /// Start time of the process in clock ticks since boot, since pids are used again.
    process_start: Option<u64>,
}

impl Process {
    /// This one.
    pub(crate) fn this() -> Process {
        let pid = std::process::id();
        Process { host: host_name(), pid, process_start: process_start(pid) }
    }

    /// Whether it was of this machine and has ended. Of other machines nothing is known.
    pub(crate) fn is_dead_here(&self) -> bool {
        if self.host != host_name() || !Path::new("/proc/self/stat").exists() {
            return false;
        }
        match (process_start(self.pid), self.process_start) {
            (None, _) => true,
            (Some(now), Some(then)) => now != then,
            (Some(_), None) => false,
        }
    }

    /// A process of this machine that has ended.
    #[cfg(test)]
    pub(crate) fn dead() -> Process {
        Process { process_start: Some(1), ..Process::this() }
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.host.split(' ').next().unwrap_or_default();
        write!(f, "process {} on {name}", self.pid)
    }
}

/// This machine, or rather this boot of this container: two containers of one host name see different processes.
fn host_name() -> String {
    let name = hostname::get().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace =
        std::fs::read_link("/proc/self/ns/pid").map(|l| l.display().to_string()).unwrap_or_default();
    format!("{name} {} {namespace}", boot.trim())
}

/// Field 22 of `/proc/<pid>/stat` (proc(5)); the command in field 2 can hold spaces and parentheses.
fn process_start(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}
