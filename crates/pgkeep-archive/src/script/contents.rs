//! From a script of pg_dump back to a table of contents: its comments name every entry (`_printTocEntry`,
//! src/bin/pg_dump/pg_backup_archiver.c).
//!
//! What a script does not say is the dependencies. So data depends on its table, and after data everything waits for what
//! stands before it, save that indexes which follow one another are made side by side.

use std::collections::HashMap;
use std::io;

use bstr::{BString, ByteSlice};

use super::owner::{owned_object, qualified};
use super::walk::{Title, Visit};
use super::write::one_line;
use crate::{Algorithm, Container, DumpId, Entry, FormatVersion, Header, Offset, Section, Timestamp, Toc};

/// Gathers the entries of a script: walk a script with it, then take [`finish`](Self::finish).
pub struct Contents {
    header: Header,
    entries: Vec<Entry>,
    data: Vec<Stretch>,
    /// Statements of the entry under way.
    statements: Vec<Vec<u8>>,
    tables: HashMap<(BString, BString), DumpId>,
    of_table: HashMap<(BString, BString), DumpId>,
    table_am: Option<BString>,
    settings: Settings,
}

#[derive(Default)]
struct Settings {
    encoding: Option<Vec<u8>>,
    standard_strings: Option<Vec<u8>>,
    search_path: Option<Vec<u8>>,
}

/// A script as an archive without data.
pub struct ScriptContents {
    /// Its entries, made up as pg_dump would have written them.
    pub toc: Toc,
    /// The stretches of data, in the script's order; a table that was dumped in segments has several.
    pub data: Vec<Stretch>,
}

/// Data that stands in one place of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The entry it belongs to.
    pub entry: DumpId,
    /// Bytes of its text, or of its large objects.
    pub bytes: u64,
}

impl Contents {
    /// `created` is what the archive will say of its age.
    pub fn new(created: Timestamp) -> Self {
        let header = Header {
            version: FormatVersion::V1_16,
            int_size: 4,
            offset_size: 8,
            container: Container::Custom,
            compression: Algorithm::None,
            level: 0,
            created,
            database: Some("".into()),
            server_version: None,
            dump_version: None,
        };
        Contents {
            header,
            entries: Vec::new(),
            data: Vec::new(),
            statements: Vec::new(),
            tables: HashMap::new(),
            of_table: HashMap::new(),
            table_am: None,
            settings: Settings::default(),
        }
    }

    /// The versions are those of the script's first comments.
    ///
    /// # Errors
    /// `InvalidData` where the script names no entries: it is not pg_dump's.
    pub fn finish(
        mut self,
        server_version: Option<Vec<u8>>,
        dump_version: Option<Vec<u8>>,
    ) -> io::Result<ScriptContents> {
        self.end_entry();
        if self.entries.is_empty() && dump_version.is_none() {
            return Err(strange("it names no entries as pg_dump's comments do (-- Name: …; Type: …)"));
        }
        self.header.server_version = server_version.map(Into::into);
        self.header.dump_version = dump_version.map(Into::into);
        let mut next = self.entries.len() as i32;
        let settings = [
            ("ENCODING", self.settings.encoding.take()),
            ("STDSTRINGS", self.settings.standard_strings.take()),
            ("SEARCHPATH", self.settings.search_path.take()),
        ];
        let settings = settings.into_iter().filter_map(|(desc, sql)| {
            next += 1;
            let title = Title { desc: desc.into(), tag: desc.into(), ..Title::default() };
            let mut entry = entry(DumpId(next), &title);
            entry.definition = Some([sql?, b"\n".to_vec()].concat().into());
            Some(entry)
        });
        let settings: Vec<Entry> = settings.collect();
        depend(&mut self.entries);
        self.entries.splice(0..0, settings);
        Ok(ScriptContents { toc: Toc { header: self.header, entries: self.entries }, data: self.data })
    }

    fn add(&mut self, title: &Title) -> DumpId {
        let id = DumpId(self.entries.len() as i32 + 1);
        let mut entry = entry(id, title);
        if matches!(title.desc.as_slice(), b"TABLE" | b"MATERIALIZED VIEW") {
            entry.table_am.clone_from(&self.table_am);
        }
        self.entries.push(entry);
        id
    }

    /// The statements of an entry become its definition; the one that gives it to its owner is what an archive has in
    /// other words.
    fn end_entry(&mut self) {
        let mut statements = std::mem::take(&mut self.statements);
        let Some(entry) = self.entries.last_mut().filter(|e| !e.has_data) else { return };
        if entry.desc_is("BLOB METADATA") {
            let oids = statements.iter().filter_map(|s| number(s, b"SELECT pg_catalog.lo_create('"));
            let owned = statements.iter().any(|s| s.find(b" OWNER TO ").is_some());
            entry.definition = Some(oids.map(|oid| format!("{oid}\n")).collect::<String>().into());
            entry.drop = owned.then(|| "-- dummy".into());
            return;
        }
        if entry.desc_is("TABLE") || entry.desc_is("FOREIGN TABLE") {
            // Comments have a space for a line end in a name.
            let name = statements.first().and_then(|s| table_name(&s[s.find(b"TABLE ")? + 6..]));
            entry.tag = name.filter(|n| entry.tag.as_deref() == Some(&one_line(n))).or(entry.tag.take());
        }
        let object = statements.last().and_then(|s| {
            let object = s.strip_prefix(b"ALTER ")?;
            Some(object[..object.rfind(b" OWNER TO ")?].to_vec())
        });
        if let Some(object) = object {
            entry.drop = Some([b"DROP ".as_slice(), &object, b";\n"].concat().into());
            if owned_object(entry).as_ref() == Some(&object) {
                statements.pop();
            } else {
                entry.owner = Some("".into());
            }
        }
        let mut definition = statements.join(&b'\n');
        definition.push(b'\n');
        entry.definition = Some(definition.into());
    }
}

impl Visit for Contents {
    type Error = io::Error;

    fn setting(&mut self, sql: &[u8]) -> io::Result<()> {
        let value = |name: &[u8]| sql.strip_prefix(name).and_then(|v| v.strip_suffix(b";"));
        if value(b"SET client_encoding = ").is_some() {
            self.settings.encoding = Some(sql.to_vec());
        } else if value(b"SET standard_conforming_strings = ").is_some() {
            let quoted = if sql.ends_with(b" off;") { "'off'" } else { "'on'" };
            self.settings.standard_strings =
                Some(format!("SET standard_conforming_strings = {quoted};").into_bytes());
        } else if sql.starts_with(b"SELECT pg_catalog.set_config('search_path', ") {
            self.settings.search_path = Some(sql.to_vec());
        } else if let Some(am) = value(b"SET default_table_access_method = ") {
            self.table_am = Some(am.trim_with(|c| c == '"').into());
        } else if !sql.starts_with(b"SET ") && !is_drop(sql) {
            return Err(strange("a statement stands before the first comment that names an entry"));
        }
        Ok(())
    }

    fn entry(&mut self, title: &Title) -> io::Result<()> {
        self.end_entry();
        if !title.data {
            let id = self.add(title);
            if matches!(title.desc.as_slice(), b"TABLE" | b"FOREIGN TABLE") {
                self.tables.insert(title.name(), id);
            }
        }
        Ok(())
    }

    fn statement(&mut self, sql: Vec<u8>) -> io::Result<()> {
        self.statements.push(sql);
        Ok(())
    }

    fn data(&mut self, title: &Title, first: &[u8]) -> io::Result<()> {
        if let Some(&first) = self.of_table.get(&title.name()).filter(|_| title.desc != "BLOBS") {
            self.data.push(Stretch { entry: first, bytes: 0 });
            return Ok(());
        }
        let id = self.add(title);
        self.of_table.insert(title.name(), id);
        self.data.push(Stretch { entry: id, bytes: 0 });
        let table = self.tables.get(&title.name()).copied();
        let tag = table.and_then(|id| self.entries[id.0 as usize - 1].tag.clone());
        let metadata =
            self.entries.iter().find(|e| e.desc_is("BLOB METADATA") && e.tag.as_ref() == Some(&title.tag));
        let metadata = metadata.filter(|_| title.desc == "BLOBS").map(|e| e.id);
        let Some(entry) = self.entries.last_mut() else { return Ok(()) };
        entry.has_data = true;
        entry.tag = tag.or(entry.tag.take());
        entry.offset = Offset::NotSet;
        entry.dependencies.extend(table.or(metadata));
        let copy = first.strip_prefix(b"COPY ");
        if copy.is_some() {
            entry.copy = Some([first, b"\n"].concat().into());
        }
        let into = copy.or(first.strip_prefix(b"INSERT INTO ")).filter(|_| table.is_some());
        if into.is_some_and(|rest| !rest.starts_with(&[qualified(entry).as_slice(), b" "].concat())) {
            // The rows go in through the root of the partitions (`dumpTableData`, src/bin/pg_dump/pg_dump.c), and the
            // partition must not be emptied for them.
            entry.definition = Some("-- load via partition root of this table".into());
        }
        Ok(())
    }

    fn text(&mut self, text: &[u8]) -> io::Result<()> {
        if let Some(stretch) = self.data.last_mut() {
            stretch.bytes += text.len() as u64;
        }
        Ok(())
    }
}

/// What `--clean` writes before all else; an archive has it in its entries.
fn is_drop(sql: &[u8]) -> bool {
    sql.starts_with(b"DROP ") || sql.starts_with(b"ALTER ") && sql.contains_str(" DROP ")
}

/// The table's name at the begin of this text, without its schema and its quotes.
fn table_name(sql: &[u8]) -> Option<BString> {
    let mut name = Vec::new();
    let mut bytes = sql.iter().copied().peekable();
    let mut quoted = false;
    while let Some(b) = bytes.next() {
        match b {
            b'"' if quoted && bytes.next_if_eq(&b'"').is_some() => name.push(b),
            b'"' => quoted = !quoted,
            b'.' if !quoted => name.clear(),
            b' ' | b'(' | b';' | b'\n' if !quoted => break,
            b => name.push(b),
        }
    }
    (!quoted && !name.is_empty()).then(|| name.into())
}

/// The number behind this text, as in `SELECT pg_catalog.lo_create('16402');`.
pub(super) fn number(sql: &[u8], before: &[u8]) -> Option<u32> {
    let digits = sql.strip_prefix(before)?;
    let end = digits.iter().position(|b| !b.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].to_str().ok()?.parse().ok()
}

fn entry(id: DumpId, title: &Title) -> Entry {
    // Of a group the archive has the grants of its first object, and readers write them out (`IssueACLPerBlob`). A
    // script has them written out.
    let tag = match title.tag.strip_prefix(b"LARGE OBJECTS ").filter(|_| title.desc == "ACL") {
        Some(group) => [b"LARGE OBJECT ".as_slice(), group].concat().into(),
        None => title.tag.clone(),
    };
    let has_place =
        matches!(title.desc.as_slice(), b"TABLE" | b"INDEX" | b"MATERIALIZED VIEW" | b"CONSTRAINT");
    Entry {
        id,
        has_data: false,
        table_oid: Some("0".into()),
        oid: Some("0".into()),
        tag: Some(tag),
        desc: Some(title.desc.clone()),
        section: section(&title.desc),
        definition: Some("".into()),
        drop: Some("".into()),
        copy: None,
        namespace: Some(title.schema.clone()),
        tablespace: has_place.then(|| title.tablespace.clone()),
        table_am: None,
        relkind: None,
        owner: Some(title.owner.clone()),
        with_oids: Some("false".into()),
        dependencies: Vec::new(),
        offset: Offset::NoData,
        file: None,
    }
}

/// As the callers of `ArchiveEntry` in src/bin/pg_dump/pg_dump.c say it.
fn section(desc: &[u8]) -> Section {
    match desc {
        b"COMMENT" | b"SECURITY LABEL" | b"ACL" => Section::None,
        b"TABLE DATA" | b"SEQUENCE SET" | b"BLOBS" | b"BLOB METADATA" => Section::Data,
        b"INDEX"
        | b"INDEX ATTACH"
        | b"CONSTRAINT"
        | b"CHECK CONSTRAINT"
        | b"FK CONSTRAINT"
        | b"TRIGGER"
        | b"EVENT TRIGGER"
        | b"RULE"
        | b"POLICY"
        | b"ROW SECURITY"
        | b"STATISTICS"
        | b"STATISTICS DATA"
        | b"MATERIALIZED VIEW DATA"
        | b"DEFAULT ACL"
        | b"PUBLICATION"
        | b"PUBLICATION TABLE"
        | b"PUBLICATION TABLES IN SCHEMA"
        | b"SUBSCRIPTION"
        | b"SUBSCRIPTION TABLE" => Section::PostData,
        _ => Section::PreData,
    }
}

/// Makes what stands behind data wait for it, and for what stands before.
fn depend(entries: &mut [Entry]) {
    let mut all_data: Vec<DumpId> =
        entries.iter().filter(|e| e.section == Section::Data).map(|e| e.id).collect();
    let mut behind = false;
    // What everything from here on waits for, and indexes that have come since.
    let mut barrier = std::mem::take(&mut all_data);
    let mut indexes: Vec<DumpId> = Vec::new();
    for entry in entries {
        behind |= matches!(entry.section, Section::Data | Section::PostData);
        if !behind || entry.section == Section::Data {
            continue;
        }
        // A view that needs a primary key, say: it was moved behind it.
        if entry.section == Section::PreData {
            entry.section = Section::PostData;
        }
        entry.dependencies.extend(barrier.iter().copied());
        if entry.desc_is("INDEX") {
            indexes.push(entry.id);
            continue;
        }
        entry.dependencies.append(&mut indexes);
        barrier = vec![entry.id];
    }
}

fn strange(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_found_under_the_name_that_its_definition_has() {
        let name = |sql: &str| table_name(sql.as_bytes()).map(|n| n.to_string());
        assert_eq!(name("public.t (\n    a int\n);"), Some("t".into()));
        assert_eq!(name("\"o.dd\".\"T \"\"x\"\"\ny\" PARTITION OF"), Some("T \"x\"\ny".into()));
        assert_eq!(name("\"cut"), None);
    }

    #[test]
    fn titles_are_read_from_the_right() {
        let title =
            Title::parse(b"Data for Name: a; Type: b; Type: TABLE DATA; Schema: s; Owner: -").unwrap();
        assert_eq!((title.data, title.tag, title.owner), (true, "a; Type: b".into(), "".into()));
        let title = Title::parse(b"Name: i; Type: INDEX; Schema: s; Owner: o; Tablespace: t").unwrap();
        assert_eq!((title.data, title.tablespace), (false, "t".into()));
        assert_eq!(Title::parse(b"Name: of nothing"), None);
        assert_eq!(Title::parse(b"PostgreSQL database dump"), None);
    }

    #[test]
    fn indexes_wait_for_data_and_not_for_each_other() {
        let kinds = ["TABLE", "TABLE DATA", "CONSTRAINT", "INDEX", "INDEX", "FK CONSTRAINT", "VIEW", "ACL"];
        let mut entries: Vec<Entry> = kinds
            .iter()
            .zip(1..)
            .map(|(desc, id)| entry(DumpId(id), &Title { desc: (*desc).into(), ..Title::default() }))
            .collect();
        depend(&mut entries);
        let waits: Vec<Vec<i32>> =
            entries.iter().map(|e| e.dependencies.iter().map(|d| d.0).collect()).collect();
        let expected: [&[i32]; 8] = [&[], &[], &[2], &[3], &[3], &[3, 4, 5], &[6], &[7]];
        assert_eq!(waits, expected);
        assert_eq!(entries[6].section, Section::PostData, "a view behind a constraint");
    }
}
