//! Rows as a check found them in an archive, for those who have no manifest yet.

use std::collections::HashMap;

use bstr::ByteSlice;
use pgkeep_archive::Toc;

use crate::fingerprint::Fingerprint;
use crate::manifest::name_text;

/// One table's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTable {
    /// Schema and table as the archive's entry names them, see [`name_text`]; a script names them in `copy` alone.
    pub name: Option<(String, String)>,
    /// The statement that loads them: `COPY public.t (a, b) FROM stdin;`.
    pub copy: Vec<u8>,
    /// Pieces that they lie in.
    pub segments: u32,
    /// Rows, bytes and hash.
    pub fingerprint: Fingerprint,
}

/// All that was found; rows that are kept as INSERT statements are not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundRows {
    /// Tables in the archive's order.
    pub tables: Vec<FoundTable>,
    /// Large objects; `None` where there are none.
    pub large_objects: Option<Fingerprint>,
}

impl FoundRows {
    /// Puts the fingerprints of an archive's tables, by schema and table, into the order of its table of contents.
    pub(crate) fn in_order(
        toc: &Toc,
        mut by_name: HashMap<(String, String), Fingerprint>,
        large_objects: Fingerprint,
    ) -> FoundRows {
        let mut places: HashMap<(String, String), usize> = HashMap::new();
        let mut tables: Vec<FoundTable> = Vec::new();
        for entry in toc.entries.iter().filter(|e| e.has_data) {
            let Some(copy) = &entry.copy else { continue };
            let text = |part: &Option<bstr::BString>| name_text(part.as_ref().map_or(b"", |p| p.as_bytes()));
            let name = (text(&entry.namespace), text(&entry.tag));
            if let Some(place) = places.get(&name) {
                tables[*place].segments += 1;
            } else if let Some(fingerprint) = by_name.remove(&name) {
                places.insert(name.clone(), tables.len());
                tables.push(FoundTable { name: Some(name), copy: copy.to_vec(), segments: 1, fingerprint });
            }
        }
        FoundRows { tables, large_objects: (large_objects.rows > 0).then_some(large_objects) }
    }
}
