//! What of a backup's rows and numbers a restore brings, for the proof.

use std::collections::HashSet;

use pgkeep_archive::Toc;

use super::super::entry::{bytes, desc, tag};
use crate::report::{SequenceReport, TableReport, name_text};

/// Schemas and names, as [`name_text`] writes them.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    tables: HashSet<(String, String)>,
    sequences: HashSet<(String, String)>,
}

impl Contents {
    /// What a table of contents has.
    pub fn of(toc: &Toc) -> Contents {
        let mut contents = Contents::default();
        for entry in &toc.entries {
            let list = match desc(entry) {
                b"TABLE DATA" => &mut contents.tables,
                b"SEQUENCE SET" => &mut contents.sequences,
                _ => continue,
            };
            list.insert((name_text(bytes(&entry.namespace)), name_text(tag(entry))));
        }
        contents
    }

    /// Those of these tables that are among the contents.
    pub fn tables(&self, all: &[TableReport]) -> Vec<TableReport> {
        let has = |t: &&TableReport| self.tables.contains(&(t.schema.clone(), t.table.clone()));
        all.iter().filter(has).cloned().collect()
    }

    /// Those of these sequences that are among the contents.
    pub fn sequences(&self, all: &[SequenceReport]) -> Vec<SequenceReport> {
        let has = |s: &&SequenceReport| self.sequences.contains(&(s.schema.clone(), s.sequence.clone()));
        all.iter().filter(has).cloned().collect()
    }
}
