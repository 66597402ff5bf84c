//! What to do next: the ready task with the highest rank whose locks are free. No clock, no threads, no SQL.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use pgkeep_archive::{DumpId, Pass};

use super::plan::{Task, Work};

/// Answer to a worker that asks for work.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Do this task, then say so.
    Run(usize),
    /// Ask again once another task has finished.
    Wait,
    /// Nothing is left.
    Done,
}

pub(super) struct Schedule {
    tasks: Vec<Task>,
    waits: Vec<usize>,
    /// Ready tasks, the highest rank first, then in the archive's order.
    ready: BTreeSet<(Reverse<u64>, usize)>,
    pass: Pass,
    /// Tasks of each later pass that wait for nothing but the pass.
    held: Vec<usize>,
    running: usize,
    left: usize,
    locked: HashMap<DumpId, usize>,
    touched: HashMap<DumpId, usize>,
    /// Rows by table as far as loaded, and over all tables the bytes of archive and of COPY text that they took.
    rows: HashMap<DumpId, u64>,
    archive: u64,
    plain: u64,
}

/// Bytes of COPY text in a row of middling width: what an index costs goes by rows and not by bytes.
const ROW: f64 = 100.0;

impl Schedule {
    pub(super) fn new(tasks: Vec<Task>) -> Schedule {
        let mut schedule = Schedule {
            waits: tasks.iter().map(|t| t.waits_for).collect(),
            ready: BTreeSet::new(),
            pass: Pass::Main,
            held: Vec::new(),
            running: 0,
            left: tasks.len(),
            locked: HashMap::new(),
            touched: HashMap::new(),
            rows: HashMap::new(),
            archive: 0,
            plain: 0,
            tasks,
        };
        for t in 0..schedule.tasks.len() {
            if schedule.waits[t] == 0 {
                schedule.make_ready(t);
            }
        }
        schedule
    }

    pub(super) fn task(&self, t: usize) -> &Task {
        &self.tasks[t]
    }

    pub(super) fn next(&mut self) -> Next {
        loop {
            let found = self.ready.iter().find(|(_, t)| self.is_free(&self.tasks[*t])).copied();
            match found {
                Some((rank, t)) => {
                    self.ready.remove(&(rank, t));
                    self.start(t);
                    if self.tasks[t].work != Work::Nothing {
                        return Next::Run(t);
                    }
                    self.finish(t);
                }
                None if self.left == 0 => return Next::Done,
                None if self.running > 0 => return Next::Wait,
                None => match self.pass {
                    // Whatever is left belongs to a later pass, or waits for something that does.
                    Pass::Main => self.enter(Pass::Privileges),
                    Pass::Privileges => self.enter(Pass::AfterPrivileges),
                    // `plan` refuses circles, so this is not reached; were it, stopping beats hanging.
                    Pass::AfterPrivileges => return Next::Done,
                },
            }
        }
    }

    /// Tells what a task has loaded: how long a table's indexes take is better known from its rows than from its bytes
    /// in the archive, where some tables shrink a hundredfold.
    pub(super) fn loaded(&mut self, t: usize, table: DumpId, rows: u64, plain: u64) {
        *self.rows.entry(table).or_default() += rows;
        self.archive += self.tasks[t].cost;
        self.plain += plain;
    }

    /// Tells that a task is done and lets those that waited for it be ready.
    pub(super) fn finish(&mut self, t: usize) {
        self.running -= 1;
        self.left -= 1;
        let task = &self.tasks[t];
        for (held, tables) in [(&mut self.locked, &task.locks), (&mut self.touched, &task.touches)] {
            for table in tables {
                if let Some(n) = held.get_mut(table) {
                    *n -= 1;
                }
            }
        }
        for i in 0..self.tasks[t].unblocks.len() {
            let after = self.tasks[t].unblocks[i];
            self.waits[after] -= 1;
            if self.waits[after] == 0 {
                self.make_ready(after);
            }
        }
    }

    /// Tasks that were never started.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    fn make_ready(&mut self, t: usize) {
        // What waited for a later pass's task runs in that pass at the earliest, whatever its own.
        let task = &mut self.tasks[t];
        let rows = task.touches.iter().filter_map(|table| self.rows.get(table)).max().copied().unwrap_or(0);
        if task.times > 0.0 && rows > 0 && self.plain > 0 {
            let cost = rows as f64 * ROW * task.times * self.archive as f64 / self.plain as f64;
            task.rank = (task.rank - task.cost).saturating_add(cost as u64);
            task.cost = cost as u64;
        }
        if self.tasks[t].pass <= self.pass {
            self.ready.insert((Reverse(self.tasks[t].rank), t));
        } else {
            self.held.push(t);
        }
    }

    fn enter(&mut self, pass: Pass) {
        self.pass = pass;
        for t in std::mem::take(&mut self.held) {
            self.make_ready(t);
        }
    }

    fn start(&mut self, t: usize) {
        self.running += 1;
        for table in &self.tasks[t].locks {
            *self.locked.entry(*table).or_default() += 1;
        }
        for table in &self.tasks[t].touches {
            *self.touched.entry(*table).or_default() += 1;
        }
    }

    fn is_free(&self, task: &Task) -> bool {
        let held = |by: &HashMap<DumpId, usize>, table: &DumpId| by.get(table).is_some_and(|n| *n > 0);
        !task.locks.iter().any(|t| held(&self.touched, t))
            && !task.touches.iter().any(|t| held(&self.locked, t))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(pass: Pass, rank: u64, unblocks: &[usize], waits_for: usize) -> Task {
        Task {
            entry: 0,
            pass,
            work: Work::Statements,
            cost: rank,
            times: 0.0,
            rank,
            unblocks: unblocks.to_vec(),
            waits_for,
            locks: Vec::new(),
            touches: Vec::new(),
            alone: false,
        }
    }

    #[test]
    fn the_longest_chain_starts_first_and_what_waits_comes_after() {
        let mut s = Schedule::new(vec![
            task(Pass::Main, 5, &[], 0),
            task(Pass::Main, 9, &[2], 0),
            task(Pass::Main, 7, &[], 1),
        ]);
        assert_eq!(s.next(), Next::Run(1));
        assert_eq!(s.next(), Next::Run(0));
        assert_eq!(s.next(), Next::Wait);
        s.finish(1);
        assert_eq!(s.next(), Next::Run(2));
        s.finish(0);
        s.finish(2);
        assert_eq!(s.next(), Next::Done);
    }

    #[test]
    fn indexes_of_many_rows_come_before_those_of_many_bytes() {
        let table = DumpId(7);
        let index = |rank, touches| Task { times: 0.3, touches, ..task(Pass::Main, rank, &[], 1) };
        let mut s = Schedule::new(vec![
            task(Pass::Main, 10, &[1], 0),
            index(900, vec![]),
            task(Pass::Main, 10, &[3], 0),
            index(100, vec![table]),
        ]);
        assert_eq!((s.next(), s.next()), (Next::Run(0), Next::Run(2)));
        s.loaded(2, table, 1000, 1000);
        s.finish(0);
        s.finish(2);
        assert_eq!(s.next(), Next::Run(1));
        s.loaded(2, table, 1_000_000, 1000);
        assert_eq!(s.next(), Next::Run(3));
    }

    #[test]
    fn two_strong_locks_on_one_table_never_meet_and_indexes_do() {
        let strong = |rank| Task {
            locks: vec![DumpId(1)],
            touches: vec![DumpId(1)],
            ..task(Pass::Main, rank, &[], 0)
        };
        let index = |rank| Task { touches: vec![DumpId(1)], ..task(Pass::Main, rank, &[], 0) };
        let mut s = Schedule::new(vec![strong(9), index(8), index(7), strong(6)]);
        assert_eq!(s.next(), Next::Run(0));
        assert_eq!(s.next(), Next::Wait);
        s.finish(0);
        assert_eq!((s.next(), s.next()), (Next::Run(1), Next::Run(2)));
        s.finish(1);
        assert_eq!(s.next(), Next::Wait);
        s.finish(2);
        assert_eq!(s.next(), Next::Run(3));
    }

    #[test]
    fn privileges_wait_for_everything_else_and_refreshes_for_them() {
        let mut s = Schedule::new(vec![
            task(Pass::AfterPrivileges, 0, &[], 0),
            task(Pass::Privileges, 0, &[], 0),
            task(Pass::Main, 0, &[], 0),
        ]);
        assert_eq!(s.next(), Next::Run(2));
        assert_eq!(s.next(), Next::Wait);
        s.finish(2);
        assert_eq!(s.next(), Next::Run(1));
        s.finish(1);
        assert_eq!(s.next(), Next::Run(0));
        s.finish(0);
        assert_eq!(s.next(), Next::Done);
    }

    #[test]
    fn what_does_nothing_is_passed_over_at_once() {
        let mut gate = task(Pass::Main, 0, &[1], 0);
        gate.work = Work::Nothing;
        let mut s = Schedule::new(vec![gate, task(Pass::Main, 0, &[], 1)]);
        assert_eq!(s.next(), Next::Run(1));
    }
}
