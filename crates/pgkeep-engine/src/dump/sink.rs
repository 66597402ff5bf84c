//! What pieces are written to: one file that all share, or a directory with a file for each.

use pgkeep_archive::{BlockKind, Compression, Compressor, DumpId};

use crate::error::Result;
use crate::large_objects::Objects;

/// Takes the pieces of an archive from several threads.
pub(crate) trait Output: Sync {
    /// A compressor for what is written.
    fn compressor(&self, compression: Compression) -> Result<Compressor>;

    /// The dump id under which a piece is first written.
    fn first_id(&self, piece: usize) -> DumpId;

    /// A fresh dump id for a piece that is written again after [`PieceSink::abandon`] said that it must have one.
    fn fresh_id(&self) -> Result<DumpId>;

    /// Begins a piece, whose text the compressor packs. `bytes` is a guess at its text's length.
    fn begin<'w>(
        &'w self,
        compressor: &'w mut Compressor,
        piece: usize,
        id: DumpId,
        kind: BlockKind,
        bytes: u64,
    ) -> Box<dyn PieceSink + 'w>;

    /// Makes every waiting thread give up.
    fn fail(&self);

    /// Ends the archive, once every piece was written, and gives its length.
    fn finish(self: Box<Self>) -> Result<u64>;
}

/// Takes one piece: the text of its rows, or its large objects.
pub(crate) trait PieceSink: Objects {
    /// Takes text of the piece.
    fn write(&mut self, text: &[u8]) -> Result<()>;

    /// Bytes of text that suit one call of [`write`](Self::write) best.
    fn input_size(&self) -> usize;

    /// The piece is whole.
    fn finish(self: Box<Self>) -> Result<()>;

    /// Gives the piece up. True if a part of it is in the archive already, so that it must be written again under
    /// another id.
    fn abandon(self: Box<Self>) -> Result<bool>;
}
