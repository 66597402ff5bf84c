//! The table of contents (`ReadToc` and `WriteToc`, src/bin/pg_dump/pg_backup_archiver.c).

use std::io::{Read, Write};

use bstr::ByteSlice;

use crate::primitive::{Count, Put, Source};
use crate::{ArchiveError, Container, DumpId, Entry, Header, RangeReader, ReadAt, Result};

/// Header and table of contents: everything of an archive but its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toc {
    /// What the archive says about itself.
    pub header: Header,
    /// Its entries, in the order in which a serial restore goes through them.
    pub entries: Vec<Entry>,
}

impl Toc {
    /// Reads header and TOC, and says how many bytes they took: that is where data begins.
    ///
    /// Takes not one byte beyond the TOC, so that data can be read from the same reader (a pipe from `pg_dump`)
    /// afterwards. It reads in very small steps: hand in a [`BufRead`](std::io::BufRead) (as `&mut BufReader`, kept
    /// for what follows) and not a bare file or pipe.
    pub fn read(r: &mut impl Read) -> Result<(Toc, u64)> {
        let mut src = Source::new(r);
        let header = Header::read(&mut src)?;
        let start = src.offset();
        let count = src.int("the number of entries")?;
        if count < 0 {
            return Err(ArchiveError::corrupt(start, format!("{count} entries are announced")));
        }
        // Grown as entries arrive: the count is a mere claim.
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(Entry::read(&mut src, &header)?);
        }
        Ok((Toc { header, entries }, src.offset()))
    }

    /// Writes header and TOC in the version of [`Toc::header`], and says how many bytes that took.
    ///
    /// What a lower version merely lacks a field for is left out; what would restore differently without it (large
    /// object metadata, lz4, the access method of a partitioned table) is an error.
    pub fn write(&self, w: &mut impl Write) -> Result<u64> {
        let bytes = self.to_bytes()?;
        w.write_all(&bytes).map_err(|source| ArchiveError::Write { source })?;
        Ok(bytes.len() as u64)
    }

    /// [`Toc::write`] into memory.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.check()?;
        let mut out = Vec::new();
        self.encode(&mut out);
        Ok(out)
    }

    /// The number of bytes that [`Toc::write`] writes.
    pub fn encoded_len(&self) -> u64 {
        let mut count = Count::default();
        self.encode(&mut count);
        count.0
    }

    /// The entry with this dump id.
    pub fn entry(&self, id: DumpId) -> Option<&Entry> {
        self.entries.iter().find(|e| e.id == id)
    }

    /// The highest dump id in entries and in dependency lists, which name section boundaries that have no entry.
    pub fn max_id(&self) -> DumpId {
        let ids = self.entries.iter().flat_map(|e| e.dependencies.iter().chain([&e.id]));
        ids.copied().max().unwrap_or(DumpId(0))
    }

    /// Whether a backslash in the archive's strings is just that (`standard_conforming_strings`).
    pub fn standard_strings(&self) -> bool {
        let setting =
            self.entries.iter().find(|e| e.desc_is("STDSTRINGS")).and_then(|e| e.definition.as_ref());
        !setting.is_some_and(|d| d.contains_str("'off'"))
    }

    fn check(&self) -> Result<()> {
        self.header.check()?;
        self.entries.iter().try_for_each(|e| e.check(&self.header))
    }

    fn encode(&self, out: &mut impl Put) {
        self.header.write(out);
        out.put_int(i32::try_from(self.entries.len()).unwrap_or(i32::MAX));
        for entry in &self.entries {
            entry.write(out, &self.header);
        }
    }
}

/// [`Toc::read`] from the begin of a custom archive that can be read at any place; a directory is one through
/// [`DirectoryArchive`](crate::DirectoryArchive).
pub fn read_toc_at(src: &dyn ReadAt) -> Result<(Toc, u64)> {
    let (toc, len) = Toc::read(&mut RangeReader::new(src, 0))?;
    match toc.header.container {
        Container::Custom => Ok((toc, len)),
        Container::Directory => Err(ArchiveError::OnlyTableOfContents),
    }
}
