//! Comparing two TOCs.

use std::collections::BTreeMap;

use bstr::{BStr, BString, ByteSlice};
use pgkeep_archive::{DumpId, Entry, Toc};

/// Kinds that hold data or settings of the archive, not definitions.
const NO_DEFINITIONS: [&str; 12] = [
    "ENCODING",
    "STDSTRINGS",
    "SEARCHPATH",
    "WARNING",
    "DATABASE",
    "DATABASE PROPERTIES",
    "TABLE DATA",
    "MATERIALIZED VIEW DATA",
    "SEQUENCE SET",
    "BLOBS",
    "STATISTICS DATA",
    "<Init>",
];

/// How many characters of a line are shown.
const SHOWN: usize = 160;

/// A definition that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Kind and name, such as `INDEX public.orders_day`.
    pub object: String,
    /// Where it is.
    pub side: Side,
    /// What differs first, in words; empty for what is on one side only.
    pub why: String,
    /// The entries of the first side.
    pub entries: Vec<DumpId>,
    key: Key,
}

/// On which side a definition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// On the first only.
    First,
    /// On the second only.
    Second,
    /// On both, but not the same.
    Both,
}

/// Kind, schema and name.
type Key = (BString, BString, BString);

impl Change {
    /// Whether the two sides say the same of this object, where each may have several entries of one name.
    pub(crate) fn is_same_in(&self, one: &Toc, other: &Toc) -> bool {
        let of =
            |toc: &Toc| all(toc).remove(&self.key).map(|found| found.into_iter().map(|(t, _)| t).collect());
        let (one, other): (Option<Vec<_>>, Option<Vec<_>>) = (of(one), of(other));
        one == other
    }

    /// The two definitions, where each side has one entry of this name and nothing but the definition differs.
    pub(crate) fn definitions<'t>(&self, sides: [&'t Toc; 2]) -> Option<[&'t [u8]; 2]> {
        let [first, second] = sides.map(|toc| {
            let mut entries = toc.entries.iter().filter(|e| is_definition(e) && key(e) == self.key);
            entries.next().filter(|_| entries.next().is_none())
        });
        let (first, second) = (first?, second?);
        let alike = first.owner == second.owner && first.table_am == second.table_am;
        let definition = |entry: &'t Entry| entry.definition.as_ref().map(|d| d.as_bytes());
        alike.then_some([definition(first)?, definition(second)?])
    }
}

/// Every definition of which the two do not say the same: what makes the object, its owner and its access method. Not
/// looked at are tablespaces, the database itself, and the order of definitions.
pub fn compare(first: &Toc, second: &Toc) -> Vec<Change> {
    let (first, mut second) = (all(first), all(second));
    let mut changes = Vec::new();
    for (key, mine) in first {
        let entries = mine.iter().map(|(_, id)| *id).collect();
        let texts: Vec<&BString> = mine.iter().map(|(text, _)| text).collect();
        let object = object(&key);
        match second.remove(&key) {
            None => changes.push(Change { object, side: Side::First, why: String::new(), entries, key }),
            Some(theirs) => {
                let others: Vec<&BString> = theirs.iter().map(|(text, _)| text).collect();
                if texts != others {
                    let why = difference(&texts, &others);
                    changes.push(Change { object, side: Side::Both, why, entries, key });
                }
            }
        }
    }
    changes.extend(second.into_keys().map(|key| Change {
        object: object(&key),
        side: Side::Second,
        why: String::new(),
        entries: Vec::new(),
        key,
    }));
    changes
}

/// How many definitions a TOC holds.
pub(crate) fn count(toc: &Toc) -> u64 {
    toc.entries.iter().filter(|e| is_definition(e)).count() as u64
}

/// Definitions by name; texts of one name in an order of their own, as pg_dump's depends on oids.
fn all(toc: &Toc) -> BTreeMap<Key, Vec<(BString, DumpId)>> {
    let mut all: BTreeMap<Key, Vec<(BString, DumpId)>> = BTreeMap::new();
    for entry in toc.entries.iter().filter(|e| is_definition(e)) {
        all.entry(key(entry)).or_default().push((text(entry), entry.id));
    }
    all.values_mut().for_each(|texts| texts.sort());
    all
}

fn key(entry: &Entry) -> Key {
    let of = |text: &Option<BString>| text.clone().unwrap_or_default();
    (of(&entry.desc), of(&entry.namespace), of(&entry.tag))
}

fn is_definition(entry: &Entry) -> bool {
    let of_database = entry.tag.as_ref().is_some_and(|t| t.starts_with(b"DATABASE "))
        && ["ACL", "COMMENT", "SECURITY LABEL"].iter().any(|desc| entry.desc_is(desc));
    !of_database && !NO_DEFINITIONS.iter().any(|desc| entry.desc_is(desc))
}

fn text(entry: &Entry) -> BString {
    let mut text = entry.definition.clone().unwrap_or_default();
    let more = [("owner", &entry.owner), ("access method", &entry.table_am)];
    for (what, value) in more {
        if let Some(value) = value.as_ref().filter(|v| !v.is_empty()) {
            text.extend_from_slice(format!("\n{what}: ").as_bytes());
            text.extend_from_slice(value);
        }
    }
    text
}

fn object((kind, schema, name): &Key) -> String {
    match schema.is_empty() {
        true => format!("{kind} {name}"),
        false => format!("{kind} {schema}.{name}"),
    }
}

/// The first lines that differ.
fn difference(one: &[&BString], other: &[&BString]) -> String {
    let lines = |texts: &[&BString]| -> Vec<String> {
        texts.iter().flat_map(|t| t.lines()).map(|l| shown(BStr::new(l.trim()))).collect()
    };
    let (one, other) = (lines(one), lines(other));
    let at = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let line = |lines: &[String]| lines.get(at).map_or("nothing more".to_owned(), |l| format!("\"{l}\""));
    format!("{} and {}", line(&one), line(&other))
}

fn shown(line: &BStr) -> String {
    let text = line.to_str_lossy();
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgkeep_archive::{Offset, Section};

    fn entry(id: i32, desc: &str, tag: &str, definition: &str) -> Entry {
        let text = |s: &str| Some(BString::from(s));
        Entry {
            id: DumpId(id),
            has_data: false,
            table_oid: None,
            oid: None,
            tag: text(tag),
            desc: text(desc),
            section: Section::PreData,
            definition: text(definition),
            drop: None,
            copy: None,
            namespace: text("public"),
            tablespace: None,
            table_am: None,
            relkind: None,
            owner: text("app"),
            with_oids: None,
            dependencies: Vec::new(),
            offset: Offset::NoData,
            file: None,
        }
    }

    fn toc(entries: Vec<Entry>) -> Toc {
        let mut bytes = b"PGDMP\x01\x0f\x00\x04\x08\x01\x00".to_vec();
        bytes.extend([0u8; 5 * 7]);
        bytes.extend([0u8; 5 * 3]);
        bytes.extend([0u8; 5]);
        let (empty, _) = Toc::read(&mut bytes.as_slice()).unwrap();
        Toc { entries, ..empty }
    }

    #[test]
    fn what_is_missing_new_and_changed_is_told_and_order_does_not_matter() {
        let table =
            |default: &str| entry(1, "TABLE", "t", &format!("CREATE TABLE t (\n    i int{default}\n);"));
        let first = toc(vec![
            table(""),
            entry(2, "INDEX", "t_i", "a"),
            entry(3, "ACL", "TABLE t", "x"),
            entry(4, "ACL", "TABLE t", "y"),
        ]);
        let second = toc(vec![
            entry(9, "ACL", "TABLE t", "y"),
            entry(8, "ACL", "TABLE t", "x"),
            table(" DEFAULT 1"),
            entry(7, "VIEW", "v", "b"),
        ]);
        let changes = compare(&first, &second);
        let told: Vec<_> = changes.iter().map(|c| (c.object.as_str(), c.side, c.why.as_str())).collect();
        assert_eq!(
            told,
            [
                ("INDEX public.t_i", Side::First, ""),
                ("TABLE public.t", Side::Both, "\"i int\" and \"i int DEFAULT 1\""),
                ("VIEW public.v", Side::Second, ""),
            ]
        );
        assert!(!changes[1].is_same_in(&first, &second));
        assert!(changes[1].is_same_in(&second, &second));
    }
}
