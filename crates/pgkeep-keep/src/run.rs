//! A running backup's mark in the store, so that what a killed run left behind can be told from what is being
//! written.
//!
//! The mark, `.pgkeep/runs/<id>.json`, is written before the first byte of the archive and deleted after the
//! manifest. While the run lives it is written again every minute. A mark whose process is gone (on the same
//! machine) or that has not moved for [`STALE`] is dead; [`sweep`] then removes the upload, the archive without
//! manifest, and the mark.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pgkeep_store::{ObjectInfo, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::catalogue::{Catalogue, Summary};
use crate::encryption::EXTENSION;
use crate::error::{KeepError, Result};
use crate::id::BackupId;
use crate::object::directory_of;
use crate::process::Process;

const RUNS: &str = ".pgkeep/runs/";
/// How often a live run writes its mark.
const BEAT: Duration = Duration::from_secs(60);
/// A mark older than this belongs to a dead run, also if its machine cannot be asked: fifteen missed beats.
const STALE: SignedDuration = SignedDuration::from_mins(15);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Mark {
    id: String,
    name: String,
    #[serde(flatten)]
    process: Process,
    /// Key of the archive; absent in marks of versions that knew one place only.
    #[serde(default)]
    key: Option<String>,
}

/// A run under way. Dropped without [`Run::end`] it ends its mark all the same: the upload's own drop has removed
/// the data by then.
pub struct Run {
    store: Store,
    key: String,
    mark: Mark,
    beat: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Run {
    /// Writes the mark and keeps it fresh. `archive` is the key of the archive that is to come.
    ///
    /// # Errors
    /// The store's; `KeyTaken` where the key holds an object already, or another run is about to write it: the sweep
    /// after a death may remove only what the dead run itself wrote.
    pub fn begin(store: &Store, name: &str, id: &BackupId, archive: &str) -> Result<Run> {
        let own = archive.contains(id.as_str());
        let taken = |why: &str| KeepError::KeyTaken { object: store.url_of(archive), why: why.into() };
        if !own && is_there(store, archive)? {
            return Err(taken("it is there already"));
        }
        let run = Run::mark(store, name, id, archive)?;
        if !own && others_want(store, id, archive)? {
            return Err(taken("another backup is about to write it"));
        }
        Ok(run)
    }

    fn mark(store: &Store, name: &str, id: &BackupId, archive: &str) -> Result<Run> {
        let mark = Mark {
            id: id.to_string(),
            name: name.to_owned(),
            process: Process::this(),
            key: Some(archive.to_owned()),
        };
        let key = format!("{RUNS}{id}.json");
        let body = serde_json::to_vec(&mark).unwrap_or_default();
        store.put(&key, body.clone().into())?;
        let (stop, stopped) = channel::<()>();
        let beat = {
            let (store, key) = (store.clone(), key.clone());
            std::thread::spawn(move || {
                while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                    // A missed beat is made up for by the next; fifteen in a row mean a store that is lost anyhow.
                    let _ = store.put(&key, body.clone().into());
                }
            })
        };
        Ok(Run { store: store.clone(), key, mark, beat: Some((stop, beat)) })
    }

    /// Removes the mark.
    ///
    /// # Errors
    /// The store's. The backup is committed all the same, and the next sweep removes the mark.
    pub fn end(mut self) -> Result<()> {
        self.stop();
        Ok(self.store.delete(&self.key)?)
    }

    /// Removes what this run wrote, a manifest first, then the mark. What cannot be removed keeps its mark, and the next
    /// sweep removes it.
    ///
    /// # Errors
    /// The store's.
    pub fn discard(mut self) -> Result<()> {
        self.stop();
        let mark = self.mark.clone();
        if let Some((_, id)) = BackupId::of_manifest_key(&format!("x/{}.manifest.json", mark.id)) {
            self.store.delete(&id.manifest_key(&mark.name))?;
            abort_pending(&self.store, &mark.archive(&id))?;
            remove(&self.store, &mark, &id)?;
        }
        Ok(self.store.delete(&self.key)?)
    }

    /// Leaves the mark to the next sweep: for a store to which a call may still be under way.
    pub fn leave(mut self) {
        self.stop();
    }

    fn stop(&mut self) -> bool {
        let Some((stop, beat)) = self.beat.take() else { return false };
        drop(stop);
        let _ = beat.join();
        true
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.stop() {
            let _ = self.store.delete(&self.key);
        }
    }
}

/// The objects of a directory by the key of its table of contents; of an archive that is one object, none.
fn files_beside(
    store: &Store,
    archive: &str,
) -> Result<Box<dyn Iterator<Item = Result<ObjectInfo, StoreError>>>> {
    match directory_of(archive) {
        Some(directory) if !directory.is_empty() => Ok(Box::new(store.list(&format!("{directory}/"))?)),
        _ => Ok(Box::new(std::iter::empty())),
    }
}

/// Whether there is an archive, or some of one, under the key.
fn is_there(store: &Store, archive: &str) -> Result<bool> {
    Ok(store.head(archive).is_ok() || files_beside(store, archive)?.next().is_some())
}

/// The runs that have a mark, dead or alive: their ids and the keys that they write.
pub(crate) fn marked(store: &Store) -> Result<Vec<(String, Option<String>)>> {
    let mut marked = Vec::new();
    for object in store.list(RUNS)? {
        let key = object?.key;
        let Some(id) = key.strip_prefix(RUNS).and_then(|file| file.strip_suffix(".json")) else { continue };
        // A mark that cannot be read still says by its name whose it is.
        let mark = store.get(&key).ok().and_then(|json| serde_json::from_slice::<Mark>(&json).ok());
        marked.push((id.to_owned(), mark.and_then(|m| m.key)));
    }
    Ok(marked)
}

/// Who makes a backup under this name, or of a server's database below it, now, in words, as far as its mark tells; `now` by the store's clock.
///
/// # Errors
/// The store's.
pub fn backup_under_way(store: &Store, name: &str, now: Timestamp) -> Result<Option<String>> {
    for object in store.list(RUNS)? {
        let object = object?;
        // One that has just ended is gone, and one that cannot be read says nothing.
        let Some(json) = store.get(&object.key).ok() else { continue };
        let Ok(mark) = serde_json::from_slice::<Mark>(&json) else { continue };
        let lives = now.duration_since(object.modified) <= STALE && !mark.process.is_dead_here();
        let below = mark.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if lives && below {
            return Ok(Some(format!("backup {} of {name} is being made by {}", mark.id, mark.process)));
        }
    }
    Ok(None)
}

/// Whether a run has a mark.
pub(crate) fn is_marked(store: &Store, id: &BackupId) -> Result<bool> {
    match store.head(&format!("{RUNS}{id}.json")) {
        Ok(_) => Ok(true),
        Err(e) if e.is_not_found() => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Whether another run's mark names this key.
fn others_want(store: &Store, id: &BackupId, archive: &str) -> Result<bool> {
    let others = marked(store)?;
    Ok(others.iter().any(|(run, key)| run != id.as_str() && key.as_deref() == Some(archive)))
}

/// Whether a backup's manifest names this key. Asked for keys without an id in them, which two runs can have wanted.
fn is_committed(store: &Store, archive: &str) -> Result<bool> {
    let catalogue = Catalogue::new(store.clone());
    let listed = catalogue.list()?;
    // A manifest that cannot be read may be the one.
    let names = |s: &Result<Summary>| s.as_ref().map_or(true, |s| s.key == archive);
    Ok(catalogue.summaries(&listed).found.iter().any(names))
}

/// What a sweep removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// The dead run.
    pub id: String,
    /// The name it would have been kept under.
    pub name: String,
}

/// Removes what dead runs left behind. `now` is the time by the store's clock.
pub fn sweep(store: &Store, now: Timestamp) -> Result<Vec<Swept>> {
    let mut swept = Vec::new();
    let marks: Vec<_> = store.list(RUNS)?.collect::<std::result::Result<_, _>>()?;
    for object in marks {
        let Ok(json) = store.get(&object.key) else { continue };
        let stale = now.duration_since(object.modified) > STALE;
        let Ok(mark) = serde_json::from_slice::<Mark>(&json) else {
            if stale {
                store.delete(&object.key)?;
            }
            continue;
        };
        if !stale && !mark.process.is_dead_here() {
            continue;
        }
        let Some((_, id)) = BackupId::of_manifest_key(&format!("x/{}.manifest.json", mark.id)) else {
            continue;
        };
        let archive = mark.archive(&id);
        abort_pending(store, &archive)?;
        // With a manifest the run was done but for its mark.
        let own = archive.contains(id.as_str());
        if store.head(&id.manifest_key(&mark.name)).is_err_and(|e| e.is_not_found())
            && (own || !is_committed(store, &archive)?)
        {
            remove(store, &mark, &id)?;
            swept.push(Swept { id: mark.id, name: mark.name });
        }
        store.delete(&object.key)?;
    }
    Ok(swept)
}

/// Ends what was never finished under the archive's key.
fn abort_pending(store: &Store, archive: &str) -> Result<()> {
    for pending in store.pending_uploads(directory_of(archive).unwrap_or(archive))? {
        store.abort_upload(&pending)?;
    }
    Ok(())
}

/// Removes what a run wrote that has no manifest.
fn remove(store: &Store, mark: &Mark, id: &BackupId) -> Result<()> {
    let archive = mark.archive(id);
    // Of a directory first what makes it look like an archive.
    store.delete(&archive)?;
    for file in files_beside(store, &archive)? {
        store.delete(&file?.key)?;
    }
    let globals = id.globals_key(&mark.name);
    store.delete(&format!("{globals}{EXTENSION}"))?;
    Ok(store.delete(&globals)?)
}

impl Mark {
    /// Key of the archive.
    fn archive(&self, id: &BackupId) -> String {
        self.key.clone().unwrap_or_else(|| id.archive_key(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;
    use pgkeep_store::UploadPlan;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_str().unwrap()).unwrap();
        (dir, store)
    }

    fn plant(store: &Store, id: &BackupId, process: Process) {
        let mark = Mark { id: id.to_string(), name: "db".into(), process, key: None };
        store.put(&format!("{RUNS}{id}.json"), serde_json::to_vec(&mark).unwrap().into()).unwrap();
    }

    fn keys(store: &Store) -> Vec<String> {
        store.list("").unwrap().map(|o| o.unwrap().key).collect()
    }

    #[test]
    fn an_archive_of_a_dead_run_goes_and_that_of_a_live_one_stays() {
        let (_dir, store) = store();
        let dead = BackupId::new(Timestamp::now());
        let live = BackupId::new(Timestamp::now());
        for id in [&dead, &live] {
            store.put(&id.archive_key("db"), "x".into()).unwrap();
        }
        store.put(&dead.globals_key("db"), "x".into()).unwrap();
        plant(&store, &dead, Process::dead());
        plant(&store, &live, Process::this());
        let swept = sweep(&store, Timestamp::now()).unwrap();
        assert_eq!(swept, [Swept { id: dead.to_string(), name: "db".into() }]);
        assert_eq!(keys(&store), [format!("{RUNS}{live}.json"), live.archive_key("db")]);
    }

    #[test]
    fn a_backup_that_is_being_made_is_seen_by_its_name() {
        let (_dir, store) = store();
        let now = Timestamp::now();
        let under_way = |name: &str, now| backup_under_way(&store, name, now).unwrap();
        plant(&store, &BackupId::new(now), Process::dead());
        assert_eq!(under_way("db", now), None);
        let live = BackupId::new(now);
        plant(&store, &live, Process::this());
        assert!(under_way("db", now).unwrap().contains(live.as_str()));
        assert_eq!((under_way("d", now), under_way("db/x", now)), (None, None));
        assert_eq!(under_way("db", now + SignedDuration::from_mins(16)), None);
    }

    #[test]
    fn a_mark_that_has_not_moved_for_long_is_dead() {
        let (_dir, store) = store();
        let id = BackupId::new(Timestamp::now());
        store.put(&id.archive_key("db"), "x".into()).unwrap();
        plant(&store, &id, Process::this());
        sweep(&store, Timestamp::now() + SignedDuration::from_mins(16)).unwrap();
        assert_eq!(keys(&store), Vec::<String>::new());
    }

    #[test]
    fn a_committed_backup_is_never_swept() {
        let (_dir, store) = store();
        let id = BackupId::new(Timestamp::now());
        store.put(&id.archive_key("db"), "x".into()).unwrap();
        store.put(&id.manifest_key("db"), "{}".into()).unwrap();
        plant(&store, &id, Process::dead());
        assert_eq!(sweep(&store, Timestamp::now()).unwrap(), []);
        assert_eq!(keys(&store), [id.archive_key("db"), id.manifest_key("db")]);
    }

    #[test]
    fn a_key_that_another_run_has_or_wants_is_refused() {
        let (_dir, store) = store();
        let (one, two) = (BackupId::new(Timestamp::now()), BackupId::new(Timestamp::now()));
        let run = Run::begin(&store, "db", &one, "backups/x.sql").unwrap();
        assert!(Run::begin(&store, "other", &two, "backups/x.sql").is_err());
        assert_eq!(keys(&store), [format!("{RUNS}{one}.json")], "the refused run leaves nothing");
        run.end().unwrap();
        store.put("backups/x.sql", "x".into()).unwrap();
        assert!(Run::begin(&store, "other", &two, "backups/x.sql").is_err());
        assert_eq!(keys(&store), ["backups/x.sql"]);
    }

    #[test]
    fn under_a_template_a_sweep_removes_what_no_manifest_names_and_nothing_else() {
        let (_dir, store) = store();
        let plant = |id: &BackupId| {
            let (name, key) = ("db".to_owned(), Some("backups/x.sql".to_owned()));
            let mark = Mark { id: id.to_string(), name, process: Process::dead(), key };
            store.put(&format!("{RUNS}{id}.json"), serde_json::to_vec(&mark).unwrap().into()).unwrap();
        };
        let (dead, good) = (BackupId::new(Timestamp::now()), BackupId::new(Timestamp::now()));
        store.put("backups/x.sql", "x".into()).unwrap();
        plant(&dead);
        sweep(&store, Timestamp::now()).unwrap();
        assert_eq!(keys(&store), Vec::<String>::new());

        let mut manifest =
            Manifest::from_json(include_bytes!("../tests/fixtures/manifest-v1.json"), "x").unwrap();
        manifest.object.key = "backups/x.sql".into();
        store.put(&good.manifest_key("other"), manifest.to_json().into()).unwrap();
        store.put("backups/x.sql", "precious".into()).unwrap();
        plant(&dead);
        sweep(&store, Timestamp::now()).unwrap();
        assert_eq!(keys(&store), ["backups/x.sql".to_owned(), good.manifest_key("other")]);
    }

    #[test]
    fn a_run_marks_itself_and_leaves_no_trace() {
        let (_dir, store) = store();
        let id = BackupId::new(Timestamp::now());
        let run = Run::begin(&store, "db", &id, &id.archive_key("db")).unwrap();
        let upload = store.start_upload(&id.archive_key("db"), UploadPlan::new(1, 10)).unwrap();
        assert_eq!(sweep(&store, Timestamp::now()).unwrap(), []);
        drop(upload);
        run.end().unwrap();
        assert_eq!(keys(&store), Vec::<String>::new());
    }
}
