//! Damaged archives and manifests: found by `verify`, never taken for whole by `restore`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use failures_support::Random;
use failures_support::archive::Sample;
use failures_support::program::{Ran, pgkeep, ran, run};
use pgkeep_testbed::{Database, Server};

/// The program with so little memory to take that nothing can be reserved on an archive's word.
fn frugal(arguments: &[&str]) -> Command {
    let program = pgkeep(arguments);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 1200000; exec \"$@\"", "sh"]);
    command.arg(program.get_program()).args(program.get_args());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

fn verify(sample: &Sample) -> Ran {
    run(frugal(&["verify", &sample.id, "--store", sample.store(), "--progress", "none"]))
}

/// Verifies the archive by its own form alone, in a folder without manifest.
fn verify_alone(bytes: &[u8]) -> Ran {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alone.dump");
    std::fs::write(&path, bytes).unwrap();
    run(frugal(&["verify", path.to_str().unwrap(), "--progress", "none"]))
}

/// Whatever it says of it, it does so in words, and in time.
#[track_caller]
fn told(ran: Ran) -> Ran {
    let said = ran.code() == 0 || (ran.code() == 3 && ran.stderr.starts_with("pgkeep: error: "));
    assert!(said, "{ran:#?}");
    assert!(ran.took < Duration::from_secs(20), "{ran:#?}");
    ran
}

/// Places to cut or to change: many in the head, where each field has a meaning, fewer in the data, and the ends.
fn places(sample: &Sample, seed: u64, head: u64, data: u64) -> Vec<usize> {
    let (head_len, len) = (sample.head_len() as u64, sample.archive.len() as u64);
    let mut random = Random(seed);
    let mut at: Vec<u64> =
        vec![0, 4, 5, 8, 10, 11, 12, 15, 16, head_len - 1, head_len, head_len + 1, len - 1];
    at.extend((0..head).map(|i| head_len * i / head + random.below(head_len / head)));
    at.extend(
        (0..data).map(|i| head_len + (len - head_len) * i / data + random.below((len - head_len) / data)),
    );
    at.into_iter().map(|at| usize::try_from(at.min(len - 1)).unwrap()).collect()
}

fn flipped(bytes: &[u8], at: usize, seed: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1 << Random(seed + at as u64).below(8);
    bytes
}

#[test]
fn a_flipped_bit_anywhere_is_found_and_its_bytes_are_named() {
    let sample = Sample::make(&Server::major(18), &[]);
    for at in places(&sample, 1, 40, 40) {
        sample.set_archive(&flipped(&sample.archive, at, 1));
        let ran = told(verify(&sample));
        ran.failed(3, &[&format!("{}.dump", sample.id), "restore from another backup or copy"]);
    }
    sample.mend();
    verify(&sample).ok();
}

#[test]
fn an_archive_cut_anywhere_is_found_with_both_sizes() {
    let sample = Sample::make(&Server::major(18), &[]);
    for at in places(&sample, 2, 5, 10) {
        sample.set_archive(&sample.archive[..at]);
        let sizes = [format!("has {at} bytes"), format!("says {}", sample.archive.len())];
        told(verify(&sample)).failed(3, &[&sizes[0], &sizes[1]]);
    }
}

#[test]
fn an_archive_without_manifest_cut_anywhere_is_found_too() {
    for options in
        [["--compress", "zstd:3"], ["--compress", "gzip:6"], ["--compress", "lz4"], ["--compress", "none"]]
    {
        let sample = Sample::make(&Server::major(18), &options);
        verify_alone(&sample.archive).ok().says(&["none: only the archive's own form was checked"]);
        for at in places(&sample, 3, 20, 20) {
            let ran = told(verify_alone(&sample.archive[..at]));
            assert_eq!(ran.code(), 3, "cut to {at} of {} bytes, {options:?}: {ran:#?}", sample.archive.len());
        }
    }
}

#[test]
fn an_archive_without_manifest_flipped_anywhere_is_read_to_the_end_or_refused_in_words() {
    for options in
        [["--compress", "zstd:3"], ["--compress", "gzip:6"], ["--compress", "lz4"], ["--compress", "none"]]
    {
        let sample = Sample::make(&Server::major(18), &options);
        let mut found = 0;
        let places = places(&sample, 4, 50, 25);
        for at in &places {
            found += usize::from(told(verify_alone(&flipped(&sample.archive, *at, 4))).code() == 3);
        }
        // Text in the table of contents cannot be told from other text; framing and packed data can. Most places are in the
        // former, and which ones they are differs from archive to archive: between a quarter and a third are found.
        assert!(found > places.len() / 6, "{found} of {} for {options:?}", places.len());
    }
}

/// Restores into a database, in place of what is there, and tells how it went.
fn restored_into(sample: &Sample, what: &str, target: &Database) -> Ran {
    let url = target.url();
    let arguments = ["restore", what, "--into", &url, "--store", sample.store(), "--progress", "none"];
    ran(&[&arguments[..], &["--jobs", "2", "--clean", "--if-exists"]].concat())
}

/// Restores into a new database and tells how it went.
fn restored(sample: &Sample, what: &str) -> Ran {
    restored_into(sample, what, &Database::create(sample.source.server(), "target"))
}

#[test]
fn a_flipped_archive_is_never_restored_as_if_it_were_whole() {
    for options in [["--compress", "zstd:3"], ["--compress", "none"]] {
        let sample = Sample::make(&Server::major(18), &options);
        let target = Database::create(sample.source.server(), "target");
        for at in places(&sample, 5, 14, 8) {
            sample.set_archive(&flipped(&sample.archive, at, 5));
            let ran = restored_into(&sample, &sample.id, &target);
            assert!(matches!(ran.code(), 1 | 3), "byte {at}, {options:?}: {ran:#?}");
            assert!(!ran.stdout.contains("  proven"), "byte {at}: {ran:#?}");
            assert!(ran.stderr.contains(&sample.id), "the archive is named, byte {at}: {ran:#?}");
        }
        sample.mend();
        restored(&sample, &sample.id).ok().says(&["proven"]);
    }
}

#[test]
fn a_cut_archive_is_never_restored_as_if_it_were_whole() {
    let sample = Sample::make(&Server::major(18), &[]);
    let target = Database::create(sample.source.server(), "target");
    let places = places(&sample, 6, 3, 3);
    for at in &places {
        sample.set_archive(&sample.archive[..*at]);
        restored_into(&sample, &sample.id, &target)
            .failed(3, &[&format!("has {at} bytes"), "another backup or copy"]);
    }
    // Without the manifest the archive's own form must do.
    std::fs::remove_file(sample.manifest_path()).unwrap();
    for at in &places {
        sample.set_archive(&sample.archive[..*at]);
        let ran = restored_into(&sample, sample.archive_path().to_str().unwrap(), &target);
        assert!(matches!(ran.code(), 1 | 3), "{at}: {ran:#?}");
    }
}

fn int(value: i64) -> Vec<u8> {
    let mut bytes = vec![u8::from(value < 0)];
    bytes.extend_from_slice(&u32::try_from(value.unsigned_abs()).unwrap().to_le_bytes());
    bytes
}

/// Magic, version 1.14.0, sizes of ints and offsets, format, compression level and the time.
fn header() -> Vec<u8> {
    let mut bytes = b"PGDMP\x01\x0e\x00\x04\x08\x01".to_vec();
    for value in [-1, 1, 2, 3, 4, 5, 126, 0] {
        bytes.extend(int(value));
    }
    bytes
}

fn string(text: &str) -> Vec<u8> {
    [int(i64::try_from(text.len()).unwrap()), text.as_bytes().to_vec()].concat()
}

#[test]
fn what_an_archive_claims_is_not_believed_before_it_is_there() {
    let strings = [string("shop"), string("18.0"), string("18.0")].concat();
    let claims = [
        ("a name of 2 GB", [header(), int(0x7fff_ffff), b"x".to_vec()].concat()),
        ("a name of 4 GB", [header(), int(0xffff_ffff), b"x".to_vec()].concat()),
        ("a name of less than nothing", [header(), int(-5), b"x".to_vec()].concat()),
        ("two thousand million entries", [header(), strings.clone(), int(0x7fff_ffff)].concat()),
        ("less than no entries", [header(), strings.clone(), int(-7)].concat()),
        (
            "an entry's tag of 2 GB",
            [header(), strings.clone(), int(1), int(1), int(0), string("0"), string("0"), int(0x7fff_ffff)]
                .concat(),
        ),
    ];
    for (what, bytes) in claims {
        let ran = told(verify_alone(&bytes));
        assert_eq!(ran.code(), 3, "{what}: {ran:#?}");
        assert!(ran.took < Duration::from_secs(5), "{what}: {ran:#?}");
    }
    // A chunk of data that claims 2 GB.
    let sample = Sample::make(&Server::major(18), &["--compress", "none"]);
    let mut bytes = sample.archive.clone();
    let length = sample.head_len() + 1 + 5 + 1;
    bytes[length..length + 4].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let ran = told(verify_alone(&bytes));
    assert_eq!(ran.code(), 3, "{ran:#?}");
}

/// What is no archive of the custom format, and what should be said of it.
fn strangers(dir: &Path, source: &Database) -> Vec<(String, &'static str)> {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    std::fs::write(path("empty"), "").unwrap();
    std::fs::write(path("text"), "This is a letter and no archive.\n".repeat(20)).unwrap();
    std::fs::write(path("magic"), "PGDMP").unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    {
        let (format, name) = ("t", "stock.tar");
        let mut command = source.server().bin("pg_dump");
        let done =
            command.arg(format!("-F{format}")).arg("-f").arg(path(name)).arg("-d").arg(source.url()).status();
        assert!(done.unwrap().success());
    }
    ["empty", "text", "magic", "folder", "stock.tar"].map(|name| (path(name), name)).to_vec()
}

#[test]
fn what_is_no_archive_is_refused_and_named() {
    let sample = Sample::make(&Server::major(18), &[]);
    let dir = tempfile::tempdir().unwrap();
    let target = Database::create(sample.source.server(), "target");
    for (path, name) in strangers(dir.path(), &sample.source) {
        for arguments in
            [vec!["verify", &path], vec!["restore", &path, "--into", &target.url()], vec!["show", &path]]
        {
            let ran = ran(&arguments);
            assert!(matches!(ran.code(), 1 | 3 | 5), "{ran:#?}");
            let ran = ran.says(&["pgkeep: error: ", name]);
            if arguments[0] != "show" {
                let words: &[&str] = match name {
                    "folder" => &["folder"],
                    "stock.tar" => &["tar"],
                    _ => &["archive"],
                };
                assert!(words.iter().any(|w| ran.stderr.contains(w)), "{name} is not told as such: {ran:#?}");
            }
        }
    }
    assert_eq!(target.psql("select count(*) from pg_class where relnamespace = 'public'::regnamespace"), "0");
}

#[test]
fn a_manifest_without_its_archive_is_told() {
    let sample = Sample::make(&Server::major(18), &[]);
    std::fs::remove_file(sample.archive_path()).unwrap();
    verify(&sample).failed(5, &["not found", &format!("{}.dump", sample.id)]);
    restored(&sample, &sample.id).failed(5, &["not found", &format!("{}.dump", sample.id)]);
}

#[test]
fn a_manifest_cut_in_half_is_told_and_does_not_hide_the_others() {
    let sample = Sample::make(&Server::major(18), &[]);
    ran(&["backup", &sample.source.url(), "--to", sample.store(), "--name", "other"]).ok();
    std::fs::write(sample.manifest_path(), &sample.manifest[..sample.manifest.len() / 2]).unwrap();
    let words =
        [&*format!("{}.manifest.json", sample.id), "not a manifest", "can still be restored by its own name"];
    verify(&sample).failed(3, &words);
    let listed = ran(&["list", "--store", sample.store()]).failed(3, &words);
    assert!(listed.stdout.lines().any(|line| line.starts_with("other")), "{listed:#?}");
    let listed = ran(&["list", "--store", sample.store(), "--json"]).failed(3, &[]);
    let first: serde_json::Value = serde_json::from_str(listed.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["name"], "other");
    assert_eq!(listed.json()["error"]["kind"], "damaged");
    // And as the hint says, the archive can be had by its own name once the cut manifest is out of the way.
    std::fs::remove_file(sample.manifest_path()).unwrap();
    restored(&sample, sample.archive_path().to_str().unwrap()).ok();
}

#[test]
fn a_manifest_of_a_newer_version_says_what_to_use() {
    let sample = Sample::make(&Server::major(18), &[]);
    sample.edit_manifest(|m| m["manifest_version"] = 99.into());
    for command in ["verify", "show"] {
        ran(&[command, &sample.id, "--store", sample.store()])
            .failed(3, &["version 99", "use a newer pgkeep"]);
    }
    ran(&["list", "--store", sample.store()]).failed(3, &["use a newer pgkeep"]);
    restored(&sample, &sample.id).failed(3, &["use a newer pgkeep"]);
}

#[test]
fn a_manifest_that_says_nonsense_is_never_a_panic() {
    let sample = Sample::make(&Server::major(18), &[]);
    let mut random = Random(9);
    for _ in 0..40 {
        let mut bytes = sample.manifest.clone();
        for _ in 0..3 {
            let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
            bytes[at] = b"0123456789-\"{}[],:aeftnu. "[usize::try_from(random.below(26)).unwrap()];
        }
        std::fs::write(sample.manifest_path(), &bytes).unwrap();
        for command in ["verify", "show", "list"] {
            let words: &[&str] = if command == "list" { &["list"] } else { &[command, &sample.id] };
            let ran = run(frugal(&[words, &["--store", sample.store()]].concat()));
            assert!(matches!(ran.code(), 0 | 1 | 3 | 5), "{ran:#?}\n{}", String::from_utf8_lossy(&bytes));
        }
    }
    // Sizes that nobody could hold.
    for size in [u64::MAX, 1 << 62, 1, 0] {
        sample.edit_manifest(|m| m["object"]["part_size"] = size.into());
        let ran = verify(&sample);
        assert!(matches!(ran.code(), 0 | 3), "{ran:#?}");
    }
}

#[test]
fn rows_that_are_not_those_of_the_manifest_are_found_in_the_archive() {
    let sample = Sample::make(&Server::major(18), &[]);
    sample.edit_manifest(|m| m["dump"]["tables"][0]["sum"] = "00000000000000000000000000000001".into());
    verify(&sample).failed(3, &["table public.", "the archive holds", "were dumped"]);
}

/// Old archives and those of other programs are for `restore` and `verify` alike.
#[test]
fn a_stock_archive_that_was_cut_is_found() {
    let sample = Sample::make(&Server::major(18), &[]);
    let dir = tempfile::tempdir().unwrap();
    for major in Server::MAJORS {
        let server = Server::major(major);
        let source = Database::create(&server, "stock");
        source.psql("create table t as select i, md5(i::text) from generate_series(1, 5000) i");
        let path = dir.path().join(format!("stock{major}.dump"));
        let done = server.bin("pg_dump").arg("-Fc").arg("-f").arg(&path).arg("-d").arg(source.url()).status();
        assert!(done.unwrap().success());
        let path = path.to_str().unwrap();
        ran(&["verify", path]).ok();
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() - 100]).unwrap();
        ran(&["verify", path]).failed(3, &[&format!("stock{major}.dump")]);
        let ran = restored(&sample, path);
        assert!(matches!(ran.code(), 1 | 3), "{ran:#?}");
    }
}
