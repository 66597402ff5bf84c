//! `pgkeep convert`.

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use pgkeep_archive::{Algorithm, Compression};
use pgkeep_engine::convert::to_script;
use pgkeep_engine::dump::DumpTarget;
use pgkeep_engine::progress::Progress;
use pgkeep_engine::restore::{RestoreSource, ScriptSource};
use pgkeep_keep::encryption::{Recipients, is_sealed, plain_name};
use pgkeep_store::Store;
use serde_json::json;

use super::format::{FormatName, compression};
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Exit, Failure, Result};
use crate::keys::{EncryptFlags, IdentityFlags};
use crate::resolve::{resolve, split};
use crate::show::{Display, ProgressMode, bytes, duration, print, print_json, warn};
use crate::signals;
use crate::stores::StoreFlags;
use crate::target::{ArchiveUpload, SealedTarget};

/// Options of `convert`.
#[derive(Parser)]
pub(super) struct Options {
    /// An id or its beginning, name@latest, or the URL or file of any custom-format archive, pg_dump's own included
    pub(super) backup: String,
    /// What to write
    #[arg(long, value_enum, help_heading = THIS_RUN)]
    format: FormatName,
    /// A file or an object's URL, such as shop.sql, s3://bucket/shop.sql.gz, or - for standard output; one whose name
    /// ends in .age is encrypted
    #[arg(long, value_name = "PLACE", help_heading = THIS_RUN)]
    to: String,
    #[command(flatten)]
    store: StoreFlags,
    #[command(flatten)]
    keys: IdentityFlags,
    #[command(flatten)]
    encrypt: EncryptFlags,
    /// zstd, gzip, lz4 or none, with a level after a colon [default: by the end of --to, .gz, .zst or .lz4; else none]
    #[arg(long, value_name = "CODEC[:LEVEL]", help_heading = THIS_RUN)]
    compress: Option<String>,
    /// Replace what is there
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
    if options.format == FormatName::Custom {
        return Err(Failure::usage(
            "--format custom: convert writes scripts only\n  hint: --format plain; a custom archive needs no conversion",
        ));
    }
    let compression = compression_of(options)?;
    let recipients = recipients(options)?;
    let found = resolve(&options.backup, &options.store, config)?.with_keys(&options.keys);
    let archive = found.archive()?;
    if ScriptSource::open(&archive, archive.name())?.is_some() {
        return Err(Failure::usage(format!(
            "{} is an SQL script, which cannot be turned into anything else\n  hint: restore it, and back up that database",
            archive.url()
        )));
    }
    let began = Instant::now();
    let progress = Arc::new(Progress::new());
    let written = {
        let _display = Display::start(options.progress, &progress);
        let source = RestoreSource::open(&archive).map_err(|e| e.during(archive.url()))?;
        let to = |target| {
            to_script(&source, compression, target, &progress, &cancel).map_err(|e| e.during(archive.url()))
        };
        if options.to == "-" {
            let mut out = raw_stdout(compression)?;
            (to(DumpTarget::Pipe(&mut out))?, None)
        } else {
            let (store, key) = place(options)?;
            let mut upload = ArchiveUpload::new(&store, key.clone());
            let size = match &recipients {
                Some(recipients) => to(DumpTarget::Object(&mut SealedTarget::new(&mut upload, recipients)))?,
                None => to(DumpTarget::Object(&mut upload))?,
            };
            (size, Some(store.url_of(&key)))
        }
    };
    let (size, url) = written;
    if options.json {
        let result = json!({
            "ok": true, "from": archive.url(), "url": url, "format": "plain", "size": size,
            "compression": compression.to_string(), "duration_seconds": began.elapsed().as_secs_f64(),
        });
        // Standard output may hold the script.
        if url.is_some() { print_json(&result) } else { warn(result.to_string()) }
    } else if let Some(url) = url {
        print(format!("converted {}", archive.url()));
        print(format!("  script    {url}"));
        print(format!("  size      {} ({compression})", bytes(size)));
        print(format!("  took      {}", duration(began.elapsed())));
    }
    Ok(())
}

fn compression_of(options: &Options) -> Result<Compression> {
    if let Some(text) = &options.compress {
        return compression(text);
    }
    let codecs = [Algorithm::Gzip, Algorithm::Zstd, Algorithm::Lz4];
    let place = place_of(options);
    let place = plain_name(place).unwrap_or(place);
    Ok(codecs.into_iter().find(|c| place.ends_with(c.file_suffix())).unwrap_or(Algorithm::None).into())
}

/// Where the script goes, without a URL's options.
fn place_of(options: &Options) -> &str {
    options.to.split_once('?').map_or(options.to.as_str(), |(place, _)| place)
}

/// Whom the script is encrypted to: the name says whether it is.
fn recipients(options: &Options) -> Result<Option<Recipients>> {
    if !is_sealed(place_of(options)) {
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

/// Store and key of the object to be written.
fn place(options: &Options) -> Result<(Store, String)> {
    let (folder, key) = split(&options.to);
    if key.is_empty() {
        return Err(Failure::usage(format!(
            "--to {}: it names no file\n  hint: --to {}shop.sql",
            options.to, options.to
        )));
    }
    let store = Store::open(&folder)?;
    if !options.force && store.head(&key).is_ok() {
        return Err(Failure::new(
            Exit::Failed,
            "exists",
            format!("{} is there already\n  hint: --force replaces it", store.url_of(&key)),
        ));
    }
    Ok((store, key))
}

fn raw_stdout(compression: Compression) -> Result<std::fs::File> {
    let stdout = std::io::stdout();
    if stdout.is_terminal() && compression.algorithm != Algorithm::None {
        return Err(Failure::usage(
            "--to - writes compressed bytes, and standard output is a terminal\n  hint: | or > it",
        ));
    }
    let file = stdout.as_fd().try_clone_to_owned();
    file.map(Into::into).map_err(|e| Failure::new(Exit::Failed, "failed", format!("standard output: {e}")))
}
