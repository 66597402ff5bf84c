//! Archive format versions (`K_VERS_*` in src/bin/pg_dump/pg_backup_archiver.h).

use std::fmt;

/// Version of the archive format, from the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FormatVersion {
    /// Always 1.
    pub major: u8,
    /// Grows with every change of the format.
    pub minor: u8,
    /// Always 0 so far.
    pub rev: u8,
}

impl FormatVersion {
    /// 1.12: large objects have entries of their own (pg_dump 9.0 to 10).
    pub const V1_12: Self = Self::new(12);
    /// 1.13: `search_path` is set empty (pg_dump 11 and security releases before it).
    pub const V1_13: Self = Self::new(13);
    /// 1.14: entries have a table access method (pg_dump 12 to 15).
    pub const V1_14: Self = Self::new(14);
    /// 1.15: the header names a compression algorithm (pg_dump 16).
    pub const V1_15: Self = Self::new(15);
    /// 1.16: `BLOB METADATA` entries and a relkind (pg_dump 17 and later).
    pub const V1_16: Self = Self::new(16);

    /// The oldest version that is read.
    pub const OLDEST: Self = Self::V1_12;
    /// The newest version that is read.
    pub const NEWEST: Self = Self::V1_16;

    const fn new(minor: u8) -> Self {
        Self { major: 1, minor, rev: 0 }
    }
}

impl fmt::Display for FormatVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.rev != 0 {
            write!(f, ".{}", self.rev)?;
        }
        Ok(())
    }
}
