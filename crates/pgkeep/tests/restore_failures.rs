//! Restores that meet a full disk, a missing extension, a stalled store: named, with a next step, and able to go on.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::path::Path;
use std::process::Command;

use failures_support::archive::Sample;
use failures_support::data::{no_sessions, noise};
use failures_support::place::Place;
use failures_support::program::{Running, ran};
use failures_support::wait_until;
use pgkeep_testbed::{Database, FaultProxy, S3, Server, compare_databases, private_server};

/// A file system of a few megabytes, gone with this value. Only root mounts one, and as root the test bed runs.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> SmallDisk {
        let disk = SmallDisk(tempfile::tempdir().unwrap());
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "none"])
            .arg(disk.path()));
        run(Command::new("chown").arg("postgres").arg(disk.path()));
        disk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn grow(&self, megabytes: u32) {
        run(Command::new("mount").args(["-o", &format!("remount,size={megabytes}m")]).arg(self.path()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.path()).status().ok();
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn a_full_disk_is_named_and_the_restore_goes_on_once_there_is_room() {
    let source = noise(&Server::major(17), 150_000);
    let place = Place::folder();
    place.backup(&source.url(), &["--segment-size", "1MiB"]).ok();
    let id = place.holds_one_backup();
    let server = private_server(17, &[]);
    let disk = SmallDisk::mount(12);
    std::fs::set_permissions(disk.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let parent = disk.path().parent().unwrap();
    run(Command::new("chmod").arg("a+x").arg(parent));
    server.psql("postgres", &format!("create tablespace small location '{}'", disk.path().display()));
    let target = Database::create_with(&server, "full", "TEMPLATE template0 TABLESPACE pg_default");
    target.psql(&format!("alter database \"{}\" set default_tablespace = small", target.name()));
    let (url, store) = (target.url(), place.url());
    let args = ["restore", &id, "--into", &url, "--store", &store, "--no-tablespaces", "--jobs", "2"];
    ran(&args).failed(1, &["No space left on device", "Check free disk space", "public.t"]);
    no_sessions(&target);
    disk.grow(60);
    ran(&[&args[..], &["--resume"]].concat()).ok().says(&["proven"]);
    let sum = "select count(*), sum(i), sum(hashtext(h::text)) from t";
    assert_eq!(target.psql(sum), source.psql(sum));
    drop(target);
    server.stop();
}

#[test]
fn an_extension_that_the_server_does_not_have_is_named() {
    let source = Database::create(&Server::major(17), "extended");
    source.psql("create extension hstore; create table t (h hstore); create table u (i int)");
    let place = Place::folder();
    place.backup(&source.url(), &[]).ok();
    let server = Server::major(17);
    // The test bed's servers have it: an archive that says another name stands for one that lacks it.
    let target = Database::create(&server, "without");
    let stem = format!("{}/", place.url());
    let archive =
        failures_support::place::files(Path::new(&stem)).into_iter().find(|f| f.ends_with(".dump")).unwrap();
    let path = Path::new(&stem).join(archive);
    let bytes = std::fs::read(&path).unwrap();
    let renamed = replace(&bytes, b"IF NOT EXISTS hstore", b"IF NOT EXISTS hstorx");
    let alone = path.with_file_name("alone.dump");
    std::fs::write(&alone, renamed).unwrap();
    let (file, url) = (alone.to_str().unwrap(), target.url());
    ran(&["restore", file, "--into", &url])
        .failed(1, &["EXTENSION hstore", "must first be installed on the system"]);
    ran(&["restore", file, "--into", &url, "--resume"]).failed(1, &["EXTENSION hstore"]);
    ran(&["restore", file, "--into", &url, "--table", "u"]).ok().says(&["proven"]);
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let at: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, w)| *w == from).map(|(i, _)| i).collect();
    assert!(!at.is_empty());
    for i in at {
        out[i..i + from.len()].copy_from_slice(to);
    }
    out
}

#[test]
fn a_store_that_stalls_and_comes_back_delays_the_restore_and_a_stop_is_heard_meanwhile() {
    let source = noise(&Server::major(18), 400_000);
    let place = Place::bucket();
    place.backup(&source.url(), &["--name", "big"]).ok();
    let Place::Bucket(bucket) = &place else { unreachable!() };
    let proxy = FaultProxy::to_http(S3::from_env().address());
    let store = bucket.url_via(&proxy.endpoint(), "backups");
    // A session that waits for rows holds up CREATE DATABASE on the whole server, which others use.
    let server = private_server(18, &[]);
    for comes_back in [false, true] {
        let target = Database::create(&server, "stalled");
        let url = target.url();
        proxy.throttle(8_000_000);
        let before = proxy.bytes_to_client();
        let args = ["restore", "big@latest", "--into", &url, "--store", &store, "--jobs", "2"];
        let running = Running::start(&mut place.pgkeep(&args));
        wait_until("rows are read", || proxy.bytes_to_client() > before + 12_000_000);
        proxy.stall();
        if comes_back {
            wait_until("nothing comes any more", || {
                let now = proxy.bytes_to_client();
                std::thread::sleep(std::time::Duration::from_millis(300));
                proxy.bytes_to_client() == now
            });
            proxy.heal();
            running.wait().ok().says(&["proven"]);
            compare_databases(&source, &target).unwrap();
        } else {
            running.signal("TERM");
            running.wait().failed(130, &["stopped"]);
            proxy.heal();
        }
        no_sessions(&target);
    }
}

#[test]
fn a_stop_is_heard_by_whatever_reads_a_stalled_store() {
    let source = noise(&Server::major(18), 200_000);
    let place = Place::bucket();
    place.backup(&source.url(), &["--name", "big"]).ok();
    let Place::Bucket(bucket) = &place else { unreachable!() };
    let proxy = FaultProxy::to_http(S3::from_env().address());
    let store = bucket.url_via(&proxy.endpoint(), "backups");
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("converted.sql");
    let scratch = private_server(18, &[]).url("postgres");
    let commands = [
        vec!["verify", "big@latest"],
        vec!["convert", "big@latest", "--format", "plain", "--to", to.to_str().unwrap()],
        vec!["drill", "big@latest", "--into", &scratch],
    ];
    for arguments in commands {
        proxy.throttle(8_000_000);
        let before = proxy.bytes_to_client();
        let running = Running::start(&mut place.pgkeep(&[&arguments[..], &["--store", &store]].concat()));
        wait_until("the archive is read", || proxy.bytes_to_client() > before + 6_000_000);
        proxy.stall();
        running.signal("TERM");
        running.wait().failed(130, &["stopped"]);
        proxy.heal();
    }
    assert!(!to.exists(), "no half of a script stays");
}

#[test]
fn an_archive_cut_in_any_section_restores_nothing_as_if_it_were_whole() {
    let sample = Sample::make(&Server::major(16), &[]);
    let target = Database::create(sample.source.server(), "cut");
    let (head, whole) = (sample.head_len(), sample.archive.len());
    let alone = sample.dir.path().join("alone.dump");
    for at in [3, 40, head / 2, head - 1, head + 10, (head + whole) / 2, whole - 200] {
        std::fs::write(&alone, &sample.archive[..at]).unwrap();
        let url = target.url();
        let args = ["restore", alone.to_str().unwrap(), "--into", &url, "--clean", "--if-exists"];
        let ran = ran(&args);
        assert_ne!(ran.code(), 0, "cut at {at}: {ran:#?}");
        assert!(!ran.stdout.contains("proven  "), "cut at {at}: {ran:#?}");
    }
}
