//! Whole backups into stores of which any call fails: whatever is listed afterwards is whole, and the next run finds and
//! leaves a clean place.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pgkeep_engine::dump::{DumpOptions, Format};
use pgkeep_engine::globals::{Globals, read_globals};
use pgkeep_engine::progress::Progress;
use pgkeep_engine::{Cancel, ConnInfo};
use pgkeep_keep::encryption::{Recipients, new_identity};
use pgkeep_keep::{Catalogue, HashCheck, KeyTemplate, Manifest, sweep, verify_hashes};
use pgkeep_store::{Fault, Faults, Store};
use pgkeep_testbed::{Database, Server, with_programs};
use tempfile::TempDir;

use super::BackupJob;
use crate::failure::Result;

/// How a call fails: before it has an effect or after, once or for good. What changes nothing has no effect.
fn ways(call: &str) -> impl Iterator<Item = (bool, bool)> {
    let reads = ["get ", "get_range ", "head ", "list ", "locking ", "pending_uploads "];
    let changes = !reads.iter().any(|read| call.starts_with(read));
    [(false, false), (false, true), (true, false), (true, true)]
        .into_iter()
        .filter(move |(after, _)| changes || !after)
}

/// A database and how it is backed up.
struct Bench {
    _database: Database,
    info: ConnInfo,
    dump: DumpOptions,
    globals: Option<Globals>,
    recipients: Recipients,
}

impl Bench {
    fn new(format: Format, encrypted: bool) -> Bench {
        let database = Database::create(&Server::major(17), "faults");
        database.psql("create table t as select i from generate_series(1, 100) i; create table u as table t");
        let info = ConnInfo::parse(&database.url()).unwrap();
        let mut recipients = Recipients::new();
        if encrypted {
            recipients.add(&new_identity().unwrap().1).unwrap();
        }
        let globals = encrypted.then(|| read_globals(&info, &Cancel::new()).unwrap());
        let dump = DumpOptions { format, jobs: 1, ..DumpOptions::default() };
        Bench { _database: database, info, dump, globals, recipients }
    }

    fn backup(&self, stores: &[Store]) -> Result<Manifest> {
        let job = BackupJob {
            stores,
            patience: Duration::from_secs(60),
            max_duration: None,
            name: "shop",
            key: &KeyTemplate::default(),
            info: &self.info,
            globals: self.globals.as_ref(),
            dump: &self.dump,
            recipients: &self.recipients,
        };
        job.run(&Progress::new(), &Cancel::new())
    }

    /// Fails every call to one of so many stores in every way.
    fn fails_everywhere(&self, stores: usize) {
        for faulty in 0..stores {
            let faults = Faults::new();
            faults.arm(None);
            self.backup(&with_faults(&Folder::some(stores), faulty, &faults)).unwrap();
            let calls = faults.calls();
            assert!(calls.len() > 5, "{calls:?}");
            for (call, what) in calls.iter().enumerate() {
                // Of writes in a row the last stands for all.
                if calls.get(call + 1) == Some(what) {
                    continue;
                }
                for (after_effect, for_good) in ways(what) {
                    let folders = Folder::some(stores);
                    faults.arm(Some(Fault { call, after_effect, for_good }));
                    let done = self.backup(&with_faults(&folders, faulty, &faults));
                    let which = format!("{what}, after its effect: {after_effect}, for good: {for_good}");
                    judge(&folders, faulty, &done, for_good, &which);
                    if for_good {
                        self.heals(&folders, &which);
                    }
                }
            }
        }
    }

    /// The next backup, on a machine that takes the first run for dead, leaves nothing but backups.
    fn heals(&self, folders: &[Folder], which: &str) {
        for folder in folders {
            sweep(&folder.store, Timestamp::now() + SignedDuration::from_mins(16)).unwrap();
        }
        let before: Vec<usize> = folders.iter().map(Folder::whole).collect();
        let stores: Vec<Store> = folders.iter().map(|f| f.store.clone()).collect();
        let second = self.backup(&stores).unwrap();
        assert!(second.copies.iter().all(|copy| copy.failed.is_none()), "{which}");
        for (folder, before) in folders.iter().zip(before) {
            assert_eq!(folder.whole(), before + 1, "{which}");
            folder.has_backups_alone(which);
        }
    }
}

fn with_faults(folders: &[Folder], faulty: usize, faults: &Faults) -> Vec<Store> {
    let store =
        |(i, f): (usize, &Folder)| if i == faulty { faults.around(&f.store) } else { f.store.clone() };
    folders.iter().enumerate().map(store).collect()
}

/// What was told is true of every store, and a store whose later calls went well is clean.
fn judge(folders: &[Folder], faulty: usize, done: &Result<Manifest>, for_good: bool, which: &str) {
    for (i, folder) in folders.iter().enumerate() {
        let backups = folder.whole();
        let (healthy, promised) = match done {
            Ok(m) => (i != faulty, m.copies.get(i).is_none_or(|copy| copy.failed.is_none())),
            Err(_) => (i != faulty, false),
        };
        assert!(!promised || backups == 1, "a backup was told of, and there is none: {which}");
        // The answer to the manifest can be lost, and then the store with it: that copy stands and is whole.
        assert!(promised || backups == 0 || (for_good && !healthy), "nothing was told of it: {which}");
        assert!(!healthy || promised || folders.len() == 1, "a healthy store lost its copy: {which}");
        if healthy || !for_good {
            folder.has_backups_alone(which);
        }
    }
}

/// A store that goes with the test.
struct Folder {
    dir: TempDir,
    store: Store,
}

impl Folder {
    fn some(n: usize) -> Vec<Folder> {
        let new = |_| {
            let dir = tempfile::tempdir().unwrap();
            Folder { store: Store::open(dir.path().to_str().unwrap()).unwrap(), dir }
        };
        (0..n).map(new).collect()
    }

    /// The backups that are listed, each of which must be whole to its last byte.
    fn whole(&self) -> usize {
        let catalogue = Catalogue::new(self.store.clone());
        let listed = catalogue.list().unwrap();
        for backup in &listed {
            let manifest = catalogue.manifest(backup).unwrap();
            verify_hashes(&self.store, &manifest, &HashCheck { jobs: 1, percent: 100.0 }, &mut |_| true)
                .unwrap();
        }
        listed.len()
    }

    /// What lies here belongs to a backup; marks of runs, which were removed at the last, may be left behind one failure.
    fn has_backups_alone(&self, which: &str) {
        let catalogue = Catalogue::new(self.store.clone());
        let mut known = Vec::new();
        for backup in catalogue.list().unwrap() {
            let manifest = catalogue.manifest(&backup).unwrap();
            known.push(backup.id.manifest_key(&backup.name));
            known.extend(manifest.keys().map(str::to_owned));
        }
        let mut stray = files(self.dir.path());
        stray.retain(|file| !known.contains(file) && !file.starts_with(".pgkeep/runs/"));
        assert_eq!(stray, Vec::<String>::new(), "left behind: {which}");
    }
}

/// Every file below a folder, unfinished ones too.
fn files(dir: &Path) -> Vec<String> {
    let mut open = vec![dir.to_owned()];
    let mut found = Vec::new();
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.is_dir() {
                true => open.push(entry),
                false => found.push(entry.strip_prefix(dir).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }
    found
}

/// Whether this is the process that finds pg_dump.
fn finds_pg_dump(test: &str) -> bool {
    with_programs(&format!("job::faults::{test}"), Server::major(17).bin_dir().as_os_str())
}

#[test]
fn a_backup_whose_store_fails_at_any_call_is_whole_or_none() {
    if finds_pg_dump("a_backup_whose_store_fails_at_any_call_is_whole_or_none") {
        Bench::new(Format::Custom, false).fails_everywhere(1);
    }
}

#[test]
fn a_backup_into_two_stores_of_which_one_fails_at_any_call_loses_that_copy_alone() {
    if finds_pg_dump("a_backup_into_two_stores_of_which_one_fails_at_any_call_loses_that_copy_alone") {
        Bench::new(Format::Custom, false).fails_everywhere(2);
    }
}

#[test]
fn an_encrypted_directory_with_roles_whose_store_fails_at_any_call_is_whole_or_none() {
    if finds_pg_dump("an_encrypted_directory_with_roles_whose_store_fails_at_any_call_is_whole_or_none") {
        Bench::new(Format::Directory, true).fails_everywhere(1);
    }
}
