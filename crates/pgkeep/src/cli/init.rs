//! `pgkeep init`.

use std::fs::OpenOptions;
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::Parser;

use super::config::has_password;
use crate::failure::{Exit, Failure, Result};
use crate::show::print;

/// Options of `init`.
#[derive(Parser)]
pub(super) struct Options {
    /// The file to write
    #[arg(default_value = "pgkeep.toml")]
    file: PathBuf,
    /// The database's name
    #[arg(long)]
    name: Option<String>,
    /// Its connection string, without a password, or rds:<instance or cluster>
    #[arg(long)]
    url: Option<String>,
    /// Where backups go
    #[arg(long)]
    store: Option<String>,
    /// The file that holds its password
    #[arg(long, value_name = "FILE")]
    password_file: Option<String>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let answer = |given: &Option<String>, question: &str, default: &str| match given {
        Some(given) => given.clone(),
        None if ask => question_of(question, default),
        None => default.to_owned(),
    };
    let name = answer(&options.name, "name of the database in pgkeep", "shop");
    let url =
        answer(&options.url, "connection string, without its password", "postgres://app@db.example.com/shop");
    let store = answer(&options.store, "where backups go: a folder or s3://bucket/prefix", "./backups");
    let password = answer(&options.password_file, "file with its password (empty for none)", "");
    if has_password(&url) {
        return Err(Failure::usage(
            "the connection string holds a password, which would stand in the file\n  hint: leave it out, and name a file \
             that holds it by --password-file",
        ));
    }
    let text = file_text(&name, &url, &store, &password);
    if crate::config::parse(&text).is_err() {
        return Err(Failure::usage(
            "what was given makes no configuration file\n  hint: check --name and --url",
        ));
    }
    let mut open = OpenOptions::new();
    open.write(true).mode(0o600);
    if options.force {
        open.create(true).truncate(true)
    } else {
        open.create_new(true)
    };
    let written = open.open(&options.file).and_then(|mut f| f.write_all(text.as_bytes()));
    written.map_err(|e| {
        let hint = if e.kind() == std::io::ErrorKind::AlreadyExists {
            "\n  hint: --force writes over it"
        } else {
            ""
        };
        Failure::new(Exit::Failed, "failed", format!("writing {}: {e}{hint}", options.file.display()))
    })?;
    print(format!("wrote {}", options.file.display()));
    print(format!("  next      pgkeep check {name}"));
    Ok(())
}

/// An answer from the terminal; nothing, or no terminal any more, means the default.
fn question_of(question: &str, default: &str) -> String {
    let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    let mut out = std::io::stderr();
    let _ = write!(out, "{question}{shown}: ");
    let _ = out.flush();
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).is_ok();
    let line = line.trim();
    if read && !line.is_empty() { line.to_owned() } else { default.to_owned() }
}

fn file_text(name: &str, url: &str, store: &str, password: &str) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let password = match password {
        "" => "# password = { file = \"/run/secrets/pg\" }   # or command, env, secret, parameter, iam"
            .to_owned(),
        file => format!("password = {{ file = {} }}", quoted(file)),
    };
    format!(
        "# Configuration of pgkeep. `pgkeep config check` says what is wrong with it; docs/configuration.md has every key.\n\
         # ${{NAME}} and ${{NAME:-default}} in a value come from the environment.\n\n\
         # Where backups go: a folder, s3://bucket/prefix?region=…, gs://…, az://…\n\
         store = {}\n\n\
         # For every database: any option of the commands, with underscores.\n\
         [defaults]\n\
         # compress = \"zstd:3\"\n\
         # jobs = 4\n\
         # lock_timeout = \"60s\"\n\n\
         # `pgkeep backup {name}`\n\
         [databases.{}]\n\
         # postgres://user@host/database, key=value pairs, or rds:<instance or cluster>?region=…&user=…\n\
         url = {}\n\
         {password}\n",
        quoted(store),
        quoted(name),
        quoted(url)
    )
}
