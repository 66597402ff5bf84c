//! Formats on the command line: `--format`, and what they mean for compression and names.

use clap::ValueEnum;
use pgkeep_archive::{Algorithm, Compression};
use pgkeep_keep::Format;

use crate::failure::{Failure, Result};

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatName {
    /// One archive, as `pg_dump -Fc` writes it
    Custom,
    /// An SQL script for psql: .sql, .sql.gz, .sql.zst, .sql.lz4
    Plain,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Format {
        match name {
            FormatName::Custom => Format::Custom,
            FormatName::Plain => Format::Plain,
        }
    }
}

/// `--compress`.
pub(super) fn compression(text: &str) -> Result<Compression> {
    text.parse().map_err(|e| Failure::usage(format!("--compress {text}: {e}")))
}

/// How an object of this format is named: `dump`, `sql`, `sql.zst` …
pub(super) fn extension(format: Format, codec: Algorithm) -> String {
    match format {
        Format::Custom => "dump".into(),
        Format::Plain => format!("sql{}", codec.file_suffix()),
    }
}
