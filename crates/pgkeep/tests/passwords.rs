//! Passwords by reference and databases by their RDS name, judged by whether a backup is made.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use failures_support::place::Place;
use failures_support::program::{Ran, pgkeep, run};
use pgkeep_testbed::{Aws, Database, Server};
use tempfile::TempDir;

struct Bed {
    database: Database,
    server: Server,
    dir: TempDir,
    place: Place,
}

impl Bed {
    fn new() -> Bed {
        let server = Server::major(17);
        let database = Database::create(&server, "passwords");
        database.psql("create table t as select generate_series(1, 100) i");
        Bed { database, server, dir: tempfile::tempdir().unwrap(), place: Place::folder() }
    }

    /// The database's URL without a password.
    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}", self.server.port(), self.database.name())
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// A backup by the configuration's entry `shop`.
    fn configured(&self, entry: &str, aws: Option<&Aws>) -> Ran {
        let config = self.file("pgkeep.toml", &format!("[databases.shop]\n{entry}\n"), 0o600);
        self.backup("shop", &["--config", config.to_str().unwrap()], aws)
    }

    fn backup(&self, words: &str, more: &[&str], aws: Option<&Aws>) -> Ran {
        let store = self.place.url();
        let mut command = pgkeep(&[&["backup", words, "--to", &store], more].concat());
        command.env("BACKUP_PASSWORD", Server::PASSWORD).env_remove("PGPASSWORD");
        if let Some(aws) = aws {
            command.envs(aws.environment());
        }
        run(command)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_file_a_command_and_a_variable_give_the_password() {
    let bed = Bed::new();
    let (url, secret) = (bed.url(), Server::PASSWORD);
    bed.backup(&url, &[], None).failed(4, &["none was given"]);
    let file = bed.file("pw", &format!("{secret}\n"), 0o600);
    for source in [
        format!("{{ file = '{}' }}", text(&file)),
        format!("{{ file = '${{NO_SUCH:-{}}}' }}", text(&file)),
        format!("{{ command = ['cat', '{}'] }}", text(&file)),
        format!("{{ command = 'cat {} | head -n 1' }}", text(&file)),
        "{ env = 'BACKUP_PASSWORD' }".into(),
    ] {
        bed.configured(&format!("url = '{url}'\npassword = {source}"), None).ok();
    }
    let ran = bed.backup(&url, &["--password-file", text(&file)], None).ok();
    assert!(!ran.stderr.contains("can be read by others"), "{ran:#?}");
    bed.backup(&url, &["--password-command", &format!("cat {}", text(&file))], None).ok();
    let open = bed.file("open", secret, 0o644);
    bed.backup(&url, &["--password-file", text(&open)], None)
        .ok()
        .says(&["can be read by others", "chmod 600"]);
}

#[test]
fn a_source_without_a_password_says_why_and_never_what_it_printed() {
    let bed = Bed::new();
    let url = bed.url();
    let empty = bed.file("empty", "\n", 0o600);
    let with = |more: &[&str], words: &[&str]| bed.backup(&url, more, None).failed(4, words);
    with(&["--password-file", "/no/such/file"], &["password file /no/such/file", "No such file"]);
    with(&["--password-file", text(&empty)], &["first line is empty"]);
    with(&["--password-command", "true"], &["first line that it prints is empty"]);
    let noisy =
        "printf hunter2-on-stdout; printf 'vault-is-sealed %300s' x >&2; printf tail-of-it >&2; exit 3";
    let ran = with(&["--password-command", noisy], &["exit status: 3", "vault-is-sealed"]);
    assert!(!ran.stderr.contains("hunter2-on-stdout") && !ran.stderr.contains("tail-of-it"), "{ran:#?}");
    bed.backup(&url, &["--password-file", "a", "--iam-auth"], None).failed(2, &["more than one source"]);
    bed.configured(&format!("url = '{url}'\npassword = {{ env = 'NO_SUCH_VARIABLE' }}"), None)
        .failed(4, &["NO_SUCH_VARIABLE"]);
    bed.configured(&format!("url = '{url}'\npassword = 'literal-one'"), None)
        .failed(2, &["line 3", "file = "]);
    bed.place.lists_nothing();
}

#[test]
fn secrets_and_parameters_of_aws_give_the_password_and_what_the_url_leaves_open() {
    let bed = Bed::new();
    let aws = Aws::start();
    let (port, name, secret) = (bed.server.port(), bed.database.name(), Server::PASSWORD);
    let whole = format!(
        r#"{{"username":"postgres","password":"{secret}","engine":"postgres","host":"127.0.0.1","port":{port},"dbname":"{name}"}}"#
    );
    let arn = aws.secret("prod/shop", &whole);
    aws.secret("plain", secret);
    aws.parameter("/prod/pg", secret);
    let url = bed.url();
    let entry = |entry: &str| bed.configured(entry, Some(&aws));
    entry("password = { secret = 'prod/shop' }").ok();
    entry(&format!("url = 'postgres:///{name}'\npassword = {{ secret = '{arn}' }}")).ok();
    entry(&format!("url = '{url}'\npassword = {{ secret = 'plain', region = 'eu-central-1' }}")).ok();
    entry(&format!("url = '{url}'\npassword = {{ parameter = '/prod/pg' }}")).ok();
    bed.backup(&url, &["--password-secret", "prod/shop", "--region", "eu-central-1"], Some(&aws)).ok();
    bed.backup(&url, &["--password-parameter", "/prod/pg"], Some(&aws)).ok();
    // What the URL names comes first.
    entry("url = 'postgres://nobody-of-this-name@/'\npassword = { secret = 'prod/shop' }")
        .failed(4, &["nobody-of-this-name"]);
    entry(&format!("url = '{url}'\npassword = {{ secret = 'none' }}"))
        .failed(2, &["secret none in eu-central-1"]);
}

#[test]
fn rds_names_lead_to_their_server() {
    let bed = Bed::new();
    let aws = Aws::start();
    aws.instance("shop", "postgres", "orders", "");
    aws.instance("my", "mysql", "orders", "");
    aws.secret("plain", Server::PASSWORD);
    // The emulator's endpoint is a name without a server, which is told by that name.
    bed.backup("rds:shop?user=app", &[], Some(&aws)).failed(4, &["shop.", ".eu-central-1.rds.amazonaws.com"]);
    let (port, name) = (bed.server.port(), bed.database.name());
    let here = format!("rds:shop/{name}?host=127.0.0.1&port={port}&user=postgres");
    bed.backup(&here, &["--password-secret", "plain"], Some(&aws)).ok();
    // A token goes over TLS only, and a server that knows nothing of IAM refuses it.
    bed.backup(&format!("{here}&auth=iam"), &[], Some(&aws)).failed(4, &["password authentication failed"]);
    bed.backup(&format!("{here}&auth=iam&sslmode=prefer"), &[], Some(&aws))
        .failed(2, &["sslmode=prefer", "require"]);
    let plain = Server::major(14);
    let without = format!("rds:shop/postgres?host=127.0.0.1&port={}&user=postgres&auth=iam", plain.port());
    bed.backup(&without, &[], Some(&aws)).failed(4, &["TLS"]);

    bed.backup("rds:shop", &[], Some(&aws)).failed(2, &["rds:shop: no user is named", "user="]);
    bed.backup("rds:my?user=a", &[], Some(&aws)).failed(2, &["mysql"]);
    bed.backup("rds:none?user=a", &[], Some(&aws)).failed(2, &["RDS none in eu-central-1", "no instance"]);
    bed.backup("rds:shop?role=boss", &[], Some(&aws)).failed(2, &["role=boss", "hint"]);
}
