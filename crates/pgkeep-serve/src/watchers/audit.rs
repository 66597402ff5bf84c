//! The audit log: who did what, in a file that is only ever added to.
//!
//! Each line carries the hash of the line before it, so that a line that was changed or taken out is noticed. What is cut
//! off at the end is not: keep the last hash, or the lines, elsewhere too.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::Value;

use crate::error::{Result, ServeError};
use crate::run::Run;
use crate::watch::{Act, Watcher};

/// What a first line has in the place of a hash.
const BEGIN: &str = "0";
/// The end of the file in which the last line is looked for.
const TAIL: u64 = 1 << 20;

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    act: Act,
    /// SHA-256 of the line before, in hexadecimal.
    before: String,
}

/// The file, and the hash of its last line.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    inner: Mutex<(File, String)>,
}

impl AuditLog {
    /// Opens it to add lines, or makes it, for its owner alone.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &Path) -> Result<AuditLog> {
        let failed = |e: std::io::Error| failed(path, &e);
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        let mut last = last_line(&mut file).map_err(failed)?;
        if let Some(cut) = last.as_ref().filter(|line| !line.ends_with('\n')).cloned() {
            // A write that a crash cut off is a line of its own: nothing is ever taken away.
            file.write_all(b"\n").map_err(failed)?;
            last = Some(cut);
        }
        let hash = last.map_or_else(|| BEGIN.to_owned(), |line| hash(line.trim_end_matches('\n')));
        Ok(AuditLog { path: path.to_owned(), inner: Mutex::new((file, hash)) })
    }

    fn add(&self, act: &Act) -> Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, before) = &mut *inner;
        let line = Line { act: act.clone(), before: before.clone() };
        let text = serde_json::to_string(&line)
            .map_err(|e| ServeError::System { what: "an audit line".into(), why: e.to_string() })?;
        file.write_all(format!("{text}\n").as_bytes())
            .and_then(|()| file.sync_data())
            .map_err(|e| failed(&self.path, &e))?;
        *before = hash(&text);
        Ok(())
    }

    fn keep(&self, act: &Act) {
        if let Err(e) = self.add(act) {
            tracing::error!(
                error = e.to_string(),
                who = act.who,
                what = act.what,
                "the audit log can't be written"
            );
        }
    }
}

impl Watcher for AuditLog {
    fn audited(&self, act: &Act) {
        self.keep(act);
    }

    fn run_ended(&self, run: &Run) {
        deletions(run).iter().for_each(|act| self.keep(act));
    }
}

/// The backups that a run of prune has deleted.
fn deletions(run: &Run) -> Vec<Act> {
    let all = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let backups = run.result.iter().flat_map(|result| all(result, "names")).flat_map(|n| all(&n, "backups"));
    backups
        .filter(|backup| backup["action"] == "deleted")
        .map(|backup| Act {
            at: run.finished.unwrap_or(run.scheduled),
            who: run.by.clone().unwrap_or_else(|| "schedule".into()),
            what: "delete".into(),
            on: backup["id"].as_str().map(Into::into),
            outcome: format!("deleted by run {}", run.id),
        })
        .collect()
}

fn last_line(file: &mut File) -> std::io::Result<Option<String>> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail);
    Ok(tail.split_inclusive('\n').next_back().map(str::to_owned))
}

fn hash(line: &str) -> String {
    digest(&SHA256, line.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failed(path: &Path, e: &std::io::Error) -> ServeError {
    ServeError::System { what: format!("audit log {}", path.display()), why: e.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use jiff::Timestamp;

    use super::*;

    fn act(what: &str) -> Act {
        Act {
            at: Timestamp::from_second(1_800_000_000).unwrap(),
            who: "anna".into(),
            what: what.into(),
            on: Some("shop/backup".into()),
            outcome: "ok".into(),
        }
    }

    /// Follows the chain as docs/monitoring.md says: how many lines there are and the last one's hash, or the line at
    /// which it is broken.
    fn verify(path: &Path) -> Result<(usize, String), usize> {
        let (text, mut before) = (std::fs::read_to_string(path).unwrap(), BEGIN.to_owned());
        for (i, line) in text.lines().enumerate() {
            let read: Option<Value> = serde_json::from_str(line).ok();
            if read.is_none_or(|read| read["before"] != before.as_str()) {
                return Err(i + 1);
            }
            before = hash(line);
        }
        Ok((text.lines().count(), before))
    }

    #[test]
    fn lines_follow_each_other_over_a_restart_and_a_change_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        for words in [["start", "run"], ["start", "end"]] {
            let log = AuditLog::open(&path).unwrap();
            words.iter().for_each(|what| log.audited(&act(what)));
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // The chain is what sha256sum says of each line.
        for pair in lines.windows(2) {
            let script = "printf %s \"$1\" | sha256sum | cut -c1-64";
            let sum = Command::new("sh").args(["-c", script, "sh", pair[0]]).output().unwrap();
            let next: serde_json::Value = serde_json::from_str(pair[1]).unwrap();
            assert_eq!(next["before"].as_str(), Some(String::from_utf8(sum.stdout).unwrap().trim()));
        }
        let (many, last) = verify(&path).unwrap();
        assert_eq!((many, last), (4, hash(lines[3])));
        let broken = |text: String| {
            std::fs::write(&path, text).unwrap();
            verify(&path).unwrap_err()
        };
        assert_eq!(broken(text.replacen("anna", "anne", 1)), 2);
        assert_eq!(broken(format!("{}\n{}\n{}\n", lines[0], lines[2], lines[3])), 2);
        assert_eq!(broken(lines[1..].join("\n")), 1);
    }

    #[test]
    fn after_a_line_that_a_crash_cut_off_the_next_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        AuditLog::open(&path).unwrap().audited(&act("start"));
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"at\":").unwrap();
        AuditLog::open(&path).unwrap().audited(&act("end"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3);
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((&last["what"], last["before"].as_str().unwrap()), (&"end".into(), &*hash("{\"at\":")));
        assert_eq!(verify(&path).unwrap_err(), 2);
    }
}
