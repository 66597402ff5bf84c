//! Archives that stock pg_dump made, restored by us, equal the original.
#![allow(clippy::unwrap_used, clippy::panic)]

mod restore_support;

use pgkeep_engine::restore::RestoreOptions;
use pgkeep_testbed::{Database, Server};
use restore_support::{Archive, assert_equal, odd_database, options, prove_report, small_database};

/// Restores and proves every one of these archives of the odd database.
fn round_trip(major: u32, compressions: &[&[&str]]) {
    let server = Server::major(major);
    let source = odd_database(&server);
    for args in compressions {
        let what = format!("{major} {args:?}");
        let archive = Archive::dump(&server, &source, args);
        let target = Database::create(&server, "odd target");
        let report = archive.restore(&target.url(), &options()).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_equal(&source, &target, &what);
        assert!(report.notes.is_empty(), "{what}: {:?}", report.notes);
        let verdict = prove_report(&target, &report);
        assert!(verdict.is_proven(), "{what}: {:#?}", verdict.differences);
        let tables = if args.contains(&"--inserts") { 0 } else { 40 };
        assert!(
            verdict.tables >= tables && verdict.sequences > 5 && verdict.large_objects > 50,
            "{verdict:?}"
        );
    }
}

#[test]
fn archives_of_14_restore_whole_and_are_proven() {
    round_trip(14, &[&[], &["-Z0"]]);
}

#[test]
fn archives_of_15_restore_whole_and_are_proven() {
    round_trip(15, &[&[]]);
}

#[test]
fn archives_of_16_restore_whole_and_are_proven() {
    round_trip(16, &[&["-Z", "gzip:1"]]);
}

#[test]
fn archives_of_17_restore_whole_and_are_proven() {
    round_trip(17, &[&["--inserts", "--rows-per-insert=100"], &["-Z0"]]);
}

#[test]
fn archives_of_18_restore_whole_and_are_proven() {
    round_trip(18, &[&["-Z", "gzip"], &["-Z", "none"]]);
}

#[test]
fn archives_compressed_by_lz4_and_zstd_restore_whole_where_pg_dump_can_make_them() {
    let server = Server::major(17);
    let source = small_database(&server);
    for algorithm in ["lz4", "zstd"] {
        let can = server
            .bin("pg_dump")
            .args(["-Fc", "-s", "-Z", algorithm, "-d"])
            .arg(source.url())
            .output()
            .unwrap();
        if !can.status.success() {
            eprintln!("this pg_dump has no {algorithm}");
            continue;
        }
        let archive = Archive::dump(&server, &source, &["-Z", algorithm]);
        let target = Database::create(&server, algorithm);
        archive.restore(&target.url(), &options()).unwrap();
        assert_equal(&source, &target, algorithm);
    }
}

#[test]
fn an_archive_made_through_a_pipe_restores_whole() {
    for major in [14, 18] {
        let server = Server::major(major);
        let source = odd_database(&server);
        let archive = Archive::dump_through_pipe(&server, &source);
        let target = Database::create(&server, "from a pipe");
        archive.restore(&target.url(), &options()).unwrap();
        assert_equal(&source, &target, &major.to_string());
    }
}

#[test]
fn an_old_archive_restores_into_a_new_server() {
    let (old, new) = (Server::major(14), Server::major(18));
    let source = odd_database(&old);
    let archive = Archive::dump(&old, &source, &[]);
    drop(source);
    let target = Database::create(&new, "newer");
    archive.restore(&target.url(), &options()).unwrap();
    // The rights on schema public are others from 15 on, and an old archive says nothing of them.
    let stock = Database::create(&new, "newer by stock");
    let out = new.bin("pg_restore").arg("-d").arg(stock.url()).arg(&archive.path).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_equal(&stock, &target, "14 to 18");
}

#[test]
fn one_job_and_many_jobs_do_the_same() {
    let server = Server::major(18);
    let source = small_database(&server);
    let archive = Archive::dump(&server, &source, &[]);
    for jobs in [1, 7] {
        let target = Database::create(&server, "jobs");
        archive.restore(&target.url(), &RestoreOptions { jobs, ..options() }).unwrap();
        assert_equal(&source, &target, &format!("{jobs} jobs"));
    }
}

#[test]
fn clean_replaces_a_database_that_was_changed() {
    for major in [14, 18] {
        let server = Server::major(major);
        let source = small_database(&server);
        let archive = Archive::dump(&server, &source, &[]);
        let target = Database::create(&server, "cleaned");
        let clean = RestoreOptions { clean: true, if_exists: true, ..options() };
        // Nothing is there yet: nothing is missed.
        archive.restore(&target.url(), &clean).unwrap();
        target.psql(
            "delete from b; drop view all_of_a; insert into a (v) values ('new'); select lo_unlink(700001)",
        );
        archive.restore(&target.url(), &clean).unwrap();
        assert_equal(&source, &target, &major.to_string());
        let strict = RestoreOptions { clean: true, ..options() };
        archive.restore(&target.url(), &strict).unwrap();
        target.psql("drop view all_of_a");
        let error = archive.restore(&target.url(), &strict).unwrap_err();
        assert!(error.to_string().contains("VIEW public.all_of_a"), "{error}");
        assert!(error.hint.unwrap().contains("--if-exists"));
    }
}

#[test]
fn clean_if_exists_replaces_the_odd_database_too() {
    let server = Server::major(18);
    let source = odd_database(&server);
    let archive = Archive::dump(&server, &source, &[]);
    let target = Database::create(&server, "odd cleaned");
    let clean = RestoreOptions { clean: true, if_exists: true, ..options() };
    archive.restore(&target.url(), &clean).unwrap();
    archive.restore(&target.url(), &clean).unwrap();
    assert_equal(&source, &target, "second time");
}

#[test]
fn create_makes_the_database_with_its_properties() {
    let (from, to) = (Server::major(18), Server::major(17));
    let source = small_database(&from);
    let name = format!("\"{}\"", source.name().replace('"', "\"\""));
    source.psql(&format!(
        "alter database {name} set work_mem = '5MB'; comment on database {name} is 'kept';
         grant connect on database {name} to pg_monitor"
    ));
    let archive = Archive::dump(&from, &source, &[]);
    let target = Database::adopt(&to, source.name());
    let create = RestoreOptions { create: true, ..options() };
    let report = archive.restore(&to.url("postgres"), &create).unwrap();
    assert_eq!(report.database.database, source.name());
    assert_equal(&source, &target, "created");
    assert_eq!(target.psql("show work_mem"), "5MB");
    let about = "select shobj_description(oid, 'pg_database'), datacl::text like '%pg_monitor=c%'
                 from pg_database where datname = current_database()";
    assert_eq!(target.psql(about), "kept|t");

    // It is there now: a second time fails, unless it may be dropped first.
    let error = archive.restore(&to.url("postgres"), &create).unwrap_err();
    assert_eq!(error.sqlstate.as_deref(), Some("42P04"));
    target.psql("drop table b");
    let again = RestoreOptions { create: true, clean: true, if_exists: true, ..options() };
    archive.restore(&to.url("postgres"), &again).unwrap();
    assert_equal(&source, &target, "created again");
}

#[test]
fn without_owners_and_privileges_everything_belongs_to_who_restores() {
    let server = Server::major(18);
    let source = odd_database(&server);
    let archive = Archive::dump(&server, &source, &[]);
    let target = Database::create(&server, "no owner");
    let options = RestoreOptions { no_owner: true, no_privileges: true, ..options() };
    archive.restore(&target.url(), &options).unwrap();
    let others = "select count(*) from pg_class where relowner <> 10::oid or
                  (relacl is not null and relnamespace = 'odd'::regnamespace)";
    assert_eq!(target.psql(others), "0");
    assert_eq!(source.psql("select count(*) > 0 from pg_class where relowner <> 10::oid"), "t");
}
