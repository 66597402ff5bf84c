//! Drills find every kind of damage, and none where there is none. Damage is planted between restore and proof.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod restore_support;

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use pgkeep_engine::drill::{Drill, DrillPlace, DrillRequest};
use pgkeep_engine::progress::Progress;
use pgkeep_engine::restore::RestoreSource;
use pgkeep_engine::{Cancel, Client, ConnInfo, ErrorKind};
use pgkeep_keep::drill::{DrillReport, DrillVerdict};
use pgkeep_testbed::{Database, Server, with_programs};
use restore_support::{Archive, odd_database, small_database};

fn every_major() -> OsString {
    std::env::join_paths(Server::MAJORS.map(|major| Server::major(major).bin_dir().to_owned())).unwrap()
}

fn request<'a>(source: &'a RestoreSource<'a>, place: DrillPlace<'a>) -> DrillRequest<'a> {
    DrillRequest {
        source,
        script: None,
        manifest: None,
        globals: None,
        place,
        jobs: 2,
        checks: &[],
        time_limit: None,
        disk_limit: None,
    }
}

/// Drills on a scratch server; `plant` is run in the restored database before it is proven.
fn drill(archive: &Archive, server: &Server, plant: &str) -> DrillReport {
    let file = File::open(&archive.path).unwrap();
    let source = RestoreSource::open(&file).unwrap();
    let scratch = ConnInfo::parse(&server.url("postgres")).unwrap();
    let (progress, cancel) = (Progress::new(), Cancel::new());
    let mut drill = Drill::begin(request(&source, DrillPlace::Server(&scratch)), &cancel).unwrap();
    drill.restore(&progress, &cancel).unwrap();
    let database = drill.database().clone();
    Client::connect(&database, &cancel).unwrap().execute(plant).unwrap();
    drill.prove(&progress, &cancel).unwrap();
    let report = drill.end();
    let left = format!("select count(*) from pg_database where datname like '{}%'", database.database);
    assert_eq!(server.psql("postgres", &left), "0", "the drill's databases are dropped");
    report
}

/// What was found, as `object: why`.
fn found(report: &DrillReport) -> Vec<String> {
    report.failures.iter().map(|f| format!("{}: {}", f.object, f.why)).collect()
}

#[test]
fn a_database_with_one_of_everything_is_proven_and_nothing_is_taken_for_damage() {
    if !with_programs(
        "a_database_with_one_of_everything_is_proven_and_nothing_is_taken_for_damage",
        &every_major(),
    ) {
        return;
    }
    for major in [14, 18] {
        let server = Server::major(major);
        let source = odd_database(&server);
        // Written in other words each time that it goes through a dump.
        source.psql("create table public.reworded (s varchar(9) check (s in ('a', 'b')))");
        let archive = Archive::dump(&server, &source, &[]);
        let report = drill(&archive, &server, "select 1");
        assert_eq!(found(&report), Vec::<String>::new(), "{major}");
        assert_eq!(report.unproven, [], "{major}");
        assert_eq!(report.verdict(), DrillVerdict::Proven);
        assert!(report.definitions > 100 && report.rows > 1000 && report.constraints > 5, "{report:#?}");
        assert!(
            report.notes.iter().any(|n| n.contains("in other words") || n.contains("otherwise")),
            "{report:#?}"
        );
    }
}

#[test]
fn every_kind_of_damage_is_found_and_named() {
    if !with_programs("every_kind_of_damage_is_found_and_named", &every_major()) {
        return;
    }
    let server = Server::major(18);
    let source = small_database(&server);
    source.psql("create table c (n int default 7 check (n > 0)); insert into c values (1), (2)");
    let archive = Archive::dump(&server, &source, &[]);
    let cases = [
        ("update c set n = 3 where n = 2", "table public.c: as many rows as expected, but not the same"),
        ("delete from c where n = 1", "table public.c: 1 rows are missing"),
        ("insert into c values (2)", "table public.c: 1 rows too many"),
        (
            "alter table c alter n set default 8",
            "TABLE public.c: archive and restored database differ: \"n integer DEFAULT 7,\" and \"n integer DEFAULT 8,\"",
        ),
        ("drop index a_v", "INDEX public.a_v: it is in the archive and not in the restored database"),
        (
            "create table extra ()",
            "TABLE public.extra: it is in the restored database and not in the archive",
        ),
        (
            "alter table b drop constraint b_a_id_fkey",
            "FK CONSTRAINT public.b b_a_id_fkey: it is in the archive",
        ),
        ("select setval('a_id_seq', 5)", "sequence public.a_id_seq: it stands at 5"),
        ("select lo_put(700001, 0, 'AN')", "large objects: as many large objects as expected"),
        ("drop view all_of_a; create view all_of_a as select id from a", "VIEW public.all_of_a: archive and"),
        (
            "update pg_index set indisvalid = false where indexrelid = 'a_v'::regclass",
            "index a_v: it is not valid",
        ),
        (
            "update pg_constraint set convalidated = false where conname = 'c_n_check'",
            "constraint c_n_check of c: it is not",
        ),
    ];
    for (plant, expected) in cases {
        let report = drill(&archive, &server, plant);
        assert_eq!(report.verdict(), DrillVerdict::Failed, "{plant}");
        assert!(found(&report).iter().any(|f| f.starts_with(expected)), "{plant}: {:#?}", found(&report));
    }
}

#[test]
fn a_throwaway_server_is_gone_after_the_drill_with_all_that_it_had() {
    if !with_programs("a_throwaway_server_is_gone_after_the_drill_with_all_that_it_had", &every_major()) {
        return;
    }
    let server = Server::major(17);
    let role = format!("owner_{}", std::process::id());
    let source = small_database(&server);
    source.psql(&format!("create role {role}; alter table b owner to {role}; grant select on a to {role}"));
    let archive = Archive::dump(&server, &source, &[]);
    source.psql(&format!("reassign owned by {role} to postgres; drop owned by {role}; drop role {role}"));
    let file = File::open(&archive.path).unwrap();
    let archive = RestoreSource::open(&file).unwrap();
    let dir = tempfile::Builder::new().prefix("drill-").tempdir_in("/tmp").unwrap();
    open_to_all(dir.path());
    let checks = ["select count(*) = 500 from b".to_owned(), "select false".into(), "delete from b".into()];
    let place = DrillPlace::Throwaway { work_dir: dir.path() };
    let request = DrillRequest { checks: &checks, ..request(&archive, place) };
    let report = Drill::run(request, &Progress::new(), &Cancel::new()).unwrap();
    assert_eq!(found(&report).len(), 2, "{report:#?}");
    assert_eq!(report.checks.iter().map(|c| c.passed).collect::<Vec<_>>(), [true, false, false]);
    assert!(report.checks[2].result.contains("read-only"), "{report:#?}");
    assert_eq!(
        report.server_version.split('.').next(),
        Some("17"),
        "the major that was dumped, though others are here"
    );
    assert!(report.notes.iter().any(|n| n.contains(&role)), "the stand-in is told: {report:#?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    assert!(!processes_name(dir.path()), "no server runs");
}

#[test]
fn a_locale_that_this_server_lacks_is_stood_in_for_and_told() {
    if !with_programs("a_locale_that_this_server_lacks_is_stood_in_for_and_told", &every_major()) {
        return;
    }
    let server = Server::major(18);
    let options = "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'";
    let source = Database::create_with(&server, "locale", options);
    source.psql("create table t as select 'größe'::text as v");
    let archive = Archive::dump(&server, &source, &[]);
    let file = File::open(&archive.path).unwrap();
    let mut archive = RestoreSource::open(&file).unwrap();
    let entry = archive.toc.entries.iter_mut().find(|e| e.desc_is("DATABASE")).unwrap();
    let sql = entry.definition.as_ref().unwrap().to_string();
    let elsewhere = sql.replace("LOCALE = 'C'", "LOCALE = 'xx_YY.iso88591'");
    assert_ne!(sql, elsewhere);
    entry.definition = Some(elsewhere.as_str().into());
    let scratch = ConnInfo::parse(&server.url("postgres")).unwrap();
    let request = request(&archive, DrillPlace::Server(&scratch));
    let report = Drill::run(request, &Progress::new(), &Cancel::new()).unwrap();
    assert_eq!(report.verdict(), DrillVerdict::Proven, "{report:#?}");
    assert!(report.notes.iter().any(|n| n.starts_with("locale:") && n.contains("xx_YY")), "{report:#?}");
}

#[test]
fn a_limit_ends_a_drill_without_a_verdict_on_the_backup() {
    if !with_programs("a_limit_ends_a_drill_without_a_verdict_on_the_backup", &every_major()) {
        return;
    }
    let server = Server::major(18);
    let source = Database::create(&server, "limited");
    source.psql("create table t as select 1 as i");
    let archive = Archive::dump(&server, &source, &[]);
    let file = File::open(&archive.path).unwrap();
    let archive = RestoreSource::open(&file).unwrap();
    let dir = tempfile::Builder::new().prefix("drill-").tempdir_in("/tmp").unwrap();
    open_to_all(dir.path());
    let place = DrillPlace::Throwaway { work_dir: dir.path() };
    let run = |request| Drill::run(request, &Progress::new(), &Cancel::new()).unwrap();
    let disk = run(DrillRequest { disk_limit: Some(1 << 20), ..request(&archive, place) });
    assert_eq!(disk.verdict(), DrillVerdict::Incomplete);
    assert!(disk.unproven[0].why.starts_with("the disk limit of 1048576 bytes was reached"), "{disk:#?}");
    let time = run(DrillRequest { time_limit: Some(Duration::ZERO), ..request(&archive, place) });
    assert_eq!(time.verdict(), DrillVerdict::Incomplete);
    assert!(time.unproven[0].why.contains("time limit"), "{time:#?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn a_damaged_archive_fails_the_drill() {
    if !with_programs("a_damaged_archive_fails_the_drill", &every_major()) {
        return;
    }
    let server = Server::major(18);
    let archive = Archive::dump(&server, &small_database(&server), &[]);
    archive.truncate(archive.len() - 5000);
    let report = drill(&archive, &server, "select 1");
    assert_eq!(report.verdict(), DrillVerdict::Failed, "{report:#?}");
}

#[test]
fn a_server_older_than_the_backup_is_refused() {
    if !with_programs("a_server_older_than_the_backup_is_refused", &every_major()) {
        return;
    }
    let server = Server::major(18);
    let source = Database::create(&server, "newer");
    let archive = Archive::dump(&server, &source, &[]);
    let file = File::open(&archive.path).unwrap();
    let archive = RestoreSource::open(&file).unwrap();
    let older = ConnInfo::parse(&Server::major(17).url("postgres")).unwrap();
    let refused = Drill::begin(request(&archive, DrillPlace::Server(&older)), &Cancel::new());
    let e = refused.err().expect("an error");
    assert_eq!(e.kind, ErrorKind::Config);
    assert!(e.to_string().contains("older than the backup's 18"), "{e}");
}

/// The server may run as another user than the test.
fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Whether the command line of any process names this folder.
fn processes_name(dir: &Path) -> bool {
    let needle = dir.to_str().unwrap().as_bytes();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let others = processes.filter(|p| p.file_name().to_str() != Some(&std::process::id().to_string()));
    others
        .filter_map(|p| std::fs::read(p.path().join("cmdline")).ok())
        .any(|line| line.windows(needle.len()).any(|w| w == needle))
}
