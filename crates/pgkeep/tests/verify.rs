//! `verify`: damage of each kind is found and named as such, whole or by sample, of one backup or of all.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pgkeep_testbed::{Database, S3, Server};
use serde_json::Value;
use support::{backup, backup_with, output, program, succeed};

/// About thirty MB that no codec makes smaller, so that the archive has several parts.
fn database() -> Database {
    let database = Database::create(&Server::major(18), "verified");
    database.psql(
        "create table noise as select i, gen_random_uuid() v, gen_random_uuid() w, gen_random_uuid() x
             from generate_series(1, 500000) i",
    );
    database
}

/// Two backups of one name and one of another in a folder.
struct Shelf {
    dir: tempfile::TempDir,
    first: Value,
    second: Value,
}

impl Shelf {
    fn new(source: &Database) -> Shelf {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().to_str().unwrap();
        let first = backup(source, store, &["--name", "shop"]);
        source.psql("delete from noise where i % 10 = 0");
        let second = backup(source, store, &["--name", "shop"]);
        backup(source, store, &["--name", "shopping"]);
        Shelf { dir, first, second }
    }

    fn verify(&self, args: &[&str]) -> Output {
        let mut command = program();
        command.args(["verify", "--store", self.dir.path().to_str().unwrap()]).args(args);
        output(&mut command)
    }

    #[track_caller]
    fn finds(&self, args: &[&str], words: &[&str]) {
        let out = self.verify(args);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(3), "{args:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{args:?}: \"{word}\" is not said: {said}");
        }
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Vec<Value> {
        let out = self.verify(&[args, &["--json"]].concat());
        let text = String::from_utf8(out.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn path(told: &Value, field: &str) -> PathBuf {
    told[field].as_str().unwrap().strip_prefix("file://").unwrap().into()
}

fn id(told: &Value) -> &str {
    told["id"].as_str().unwrap()
}

fn manifest(told: &Value) -> Value {
    serde_json::from_slice(&std::fs::read(path(told, "manifest_url")).unwrap()).unwrap()
}

fn flip(file: &Path, at: u64) {
    let file = std::fs::OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

#[test]
fn each_kind_of_damage_is_named_as_such() {
    let source = database();
    let shelf = Shelf::new(&source);
    let (first, archive) = (id(&shelf.first), path(&shelf.first, "url"));
    let whole = std::fs::read(&archive).unwrap();
    let part = manifest(&shelf.first)["object"]["part_size"].as_u64().unwrap();
    let modes: [&[&str]; 2] = [&[first], &[first, "--hashes-only"]];

    for at in [30, part / 2, 2 * part + 5, whole.len() as u64 - 1] {
        std::fs::write(&archive, &whole).unwrap();
        flip(&archive, at);
        for mode in modes {
            shelf.finds(mode, &["bit rot", archive.to_str().unwrap(), "restore from another backup or copy"]);
        }
        let from = at - at % part;
        let range = format!("bytes {from} to {}", (from + part).min(whole.len() as u64));
        shelf.finds(modes[1], &[&range, "SHA-256"]);
    }

    for len in [0, 100, part / 2, part, 2 * part + 1, whole.len() as u64 - 1] {
        std::fs::write(&archive, &whole[..len as usize]).unwrap();
        for mode in modes {
            shelf.finds(mode, &["truncated", &format!("it has {len} bytes"), &whole.len().to_string()]);
        }
    }

    std::fs::write(&archive, [&whole[..], b"more"].concat()).unwrap();
    shelf.finds(modes[0], &["grown behind its end"]);

    std::fs::copy(path(&shelf.second, "url"), &archive).unwrap();
    let swapped = format!("swapped, it is the archive of backup shop/{}", id(&shelf.second));
    for mode in modes {
        shelf.finds(mode, &[&swapped]);
    }

    std::fs::remove_file(&archive).unwrap();
    shelf.finds(modes[1], &["missing", "it is not there"]);
    std::fs::write(&archive, &whole).unwrap();

    // An edit that changes no form, where a wrong number would otherwise be believed.
    let file = path(&shelf.first, "manifest_url");
    let text = std::fs::read_to_string(&file).unwrap();
    let edited = text.replacen("\"is_called\": true", "\"is_called\": false", 1).replacen(
        "\"jobs\": ",
        "\"jobs\": 1",
        1,
    );
    assert_ne!(edited, text);
    std::fs::write(&file, edited).unwrap();
    for mode in modes {
        shelf.finds(mode, &["edited or damaged after it was written", file.to_str().unwrap()]);
    }
    std::fs::write(&file, text).unwrap();
    for mode in modes {
        assert!(shelf.verify(mode).status.success());
    }
}

#[test]
fn a_sample_reads_a_share_and_says_how_much() {
    let source = database();
    let shelf = Shelf::new(&source);
    let first = id(&shelf.first);
    let parts = manifest(&shelf.first)["object"]["parts"].as_array().unwrap().len() as u64;
    assert!(parts >= 3, "{parts}");
    for (share, read) in [("1%", 1), ("50", parts.div_ceil(2)), ("100%", parts)] {
        let told = shelf.json(&[first, "--sample", share]).remove(0);
        assert_eq!(
            (&told["ok"], &told["parts"], &told["parts_read"]),
            (&true.into(), &parts.into(), &read.into())
        );
        assert_eq!(told["bytes_read"] == told["size"], read == parts, "{told}");
    }
    let out = shelf.verify(&[first, "--sample", "1%", "--jobs", "3"]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(
        text.contains(&format!("SHA-256 of 1 of {parts} parts")) && text.contains("NOT CHECKED"),
        "{text}"
    );
    for share in ["0%", "101%", "some"] {
        assert_eq!(shelf.verify(&[first, "--sample", share]).status.code(), Some(2), "{share}");
    }
    flip(&path(&shelf.first, "url"), 30);
    shelf.finds(&[first, "--sample", "100%"], &["bit rot"]);
}

#[test]
fn all_backups_are_verified_and_one_damaged_does_not_hide_the_others() {
    let source = database();
    let shelf = Shelf::new(&source);
    let told = shelf.json(&["--all"]);
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|t| t["ok"] == true && t["rows"].as_u64() > Some(0)), "{told:?}");
    flip(&path(&shelf.first, "url"), 40);
    for mode in [vec![], vec!["--hashes-only"]] {
        let told = shelf.json(&[&["--all", "shop"], &mode[..]].concat());
        // The failure as a whole comes last, as with every command.
        let seen: Vec<_> = told.iter().map(|t| (t["id"].as_str(), t["ok"].as_bool())).collect();
        let expected = [
            (Some(id(&shelf.first)), Some(false)),
            (Some(id(&shelf.second)), Some(true)),
            (None, Some(false)),
        ];
        assert_eq!(seen, expected, "{told:?}");
        assert_eq!(told[0]["error"]["kind"], "damaged");
    }
    let out = shelf.verify(&["--all", "--hashes-only"]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(3));
    assert!(text.contains(&format!("FAILED  shop/{}", id(&shelf.first))), "{text}");
    assert!(text.ends_with("2 of 3 backups in order\n"), "{text}");
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(said.contains("1 of 3 backups not in order"), "{said}");
}

#[test]
fn a_manifests_digest_is_what_sed_and_sha256sum_make_of_it() {
    let source = Database::create(&Server::major(18), "digest");
    source.psql("create table t as select 1 as digest");
    let dir = tempfile::tempdir().unwrap();
    let told = backup(&source, dir.path().to_str().unwrap(), &[]);
    let script = "sed -E 's/^(  \"digest\": \")[0-9a-f]{64}/\\1'$(printf %064d 0)/ \"$1\" | sha256sum";
    let sum = succeed(Command::new("sh").args(["-c", script, "sh"]).arg(path(&told, "manifest_url")));
    let sum = String::from_utf8(sum).unwrap();
    assert_eq!(manifest(&told)["digest"].as_str(), sum.split_whitespace().next());
}

#[test]
fn a_backup_in_a_bucket_is_compared_in_parallel_and_damage_is_found() {
    let source = database();
    let bucket = S3::from_env().create_bucket("verify");
    let told = backup_with(&source, &bucket.url("p"), &[], &bucket.credentials());
    let verify = || {
        let mut command = program();
        command.envs(bucket.credentials()).args(["verify", id(&told), "--store", &bucket.url("p")]);
        command.args(["--hashes-only", "--jobs", "4"]);
        command
    };
    succeed(&mut verify());
    let key = bucket.keys().into_iter().find(|k| k.ends_with(".dump")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("archive");
    bucket.download(&key, &file);
    flip(&file, 9 << 20);
    bucket.upload(&key, &file);
    let out = output(&mut verify());
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(3), "{said}");
    assert!(said.contains("bit rot") && said.contains("bytes 8388608 to 16777216"), "{said}");
}
