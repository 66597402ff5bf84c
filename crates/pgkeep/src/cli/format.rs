//! Formats on the command line: `--format`, and what they mean for compression and names.

use clap::ValueEnum;
use pgkeep_archive::Compression;
use pgkeep_keep::Format;

use crate::failure::{Failure, Result};

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatName {
    /// One archive, as `pg_dump -Fc` writes it
    Custom,
    /// A folder of files, as `pg_dump -Fd` writes it
    Directory,
    /// An SQL script for psql: .sql, .sql.gz, .sql.zst, .sql.lz4
    Plain,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Format {
        match name {
            FormatName::Custom => Format::Custom,
            FormatName::Directory => Format::Directory,
            FormatName::Plain => Format::Plain,
        }
    }
}

/// `--compress`.
pub(super) fn compression(text: &str) -> Result<Compression> {
    text.parse().map_err(|e| Failure::usage(format!("--compress {text}: {e}")))
}
