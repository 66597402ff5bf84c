use jiff::Timestamp;

use super::*;
use crate::fleet::TaskKind;
use crate::run::{PointState, RecoveryPoint, Run, RunId, RunState, RunTrigger};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn run(task: &str, second: i64, state: RunState) -> Run {
    Run {
        id: RunId(format!("{task}-{second}")),
        task: task.into(),
        kind: TaskKind::Backup,
        database: task.split('/').next().map(Into::into),
        trigger: RunTrigger::Schedule,
        by: None,
        scheduled: at(second),
        attempt: 1,
        state,
        started: Some(at(second)),
        finished: state.is_over().then(|| at(second + 5)),
        exit_code: None,
        error_kind: None,
        error: None,
        backup: Some("b".into()),
        result: Some(serde_json::json!({ "ok": true })),
        command: "pgkeep backup shop".into(),
        log: None,
    }
}

fn point(id: &str, second: i64) -> RecoveryPoint {
    RecoveryPoint {
        name: "shop".into(),
        id: id.into(),
        state: PointState::Stored,
        started: at(second),
        finished: at(second + 1),
        size: 7,
        rows: 9,
        proven: Some(at(second + 2)),
        drill_failed: None,
        held: true,
        stores: vec!["a".into()],
        missing: vec!["b".into()],
    }
}

#[test]
fn what_is_written_is_read_again_after_the_file_was_closed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sub/state.sqlite");
    let written = run("shop/backup", 0, RunState::Degraded);
    {
        let history = History::open(&path).unwrap();
        history.put_run(&run("shop/backup", 0, RunState::InProgress)).unwrap();
        history.put_run(&written).unwrap();
        history.put_points("shop", &[point("1", 0), point("2", 9)]).unwrap();
        history.set_mark("m", at(3)).unwrap();
    }
    let history = History::open(&path).unwrap();
    assert_eq!(history.runs(&RunFilter::default()).unwrap(), std::slice::from_ref(&written));
    assert_eq!(history.run(&written.id).unwrap(), Some(written));
    assert_eq!(history.points(Some("shop")).unwrap(), [point("2", 9), point("1", 0)]);
    assert_eq!((history.mark("m").unwrap(), history.mark("n").unwrap()), (Some(at(3)), None));
}

#[test]
fn a_damaged_file_and_one_of_another_layout_are_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.sqlite");
    std::fs::write(&path, "no database at all, and long enough to be looked at ".repeat(100)).unwrap();
    History::open(&path).unwrap().set_mark("m", at(0)).unwrap();
    assert!(dir.path().join("state.sqlite.broken").exists());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert_eq!(History::open(&path).unwrap().mark("m").unwrap(), None);
}

#[test]
fn runs_are_found_by_what_is_asked_for() {
    let history = History::in_memory().unwrap();
    for (task, second, state) in [
        ("a/backup", 0, RunState::Completed),
        ("a/backup", 10, RunState::Failed),
        ("a/backup", 20, RunState::Skipped),
        ("b/backup", 15, RunState::InProgress),
    ] {
        history.put_run(&run(task, second, state)).unwrap();
    }
    let seconds = |filter: RunFilter<'_>| -> Vec<i64> {
        let runs = history.runs(&filter).unwrap();
        runs.iter().map(|r| r.scheduled.as_second() - at(0).as_second()).collect()
    };
    assert_eq!(seconds(RunFilter { task: Some("a/backup"), ..Default::default() }), [20, 10, 0]);
    assert_eq!(seconds(RunFilter { over: Some(false), ..Default::default() }), [15]);
    assert_eq!(seconds(RunFilter { over: Some(true), limit: 2, ..Default::default() }), [20, 10]);
    assert_eq!(
        seconds(RunFilter { since: Some(at(10)), until: Some(at(20)), ..Default::default() }),
        [15, 10]
    );
    let last: Vec<RunId> = history.last_runs().unwrap().into_iter().map(|r| r.id).collect();
    assert_eq!(last, [RunId("a/backup-10".into())]);
    let counts = history.run_counts(at(10)).unwrap();
    let count = |task: &str, state: &str, n| (task.to_owned(), "backup".to_owned(), state.to_owned(), n);
    assert_eq!(counts, [count("a", "failed", 1), count("a", "skipped", 1), count("b", "in_progress", 1)]);
    assert_eq!(history.forget_runs(at(1000)).unwrap(), 2);
    assert_eq!(seconds(RunFilter::default()), [20, 15]);
}

#[test]
fn a_recovery_point_that_the_store_has_no_more_is_deleted_and_stays_known() {
    let history = History::in_memory().unwrap();
    history.put_points("shop", &[point("1", 0), point("2", 9)]).unwrap();
    history.put_points("shop", &[point("2", 9)]).unwrap();
    let states: Vec<PointState> = history.points(None).unwrap().into_iter().map(|p| p.state).collect();
    assert_eq!(states, [PointState::Stored, PointState::Deleted]);
    assert_eq!(history.forget_points(at(0)).unwrap(), 0);
    assert_eq!(history.forget_points(at(100)).unwrap(), 1, "what is stored stays");
    assert_eq!(history.points(None).unwrap(), [point("2", 9)]);
}

#[test]
fn a_file_that_was_deleted_under_the_daemon_is_put_back_with_all_that_was_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state/state.sqlite");
    let history = History::open(&path).unwrap();
    history.set_mark("schedule:shop/backup", at(1)).unwrap();
    history.put_back().unwrap();
    std::fs::remove_dir_all(dir.path().join("state")).unwrap();
    history.set_mark("schedule:shop/drill", at(2)).unwrap();
    history.put_back().unwrap();
    history.set_mark("schedule:shop/prune", at(3)).unwrap();
    // As another process sees it, now and after the daemon's end.
    for history in [History::read(&path), History::open(&path)] {
        let mark = |task: &str| history.as_ref().unwrap().mark(&format!("schedule:shop/{task}")).unwrap();
        assert_eq!(["backup", "drill", "prune"].map(mark), [Some(at(1)), Some(at(2)), Some(at(3))]);
    }
    assert!(!path.with_extension("sqlite.broken").exists());
}
