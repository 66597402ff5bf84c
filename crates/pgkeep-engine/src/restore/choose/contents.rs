//! What of a backup's rows and numbers a restore brings, for the proof.

use std::collections::{HashMap, HashSet};

use pgkeep_archive::Toc;

use super::super::entry::{bytes, desc, tag};
use crate::report::{SequenceReport, TableReport, name_text};

/// Schemas and names, as [`name_text`] writes them.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    tables: HashSet<(String, String)>,
    sequences: HashSet<(String, String)>,
    /// Old names, and those that the table of contents has.
    renamed: HashMap<(String, String), (String, String)>,
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

    /// The same, where what is looked for has other names in the target.
    pub fn renamed(self, renamed: HashMap<(String, String), (String, String)>) -> Contents {
        Contents { renamed, ..self }
    }

    /// Those of these tables that are among the contents, with their names in the target.
    pub fn tables(&self, all: &[TableReport]) -> Vec<TableReport> {
        let named = |t: &TableReport| {
            let (schema, table) = self.name((&t.schema, &t.table));
            TableReport { schema, table, ..t.clone() }
        };
        let has = |t: &TableReport| self.tables.contains(&(t.schema.clone(), t.table.clone()));
        all.iter().map(named).filter(has).collect()
    }

    /// Those of these sequences that are among the contents, with their names in the target.
    pub fn sequences(&self, all: &[SequenceReport]) -> Vec<SequenceReport> {
        let named = |s: &SequenceReport| {
            let (schema, sequence) = self.name((&s.schema, &s.sequence));
            SequenceReport { schema, sequence, ..s.clone() }
        };
        let has = |s: &SequenceReport| self.sequences.contains(&(s.schema.clone(), s.sequence.clone()));
        all.iter().map(named).filter(has).collect()
    }

    fn name(&self, (schema, name): (&str, &str)) -> (String, String) {
        let old = (schema.to_owned(), name.to_owned());
        self.renamed.get(&old).cloned().unwrap_or(old)
    }
}
