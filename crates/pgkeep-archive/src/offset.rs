//! Where an entry's data block stands (`WriteOffset` and `ReadOffset`, src/bin/pg_dump/pg_backup_archiver.c).

use crate::primitive::{Put, Source};
use crate::{ArchiveError, Result};

const NOT_SET: u8 = 1;
const SET: u8 = 2;
const NO_DATA: u8 = 3;

/// Position of an entry's data block, as the TOC holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offset {
    /// There is data, but the archive was written to a pipe: scan for it (`K_OFFSET_POS_NOT_SET`).
    NotSet,
    /// The block begins here, counted from the begin of the archive (`K_OFFSET_POS_SET`).
    At(u64),
    /// The entry has no data (`K_OFFSET_NO_DATA`).
    NoData,
}

impl Offset {
    pub(crate) fn read(src: &mut Source<'_>, size: u8) -> Result<Self> {
        let start = src.offset();
        let state = src.byte("an entry's data offset")?;
        let mut raw = [0u8; 8];
        src.exact(&mut raw[..usize::from(size.min(8))], "an entry's data offset")?;
        match state {
            NOT_SET => Ok(Offset::NotSet),
            SET => Ok(Offset::At(u64::from_le_bytes(raw))),
            NO_DATA => Ok(Offset::NoData),
            other => Err(ArchiveError::corrupt(start, format!("{other} is no state of a data offset"))),
        }
    }

    pub(crate) fn write(self, out: &mut impl Put, size: u8) {
        let (state, at) = match self {
            Offset::NotSet => (NOT_SET, 0),
            Offset::At(at) => (SET, at),
            Offset::NoData => (NO_DATA, 0),
        };
        out.put(&[state]);
        out.put(&at.to_le_bytes()[..usize::from(size.min(8))]);
    }
}
