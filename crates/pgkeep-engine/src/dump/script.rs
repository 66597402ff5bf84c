//! The text of a script around its data.

use std::collections::HashMap;

use pgkeep_archive::{Compression, Compressor, DumpId, Layout, ScriptPart, script};

use crate::error::Result;
use crate::restrict_key::restrict_key;

/// Compressed text by the piece that it stands before, and what comes after the last piece.
pub(crate) struct ScriptTexts {
    pub(super) before: HashMap<usize, Vec<u8>>,
    pub(super) last: Vec<u8>,
    /// `standard_conforming_strings` of the script.
    pub(super) standard_strings: bool,
}

impl ScriptTexts {
    pub(crate) fn new(layout: &Layout, compression: Compression) -> Result<ScriptTexts> {
        let first: HashMap<DumpId, usize> =
            layout.pieces().iter().filter(|p| p.segment == 0).map(|p| (p.entry, p.index)).collect();
        let mut compressor = Compressor::for_files(compression)?;
        let mut before = HashMap::new();
        let mut text = Vec::new();
        for part in script(layout.toc(), &restrict_key()?) {
            match part {
                ScriptPart::Text(plain) => {
                    compressor.write(&plain, &mut text)?;
                    compressor.finish(&mut text)?;
                }
                ScriptPart::Data(id) => {
                    if let Some(piece) = first.get(&id) {
                        before.insert(*piece, std::mem::take(&mut text));
                    }
                }
            }
        }
        Ok(ScriptTexts { before, last: text, standard_strings: layout.toc().standard_strings() })
    }
}
