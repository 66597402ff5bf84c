//! `pgkeep convert`.

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use pgkeep_archive::{Algorithm, Compression};
use pgkeep_engine::convert::{ConvertOptions, Converted, convert, convert_script};
use pgkeep_engine::dump::{DumpTarget, Format, default_jobs};
use pgkeep_engine::progress::Progress;
use pgkeep_engine::restore::{RestoreSource, ScriptSource, choose};
use pgkeep_keep::encryption::{Recipients, is_sealed, plain_name};
use pgkeep_store::Store;
use serde_json::json;

use super::choice::WhatFlags;
use super::format::{FormatName, compression};
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Exit, Failure, Result};
use crate::keys::{EncryptFlags, IdentityFlags};
use crate::resolve::{resolve, split};
use crate::sealed::{SealedDirectory, SealedTarget};
use crate::show::{Display, ProgressMode, bytes, duration, print, print_json, warn};
use crate::signals;
use crate::stores::StoreFlags;
use crate::target::{ArchiveUpload, DirectoryUpload};

/// Options of `convert`.
#[derive(Parser)]
pub(super) struct Options {
    /// An id or its beginning, name@latest, or the URL, file or folder of any archive or script of pg_dump's
    pub(super) backup: String,
    /// What to write
    #[arg(long, value_enum, help_heading = THIS_RUN)]
    format: FormatName,
    /// A file or an object's URL, such as shop.sql, s3://bucket/shop.sql.gz, a folder or the beginning of keys for the
    /// directory format, such as s3://bucket/shop.dir, or - for standard output. What is named .age is encrypted
    #[arg(long, value_name = "PLACE", help_heading = THIS_RUN)]
    to: String,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    keys: IdentityFlags,
    #[command(flatten)]
    encrypt: EncryptFlags,
    /// zstd, gzip, lz4 or none, with a level after a colon [default: the archive's codec; of a script the one that --to
    /// ends in, .gz, .zst or .lz4, else none]
    #[arg(long, value_name = "CODEC[:LEVEL]", help_heading = THIS_RUN)]
    compress: Option<String>,
    /// Threads that unpack and pack [default: the number of processors, 2 to 8]
    #[arg(long, short)]
    jobs: Option<usize>,
    #[command(flatten)]
    choice: WhatFlags,
    /// Replace the file that is there
    #[arg(long, help_heading = THIS_RUN)]
    force: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// How to show progress (on standard error)
    #[arg(long, value_enum, default_value = "auto")]
    progress: ProgressMode,
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let place = Place::of(options)?;
    let compression = compression_of(options)?;
    let recipients = recipients(options)?;
    let choice = options.choice.choice()?;
    let found = resolve(&options.backup, &options.store, config)?.with_keys(&options.keys);
    let archive = found.archive()?;
    let script = ScriptSource::open(&archive, archive.name())?;
    if script.is_some() && choice.is_partial() {
        return Err(Failure::usage(format!(
            "{} is an SQL script, of which no part can be chosen\n  hint: convert all of it to an archive first",
            archive.url()
        )));
    }
    let mut notes = Vec::new();
    let began = Instant::now();
    let progress = Arc::new(Progress::new());
    let converted = {
        let _display = Display::start(options.progress, &progress);
        let jobs = options.jobs.unwrap_or_else(default_jobs);
        let how = ConvertOptions { format: options.format.into(), compression, jobs };
        let mut to = |target| {
            let converted = match &script {
                Some(script) => convert_script(script, &how, target, &progress, &cancel),
                None => RestoreSource::open(&archive).and_then(|mut source| {
                    notes = choose(&mut source.toc, &choice)?.notes;
                    convert(&source, &how, target, &progress, &cancel)
                }),
            };
            converted.map_err(|e| e.during(archive.url()))
        };
        match &place {
            Place::Stdout => to(DumpTarget::Pipe(&mut raw_stdout(options, compression)?))?,
            Place::Object(store, key) => {
                let mut upload = ArchiveUpload::new(store, key.clone());
                match &recipients {
                    Some(recipients) => {
                        to(DumpTarget::Object(&mut SealedTarget::new(&mut upload, recipients)))?
                    }
                    None => to(DumpTarget::Object(&mut upload))?,
                }
            }
            Place::Directory(store, directory) => {
                let files = DirectoryUpload::new(store, directory.clone());
                let converted = match &recipients {
                    Some(recipients) => {
                        to(DumpTarget::Directory(&SealedDirectory { inner: &files, recipients }))
                    }
                    None => to(DumpTarget::Directory(&files)),
                };
                match converted {
                    Ok(converted) => converted,
                    Err(e) => {
                        if let Err(left) = files.discard() {
                            warn(format!("pgkeep: note: parts of it may be left: {left}"));
                        }
                        return Err(e.into());
                    }
                }
            }
        }
    };
    told(options, &archive.url(), place.url(), converted, &notes, began.elapsed());
    Ok(())
}

fn told(
    options: &Options,
    from: &str,
    url: Option<String>,
    converted: Converted,
    notes: &[String],
    took: Duration,
) {
    let Converted { len, compression } = converted;
    if options.json {
        let result = json!({
            "ok": true, "from": from, "url": url, "format": Format::from(options.format), "size": len,
            "compression": compression.to_string(), "duration_seconds": took.as_secs_f64(), "notes": notes,
        });
        // Standard output may hold what was written.
        if url.is_some() {
            print_json(&result)
        } else {
            warn(result.to_string())
        }
        return;
    }
    notes.iter().for_each(|note| warn(format!("note: {note}")));
    if let Some(url) = url {
        print(format!("converted {from}"));
        print(format!(
            "  {:<9} {url}",
            if options.format == FormatName::Plain { "script" } else { "archive" }
        ));
        print(format!("  size      {} ({compression})", bytes(len)));
        print(format!("  took      {}", duration(took)));
    }
}

/// The codec that is asked for, a script's by its name; `None` keeps the archive's.
fn compression_of(options: &Options) -> Result<Option<Compression>> {
    if let Some(text) = &options.compress {
        return compression(text).map(Some);
    }
    let codecs = [Algorithm::Gzip, Algorithm::Zstd, Algorithm::Lz4];
    let place = place_of(options);
    let place = plain_name(place).unwrap_or(place);
    let by_name = codecs.into_iter().find(|c| place.ends_with(c.file_suffix())).unwrap_or(Algorithm::None);
    Ok((options.format == FormatName::Plain).then_some(by_name.into()))
}

/// Where it goes, without a URL's options.
fn place_of(options: &Options) -> &str {
    options.to.split_once('?').map_or(options.to.as_str(), |(place, _)| place)
}

/// Whom what is written is encrypted to: the name says whether it is.
fn recipients(options: &Options) -> Result<Option<Recipients>> {
    if !is_sealed(place_of(options).trim_end_matches('/')) {
        return Ok(None);
    }
    let recipients = options.encrypt.recipients()?;
    match recipients.is_empty() {
        true => Err(Failure::usage(format!(
            "--to {}: its name says that it is encrypted, and nobody is named whom to encrypt to\n  hint: --encrypt-to age1…",
            options.to
        ))),
        false => Ok(Some(recipients)),
    }
}

/// What is written to.
enum Place {
    Stdout,
    /// Store and key.
    Object(Store, String),
    /// Store and directory.
    Directory(Store, String),
}

impl Place {
    /// # Errors
    /// Where something is there already and is not to be replaced.
    fn of(options: &Options) -> Result<Place> {
        let directory = options.format == FormatName::Directory;
        if options.to == "-" {
            return match directory {
                true => Err(Failure::usage(
                    "--to -: the directory format is many files\n  hint: name a folder, or take --format custom",
                )),
                false => Ok(Place::Stdout),
            };
        }
        let (folder, name) = split(if directory { options.to.trim_end_matches('/') } else { &options.to });
        if name.is_empty() {
            return Err(Failure::usage(format!(
                "--to {}: it names no file\n  hint: --to {}shop.{}",
                options.to,
                options.to,
                Format::from(options.format).extension(Algorithm::None)
            )));
        }
        let store = Store::open(&folder)?;
        let taken = |hint: &str| {
            let why = format!("{} is there already\n  hint: {hint}", store.url_of(&name));
            Err(Failure::new(Exit::Failed, "exists", why))
        };
        if directory {
            // Files of two archives in one folder would be taken for one.
            return match store.list(&format!("{name}/"))?.next() {
                Some(_) => taken("remove it, or name another place"),
                None => Ok(Place::Directory(store, name)),
            };
        }
        if !options.force && store.head(&name).is_ok() {
            return taken("--force replaces it");
        }
        Ok(Place::Object(store, name))
    }

    fn url(&self) -> Option<String> {
        match self {
            Place::Stdout => None,
            Place::Object(store, key) | Place::Directory(store, key) => Some(store.url_of(key)),
        }
    }
}

fn raw_stdout(options: &Options, compression: Option<Compression>) -> Result<std::fs::File> {
    let stdout = std::io::stdout();
    let is_text = options.format == FormatName::Plain && compression == Some(Algorithm::None.into());
    if stdout.is_terminal() && !is_text {
        return Err(Failure::usage(
            "--to - writes no plain text, and standard output is a terminal\n  hint: | or > it",
        ));
    }
    let file = stdout.as_fd().try_clone_to_owned();
    file.map(Into::into).map_err(|e| Failure::new(Exit::Failed, "failed", format!("standard output: {e}")))
}
