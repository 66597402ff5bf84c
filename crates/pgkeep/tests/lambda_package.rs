//! The package of the Lambda function: where nothing else is, it runs.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pgkeep_testbed::{Database, Lambda, LambdaAnswer, S3, Server, compare_databases};
use serde_json::{Value, json};
use support::{output, program, succeed};
use tempfile::TempDir;

/// This program without symbols, as a release has it: the rest is for debuggers.
fn stripped(dir: &Path) -> PathBuf {
    let path = dir.join("pgkeep");
    succeed(Command::new("strip").arg("-o").arg(&path).arg(env!("CARGO_BIN_EXE_pgkeep")));
    path
}

fn package(pgkeep: &Path, zip: &Path, extra: &[&str]) -> Value {
    let mut command = program();
    command.args(["lambda", "package", "--json", "--pgkeep"]).arg(pgkeep).arg("--out").arg(zip).args(extra);
    serde_json::from_slice(&succeed(&mut command)).unwrap()
}

/// A folder that has what a Lambda function finds, and the unpacked package.
fn root(zip: &Path) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for folder in ["var/task", "proc", "dev", "tmp", "etc"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    // Where names are not looked up by DNS, nothing in it is used.
    fs::write(root.path().join("etc/resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
    let unpack = "import sys, zipfile, os\n\
                  z = zipfile.ZipFile(sys.argv[1])\n\
                  for i in z.infolist():\n    \
                      z.extract(i, sys.argv[2]); os.chmod(os.path.join(sys.argv[2], i.filename), i.external_attr >> 16)";
    succeed(Command::new("python3").args(["-c", unpack]).arg(zip).arg(root.path().join("var/task")));
    root
}

/// The function's program, with this folder as all there is, read-only but for nothing.
fn function(root: &Path, env: &[(&str, String)]) -> Command {
    let enter = "mount --bind \"$0\" \"$0\" && mount --rbind /proc \"$0/proc\" && mount --rbind /dev \"$0/dev\" \
                 && mount -o remount,bind,ro \"$0\" && exec chroot \"$0\" /var/task/bootstrap";
    let mut command = Command::new("unshare");
    // Without being root in a namespace of one's own, nobody may mount.
    command.args(["--mount", "--map-root-user", "sh", "-c", enter]).arg(root).env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    // As Lambda has it: the system's libraries before the function's own.
    command.env("LD_LIBRARY_PATH", "/lib64:/usr/lib64:/var/task:/var/task/lib");
    command.envs(env.iter().map(|(name, value)| (name, value)));
    command
}

#[test]
fn in_an_empty_root_the_package_makes_a_backup_that_stock_pg_restore_restores_and_the_container_stays_warm() {
    let work = tempfile::tempdir().unwrap();
    let zip = work.path().join("function.zip");
    let told = package(&stripped(work.path()), &zip, &[]);
    assert!(told["files"].as_array().unwrap().contains(&json!("lib/libpq.so.5")), "{told}");
    let root = root(&zip);
    let server = Server::major(18);
    let source = support::shop::shop(18);
    let bucket = S3::from_env().create_bucket("lambda-package");
    let list = json!([{
        "host": "127.0.0.1", "port": server.port(), "username": "postgres", "password": Server::PASSWORD,
        "database": source.name(), "ssl_mode": "require",
    }]);
    let [key, secret] = bucket.credentials();
    let lambda = Lambda::start(&mut function(
        root.path(),
        &[("PGKEEP_DATABASES", list.to_string()), ("PGKEEP_STORE", bucket.url("backups")), key, secret],
    ));
    let mut keys = Vec::new();
    for _ in 0..2 {
        let answer = match lambda.invoke("{}", Duration::from_secs(120)) {
            LambdaAnswer::Response(body) => serde_json::from_str::<Value>(&body).unwrap(),
            LambdaAnswer::Error(body) => panic!("{body}"),
        };
        assert_eq!(answer["ok"], true, "{answer}");
        let url = answer["results"][0]["url"].as_str().unwrap().to_owned();
        keys.push(url.split_once(bucket.name()).unwrap().1[1..].split('?').next().unwrap().to_owned());
    }
    assert_ne!(keys[0], keys[1]);
    assert_eq!(bucket.multipart_uploads(), []);
    assert_eq!(fs::read_dir(root.path().join("tmp")).unwrap().count(), 0);
    let archive = work.path().join("shop.dump");
    bucket.download(&keys[1], &archive);
    let target = Database::create(&server, "target");
    succeed(server.bin("pg_restore").args(["--exit-on-error", "-d", &target.url()]).arg(&archive));
    compare_databases(&source, &target).unwrap();
}

#[test]
fn the_same_programs_make_the_same_bytes() {
    let work = tempfile::tempdir().unwrap();
    let (one, two) = (work.path().join("one.zip"), work.path().join("two.zip"));
    // Two small programs do: what counts are libraries, times, order and rights.
    let psql = Server::major(18).bin_dir().join("psql");
    let first = package(&psql, &one, &[]);
    assert_eq!(package(&psql, &two, &[])["sha256"], first["sha256"]);
    assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
    let sum = String::from_utf8(succeed(Command::new("sha256sum").arg(&one))).unwrap();
    assert!(sum.starts_with(first["sha256"].as_str().unwrap()), "{sum}");
}

#[test]
fn a_program_for_another_processor_is_refused_with_its_name() {
    let other = if cfg!(target_arch = "x86_64") { "arm64" } else { "x86_64" };
    let out = output(program().args(["lambda", "package", "--arch", other, "--out", "/nonexistent/x.zip"]));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && said.contains(&format!("no program for {other}")), "{said}");
}
