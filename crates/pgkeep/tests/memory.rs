//! `--jobs 4` stays under 256 MiB of resident memory whatever the database holds.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pgkeep_testbed::{Database, S3, Server};
use support::memory::{LIMIT_KIB, peak_of};
use support::program;

/// Peak in KiB of a backup into a folder and of one into a bucket.
fn peaks(database: &Database, what: &str, extra: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let bucket = S3::from_env().create_bucket("memory");
    for (place, store) in
        [("a folder", dir.path().to_str().unwrap().to_owned()), ("a bucket", bucket.url("db"))]
    {
        let mut command = program();
        command.args(["backup", &database.url(), "--to", &store, "--json", "--jobs", "4"]).args(extra);
        command.envs(bucket.credentials());
        let (result, peak) = peak_of(&mut command);
        let size = result["size"].as_u64().unwrap() >> 20;
        println!("{what}: {size} MiB into {place}: peak {} MiB", peak / 1024);
        assert!(peak < LIMIT_KIB, "{what} into {place}: {peak} KiB");
    }
}

/// Random bytes that no codec makes smaller. pgcrypto may be missing; uuids have 122 random bits of 128.
const RANDOM: &str = r"
create function random_bytes(kib int) returns bytea language sql volatile as
$$ select string_agg(uuid_send(gen_random_uuid()), ''::bytea) from generate_series(1, kib * 64) $$;
create table wide (id int, v bytea);
alter table wide alter v set storage external;
create table medium (id int, v text);
";

#[test]
fn rows_of_8_mb_that_do_not_compress_are_backed_up_within_the_memory_limit() {
    let database = Database::create(&Server::major(17), "wide");
    database.psql(RANDOM);
    database.psql("insert into wide select 1, random_bytes(8192)");
    // As many different ones as it takes: each is one of the others, cut elsewhere.
    database.psql("insert into wide select i, substr(v, i * 1000) || substr(v, 1, i * 1000) from wide, generate_series(2, 40) i where id = 1");
    database.psql(
        "insert into medium select i, encode(random_bytes(4), 'base64') from generate_series(1, 12000) i",
    );
    peaks(&database, "40 rows of 8 MB and 64 MB of random text", &[]);
    peaks(&database, "the same without compression", &["--compress", "none"]);
    peaks(&database, "the same in one entry for each table", &["--no-segments"]);
}

#[test]
fn a_value_of_300_mb_is_backed_up_within_the_memory_limit() {
    let database = Database::with_fixture(&Server::major(18), "huge_value");
    peaks(&database, "a value of 300 MB", &[]);
    peaks(&database, "a value of 300 MB with gzip", &["--compress", "gzip"]);
}
