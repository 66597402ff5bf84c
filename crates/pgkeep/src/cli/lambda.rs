//! `pgkeep lambda`.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use pgkeep_engine::schema_source::find_tools;
use pgkeep_lambda::package::{Arch, Package};
use serde_json::json;

use crate::failure::{Exit, Failure, Result};
use crate::lambda;
use crate::show::{bytes, plural, print, print_json, warn};

/// Options of `lambda`.
#[derive(Parser)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Write a zip with this program, pg_dump and every library of both, which runs on provided.al2023
    Package(PackageOptions),
    /// Do what one event asks for, here and without a limit of time, and print the answer as JSON; a task that the function
    /// starts on Fargate does so
    Run {
        /// The event, as JSON [default: PGKEEP_EVENT, else {}: all databases that are configured]
        event: Option<String>,
    },
}

#[derive(Parser)]
struct PackageOptions {
    /// The function's processor [default: this machine's]
    #[arg(long, value_enum)]
    arch: Option<ArchName>,
    /// The zip [default: pgkeep-lambda-<arch>.zip]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The pgkeep that goes in [default: this program]
    #[arg(long, value_name = "FILE")]
    pgkeep: Option<PathBuf>,
    /// The pg_dump that goes in [default: the newest on this machine]
    #[arg(long, value_name = "FILE")]
    pg_dump: Option<PathBuf>,
    /// Look for libraries here before the system's folders; several times for several folders
    #[arg(long = "library-dir", value_name = "FOLDER")]
    libraries: Vec<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// A processor by Lambda's name.
#[derive(Clone, Copy, ValueEnum)]
enum ArchName {
    #[value(name = "x86_64")]
    X86,
    #[value(name = "arm64")]
    Arm,
}

impl Options {
    pub(super) fn json(&self) -> bool {
        match &self.action {
            Action::Package(options) => options.json,
            Action::Run { .. } => true,
        }
    }
}

pub(super) fn run(options: &Options) -> Result<()> {
    match &options.action {
        Action::Package(options) => package(options),
        Action::Run { event } => {
            let answer = pgkeep_lambda::run_once(&lambda::host()?, event.as_deref());
            print_json(&answer.map_err(|e| match e.kind {
                "usage" => Failure::usage(e.message),
                kind => Failure::new(Exit::Failed, kind, e.message),
            })?);
            Ok(())
        }
    }
}

fn package(options: &PackageOptions) -> Result<()> {
    let arch = match options.arch {
        Some(ArchName::X86) => Arch::X86_64,
        Some(ArchName::Arm) => Arch::Arm64,
        None => Arch::of_this_machine().ok_or_else(|| {
            Failure::usage("Lambda has no such processor as this machine\n  hint: name one by --arch")
        })?,
    };
    let pgkeep = match &options.pgkeep {
        Some(path) => path.clone(),
        None => std::env::current_exe().map_err(|e| Failure::usage(format!("this program's path: {e}")))?,
    };
    let pg_dump = match &options.pg_dump {
        Some(path) => path.clone(),
        None => find_tools("pg_dump").pop().map(|newest| newest.path).ok_or_else(|| {
            Failure::new(
                Exit::ClientTool,
                "client-tool",
                "no pg_dump on this machine\n  hint: name one by --pg-dump",
            )
        })?,
    };
    let out = options.out.clone().unwrap_or_else(|| format!("pgkeep-lambda-{arch}.zip").into());
    let written = Package::gather(arch, &pgkeep, &pg_dump, &options.libraries)?.write(&out)?;
    if written.is_too_big_for_direct_upload() {
        warn(format!(
            "pgkeep: note: with {} it is too big for a direct upload, where Lambda takes 50 MiB\n  hint: upload it to S3 \
             and name it there, or take a release build without debugging information (strip)",
            bytes(written.size)
        ));
    }
    let sha256: String = written.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    if options.json {
        print_json(&json!({
            "ok": true, "file": out, "arch": arch.to_string(), "size": written.size, "unpacked": written.unpacked,
            "sha256": sha256, "pgkeep": pgkeep, "pg_dump": pg_dump, "files": written.files,
        }));
        return Ok(());
    }
    print(format!("wrote {}", out.display()));
    print(format!("  size      {}, unpacked {}", bytes(written.size), bytes(written.unpacked)));
    print(format!("  sha256    {sha256}"));
    print(format!("  pg_dump   {}", pg_dump.display()));
    print(format!("  files     {}", plural(written.files.len() as u64, "file")));
    Ok(())
}
