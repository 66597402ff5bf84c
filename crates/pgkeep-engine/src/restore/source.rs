//! What is restored.

use pgkeep_archive::{ReadAt, Toc, read_toc_at};

use super::places;
use crate::error::Result;

/// An archive whose table of contents was read.
pub struct RestoreSource<'a> {
    /// The archive, read at any place by several threads.
    pub archive: &'a (dyn ReadAt + Sync),
    /// Its table of contents; entries taken out of it are not restored.
    pub toc: Toc,
    /// Where the table of contents ends and data begins.
    pub data_start: u64,
    /// Where the data of each entry begins, in order, of entries taken out of the table of contents too: that is where
    /// the data before it ends.
    pub(crate) starts: Vec<u64>,
}

impl<'a> RestoreSource<'a> {
    /// Reads the table of contents.
    ///
    /// # Errors
    /// `Archive` where it is no archive, damaged, or of an unknown make.
    pub fn open(archive: &'a (dyn ReadAt + Sync)) -> Result<RestoreSource<'a>> {
        let (toc, data_start) = read_toc_at(&archive)?;
        let starts = places::starts(&toc);
        Ok(RestoreSource { archive, toc, data_start, starts })
    }
}
