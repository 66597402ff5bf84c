//! Which entries run after the schema is there, what each waits for, and which lock out each other.

use std::collections::{HashMap, HashSet};

use pgkeep_archive::{DumpId, Entry, Pass, Section, Toc};

use super::entry::{
    bytes as bytes_of, definition, desc, display, is_setting, is_table_data, is_via_root, is_wanted,
};
use super::estimate;
use super::options::RestoreOptions;
use super::places::Place;
use crate::error::{EngineError, ErrorKind, Result};

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Nothing: it only stands between others, as a gate does, or is not wanted.
    Nothing,
    /// Its definition is run.
    Statements,
    /// The index of its constraint is built, and then the constraint made of it; see [`super::unique_index`].
    UniqueIndex,
    UsingIndex,
    /// Its rows are loaded.
    Rows,
    /// Its SQL text is run (BLOB COMMENTS of old archives).
    SqlText,
    /// Its large objects are filled.
    LargeObjects,
}

/// One entry to be restored while others are.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// Index into the TOC.
    pub(super) entry: usize,
    pub(super) pass: Pass,
    pub(super) work: Work,
    /// Guess at the time it takes, in bytes of archive to be loaded.
    pub(super) cost: u64,
    /// That guess as a part of the time that loading its table takes; 0 for what builds and checks nothing.
    pub(super) times: f64,
    /// Its cost and that of the longest chain of tasks that waits for it: what is on the longest chain starts first.
    pub(super) rank: u64,
    /// Tasks that wait for this one, and how many this one waits for.
    pub(super) unblocks: Vec<usize>,
    pub(super) waits_for: usize,
    /// Tables that it needs a strong lock on, and all tables that it touches.
    pub(super) locks: Vec<DumpId>,
    pub(super) touches: Vec<DumpId>,
    /// Whether it is the only data entry of a table with storage of its own, which it therefore may empty first.
    pub(super) alone: bool,
}

/// The entries of the TOC in two parts: first these, one after the other, then tasks.
pub(super) struct Plan {
    /// Indexes of the entries to run first, in this order (`restore_toc_entries_prefork`).
    pub(super) first: Vec<usize>,
    pub(super) tasks: Vec<Task>,
}

/// Checking a constraint: times the time to load its table.
const CHECK_COST: f64 = 0.25;

pub(super) fn plan(toc: &Toc, places: &HashMap<DumpId, Place>, options: &RestoreOptions) -> Result<Plan> {
    let entries = &toc.entries;
    let mut seen = HashSet::with_capacity(entries.len());
    if let Some(twice) = entries.iter().find(|e| !seen.insert(e.id)) {
        return Err(bad(format!("two entries have the number of {}", display(twice))));
    }
    let (first, later) = split(entries);
    let mut tasks: Vec<Task> = later.iter().map(|&i| task(i, &entries[i], places, options)).collect();
    let by_id: HashMap<DumpId, usize> =
        tasks.iter().enumerate().map(|(t, task)| (entries[task.entry].id, t)).collect();
    let all: HashMap<DumpId, &Entry> = entries.iter().map(|e| (e.id, e)).collect();

    // A table's data is what has the table as its first dependency (`buildTocEntryArrays`).
    let mut data_of: HashMap<DumpId, Vec<usize>> = HashMap::new();
    for (t, task) in tasks.iter().enumerate() {
        let entry = &entries[task.entry];
        if let Some(table) = entry.dependencies.first().filter(|_| is_table_data(entry)) {
            data_of.entry(*table).or_default().push(t);
        }
    }
    for (table, data) in &data_of {
        let mut loads = data.iter().filter(|&&t| tasks[t].work == Work::Rows);
        if let (Some(&only), None) = (loads.next(), loads.next()) {
            let own = all.get(table).is_some_and(|e| has_own_storage(e));
            tasks[only].alone = own && !is_via_root(&entries[tasks[only].entry]);
        }
    }
    let table_of: HashMap<usize, DumpId> =
        data_of.iter().flat_map(|(table, data)| data.iter().map(|&t| (t, *table))).collect();

    for t in 0..tasks.len() {
        let entry = &entries[tasks[t].entry];
        let after_data = entry.section == Section::PostData;
        let mut before: Vec<usize> = Vec::new();
        for id in &entry.dependencies {
            // What comes after the data waits for the table's rows, not just for the table
            // (`repoint_table_dependencies`).
            match data_of.get(id).filter(|_| after_data) {
                Some(data) => before.extend(data),
                None => before.extend(by_id.get(id)),
            }
        }
        before.sort_unstable();
        before.dedup();
        before.retain(|&b| b != t);
        if after_data {
            set_locks(&mut tasks[t], entry, &all, &by_id, &table_of);
            let biggest = tasks[t].touches.iter().map(|table| (loads(table, &data_of, &tasks), *table)).max();
            let (bytes, table) = biggest.unwrap_or((0, entry.id));
            tasks[t].times = match desc(entry) {
                b"INDEX" | b"CONSTRAINT" => {
                    let table = all.get(&table).map_or(b"".as_slice(), |e| bytes_of(&e.definition));
                    estimate::index(bytes_of(&entry.definition), table)
                }
                b"FK CONSTRAINT" | b"CHECK CONSTRAINT" => CHECK_COST,
                _ => 0.0,
            };
            tasks[t].cost = (bytes as f64 * tasks[t].times) as u64;
        }
        tasks[t].waits_for = before.len();
        for b in before {
            tasks[b].unblocks.push(t);
        }
    }
    keep_order(&mut tasks, entries, &all);
    if options.jobs > 1 {
        split_constraints(&mut tasks, entries);
    }
    rank(&mut tasks, entries)?;
    Ok(Plan { first, tasks })
}

/// Rows of tables that the archive does not make (data only) go one table after the other: foreign keys are there
/// already, and the archive's order is all that satisfies them.
fn keep_order(tasks: &mut [Task], entries: &[Entry], all: &HashMap<DumpId, &Entry>) {
    let is_bare = |task: &Task| {
        let table = entries[task.entry].dependencies.first();
        task.work == Work::Rows && table.is_none_or(|table| !all.contains_key(table))
    };
    let bare: Vec<usize> = (0..tasks.len()).filter(|&t| is_bare(&tasks[t])).collect();
    for pair in bare.windows(2) {
        tasks[pair[0]].unblocks.push(pair[1]);
        tasks[pair[1]].waits_for += 1;
    }
}

/// What runs before there is more than one session: everything before the data in the archive's order, and what
/// stands among it without a section of its own.
fn split(entries: &[Entry]) -> (Vec<usize>, Vec<usize>) {
    let (mut first, mut later) = (Vec::new(), Vec::new());
    let mut passed_some = false;
    for (i, entry) in entries.iter().enumerate().filter(|(_, e)| !is_setting(e)) {
        let now = match entry.section {
            Section::PreData => true,
            Section::None => !passed_some,
            Section::Data | Section::PostData => {
                passed_some = true;
                false
            }
        };
        if now && Pass::of(entry) == Pass::Main { first.push(i) } else { later.push(i) }
    }
    (first, later)
}

fn task(i: usize, entry: &Entry, places: &HashMap<DumpId, Place>, options: &RestoreOptions) -> Task {
    let place = places.get(&entry.id).filter(|_| entry.has_data);
    let work = match desc(entry) {
        _ if !is_wanted(entry, options) => Work::Nothing,
        b"BLOBS" if place.is_some() => Work::LargeObjects,
        b"BLOB COMMENTS" if place.is_some() => Work::SqlText,
        _ if place.is_some() => Work::Rows,
        _ if definition(entry).is_some() => Work::Statements,
        _ => Work::Nothing,
    };
    Task {
        entry: i,
        pass: Pass::of(entry),
        work,
        cost: place.map_or(0, |p| p.len()),
        times: 0.0,
        rank: 0,
        unblocks: Vec::new(),
        waits_for: 0,
        locks: Vec::new(),
        touches: Vec::new(),
        alone: false,
    }
}

/// Constraints whose index takes longer than this to build are worth two steps, if the table has other indexes.
const SPLIT_FROM: u64 = 1 << 20;

fn split_constraints(tasks: &mut Vec<Task>, entries: &[Entry]) {
    let mut indexes: HashMap<DumpId, usize> = HashMap::new();
    for task in tasks.iter().filter(|t| matches!(desc(&entries[t.entry]), b"INDEX" | b"CONSTRAINT")) {
        for table in &task.touches {
            *indexes.entry(*table).or_default() += 1;
        }
    }
    let worth = |task: &Task| {
        task.work == Work::Statements
            && desc(&entries[task.entry]) == b"CONSTRAINT"
            && task.cost >= SPLIT_FROM
            && task.touches.iter().any(|table| indexes.get(table).is_some_and(|n| *n > 1))
            && super::unique_index::split(bytes_of(&entries[task.entry].definition)).is_some()
    };
    // By the task that is to become the second step: the one that becomes the first.
    let mut first_step: HashMap<usize, usize> = HashMap::new();
    for t in (0..tasks.len()).filter(|&t| worth(&tasks[t])).collect::<Vec<_>>() {
        first_step.insert(t, tasks.len());
        tasks.push(Task {
            work: Work::UniqueIndex,
            locks: Vec::new(),
            unblocks: Vec::new(),
            ..tasks[t].clone()
        });
        tasks[t] = Task { work: Work::UsingIndex, cost: 0, times: 0.0, waits_for: 1, ..tasks[t].clone() };
    }
    for after in tasks.iter_mut().flat_map(|task| &mut task.unblocks) {
        if let Some(first) = first_step.get(after) {
            *after = *first;
        }
    }
    for (second, first) in first_step {
        tasks[first].unblocks.push(second);
    }
}

fn has_own_storage(entry: &Entry) -> bool {
    desc(entry) == b"TABLE"
        && matches!(bytes_of(&entry.table_am), b"" | b"heap")
        && entry.relkind.is_none_or(|k| k == 0 || k == i32::from(b'r'))
}

fn loads(table: &DumpId, data_of: &HashMap<DumpId, Vec<usize>>, tasks: &[Task]) -> u64 {
    data_of.get(table).map_or(0, |data| data.iter().fold(0, |sum, &t| sum.saturating_add(tasks[t].cost)))
}

/// Nearly everything after the data locks its tables against all else; CREATE INDEX alone lets other indexes be
/// built beside it (`identify_locking_dependencies`, `has_lock_conflicts`).
fn set_locks(
    task: &mut Task,
    entry: &Entry,
    all: &HashMap<DumpId, &Entry>,
    by_id: &HashMap<DumpId, usize>,
    table_of: &HashMap<usize, DumpId>,
) {
    for id in &entry.dependencies {
        let table = match by_id.get(id).and_then(|t| table_of.get(t)) {
            Some(table) => Some(*table),
            None => all.get(id).filter(|e| desc(e) == b"TABLE").map(|e| e.id),
        };
        if let Some(table) = table.filter(|t| !task.touches.contains(t)) {
            task.touches.push(table);
        }
    }
    if desc(entry) != b"INDEX" {
        task.locks.clone_from(&task.touches);
    }
}

/// Ranks the tasks, and finds out whether every one of them can ever start.
fn rank(tasks: &mut [Task], entries: &[Entry]) -> Result<()> {
    let mut waits: Vec<usize> = tasks.iter().map(|t| t.waits_for).collect();
    let mut order: Vec<usize> = (0..tasks.len()).filter(|&t| waits[t] == 0).collect();
    let mut next = 0;
    while let Some(&t) = order.get(next) {
        next += 1;
        for &after in &tasks[t].unblocks {
            waits[after] -= 1;
            if waits[after] == 0 {
                order.push(after);
            }
        }
    }
    if order.len() < tasks.len() {
        let stuck: Vec<String> = (0..tasks.len())
            .filter(|&t| waits[t] > 0)
            .take(5)
            .map(|t| display(&entries[tasks[t].entry]))
            .collect();
        return Err(bad(format!(
            "its dependencies run in a circle; among the entries in it are {}",
            stuck.join(", ")
        )));
    }
    for &t in order.iter().rev() {
        let longest = tasks[t]
            .unblocks
            .iter()
            .filter(|&&u| tasks[u].pass == tasks[t].pass)
            .map(|&u| tasks[u].rank)
            .max()
            .unwrap_or(0);
        tasks[t].rank = tasks[t].cost.saturating_add(longest);
    }
    Ok(())
}

fn bad(why: String) -> EngineError {
    EngineError::new(ErrorKind::Archive, "planning the restore", why)
}
