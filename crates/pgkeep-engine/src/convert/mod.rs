//! From one format to another, without a database.

mod archive;
mod script;

use pgkeep_archive::Compression;

pub use archive::convert;
pub(crate) use archive::fill;
pub use script::convert_script;

use crate::dump::Format;

/// How to convert.
#[derive(Debug, Clone, Copy)]
pub struct ConvertOptions {
    /// What is written.
    pub format: Format,
    /// Codec and level; `None` takes that of what is read.
    pub compression: Option<Compression>,
    /// Threads that unpack and pack an archive; at least 1.
    pub jobs: usize,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// Bytes.
    pub len: u64,
    /// How they are compressed.
    pub compression: Compression,
}
