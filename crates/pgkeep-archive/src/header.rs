//! The head of an archive (`ReadHead` and `WriteHead`, src/bin/pg_dump/pg_backup_archiver.c).

use bstr::BString;

use crate::primitive::{Put, Source};
use crate::{Algorithm, ArchiveError, DumpId, FormatVersion, Result};

const MAGIC: &[u8; 5] = b"PGDMP";

/// What holds the data that a table of contents speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// Blocks behind the table of contents (`pg_dump -Fc`).
    Custom,
    /// Files beside it (`pg_dump -Fd`): [`Entry::file`](crate::Entry::file).
    Directory,
}

impl Container {
    /// The header's format byte (`ArchiveFormat`, src/bin/pg_dump/pg_backup.h). A directory has the tar format's
    /// (`_CloseArchive`, pg_backup_directory.c).
    fn code(self) -> u8 {
        match self {
            Container::Custom => 1,
            Container::Directory => 3,
        }
    }
}

/// When a dump was begun, in the local time of the machine that made it (`struct tm`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timestamp {
    /// Second, 0 to 60.
    pub sec: i32,
    /// Minute, 0 to 59.
    pub min: i32,
    /// Hour, 0 to 23.
    pub hour: i32,
    /// Day of the month, 1 to 31.
    pub mday: i32,
    /// Month, **0 to 11** as `struct tm` counts.
    pub mon: i32,
    /// The full year, such as 2026 (`struct tm` and the archive count from 1900).
    pub year: i32,
    /// Above 0 in summer time, 0 if not, below 0 if not known.
    pub isdst: i32,
}

/// What an archive says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Version of the format.
    pub version: FormatVersion,
    /// Bytes of an int: 4.
    pub int_size: u8,
    /// Bytes of an offset: 8, or 4 from old 32-bit machines.
    pub offset_size: u8,
    /// Where the data is.
    pub container: Container,
    /// How data blocks are compressed.
    pub compression: Algorithm,
    /// The level, which only formats before 1.15 store: 0 is none, −1 is zlib's default.
    /// Read from a later format it is 0 for no compression, else −1.
    pub level: i32,
    /// When the dump was begun.
    pub created: Timestamp,
    /// Name of the database.
    pub database: Option<BString>,
    /// Version of the server, such as `17.2 (Debian 17.2-1)`.
    pub server_version: Option<BString>,
    /// Version of the `pg_dump` that made the TOC.
    pub dump_version: Option<BString>,
}

impl Header {
    pub(crate) fn read(src: &mut Source<'_>) -> Result<Self> {
        read_magic(src)?;
        let (major, minor) = (src.byte("the header")?, src.byte("the header")?);
        // 1.0 alone had no revision byte; it is refused below, before more is read.
        let rev = if (major, minor) > (1, 0) { src.byte("the header")? } else { 0 };
        let version = FormatVersion { major, minor, rev };
        check_version(version)?;
        let (int_size, offset_size) = (src.byte("the header")?, src.byte("the header")?);
        check_sizes(int_size, offset_size)?;
        let container = container_of(src.byte("the header")?)?;
        let (compression, level) = read_compression(src, version)?;
        let created = Timestamp::read(src)?;
        let mut string = || src.string("the header's database name and versions");
        Ok(Self {
            version,
            int_size,
            offset_size,
            container,
            compression,
            level,
            created,
            database: string()?,
            server_version: string()?,
            dump_version: string()?,
        })
    }

    pub(crate) fn check(&self) -> Result<()> {
        check_version(self.version)?;
        check_sizes(self.int_size, self.offset_size)?;
        if self.version < FormatVersion::V1_15 && matches!(self.compression, Algorithm::Lz4 | Algorithm::Zstd)
        {
            return Err(ArchiveError::CannotSay {
                version: self.version,
                needed: FormatVersion::V1_15,
                what: "that data is compressed with lz4 or zstd",
                id: DumpId(0),
            });
        }
        Ok(())
    }

    pub(crate) fn write(&self, out: &mut impl Put) {
        out.put(MAGIC);
        let FormatVersion { major, minor, rev } = self.version;
        out.put(&[major, minor, rev, self.int_size, self.offset_size, self.container.code()]);
        if self.version >= FormatVersion::V1_15 {
            out.put(&[self.compression.code()]);
        } else {
            out.put_int(match (self.compression, self.level) {
                (Algorithm::None, _) => 0,
                // A level of 0 would say that there is no compression.
                (_, 0) => -1,
                (_, level) => level,
            });
        }
        self.created.write(out);
        for s in [&self.database, &self.server_version, &self.dump_version] {
            out.put_str(s.as_ref().map(|s| s.as_slice()));
        }
    }
}

impl Timestamp {
    fn read(src: &mut Source<'_>) -> Result<Self> {
        let mut int = || src.int("the header's time");
        Ok(Self {
            sec: int()?,
            min: int()?,
            hour: int()?,
            mday: int()?,
            mon: int()?,
            year: int()?.saturating_add(1900),
            isdst: int()?,
        })
    }

    fn write(&self, out: &mut impl Put) {
        let year = self.year.saturating_sub(1900);
        for n in [self.sec, self.min, self.hour, self.mday, self.mon, year, self.isdst] {
            out.put_int(n);
        }
    }
}

fn read_magic(src: &mut Source<'_>) -> Result<()> {
    let mut magic = [0u8; 5];
    let got = src.up_to(&mut magic)?;
    let found = &magic[..got];
    if found == MAGIC {
        return Ok(());
    }
    if MAGIC.starts_with(found) {
        return Err(ArchiveError::Truncated { offset: got as u64, reading: "the header" });
    }
    let hint = if found.starts_with(b"--") || found.starts_with(b"SET ") || found.starts_with(b"\\") {
        "it looks like a plain SQL dump: restore it with psql"
    } else if found.starts_with(b"\x1f\x8b") {
        "it is a gzip file: unpack it first (gzip -d)"
    } else if found.starts_with(b"\x28\xb5\x2f\xfd") {
        "it is a zstd file: unpack it first (zstd -d)"
    } else if found.starts_with(b"toc.d") {
        "it looks like a tar-format dump: restore it with pg_restore"
    } else {
        "make one with pg_dump -Fc"
    };
    Err(ArchiveError::NotAnArchive { found: found.into(), hint })
}

fn check_version(version: FormatVersion) -> Result<()> {
    let hint = if version < FormatVersion::OLDEST {
        "dump again with pg_dump 9.0 or later"
    } else if version > FormatVersion::NEWEST {
        "it comes from a newer pg_dump: update pgkeep"
    } else {
        return Ok(());
    };
    Err(ArchiveError::UnsupportedVersion { version, hint })
}

fn check_sizes(int_size: u8, offset_size: u8) -> Result<()> {
    if int_size == 4 && matches!(offset_size, 4 | 8) {
        return Ok(());
    }
    Err(ArchiveError::UnsupportedSizes { int_size, offset_size })
}

fn container_of(format: u8) -> Result<Container> {
    let known = [Container::Custom, Container::Directory];
    known.into_iter().find(|c| c.code() == format).ok_or(ArchiveError::UnknownFormat { format })
}

fn read_compression(src: &mut Source<'_>, version: FormatVersion) -> Result<(Algorithm, i32)> {
    let offset = src.offset();
    if version >= FormatVersion::V1_15 {
        let code = src.byte("the header's compression")?;
        let algorithm =
            Algorithm::from_code(code).ok_or(ArchiveError::UnknownCompression { code, offset })?;
        return Ok((algorithm, if algorithm == Algorithm::None { 0 } else { -1 }));
    }
    Ok(match src.int("the header's compression")? {
        0 => (Algorithm::None, 0),
        level => (Algorithm::Gzip, level),
    })
}
