//! Lists of entries, as `pg_restore --list` prints them and `--use-list` reads them.

use std::collections::HashMap;
use std::fmt::Write;

use bstr::{BString, ByteSlice};
use pgkeep_archive::{Algorithm, DumpId, Entry, Toc};

use super::super::RestoreOptions;
use super::super::entry::{bytes, desc, is_wanted};
use crate::error::{EngineError, ErrorKind, Result};

/// What is left of a table of contents of so many entries, in the words of `PrintTOCSummary`
/// (src/bin/pg_dump/pg_backup_archiver.c).
pub fn list(toc: &Toc, of: usize, options: &RestoreOptions) -> String {
    let header = &toc.header;
    let compression = match header.compression {
        Algorithm::None => "none",
        Algorithm::Gzip => "gzip",
        Algorithm::Lz4 => "lz4",
        Algorithm::Zstd => "zstd",
    };
    let at = &header.created;
    let mut out = format!(
        ";\n; Archive created at {}-{:02}-{:02} {:02}:{:02}:{:02}\n;     dbname: {}\n;     TOC Entries: {of}\n\
         ;     Compression: {compression}\n",
        at.year,
        at.mon + 1,
        at.mday,
        at.hour,
        at.min,
        at.sec,
        one_line(&header.database),
    );
    let _ = write!(
        out,
        ";     Dump Version: {}\n;     Format: CUSTOM\n;     Integer: 4 bytes\n;     Offset: {} bytes\n",
        header.version, header.offset_size
    );
    for (what, version) in [("from database", &header.server_version), ("by pg_dump", &header.dump_version)] {
        if version.is_some() {
            let _ = writeln!(out, ";     Dumped {what} version: {}", one_line(version));
        }
    }
    out.push_str(";\n;\n; Selected TOC Entries:\n;\n");
    for entry in toc.entries.iter().filter(|e| is_wanted(e, options) && !is_empty(e)) {
        let number = |text: &Option<BString>| bytes(text).to_str_lossy().into_owned();
        let schema = if bytes(&entry.namespace).is_empty() { "-".into() } else { one_line(&entry.namespace) };
        let _ = writeln!(
            out,
            "{}; {} {} {} {schema} {} {}",
            entry.id.0,
            number(&entry.table_oid),
            number(&entry.oid),
            desc(entry).to_str_lossy(),
            one_line(&entry.tag),
            one_line(&entry.owner)
        );
    }
    out
}

/// Gates make nothing, they only stand between others.
fn is_empty(entry: &Entry) -> bool {
    !entry.has_data && bytes(&entry.definition).is_empty()
}

/// Names may hold line ends (`sanitize_line`, src/bin/pg_dump/dumputils.c).
fn one_line(text: &Option<BString>) -> String {
    bytes(text).to_str_lossy().replace(['\n', '\r'], " ")
}

/// The dump ids of a list: a number begins each line, what follows a semicolon is a comment (`SortTocFromFile`,
/// src/bin/pg_dump/pg_backup_archiver.c).
///
/// # Errors
/// `Config`, with the line, for one that begins with anything else.
pub fn read_list(text: &str) -> Result<Vec<DumpId>> {
    let mut ids = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let words = line.split(';').next().unwrap_or_default().trim();
        if words.is_empty() {
            continue;
        }
        let id = words.parse().ok().filter(|id| *id > 0).ok_or_else(|| {
            EngineError::new(
                ErrorKind::Config,
                format!("line {} of the list", n + 1),
                format!("\"{words}\" is no number"),
            )
            .hint("a line is as --list prints it, such as 215; 1259 16385 TABLE public orders postgres")
        })?;
        ids.push(DumpId(id));
    }
    Ok(ids)
}

/// Keeps these entries alone, in this order, after the settings that all of them need.
pub(super) fn order(toc: &mut Toc, ids: &[DumpId]) -> Result<()> {
    let place: HashMap<DumpId, usize> = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    if let Some(unknown) = ids.iter().find(|id| toc.entry(**id).is_none()) {
        return Err(EngineError::new(
            ErrorKind::Config,
            "the list",
            format!("the archive has no entry {}", unknown.0),
        )
        .hint("make the list from this very archive with --list"));
    }
    toc.entries.retain(|e| place.contains_key(&e.id) || super::always(e));
    toc.entries.sort_by_key(|e| place.get(&e.id).map_or(0, |at| at + 1));
    Ok(())
}
