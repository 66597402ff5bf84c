//! The configuration file: what it says counts, in its order, and what is wrong with it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::os::unix::fs::PermissionsExt;

use failures_support::place::Place;
use failures_support::program::{Ran, pgkeep, ran, run};
use pgkeep_testbed::{Database, Server, python};

#[test]
fn flag_environment_entry_and_defaults_count_in_this_order() {
    let database = Database::create(&Server::major(17), "configuration");
    database.psql("create table t as select generate_series(1, 10) i");
    let place = Place::folder();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("pgkeep.toml");
    let compression = |text: &str, env: Option<&str>, flags: &[&str]| {
        let url = database.url();
        let text = format!("store = '{}'\n[defaults]\njson = true\n{text}", place.url()).replace("URL", &url);
        std::fs::write(&config, text).unwrap();
        let mut command =
            pgkeep(&[&["backup", "shop", "--config", config.to_str().unwrap()], flags].concat());
        command.envs(env.map(|value| ("PGKEEP_COMPRESS", value)));
        run(command).ok().json()["compression"].as_str().unwrap().to_owned()
    };
    let both = "compress = 'gzip:1'\n[databases.shop]\nurl = 'URL'\ncompress = '${NO_SUCH:-zstd:1}'";
    let defaults = "compress = 'gzip:1'\n[databases.shop]\nurl = 'URL'";
    assert!(compression(defaults, None, &[]).starts_with("gzip"));
    assert_eq!(compression(both, None, &[]), "zstd:1");
    assert_eq!(compression(both, Some("zstd:2"), &[]), "zstd:2");
    assert_eq!(compression(both, Some("zstd:2"), &["--compress", "zstd:4"]), "zstd:4");
    // A backup is found in the store of its database's entry.
    run(pgkeep(&["verify", "shop@latest", "--config", config.to_str().unwrap()])).ok();
}

fn check(text: &str) -> Ran {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    ran(&["config", "check", file.path().to_str().unwrap()])
}

#[test]
fn check_tells_file_line_and_the_nearest_key() {
    let found =
        check("stroe = 'x'\n[databases.shop]\nurl = 'postgres://h/d'\nlock_timout = '3s'\njobs = true\n");
    found.failed(
        2,
        &[
            "line 1",
            "\"stroe\" (did you mean \"store\"?)",
            "line 4",
            "\"lock_timeout\"",
            "line 5",
            "3 mistakes",
        ],
    );
    check("[defaults]\njobs = 'many'\n").failed(2, &["jobs", "many"]);
    check("[databases.shop\n").failed(2, &["line 1"]);
    let warned = check("[databases.shop]\nurl = 'postgres://u:not-so-secret@h/d'\n")
        .ok()
        .says(&["warning", "password = {"]);
    assert!(!warned.stdout.contains("not-so-secret"), "{warned:#?}");
    check("[databases.shop]\nurl = 'postgres://u@h/d'\npassword = { env = 'P' }\n")
        .ok()
        .says(&["no mistakes"]);
}

#[test]
fn the_schema_takes_what_the_program_takes() {
    let schema = ran(&["config", "schema"]).ok().stdout;
    let judge = "
import json, sys, tomllib, jsonschema
schema = json.loads(sys.argv[1])
jsonschema.Draft202012Validator.check_schema(schema)
try:
    jsonschema.validate(tomllib.loads(sys.argv[2]), schema)
    print('valid')
except jsonschema.ValidationError as e:
    print(e.message)
";
    for (text, valid) in [
        (
            "store = '/x'\n[defaults]\njobs = 3\n[databases.a]\nurl = 'u'\nno_segments = true\npassword = { file = 'f' }",
            true,
        ),
        ("[databases.a]\npassword = { secret = 's', region = 'r' }", true),
        ("store = ['b', '/x']\n[stores.b]\nurl = 's3://b/p'", true),
        ("[stores.b]\nurl = 's3://b/p'\njobs = 3", false),
        ("[stores.b]", false),
        ("stroe = '/x'", false),
        ("[databases.a]\nurl = 'u'\npassword = 'p'", false),
        ("[databases.a]\nurl = 'u'\npassword = { file = 'f', env = 'E' }", false),
        ("[defaults]\nno_segments = 'perhaps'", false),
    ] {
        let out = python().args(["-c", judge, &schema, text]).output().unwrap();
        let out = String::from_utf8_lossy(&out.stdout).trim().to_owned();
        assert_eq!(out == "valid", valid, "{text}: {out}");
        if valid {
            check(text).ok();
        } else {
            check(text).failed(2, &["mistake"]);
        }
    }
}

#[test]
fn init_writes_a_file_that_works_and_never_over_another() {
    let database = Database::create(&Server::major(17), "init");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("new.toml");
    let (file, store) = (file.to_str().unwrap(), dir.path().join("backups"));
    let password = dir.path().join("pw");
    std::fs::write(&password, Server::PASSWORD).unwrap();
    let url = database.url().replace(&format!(":{}@", Server::PASSWORD), "@");
    let flags = ["--name", "my shop", "--url", &url, "--store", store.to_str().unwrap(), "--password-file"];
    let init = [&["init", file], &flags[..], &[password.to_str().unwrap()]].concat();
    ran(&init).ok();
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    ran(&["config", "check", file]).ok().says(&["no mistakes, 0 warnings"]);
    ran(&["backup", "my shop", "--config", file]).ok();
    ran(&init).failed(1, &["File exists", "--force"]);
    ran(&[&init[..], &["--force"]].concat()).ok();
    let other = dir.path().join("other.toml");
    ran(&["init", other.to_str().unwrap(), "--url", &database.url()])
        .failed(2, &["holds a password", "--password-file"]);
    assert!(!other.exists());
}
