//! Stock pg_restore of every version that can read it restores what pgkeep wrote, in every mode.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pgkeep_testbed::{Database, Server, compare_databases};
use support::stock::{PgRestore, piped_archive};
use support::{Backup, succeed};

/// One table of about twenty segments (of 128 KiB) with all that is made after data, and a few small ones. No large
/// objects, so that an archive of a new server can be read by an old pg_restore.
const SMALL: &str = r"
create table kinds (id int primary key, name text not null unique);
insert into kinds select i, 'kind ' || i from generate_series(1, 20) i;
create table big (id serial primary key, kind int not null references kinds, twin int, filler text);
insert into big (kind, twin, filler) select 1 + i % 20, 14001 - i, repeat(md5(i::text), 5) from generate_series(1, 14000) i;
alter table big add foreign key (twin) references big;
create index big_md5 on big (md5(filler));
create table notes (id bigint generated always as identity primary key, big_id int references big on delete cascade, v text);
insert into notes (big_id, v) select i * 20, 'note ' || i from generate_series(1, 500) i;
create table log (what text);
create function note() returns trigger language plpgsql as
$$ begin insert into public.log values (tg_op); return null; end $$;
create trigger noted after insert on big for each row execute function note();
create schema side;
create table side.a (id int primary key);
create table side.b (id serial primary key, a_id int references side.a);
insert into side.a select generate_series(1, 50);
insert into side.b (a_id) select generate_series(1, 50);
create view side.both as select b.id, a_id from side.a join side.b on a.id = a_id;
create table empty_one (i int);
";

const CUT: [&str; 2] = ["--segment-size", "128KiB"];

/// A backup of the small database and a copy of it. The database itself is gone, so that `-C` can make it again.
struct Small {
    name: String,
    copy: Database,
    backup: Backup,
}

impl Small {
    fn of(major: u32, extra: &[&str]) -> Small {
        let server = Server::major(major);
        let source = Database::create(&server, "small");
        source.psql(SMALL);
        let backup = Backup::of(&source, extra);
        let copy = Database::create_with(&server, "copy", &format!("TEMPLATE {}", source.name()));
        Small { name: source.name().to_owned(), copy, backup }
    }

    #[track_caller]
    fn equals(&self, target: &Database, mode: &str) {
        assert_equal(&self.copy, target, mode);
    }
}

#[track_caller]
fn assert_equal(source: &Database, target: &Database, mode: &str) {
    if let Err(differences) = compare_databases(source, target) {
        panic!("{mode}: {differences}");
    }
}

const ROWS_OF_BIG: &str = "select count(*), md5(string_agg(t::text, ';' order by id)) from big t";

/// All modes of one pg_restore on an archive of one server.
fn every_mode(source: u32, compress: &[&str], reader: u32) {
    let small = Small::of(source, &[&CUT[..], compress].concat());
    assert!(small.backup.segments("big") >= 15, "cut into {}", small.backup.segments("big"));
    // Not into a server older than the archive's, and not by a pg_restore newer than the server, whose settings the
    // server may not know.
    let server = Server::major(source.max(reader));
    let archive = small.backup.path();
    let stock = PgRestore { major: reader, archive: &archive };
    let fresh = || Database::create(&server, "target");

    let lines = stock.list();
    let of_big = lines.iter().filter(|l| l.contains(" TABLE DATA public big ")).count() as u64;
    assert_eq!(of_big, small.backup.segments("big"), "-l: {}", lines.join("\n"));
    assert!(lines.iter().any(|l| l.contains(" TRIGGER public big noted ")), "{}", lines.join("\n"));

    // Later copies are compared with the first, as that is quick where the source is on an older server.
    let first = fresh();
    stock.restore(&first, &[]);
    small.equals(&first, "serial");
    for (mode, args) in [("-j4", &["-j4"]), ("-1", &["-1"])] {
        let target = fresh();
        stock.restore(&target, args);
        assert_equal(&first, &target, mode);
    }

    if archive.is_file() {
        let target = fresh();
        stock.through_pipe(&target, &[]);
        assert_equal(&first, &target, "from a pipe");
    }

    let target = fresh();
    stock.script(&target, &[]);
    assert_equal(&first, &target, "-f -");

    let target = fresh();
    for section in ["pre-data", "data", "post-data"] {
        stock.restore(&target, &["--section", section, "-j4"]);
    }
    assert_equal(&first, &target, "--section");

    let target = fresh();
    stock.restore(&target, &["-t", "big"]);
    assert_eq!(target.psql(ROWS_OF_BIG), small.copy.psql(ROWS_OF_BIG), "-t");
    assert_eq!(target.psql("select count(*) from pg_tables where schemaname = 'public'"), "1", "-t");

    let target = fresh();
    target.psql("create schema side");
    stock.restore(&target, &["-n", "side", "-j4"]);
    let rows = "select (select count(*) from side.a), (select sum(id) from side.both), to_regclass('public.big') is null";
    assert_eq!(target.psql(rows), "50|1275|t", "-n");

    for args in [&[][..], &["-j4"]] {
        let target = fresh();
        stock.by_shuffled_list(&target, args);
        assert_equal(&first, &target, "-L");
    }

    let target = fresh();
    stock.restore(&target, &["-j4"]);
    target.psql("delete from notes; delete from side.b where id > 3; insert into empty_one values (1)");
    stock.restore(&target, &["--clean", "--if-exists", "-j4"]);
    assert_equal(&first, &target, "--clean --if-exists");

    let target = Database::adopt(&server, &small.name);
    succeed(stock.command(&["-C", "-j4", "-d"]).arg(server.url("postgres")).arg(&archive));
    assert_equal(&first, &target, "-C");

    let target = fresh();
    stock.restore(&target, &["--schema-only"]);
    assert_eq!(target.psql("select count(*) from big"), "0");
    stock.restore(&target, &["--data-only", "--disable-triggers"]);
    assert_equal(&first, &target, "--schema-only, then --data-only --disable-triggers");
}

const GZIP: &[&str] = &["--compress", "gzip"];
const DIRECTORY: &[&str] = &["--format", "directory"];

macro_rules! every_mode {
    ($($name:ident: $source:literal, $compress:expr, $reader:literal;)*) => {
        $(#[test] fn $name() { every_mode($source, $compress, $reader); })*
    };
}

// An archive as it is by default, but for the last ones.
every_mode! {
    pg_restore_14_restores_an_archive_of_server_14_in_every_mode: 14, &[], 14;
    pg_restore_15_restores_an_archive_of_server_14_in_every_mode: 14, &[], 15;
    pg_restore_16_restores_an_archive_of_server_14_in_every_mode: 14, &[], 16;
    pg_restore_17_restores_an_archive_of_server_14_in_every_mode: 14, &[], 17;
    pg_restore_18_restores_an_archive_of_server_14_in_every_mode: 14, &[], 18;
    pg_restore_16_restores_an_archive_of_server_16_in_every_mode: 16, &[], 16;
    pg_restore_17_restores_an_archive_of_server_16_in_every_mode: 16, &[], 17;
    pg_restore_18_restores_an_archive_of_server_16_in_every_mode: 16, &[], 18;
    pg_restore_16_restores_an_archive_of_server_18_in_every_mode: 18, &[], 16;
    pg_restore_18_restores_an_archive_of_server_18_in_every_mode: 18, &[], 18;
    pg_restore_14_restores_a_gzip_archive_of_server_16_in_every_mode: 16, GZIP, 14;
    pg_restore_14_restores_a_gzip_archive_of_server_18_in_every_mode: 18, GZIP, 14;
    pg_restore_14_restores_a_directory_of_server_14_in_every_mode: 14, DIRECTORY, 14;
    pg_restore_15_restores_a_directory_of_server_15_in_every_mode: 15, DIRECTORY, 15;
    pg_restore_16_restores_a_directory_of_server_16_in_every_mode: 16, DIRECTORY, 16;
    pg_restore_17_restores_a_directory_of_server_14_in_every_mode: 14, DIRECTORY, 17;
    pg_restore_18_restores_a_directory_of_server_18_in_every_mode: 18, DIRECTORY, 18;
}

#[test]
fn an_archive_that_went_through_a_pipe_is_restored_from_a_file_and_from_a_pipe() {
    for (source, reader) in [(14, 14), (18, 18)] {
        let server = Server::major(source);
        let database = Database::create(&server, "piped");
        database.psql(SMALL);
        let (_dir, path) = piped_archive(&database, &CUT);
        let stock = PgRestore { major: reader, archive: &path };
        let of_big = stock.list().iter().filter(|l| l.contains(" TABLE DATA public big ")).count();
        assert!(of_big >= 15, "cut into {of_big}");
        for mode in ["pipe", "file", "-j4", "-L"] {
            let target = Database::create(&server, "target");
            match mode {
                "pipe" => stock.through_pipe(&target, &[]),
                "file" => stock.restore(&target, &[]),
                "-L" => stock.by_shuffled_list(&target, &["-j4"]),
                _ => stock.restore(&target, &["-j4"]),
            }
            compare_databases(&database, &target).unwrap_or_else(|e| panic!("{source} {mode}: {e}"));
        }
    }
}

#[test]
fn without_segments_every_table_has_one_entry_and_the_two_exceptions_hold() {
    for major in [14, 18] {
        let small = Small::of(major, &["--no-segments", "--segment-size", "128KiB"]);
        let path = small.backup.path();
        let stock = PgRestore { major, archive: &path };
        let mut data: Vec<String> = stock.list().into_iter().filter(|l| l.contains(" TABLE DATA ")).collect();
        let name = |l: &str| l.split_whitespace().skip(3).collect::<Vec<_>>().join(" ");
        assert_eq!(data.len(), 7, "{}", data.join("\n"));
        data.sort_by_key(|l| name(l));
        data.dedup_by_key(|l| name(l));
        assert_eq!(data.len(), 7, "one entry each");

        let target = Database::create(small.copy.server(), "target");
        stock.restore(&target, &["--schema-only"]);
        stock.restore(&target, &["--data-only", "--disable-triggers", "-j4"]);
        small.equals(&target, "--data-only --disable-triggers -j4");

        let target = Database::create(small.copy.server(), "target");
        target
            .psql("create table big (id int, kind int, twin int, filler text); insert into big values (-1)");
        let mut command = stock.command(&["--no-data-for-failed-tables", "-d"]);
        let out = command.arg(target.url()).arg(&path).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(said.contains("relation \"big\" already exists"), "{said}");
        assert_eq!(target.psql("select id from big"), "-1", "no data for a table that was there");
        assert_eq!(target.psql("select count(*) from notes"), "500", "data for those that were not");
    }
}

/// docs: the way round the first exception.
#[test]
fn data_alone_is_loaded_in_parallel_under_the_replica_role() {
    let small = Small::of(17, &CUT);
    let path = small.backup.path();
    let stock = PgRestore { major: 17, archive: &path };
    let target = Database::create(small.copy.server(), "target");
    stock.restore(&target, &["--schema-only"]);
    let mut command = stock.command(&["--data-only", "-j4", "-d"]);
    command.env("PGOPTIONS", "-c session_replication_role=replica");
    succeed(command.arg(target.url()).arg(&path));
    small.equals(&target, "--data-only -j4");
}

/// The odd objects, in segments of 1 MiB.
fn odd_objects(major: u32) -> (Database, Backup) {
    let source = Database::with_fixture(&Server::major(major), "odd_objects");
    let backup = Backup::of(&source, &["--segment-size", "1MiB"]);
    for table in ["big_plain", "big_toast"] {
        let segments = backup.segments(table);
        assert!(segments >= 3, "{table} is cut into {segments}");
    }
    (source, backup)
}

#[track_caller]
fn odd_objects_by(source: &Database, reader: u32, mode: &str, restore: impl FnOnce(&Database)) {
    let target = Database::create(&Server::major(source.server().version().max(reader)), "target");
    restore(&target);
    if let Err(differences) = compare_databases(source, &target) {
        panic!("pg_restore {reader} {mode}: {differences}");
    }
}

#[test]
fn odd_objects_of_server_14_are_restored_by_pg_restore_14_and_18() {
    let (source, backup) = odd_objects(14);
    let archive = backup.path();
    let (old, new) = (PgRestore { major: 14, archive: &archive }, PgRestore { major: 18, archive: &archive });
    odd_objects_by(&source, 14, "serial", |target| old.restore(target, &[]));
    odd_objects_by(&source, 14, "-j4", |target| old.in_parallel(target));
    odd_objects_by(&source, 18, "-j4", |target| new.in_parallel(target));
}

#[test]
fn odd_objects_of_server_16_are_restored_by_pg_restore_16_and_17() {
    let (source, backup) = odd_objects(16);
    let archive = backup.path();
    let (old, new) = (PgRestore { major: 16, archive: &archive }, PgRestore { major: 17, archive: &archive });
    odd_objects_by(&source, 16, "-L", |target| old.by_shuffled_list(target, &[]));
    odd_objects_by(&source, 17, "from a pipe", |target| new.through_pipe(target, &[]));
}

#[test]
fn odd_objects_of_server_18_are_restored_by_pg_restore_17_and_18() {
    let (source, backup) = odd_objects(18);
    let archive = backup.path();
    let (old, new) = (PgRestore { major: 17, archive: &archive }, PgRestore { major: 18, archive: &archive });
    odd_objects_by(&source, 17, "-1", |target| old.restore(target, &["-1"]));
    odd_objects_by(&source, 18, "-f -", |target| new.script(target, &[]));
    odd_objects_by(&source, 18, "--section", |target| new.in_parallel(target));
    odd_objects_by(&source, 18, "--clean --if-exists", |target| {
        new.in_parallel(target);
        target.psql("delete from odd.big_plain where id % 3 = 0");
        // What pg_restore cannot clean, of a stock archive neither: the primary keys of partitions, one by one.
        target.psql("drop table odd.by_range cascade");
        new.restore(target, &["--clean", "--if-exists"]);
    });
}
