//! Proving: read everything again, over many sessions, and compare.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::catalog;
use super::large_objects;
use super::pieces::{self, Piece};
use super::sequences;
use super::verdict::{Difference, Value, Verdict, explain};
use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::error::Result;
use crate::fingerprint::{Fingerprint, RowHasher};
use crate::progress::{Phase, Progress};
use crate::report::{SequenceReport, TableReport};
use crate::session::prepare;

/// Reads every expected table of `target` again and compares it with what was dumped; likewise sequences and large
/// objects. `encoding` is the client encoding of the dump, in which equal rows have equal bytes.
///
/// Rows that went in through a partition root may lie in other partitions than in the original (enum values hash by
/// their oid): partitions that differ each for itself, but not in the sum over their root, are taken as equal, and
/// noted.
///
/// # Errors
/// Only what keeps it from reading; a difference is no error.
#[allow(clippy::too_many_arguments)]
pub fn prove(
    target: &ConnInfo,
    encoding: &str,
    expected: &[TableReport],
    sequences: &[SequenceReport],
    large_objects: Option<&Fingerprint>,
    jobs: usize,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<Verdict> {
    progress.enter(Phase::Proving);
    let mut client = open(target, encoding, cancel)?;
    let target = &client.info().clone();
    let server_version = client.server_version().to_string();
    let relations = catalog::relations(&mut client)?;
    let work = pieces::cut(&mut client, &relations, expected, jobs)?;
    let mut differences = work.differences;
    differences.extend(sequences::compare(&mut client, &relations, sequences)?);
    let oids = if large_objects.is_some() { large_objects::oids(&mut client)? } else { Vec::new() };

    let reading = Reading::new(&work.pieces, large_objects::groups(&oids), expected.len(), progress, cancel);
    let (found, objects) = reading.all(client, jobs, || open(target, encoding, cancel))?;

    let mut read = vec![false; expected.len()];
    work.pieces.iter().for_each(|p| read[p.table] = true);
    let (different, notes) = compare(expected, &found, &read, &work.roots);
    differences.extend(different);
    if let Some(expected) = large_objects.filter(|e| **e != objects) {
        differences.push(Difference {
            object: "large objects".into(),
            expected: Value::Content(*expected),
            found: Value::Content(objects),
            why: explain(expected, &objects, "large objects"),
        });
    }
    Ok(Verdict {
        tables: expected.len() as u64,
        rows: found.iter().map(|f| f.rows).sum(),
        bytes: found.iter().map(|f| f.bytes).sum(),
        sequences: sequences.len() as u64,
        large_objects: objects.rows,
        differences,
        notes,
        server_version,
    })
}

pub(super) fn open(target: &ConnInfo, encoding: &str, cancel: &Cancel) -> Result<Client> {
    let mut client = Client::connect(target, cancel)?;
    prepare(&mut client, encoding)?;
    // A range of tuple ids is read as such and not by looking through the whole table.
    client.execute("SET enable_seqscan = off; SET max_parallel_workers_per_gather = 0")?;
    Ok(client)
}

/// Reads pieces of tables over several sessions.
pub(super) struct Reading<'a> {
    pieces: &'a [Piece],
    groups: Vec<Vec<u32>>,
    next: AtomicUsize,
    found: Mutex<(Vec<Fingerprint>, Fingerprint)>,
    progress: &'a Progress,
    cancel: &'a Cancel,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        pieces: &'a [Piece],
        groups: Vec<Vec<u32>>,
        tables: usize,
        progress: &'a Progress,
        cancel: &'a Cancel,
    ) -> Reading<'a> {
        let found = Mutex::new((vec![Fingerprint::default(); tables], Fingerprint::default()));
        Reading { pieces, groups, next: AtomicUsize::new(0), found, progress, cancel }
    }

    /// Reads everything: the fingerprint of each table, and that of all large objects.
    pub(super) fn all(
        self,
        client: Client,
        jobs: usize,
        open: impl Fn() -> Result<Client> + Sync,
    ) -> Result<(Vec<Fingerprint>, Fingerprint)> {
        let work = self.pieces.len() + self.groups.len();
        let this = &self;
        thread::scope(|scope| {
            let others: Vec<_> = (1..jobs.clamp(1, work.max(1)))
                .map(|_| scope.spawn(|| open().and_then(|client| this.some(client))))
                .collect();
            let mut result = this.some(client);
            for other in others {
                // A thread of ours does not panic; were it to, its pieces would be missing and differ.
                let other = other.join().unwrap_or_else(|_| Err(crate::EngineError::cancelled()));
                result = result.and(other);
            }
            result
        })?;
        Ok(self.found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn some(&self, mut client: Client) -> Result<()> {
        loop {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            if let Some(piece) = self.pieces.get(n) {
                let fingerprint = self.rows(&mut client, piece).inspect_err(|_| self.stop())?;
                self.lock().0[piece.table] += fingerprint;
                Progress::add(&self.progress.rows, fingerprint.rows);
            } else if let Some(group) = self.groups.get(n - self.pieces.len()) {
                let fingerprint = large_objects::read(&mut client, group).inspect_err(|_| self.stop())?;
                self.lock().1 += fingerprint;
            } else {
                return Ok(());
            }
            self.cancel.check()?;
        }
    }

    fn rows(&self, client: &mut Client, piece: &Piece) -> Result<Fingerprint> {
        let mut hasher = RowHasher::new();
        client
            .copy_out(&piece.sql, |bytes| {
                hasher.update(bytes);
                Progress::add(&self.progress.bytes, bytes.len() as u64);
                Ok(())
            })
            .map_err(|e| e.during(String::from_utf8_lossy(&piece.sql)))?;
        Ok(hasher.finish())
    }

    /// Lets the others find no more work.
    fn stop(&self) {
        self.next.store(usize::MAX / 2, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<Fingerprint>, Fingerprint)> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tables that differ, and notes on those that differ for themselves alone.
fn compare(
    expected: &[TableReport],
    found: &[Fingerprint],
    read: &[bool],
    roots: &[Option<u32>],
) -> (Vec<Difference>, Vec<String>) {
    let differs = |t: usize| read[t] && expected[t].fingerprint != found[t];
    let mut sums: HashMap<u32, (Fingerprint, Fingerprint)> = HashMap::new();
    for (t, table) in expected.iter().enumerate() {
        if let Some(root) = roots[t].filter(|_| read[t]) {
            let (dumped, restored) = sums.entry(root).or_default();
            *dumped += table.fingerprint;
            *restored += found[t];
        }
    }
    let equal_in_sum = |t: usize| roots[t].and_then(|r| sums.get(&r)).is_some_and(|(a, b)| a == b);
    let (mut differences, mut notes) = (Vec::new(), Vec::new());
    for t in (0..expected.len()).filter(|&t| differs(t)) {
        let object = pieces::object(&expected[t]);
        if equal_in_sum(t) {
            notes.push(format!(
                "{object} has other rows than the original, but its partitioned table has the same"
            ));
            continue;
        }
        differences.push(Difference {
            object,
            expected: Value::Content(expected[t].fingerprint),
            found: Value::Content(found[t]),
            why: explain(&expected[t].fingerprint, &found[t], "rows"),
        });
    }
    (differences, notes)
}
