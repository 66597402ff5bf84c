//! Every codec and level is read by stock pg_restore, and the default is what the server's own version reads.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pgkeep_testbed::{Database, Server, compare_databases};
use support::stock::PgRestore;
use support::{Backup, restore};

/// Text, bytes, an empty table and large objects of all sizes.
const TABLES: &str = r"
create table words (id int primary key, v text);
insert into words select i, repeat(md5((i % 100)::text), 1 + i % 7) from generate_series(1, 15000) i;
create table noise as select i, gen_random_uuid() as v from generate_series(1, 10000) i;
create table nothing (i int);
select lo_from_bytea(500001, convert_to(string_agg(md5(i::text), ''), 'UTF8')) from generate_series(1, 40000) i;
select lo_from_bytea(500002, '');
";

#[test]
fn every_codec_and_level_is_restored_by_stock_pg_restore_18_and_by_pgkeep() {
    let server = Server::major(18);
    let source = Database::create(&server, "codecs");
    source.psql(TABLES);
    let mut sizes = std::collections::BTreeMap::new();
    for codec in ["zstd:1", "zstd:19", "gzip:1", "gzip:9", "lz4", "none"] {
        let backup = Backup::of(&source, &["--compress", codec, "--segment-size", "384KiB"]);
        assert!(backup.segments("words") >= 3);
        let recorded = backup.result["compression"].as_str().unwrap();
        assert!(recorded == codec || recorded.starts_with("lz4"), "{recorded}");
        let path = backup.path();
        let list = support::succeed(PgRestore { major: 18, archive: &path }.command(&["-l"]).arg(&path));
        let named = format!("Compression: {}", codec.split(':').next().unwrap());
        assert!(String::from_utf8_lossy(&list).contains(&named), "{named}");
        let target = Database::create(&server, "target");
        PgRestore { major: 18, archive: &path }.restore(&target, &["-j4"]);
        compare_databases(&source, &target).unwrap_or_else(|e| panic!("{codec} by pg_restore: {e}"));
        let target = Database::create(&server, "target");
        restore(&backup.file(), &target, &[]);
        compare_databases(&source, &target).unwrap_or_else(|e| panic!("{codec} by pgkeep: {e}"));
        sizes.insert(codec, backup.result["size"].as_u64().unwrap());
    }
    assert!(sizes["zstd:19"] < sizes["zstd:1"] && sizes["gzip:9"] < sizes["gzip:1"], "{sizes:?}");
    assert!(sizes["zstd:1"] < sizes["lz4"] && sizes["lz4"] < sizes["none"], "{sizes:?}");
}

#[test]
fn lz4_and_none_are_restored_by_the_oldest_pg_restore_that_knows_them() {
    for (codec, major) in [("lz4", 16), ("none", 14)] {
        let server = Server::major(major);
        let source = Database::create(&server, "codecs");
        source.psql(TABLES);
        let backup = Backup::of(&source, &["--compress", codec, "--segment-size", "384KiB"]);
        let path = backup.path();
        let stock = PgRestore { major, archive: &path };
        for args in [&[][..], &["-j4"]] {
            let target = Database::create(&server, "target");
            stock.restore(&target, args);
            compare_databases(&source, &target).unwrap_or_else(|e| panic!("{codec}: {e}"));
        }
        let target = Database::create(&server, "target");
        stock.through_pipe(&target, &[]);
        compare_databases(&source, &target).unwrap_or_else(|e| panic!("{codec} from a pipe: {e}"));
    }
}

#[test]
fn by_default_servers_to_15_get_gzip_and_later_ones_zstd() {
    for (major, codec) in [(14, "gzip:6"), (15, "gzip:6"), (16, "zstd:3"), (17, "zstd:3"), (18, "zstd:3")] {
        let source = Database::create(&Server::major(major), "default");
        source.psql("create table t as select generate_series(1, 10) as i");
        let backup = Backup::of(&source, &[]);
        assert_eq!(backup.result["compression"], codec, "{major}");
        let path = backup.path();
        let target = Database::create(source.server(), "target");
        PgRestore { major, archive: &path }.restore(&target, &[]);
        assert_eq!(target.psql("select count(*) from t"), "10");
    }
}
