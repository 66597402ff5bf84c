//! The gate: no order in which stock `pg_restore -j` loads segments loses rows, and without it rows are lost.
//!
//! See the layout module of pgkeep-archive for the two traps that it avoids.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pgkeep_archive::{DumpId, Entry, Offset, Toc, read_toc_at};
use pgkeep_testbed::{Database, Server, compare_databases};
use support::Backup;
use support::stock::PgRestore;

/// How long the marked row takes to be loaded.
const SLOW: u64 = 3;

/// A table of eight segments, of which the last is small and therefore loaded last, and in which the row `marked`
/// takes long to load: its check sleeps. What is made after the data shows if any of that comes too late.
fn source(major: u32, marked: u32) -> Database {
    let database = Database::create(&Server::major(major), "gate");
    database.psql(&format!(
        "create function pace(marked boolean) returns boolean language plpgsql immutable as 'begin return true; end';
         create table t (id int, marked boolean check (public.pace(marked)), filler text);
         insert into t select i, i = {marked}, repeat(md5(i::text), 5) from generate_series(1, 5000) i;
         delete from t where id between 4450 and 4950;
         alter table t add primary key (id);
         create index on t (md5(filler));
         create table later (t_id int references t);
         insert into later select i from generate_series(1, 5000) i where i not between 4450 and 4950;
         create table log (what text);
         create function note() returns trigger language plpgsql as
             $$ begin insert into public.log values (tg_op); return null; end $$;
         create trigger noted after insert on t for each row execute function note();
         create materialized view counted as select count(*) from t;
         create or replace function pace(marked boolean) returns boolean language plpgsql immutable as
             $$ begin if marked then perform pg_sleep({SLOW}); end if; return true; end $$;"
    ));
    database
}

fn segmented(database: &Database) -> Backup {
    // With one job segments stand in the file, and so in the table of contents, in the order of their rows.
    let backup = Backup::of(database, &["--segment-size", "128KiB", "--compress", "gzip", "--jobs", "1"]);
    assert_eq!(backup.segments("t"), 8);
    backup
}

/// Restores with stock `pg_restore -j4`: what it complains about, and what differs then.
fn restored(source: &Database, major: u32, archive: &Path) -> Result<(), String> {
    let target = Database::create(source.server(), "target");
    let stock = PgRestore { major, archive };
    let mut command: Command = stock.command(&["-j4", "-d"]);
    let out = command.arg(target.url()).arg(archive).output().unwrap();
    let complaints = String::from_utf8_lossy(&out.stderr).into_owned();
    match compare_databases(source, &target) {
        Ok(()) if out.status.success() => Ok(()),
        Ok(()) => Err(complaints),
        Err(differences) => Err(format!("{complaints}\n{differences}")),
    }
}

/// The ids of rows in the first, a middle and the last segment.
const PLACES: [u32; 3] = [1, 2500, 5000];

fn no_order_loses_rows(major: u32) {
    for marked in PLACES {
        let source = source(major, marked);
        let backup = segmented(&source);
        let began = Instant::now();
        if let Err(differences) = restored(&source, major, &backup.path()) {
            panic!("row {marked} is slow: {differences}");
        }
        assert!(began.elapsed() >= Duration::from_secs(SLOW), "the marked row was slow");
    }
}

#[test]
fn a_slow_segment_loses_no_rows_of_others_with_pg_restore_14() {
    no_order_loses_rows(14);
}

#[test]
fn a_slow_segment_loses_no_rows_of_others_with_pg_restore_16() {
    no_order_loses_rows(16);
}

#[test]
fn a_slow_segment_loses_no_rows_of_others_with_pg_restore_18() {
    no_order_loses_rows(18);
}

/// The same archive with another table of contents.
fn rewritten(archive: &Path, change: impl FnOnce(&mut Vec<Entry>)) -> (tempfile::TempDir, PathBuf) {
    let bytes = std::fs::read(archive).unwrap();
    let (mut toc, head_len) = read_toc_at(&bytes.as_slice()).unwrap();
    change(&mut toc.entries);
    let moved = toc.encoded_len() as i64 - head_len as i64;
    for entry in &mut toc.entries {
        if let Offset::At(at) = &mut entry.offset {
            *at = at.checked_add_signed(moved).unwrap();
        }
    }
    let mut out = toc.to_bytes().unwrap();
    out.extend_from_slice(&bytes[head_len as usize..]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rewritten.dump");
    std::fs::write(&path, out).unwrap();
    (dir, path)
}

fn is_data_of_t(entry: &Entry) -> bool {
    entry.desc_is("TABLE DATA") && entry.tag_is("t")
}

fn gate_at(entries: &[Entry]) -> usize {
    entries.iter().position(|e| is_data_of_t(e) && !e.has_data).expect("a gate")
}

fn segment_ids(entries: &[Entry]) -> Vec<DumpId> {
    entries.iter().filter(|e| is_data_of_t(e) && e.has_data).map(|e| e.id).collect()
}

/// What the tests above would see if the gate were not as it is; each of these must be seen to differ.
fn differs(major: u32, prepare: &str, change: impl Fn(&mut Vec<Entry>)) -> String {
    let source = source(major, 2500);
    source.psql(prepare);
    let backup = segmented(&source);
    let (_dir, path) = rewritten(&backup.path(), change);
    restored(&source, major, &path).expect_err("the archive was broken, and the restored database is equal")
}

#[test]
fn a_rewriting_that_changes_nothing_changes_nothing() {
    let source = source(18, 2500);
    let backup = segmented(&source);
    let (_dir, path) = rewritten(&backup.path(), |entries| {
        // Offsets move and stay right.
        entries[0].definition.as_mut().unwrap().push(b'\n');
    });
    let toc: Toc = read_toc_at(&std::fs::File::open(&path).unwrap()).unwrap().0;
    assert_eq!(segment_ids(&toc.entries).len(), 8);
    restored(&source, 18, &path).unwrap();
}

#[test]
fn without_a_gate_rows_are_lost() {
    for major in [14, 18] {
        let seen = differs(major, "", |entries| {
            let gate = entries.remove(gate_at(entries)).id;
            let segments = segment_ids(entries);
            // Whatever waited for the gate waits for the segments themselves.
            for entry in entries {
                if let Some(at) = entry.dependencies.iter().position(|d| *d == gate) {
                    entry.dependencies.splice(at..=at, segments.iter().copied());
                }
            }
        });
        assert!(seen.contains("table public.t: 4499 rows"), "{major}: rows of t are lost: {seen}");
    }
}

#[test]
fn with_the_gate_before_its_segments_rows_are_lost() {
    for major in [14, 18] {
        let seen = differs(major, "", |entries| {
            let gate = entries.remove(gate_at(entries));
            let first = entries.iter().position(is_data_of_t).unwrap();
            entries.insert(first, gate);
        });
        assert!(seen.contains("table public.t: 4499 rows"), "{major}: rows of t are lost: {seen}");
    }
}

#[test]
fn with_a_gate_that_does_not_wait_triggers_come_before_rows() {
    for major in [14, 18] {
        // Keys would wait for the segments that are being loaded, and the trigger for the keys. Every segment is slow,
        // so that some are still to come when the trigger's worker gets to it.
        let prepare = "alter table t drop constraint t_pkey cascade; drop index t_md5_idx;
             create or replace function pace(marked boolean) returns boolean language plpgsql immutable as
                 'begin perform pg_sleep(0.002); return true; end'";
        let seen = differs(major, prepare, |entries| {
            let segments = segment_ids(entries);
            let gate = gate_at(entries);
            entries[gate].dependencies.retain(|d| !segments.contains(d));
        });
        assert!(seen.contains("table public.log: 0 rows"), "{major}: the trigger fired: {seen}");
    }
}
