//! From a TOC to a script (`RestoreArchive`, `restore_toc_entry`, `_printTocEntry`,
//! src/bin/pg_dump/pg_backup_archiver.c).

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

use super::identifier::format_identifier;
use super::large_objects::{for_each, group_acl, is_group_acl, object_oids};
use super::owner::{owned_object, qualified};
use super::pass::Pass;
use crate::{DumpId, Entry, Toc};

/// A stretch of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptPart {
    /// SQL and comments.
    Text(Vec<u8>),
    /// Here stands the data of this entry: its rows with the end mark as the archive has them, or its large objects
    /// by [`LargeObjectText`](super::LargeObjectText).
    Data(DumpId),
}

/// The script of an archive, its data left open.
///
/// `restrict_key` goes after `\restrict`, which keeps `psql` from taking anything in the script for a command of its
/// own until it sees the key again (CVE-2025-8714): letters and digits that nobody can guess.
///
/// As `pg_restore` would write it, with one difference: `SET transaction_timeout` stands in it only where the dumped
/// server knows it (17), so that a script can go back to the server that it came from.
pub fn script(toc: &Toc, restrict_key: &str) -> Vec<ScriptPart> {
    let mut w = Writer::new(toc);
    w.head(restrict_key);
    for pass in [Pass::Main, Pass::Privileges, Pass::AfterPrivileges] {
        for entry in toc.entries.iter().filter(|e| Pass::of(e) == pass) {
            w.entry(entry);
        }
    }
    w.put("--\n-- PostgreSQL database dump complete\n--\n\n");
    w.put(format!("\\unrestrict {restrict_key}\n\n"));
    w.end_text();
    w.parts
}

struct Writer<'t> {
    toc: &'t Toc,
    by_id: HashMap<DumpId, &'t Entry>,
    parts: Vec<ScriptPart>,
    text: Vec<u8>,
    has_search_path: bool,
    schema: Option<BString>,
    tablespace: Option<BString>,
    table_am: Option<BString>,
}

fn bytes(text: &Option<BString>) -> &[u8] {
    text.as_ref().map_or(b"", |t| t.as_slice())
}

impl<'t> Writer<'t> {
    fn new(toc: &'t Toc) -> Self {
        Writer {
            toc,
            by_id: toc.entries.iter().map(|e| (e.id, e)).collect(),
            parts: Vec::new(),
            text: Vec::new(),
            has_search_path: toc.entries.iter().any(|e| e.desc_is("SEARCHPATH")),
            schema: None,
            tablespace: None,
            table_am: None,
        }
    }

    fn put(&mut self, text: impl AsRef<[u8]>) {
        self.text.extend_from_slice(text.as_ref());
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(ScriptPart::Text(std::mem::take(&mut self.text)));
        }
    }

    fn setting(&self, desc: &str) -> Option<&'t [u8]> {
        self.toc.entries.iter().find(|e| e.desc_is(desc)).map(|e| bytes(&e.definition))
    }

    /// `_doSetFixedOutputState` and what stands before it.
    fn head(&mut self, restrict_key: &str) {
        self.put("--\n-- PostgreSQL database dump\n--\n\n");
        self.put(format!("\\restrict {restrict_key}\n\n"));
        let header = &self.toc.header;
        if let Some(version) = &header.server_version {
            self.put(format!("-- Dumped from database version {version}\n"));
        }
        if let Some(version) = &header.dump_version {
            self.put(format!("-- Dumped by pg_dump version {version}\n"));
        }
        self.put("\nSET statement_timeout = 0;\nSET lock_timeout = 0;\n");
        self.put("SET idle_in_transaction_session_timeout = 0;\n");
        let major =
            header.server_version.as_ref().and_then(|v| v.split_str(".").next()?.to_str().ok()?.parse().ok());
        if major.is_none_or(|major: u32| major >= 17) {
            self.put("SET transaction_timeout = 0;\n");
        }
        let encoding = self.setting("ENCODING").unwrap_or(b"SET client_encoding = 'SQL_ASCII';\n");
        self.put(encoding);
        let standard = self.toc.standard_strings();
        self.put(format!("SET standard_conforming_strings = {};\n", if standard { "on" } else { "off" }));
        self.put(self.setting("SEARCHPATH").unwrap_or_default());
        self.put("SET check_function_bodies = false;\nSET xmloption = content;\nSET client_min_messages = warning;\n");
        if !standard {
            self.put("SET escape_string_warning = off;\n");
        }
        self.put("SET row_security = off;\n\n");
    }

    fn entry(&mut self, entry: &Entry) {
        if !is_wanted(entry) {
            return;
        }
        if !entry.has_data {
            if !bytes(&entry.definition).is_empty() {
                self.definition(entry, "");
            }
            return;
        }
        self.definition(entry, "Data for ");
        let objects = entry.desc_is("BLOBS");
        if objects {
            self.select_schema(b"pg_catalog");
            self.put("BEGIN;\n\n");
        } else {
            self.put(bytes(&entry.copy));
        }
        self.end_text();
        self.parts.push(ScriptPart::Data(entry.id));
        if objects {
            self.put("COMMIT;\n\n");
        }
    }

    /// `_printTocEntry`.
    fn definition(&mut self, entry: &Entry, prefix: &str) {
        let partitioned = entry.relkind == Some(i32::from(b'p'));
        self.select_schema(bytes(&entry.namespace));
        self.select_tablespace(entry);
        if !partitioned {
            self.select_table_am(entry);
        }
        self.comment(entry, prefix);
        let definition = bytes(&entry.definition);
        let owner = bytes(&entry.owner);
        if entry.desc_is("BLOB METADATA") {
            let oids = object_oids(entry);
            self.put(for_each(&oids, b"SELECT pg_catalog.lo_create('", b"')"));
            self.put("\n");
            if !owner.is_empty() && !bytes(&entry.drop).is_empty() {
                let to = [b" OWNER TO ".as_slice(), &format_identifier(owner)].concat();
                self.put(for_each(&oids, b"ALTER LARGE OBJECT ", &to));
                self.put("\n");
            }
            return;
        }
        if is_group_acl(entry) {
            let group = entry.dependencies.first().and_then(|id| self.by_id.get(id));
            let oids = group.map(|g| object_oids(g)).unwrap_or_default();
            self.put(group_acl(definition, &oids));
            self.put("\n\n");
        } else if !definition.is_empty() {
            self.put(definition);
            self.put("\n\n");
        }
        if let Some(object) = owned_object(entry).filter(|_| !owner.is_empty()) {
            self.put(
                [b"ALTER ".as_slice(), &object, b" OWNER TO ", &format_identifier(owner), b";\n\n"].concat(),
            );
        }
        if let Some(am) = entry.table_am.as_ref().filter(|_| partitioned) {
            let table = qualified(entry);
            self.put(
                [b"ALTER TABLE ".as_slice(), &table, b" SET ACCESS METHOD ", &format_identifier(am)].concat(),
            );
            self.put(";\n\n");
        }
    }

    fn comment(&mut self, entry: &Entry, prefix: &str) {
        let tag = one_line(bytes(&entry.tag));
        let mut line = format!("--\n-- {prefix}Name: ").into_bytes();
        line.extend_from_slice(&tag);
        for (name, value) in [("Type", &entry.desc), ("Schema", &entry.namespace), ("Owner", &entry.owner)] {
            line.extend_from_slice(format!("; {name}: ").as_bytes());
            line.extend_from_slice(&value.as_ref().map_or(b"-".to_vec(), |v| one_line(v)));
        }
        if let Some(tablespace) = entry.tablespace.as_ref().filter(|t| !t.is_empty()) {
            line.extend_from_slice(b"; Tablespace: ");
            line.extend_from_slice(&one_line(tablespace));
        }
        self.put(line);
        self.put("\n--\n\n");
    }

    /// Archives older than 10.3 count on each entry's own schema (`_selectOutputSchema`).
    fn select_schema(&mut self, schema: &[u8]) {
        if self.has_search_path || schema.is_empty() || self.schema.as_ref().is_some_and(|s| s == schema) {
            return;
        }
        let catalog: &[u8] = if schema == b"pg_catalog" { b"" } else { b", pg_catalog" };
        self.put([b"SET search_path = ".as_slice(), &format_identifier(schema), catalog, b";\n\n"].concat());
        self.schema = Some(schema.into());
    }

    fn select_tablespace(&mut self, entry: &Entry) {
        let Some(want) = &entry.tablespace else { return };
        if self.tablespace.as_ref() == Some(want) {
            return;
        }
        let name = if want.is_empty() { b"''".to_vec() } else { format_identifier(want) };
        self.put([b"SET default_tablespace = ".as_slice(), &name, b";\n\n"].concat());
        self.tablespace = Some(want.clone());
    }

    fn select_table_am(&mut self, entry: &Entry) {
        let Some(want) = &entry.table_am else { return };
        if self.table_am.as_ref() == Some(want) {
            return;
        }
        self.put(
            [b"SET default_table_access_method = ".as_slice(), &format_identifier(want), b";\n\n"].concat(),
        );
        self.table_am = Some(want.clone());
    }
}

/// Nothing in a name may end the comment that it stands in (`sanitize_line`, src/bin/pg_dump/dumputils.c).
pub(super) fn one_line(name: &[u8]) -> Vec<u8> {
    name.iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b }).collect()
}

/// What is about the database itself is restored with `--create` alone (`_tocEntryRequired`).
fn is_wanted(entry: &Entry) -> bool {
    let tag = bytes(&entry.tag);
    match bytes(&entry.desc) {
        b"ENCODING" | b"STDSTRINGS" | b"SEARCHPATH" | b"WARNING" | b"DATABASE" | b"DATABASE PROPERTIES" => {
            false
        }
        b"<Init>" => tag != b"Max OID",
        b"ACL" | b"COMMENT" | b"SECURITY LABEL" | b"STATISTICS DATA" => !tag.starts_with(b"DATABASE "),
        _ => true,
    }
}
