//! Encrypted backups: judged by stock `age`, and read by nobody without a key.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use failures_support::data::{no_sessions, noise, one_big_row, twin, wait_for_reading};
use failures_support::key::Key;
use failures_support::place::{Place, files};
use failures_support::program::{Ran, Running, ran};
use pgkeep_testbed::{Database, FaultProxy, S3, Server, compare_databases};
use support::stock::PgRestore;
use support::succeed;

const CHUNK: usize = (64 << 10) + 16;

/// The one file in a folder store whose name ends so.
#[track_caller]
fn only(place: &Place, end: &str) -> PathBuf {
    let Place::Folder(dir) = place else { panic!("no folder") };
    let root = dir.path().join("backups");
    let found: Vec<String> = files(&root).into_iter().filter(|f| f.ends_with(end)).collect();
    let [one] = found.as_slice() else { panic!("not one {end}: {found:?}") };
    root.join(one)
}

fn empty(like: &Database) -> Database {
    Database::create(like.server(), "target")
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn stock_age_and_pg_restore_alone_read_a_backup_with_any_of_its_keys() {
    let (one, two) = (Key::new(), Key::new());
    let source = Database::with_fixture(&Server::major(17), "odd_objects");
    let place = Place::folder();
    place
        .backup(&source.url(), &["--encrypt-to", &one.public, "--recovery-recipient", &two.public])
        .ok()
        .says(&[&one.public, &two.public, ".dump.age"]);
    let sealed = only(&place, ".dump.age");
    let plain = one.decrypt(&sealed, "plain.dump");
    assert!(std::fs::read(&plain).unwrap() == std::fs::read(two.decrypt(&sealed, "plain.dump")).unwrap());
    let target = empty(&source);
    PgRestore { major: 17, archive: &plain }.restore(&target, &[]);
    compare_databases(&source, &target).unwrap();
    let target = empty(&source);
    let store = place.url();
    let latest = format!("{}@latest", source.name());
    let restored = ran(&[
        "restore",
        &latest,
        "--store",
        &store,
        "--into",
        &target.url(),
        "--no-analyze",
        "--identity",
        &two.file(),
    ]);
    restored.ok().says(&["proven"]);
    compare_databases(&source, &target).unwrap();
}

#[test]
fn a_script_is_encrypted_as_well() {
    let key = Key::new();
    let source = noise(&Server::major(17), 2000);
    let place = Place::folder();
    place
        .backup(&source.url(), &["--format", "plain", "--compress", "gzip", "--encrypt-to", &key.public])
        .ok();
    let sealed = only(&place, ".sql.gz.age");
    let packed = key.decrypt(&sealed, "plain.sql.gz");
    let mut gzip = Command::new("gzip").arg("-dc").arg(packed).stdout(Stdio::piped()).spawn().unwrap();
    let target = empty(&source);
    let mut psql = target.server().bin("psql");
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-d"]).arg(target.url());
    succeed(psql.stdin(gzip.stdout.take().unwrap()));
    assert!(gzip.wait().unwrap().success());
    compare_databases(&source, &target).unwrap();
    let target = empty(&source);
    let restored = ran(&["restore", path(&sealed), "--into", &target.url(), "--identity", &key.file()]);
    restored.ok().says(&["proven", "that were dumped"]);
    compare_databases(&source, &target).unwrap();
    ran(&["verify", path(&sealed), "--identity", &key.file()]).ok().says(&["script", "2,000 rows match"]);
}

#[test]
fn what_stock_pg_dump_and_age_wrote_is_restored() {
    let key = Key::new();
    let source = Database::with_fixture(&Server::major(16), "odd_objects");
    let dir = tempfile::tempdir().unwrap();
    let (plain, sealed) = (dir.path().join("theirs.dump"), dir.path().join("theirs.dump.age"));
    succeed(source.server().bin("pg_dump").args(["-Fc", "-f"]).arg(&plain).arg(source.url()));
    succeed(Command::new("age").args(["-r", &key.public, "-o"]).arg(&sealed).arg(&plain));
    let target = empty(&source);
    let restored =
        ran(&["restore", path(&sealed), "--into", &target.url(), "--no-analyze", "--identity", &key.file()]);
    restored.ok().says(&["proven", "in the archive"]);
    compare_databases(&source, &target).unwrap();
    ran(&["verify", path(&sealed), "--identity", &key.file()]).ok();
    ran(&["verify", path(&sealed)]).failed(1, &["theirs.dump.age", "encrypted", "--identity"]);
    let store = path(dir.path());
    std::fs::remove_file(&plain).unwrap();
    ran(&["list", "--store", store]).ok().says(&["theirs.dump.age"]);
    ran(&["adopt", "theirs.dump.age", "--store", store]).failed(1, &["encrypted", "--identity"]);
    ran(&["adopt", "theirs.dump.age", "--name", "shop", "--store", store, "--identity", &key.file()]).ok();
    ran(&["verify", "shop@latest", "--store", store, "--identity", &key.file()]).ok().says(&["match"]);
    ran(&["show", "shop@latest", "--store", store]).ok().says(&["encrypted", &key.public]);
}

#[test]
fn a_large_backup_in_a_bucket_is_whole_for_stock_age() {
    let key = Key::new();
    let source = one_big_row(&Server::major(17));
    let place = Place::bucket();
    place.backup(&source.url(), &["--name", "big", "--compress", "none", "--encrypt-to", &key.public]).ok();
    let Place::Bucket(bucket) = &place else { panic!() };
    let name = bucket.keys().into_iter().find(|k| k.ends_with(".dump.age")).unwrap();
    let sealed = key.dir.path().join("sealed.age");
    bucket.download(&name, &sealed);
    assert!(sealed.metadata().unwrap().len() > 20 << 20, "it has several parts");
    let target = empty(&source);
    PgRestore { major: 17, archive: &key.decrypt(&sealed, "plain.dump") }.restore(&target, &[]);
    compare_databases(&source, &target).unwrap();
    let latest = "big@latest";
    let target = empty(&source);
    let url = target.url();
    let more = ["--store", &place.url(), "--identity", &key.file()];
    place.ran(&[&["restore", latest, "--into", &url], &more[..]].concat()).ok().says(&["proven"]);
    place.ran(&[&["verify", latest], &more[..]].concat()).ok().says(&["1 row match"]);
    place.ran(&["verify", latest, "--store", &place.url()]).ok().says(&["NOT CHECKED"]);
}

#[test]
fn a_pipe_is_encrypted_for_stock_age() {
    let key = Key::new();
    let source = noise(&Server::major(17), 5000);
    let (_dir, sealed) = support::stock::piped_archive(&source, &["--encrypt-to", &key.public]);
    let target = empty(&source);
    PgRestore { major: 17, archive: &key.decrypt(&sealed, "plain.dump") }.restore(&target, &[]);
    compare_databases(&source, &target).unwrap();
}

#[test]
fn without_the_right_key_nothing_is_restored_and_the_right_one_is_named() {
    let (right, wrong) = (Key::new(), Key::new());
    let source = noise(&Server::major(17), 100);
    let place = Place::folder();
    place
        .backup(&source.url(), &["--encrypt-to", &right.public])
        .ok()
        .says(&["note: there is one recipient alone"]);
    let sealed = only(&place, ".dump.age");
    let target = empty(&source);
    let restore = |more: &[&str]| {
        ran(&[&["restore", path(&sealed), "--into", &target.url(), "--clean", "--if-exists"], more].concat())
    };
    target.psql("create table t (i int); insert into t values (42)");
    restore(&[]).failed(1, &["no secret key is given", &right.public]);
    restore(&["--identity", &wrong.file()]).failed(1, &[&wrong.public, &right.public]);
    ran(&["verify", path(&sealed), "--identity", &wrong.file()]).failed(1, &[&wrong.public, &right.public]);
    assert_eq!(target.psql("select i from t"), "42", "the database is as it was");
    let broken = right.dir.path().join("broken");
    let secret = std::fs::read_to_string(right.path()).unwrap().lines().last().unwrap().to_owned();
    std::fs::write(&broken, format!("{secret}X\n")).unwrap();
    let told = restore(&["--identity", path(&broken)]).failed(2, &["line 1", "no secret key of age"]);
    assert!(!told.stderr.contains(&secret), "{told:#?}");
    let told = ran(&["backup", &source.url(), "--to", &place.url(), "--encrypt-to", &secret]);
    let told = told.failed(2, &["secret half"]);
    assert!(!told.stderr.contains(&secret), "{told:#?}");
}

#[test]
fn a_machine_without_secret_keys_checks_sizes_and_hashes() {
    let key = Key::new();
    let source = noise(&Server::major(17), 5000);
    let place = Place::folder();
    place.backup(&source.url(), &["--globals", "--encrypt-to", &key.public]).ok();
    let sealed = only(&place, ".dump.age");
    let verify = |more: &[&str]| ran(&[&["verify", path(&sealed)], more].concat());
    verify(&[]).ok().says(&["size and SHA-256 match", "NOT CHECKED", "globals"]);
    verify(&["--identity", &key.file()]).ok().says(&["5,000 rows match"]);
    let whole = std::fs::read(&sealed).unwrap();
    let mut bytes = whole.clone();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    std::fs::write(&sealed, &bytes).unwrap();
    verify(&[]).failed(3, &[".dump.age", "SHA-256"]);
    std::fs::write(&sealed, whole).unwrap();
    std::fs::write(only(&place, ".globals.sql.age"), "changed").unwrap();
    verify(&[]).failed(3, &[".globals.sql.age"]);
}

#[test]
fn no_row_and_no_hash_of_a_password_lies_open_in_the_store() {
    let key = Key::new();
    let server = Server::major(17);
    let source = Database::create(&server, "open");
    source.psql("create table t as select 'a row that is a secret' as row from generate_series(1, 100)");
    for format in ["custom", "plain"] {
        let place = Place::folder();
        let options = ["--globals", "--compress", "none", "--format", format, "--encrypt-to", &key.public];
        place.backup(&source.url(), &options).ok();
        let Place::Folder(dir) = &place else { panic!() };
        for file in files(dir.path()) {
            let bytes = std::fs::read(dir.path().join(&file)).unwrap();
            for word in ["a row that is a secret", "CREATE ROLE", "SCRAM-SHA-256", "PGDMP"] {
                let found = bytes.windows(word.len()).any(|w| w == word.as_bytes());
                assert!(!found, "{word} stands in {file}");
            }
        }
        let globals = key.decrypt(&only(&place, ".globals.sql.age"), "globals.sql");
        assert!(std::fs::read_to_string(globals).unwrap().contains("CREATE ROLE"));
        let latest = format!("{}@latest", source.name());
        let (store, into) = (place.url(), server.url("postgres"));
        let restore = ["restore", "--globals", &latest, "--store", &store, "--into", &into];
        ran(&restore).failed(1, &["globals.sql.age", &key.public]);
        ran(&[&restore[..], &["--identity", &key.file()]].concat()).ok().says(&["existing"]);
    }
}

/// Where the chunks begin in a file to one recipient.
fn first_chunk(sealed: &[u8]) -> usize {
    sealed.windows(5).position(|w| w == b"\n--- ").unwrap() + 5 + 43 + 1 + 16
}

#[test]
fn whatever_was_changed_cut_or_moved_is_found_and_named() {
    let key = Key::new();
    let source = noise(&Server::major(17), 10_000);
    let place = Place::folder();
    place.backup(&source.url(), &["--encrypt-to", &key.public]).ok();
    let sealed = only(&place, ".dump.age");
    let whole = std::fs::read(&sealed).unwrap();
    let chunk = |i: usize| first_chunk(&whole) + i * CHUNK;
    let last = (whole.len() - chunk(0)).div_ceil(CHUNK) - 1;
    assert!(last >= 4, "{last}");
    let mut flipped = whole.clone();
    flipped[chunk(2) + 1000] ^= 4;
    let mut swapped = whole[..chunk(1)].to_vec();
    swapped.extend_from_slice(&whole[chunk(2)..chunk(3)]);
    swapped.extend_from_slice(&whole[chunk(1)..chunk(2)]);
    swapped.extend_from_slice(&whole[chunk(3)..]);
    let mut header = whole.clone();
    header[100] ^= 1;
    let damaged = [
        ("one bit", flipped),
        ("two chunks swapped", swapped),
        ("cut behind a chunk", whole[..chunk(3)].to_vec()),
        ("the last chunk cut off", whole[..chunk(last)].to_vec()),
        ("cut within the last chunk", whole[..whole.len() - 5].to_vec()),
        ("a bit of the header", header),
    ];
    // Once with its manifest, whose hashes tell, and once without, where the encryption alone tells.
    let alone = key.dir.path().join("alone.dump.age");
    for (what, bytes) in damaged {
        for file in [&sealed, &alone] {
            std::fs::write(file, &bytes).unwrap();
            let name = file.file_name().unwrap().to_str().unwrap();
            let target = empty(&source);
            let restored = ran(&[
                "restore",
                path(file),
                "--into",
                &target.url(),
                "--no-prove",
                "--identity",
                &key.file(),
            ]);
            assert!([1, 3].contains(&restored.code()), "{what}: {restored:#?}");
            assert!(restored.stderr.contains(name), "{what}: {restored:#?}");
            let verified = ran(&["verify", path(file), "--identity", &key.file()]);
            assert!([1, 3].contains(&verified.code()), "{what}: {verified:#?}");
            assert!(verified.stderr.contains(name), "{what}: {verified:#?}");
        }
    }
}

#[test]
fn an_encrypted_backup_that_is_stopped_leaves_nothing() {
    let key = Key::new();
    let source = one_big_row(&Server::major(17));
    for (place, signal) in [(Place::folder(), "TERM"), (Place::bucket(), "INT")] {
        let mut command = place.pgkeep(&["backup", &source.url(), "--to", &place.url()]);
        let running = Running::start(command.args(["--compress", "none", "--encrypt-to", &key.public]));
        wait_for_reading(&source);
        running.signal(signal);
        running.wait().failed(130, &["stopped"]);
        place.is_clean();
        no_sessions(&source);
    }
}

#[test]
fn a_backup_becomes_a_script_and_the_script_is_encrypted_where_its_name_says_so() {
    let (theirs, ours) = (Key::new(), Key::new());
    let source = noise(&Server::major(17), 1000);
    let place = Place::folder();
    place.backup(&source.url(), &["--encrypt-to", &theirs.public]).ok();
    let sealed = only(&place, ".dump.age");
    let to = ours.dir.path().join("shop.sql.gz.age");
    let convert = |more: &[&str]| {
        let words =
            ["convert", path(&sealed), "--format", "plain", "--to", path(&to), "--identity", &theirs.file()];
        ran(&[&words[..], more].concat())
    };
    convert(&[]).failed(2, &["--encrypt-to"]);
    convert(&["--encrypt-to", &ours.public]).ok().says(&["gzip"]);
    let script = ours.decrypt(&to, "shop.sql.gz");
    let text = succeed(Command::new("gzip").arg("-dc").arg(script));
    assert!(String::from_utf8_lossy(&text).contains("COPY public.t"));
    let copy = twin(&source);
    copy.psql("drop table t");
    ran(&["restore", path(&to), "--into", &copy.url(), "--identity", &ours.file()]).ok();
    compare_databases(&source, &copy).unwrap();
}

/// `pgkeep` with a configuration.
fn configured(config: &str, arguments: &[&str]) -> Ran {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config).unwrap();
    let mut command = failures_support::program::pgkeep(arguments);
    command.env("PGKEEP_CONFIG", file.path());
    failures_support::program::run(command)
}

#[test]
fn the_configuration_says_to_whom_and_a_recovery_key_joins_every_entry() {
    let (own, safe) = (Key::new(), Key::new());
    let source = noise(&Server::major(17), 100);
    let place = Place::folder();
    let list = own.dir.path().join("recipients");
    std::fs::write(&list, format!("# the team\n{}\n", own.public)).unwrap();
    let config = format!(
        "store = '{}'\n[defaults]\nrecovery_recipient = '{}'\nidentity = '{}'\n\
         [databases.shop]\nurl = '{}'\nencrypt_to_file = '{}'\n",
        place.url(),
        safe.public,
        own.file(),
        source.url(),
        path(&list)
    );
    let made = configured(&config, &["backup", "shop", "--json"]).ok().json();
    let mut recipients: Vec<&str> =
        made["encryption"]["recipients"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
    recipients.sort_unstable();
    let mut expected = [own.public.as_str(), safe.public.as_str()];
    expected.sort_unstable();
    assert_eq!(recipients, expected);
    assert_eq!(made["notes"].as_array().unwrap().len(), 0, "{made}");
    let target = empty(&source);
    configured(&config, &["restore", "shop@latest", "--into", &target.url()]).ok().says(&["proven"]);
    configured(&config, &["show", "shop@latest"]).ok().says(&[
        "encrypted",
        "age-encryption.org/v1",
        &own.public,
    ]);
}

#[test]
fn a_new_key_is_its_owners_alone_is_never_replaced_and_works_with_stock_age() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("new.key");
    let made = ran(&["key", "new", "--out", path(&file), "--json"]).ok().json();
    let public = made["public"].as_str().unwrap();
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let theirs = succeed(Command::new("age-keygen").arg("-y").arg(&file));
    assert_eq!(String::from_utf8(theirs).unwrap().trim(), public);
    let before = std::fs::read(&file).unwrap();
    ran(&["key", "new", "--out", path(&file)]).failed(1, &["new.key", "not replaced"]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let said = ran(&["key", "new", "--out", path(&dir.path().join("second.key"))]).ok();
    assert!(said.stdout.contains("two copies") && !said.stdout.contains("AGE-SECRET-KEY-"), "{said:#?}");
}

#[test]
fn key_check_tells_which_of_the_newest_backups_a_key_opens() {
    let (old, new) = (Key::new(), Key::new());
    let source = noise(&Server::major(17), 100);
    let place = Place::folder();
    place.backup(&source.url(), &["--name", "shop", "--encrypt-to", &old.public]).ok();
    place
        .backup(&source.url(), &["--name", "shop", "--encrypt-to", &old.public, "--encrypt-to", &new.public])
        .ok();
    place.backup(&source.url(), &["--name", "open"]).ok();
    let store = place.url();
    let check = |more: &[&str]| ran(&[&["key", "check", "--store", &store], more].concat());
    for key in [&old, &new] {
        check(&["--identity", &key.file()]).ok().says(&["opens", "not encrypted", &key.public]);
    }
    place.backup(&source.url(), &["--name", "till", "--encrypt-to", &old.public]).ok();
    let told = check(&["--identity", &new.file(), "--json"]).failed(1, &["1 newest backup"]).json();
    let opens: Vec<_> =
        told["backups"].as_array().unwrap().iter().map(|b| (&b["name"], &b["opens"])).collect();
    let expected = [("open", None), ("shop", Some(true)), ("till", Some(false))];
    for ((name, opens), (its, expected)) in opens.into_iter().zip(expected) {
        assert_eq!((name.as_str(), opens.as_bool()), (Some(its), expected));
    }
    check(&[]).ok().says(&["no key to try", "one alone", &old.public]);
}

#[test]
fn a_single_recipient_and_a_wrong_one_are_pointed_out_before_the_night() {
    let (one, two) = (Key::new(), Key::new());
    let file = |more: &str| format!("[databases.shop]\nurl = 'postgres://localhost/shop'\n{more}\n");
    let check = |more: &str| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pgkeep.toml"), file(more)).unwrap();
        ran(&["config", "check", path(&dir.path().join("pgkeep.toml"))])
    };
    let key = |key: &Key| format!("encrypt_to = '{}'", key.public);
    check(&key(&one)).ok().says(&["warning: database \"shop\": there is one recipient alone"]);
    let both = check(&format!("{}\nrecovery_recipient = '{}'", key(&one), two.public)).ok();
    assert!(!both.stdout.contains("alone"), "{both:#?}");
    check("encrypt_to = 'age1mistyped'").failed(2, &["shop", "no public key of age"]);
    let source = noise(&Server::major(17), 10);
    let place = Place::folder();
    ran(&["check", &source.url(), "--to", &place.url(), "--encrypt-to", &one.public])
        .ok()
        .says(&["one recipient alone"]);
}

#[test]
fn a_directory_is_encrypted_file_by_file() {
    let key = Key::new();
    let source = noise(&Server::major(17), 20_000);
    let place = Place::folder();
    let options = ["--name", "shop", "--format", "directory", "--encrypt-to", &key.public];
    place.backup(&source.url(), &options).ok();
    let Place::Folder(dir) = &place else { panic!() };
    let sealed: Vec<String> = files(dir.path()).into_iter().filter(|f| !f.ends_with(".json")).collect();
    assert!(sealed.len() >= 2 && sealed.iter().all(|f| f.ends_with(".age")), "{sealed:?}");
    let plain = key.dir.path().join("plain.dir");
    std::fs::create_dir(&plain).unwrap();
    for file in &sealed {
        let name = file.rsplit('/').next().unwrap().strip_suffix(".age").unwrap();
        key.decrypt(&dir.path().join(file), &format!("plain.dir/{name}"));
    }
    let target = empty(&source);
    succeed(source.server().bin("pg_restore").args(["-j2", "-d"]).arg(target.url()).arg(&plain));
    compare_databases(&source, &target).unwrap();
    let target = empty(&source);
    let store = place.url();
    let more = ["--store", &store, "--identity", &key.file()];
    ran(&[&["restore", "shop@latest", "--into", &target.url()], &more[..]].concat()).ok().says(&["proven"]);
    compare_databases(&source, &target).unwrap();
    ran(&[&["verify", "shop@latest"], &more[..]].concat()).ok().says(&["20,000 rows match"]);
    ran(&["verify", "shop@latest", "--store", &store]).ok().says(&["NOT CHECKED"]);
}

#[test]
fn one_table_of_an_encrypted_backup_is_read_by_its_own_ranges() {
    let key = Key::new();
    let source = one_big_row(&Server::major(17));
    source.psql("create table small as select i from generate_series(1, 1000) i");
    let place = Place::bucket();
    let options = ["--name", "shop", "--compress", "none", "--encrypt-to", &key.public];
    place.backup(&source.url(), &options).ok();
    let Place::Bucket(bucket) = &place else { panic!() };
    let proxy = FaultProxy::to_http(S3::from_env().address());
    let store = bucket.url_via(&proxy.endpoint(), "backups");
    let target = empty(&source);
    let url = target.url();
    let restore = ["restore", "shop@latest", "--table", "small", "--store", &store, "--into", &url];
    place.ran(&[&restore[..], &["--identity", &key.file()]].concat()).ok().says(&["proven"]);
    assert_eq!(target.psql("select count(*) from small"), "1000");
    let size = bucket.sizes().into_iter().map(|(_, size)| size).max().unwrap();
    let read = proxy.bytes_to_client();
    assert!(read * 2 < size, "{read} of {size} bytes were read");
}
