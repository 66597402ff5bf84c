//! What a restore would do, without doing it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bstr::ByteSlice;
use pgkeep_archive::Section;

use super::RestoreSource;
use super::choose::Contents;
use super::clean::drops;
use super::entry::{bytes, desc, display, is_setting, is_table_data, is_wanted, tag};
use super::options::RestoreOptions;
use super::places;
use crate::error::Result;
use crate::report::{DumpReport, name_text};

/// What a restore would do, in its order.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// What would be dropped.
    pub drops: Vec<String>,
    /// What would be made before the rows, by kind.
    pub creates: BTreeMap<String, u64>,
    /// Tables to be loaded, biggest first.
    pub loads: Vec<Load>,
    /// Entries with large objects.
    pub large_objects: u64,
    /// What would be made after the rows, by kind.
    pub builds: BTreeMap<String, u64>,
    /// Bytes of the archive to be read.
    pub archive_bytes: u64,
    /// Bytes that the target will take on its disk with indexes: of the original by its manifest where it is known,
    /// else a guess by the archive's size.
    pub disk_bytes: u64,
    /// Bytes of COPY text to be loaded; a guess where no manifest tells.
    pub text_bytes: u64,
    /// How long it will take.
    pub time: TimeEstimate,
}

/// How long a restore will take, and what says so.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TimeEstimate {
    /// Seconds.
    pub seconds: f64,
    /// What the figure rests on, in words.
    pub rests_on: String,
}

/// A restore that was measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Bytes of COPY text that it loaded.
    pub text_bytes: u64,
    /// How long it took.
    pub took: Duration,
    /// Which one it was, in words.
    pub which: String,
}

/// A table to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// `schema.table`.
    pub table: String,
    /// Bytes of it in the archive.
    pub archive_bytes: u64,
    /// Rows, where a manifest tells.
    pub rows: Option<u64>,
}

/// Bytes of COPY text that a connection loads in a second, indexes and all: what two cores did in `bench`, halved.
const PER_SECOND: f64 = 25e6;
/// Bytes that an object takes to make, counted as if they were loaded.
const PER_OBJECT: f64 = 50e3;
/// Codecs pack COPY text to about a fifth.
const PACKED: u64 = 5;
/// A row's header and item pointer, on the server's pages.
const PER_ROW: u64 = 28;

/// Bytes of COPY text below which a measured restore says more of the server's start than of this.
const SAYS_SOMETHING: u64 = 1 << 20;

/// Looks at what would be done; the source's table of contents holds what was chosen. `measured` is an earlier restore
/// of such a backup.
///
/// # Errors
/// `Archive` where data that should be there is not.
pub fn preview(
    source: &RestoreSource<'_>,
    dump: Option<&DumpReport>,
    measured: Option<&Measured>,
    options: &RestoreOptions,
) -> Result<Preview> {
    let places = places::find(source)?;
    let entries = &source.toc.entries;
    let mut preview = Preview::default();
    if options.clean {
        preview.drops = drops(entries, options).into_iter().map(|(i, _)| display(&entries[i])).collect();
    }
    let mut loads: HashMap<String, Load> = HashMap::new();
    for entry in entries.iter().filter(|e| !is_setting(e) && is_wanted(e, options)) {
        let length = places.get(&entry.id).filter(|_| entry.has_data).map_or(0, |place| place.len());
        preview.archive_bytes += length;
        let kind = desc(entry).to_str_lossy().into_owned();
        match entry.section {
            Section::Data if is_table_data(entry) && entry.has_data => {
                let table = format!("{}.{}", name_text(bytes(&entry.namespace)), name_text(tag(entry)));
                let new = || Load { table: table.clone(), archive_bytes: 0, rows: None };
                loads.entry(table.clone()).or_insert_with(new).archive_bytes += length;
            }
            Section::Data if desc(entry) == b"BLOBS" => preview.large_objects += 1,
            Section::PostData => *preview.builds.entry(kind).or_default() += 1,
            _ if is_table_data(entry) => {}
            _ => *preview.creates.entry(kind).or_default() += 1,
        }
    }
    let tables = dump.map(|d| Contents::of(&source.toc).tables(&d.tables)).unwrap_or_default();
    for table in &tables {
        if let Some(load) = loads.get_mut(&format!("{}.{}", table.schema, table.table)) {
            load.rows = Some(table.fingerprint.rows);
        }
    }
    preview.loads = loads.into_values().collect();
    preview.loads.sort_by(|a, b| b.archive_bytes.cmp(&a.archive_bytes).then_with(|| a.table.cmp(&b.table)));
    let (rows, plain) = match dump {
        Some(_) => tables.iter().fold((0, 0), |(r, b), t| (r + t.fingerprint.rows, b + t.fingerprint.bytes)),
        None => (0, preview.archive_bytes * PACKED),
    };
    let whole = dump.map(|d| (d.database.size.unwrap_or(0), d.totals().1)).filter(|(size, _)| *size > 0);
    preview.disk_bytes = match whole {
        // The original's size has its indexes and its bloat in it.
        Some((size, all)) if all > 0 => (size as f64 * plain as f64 / all as f64) as u64,
        _ => (plain + rows * PER_ROW) * 3 / 2,
    };
    preview.text_bytes = plain;
    let objects = preview.creates.values().chain(preview.builds.values()).sum();
    preview.time = match measured.filter(|m| m.text_bytes >= SAYS_SOMETHING) {
        Some(m) => TimeEstimate {
            seconds: m.took.as_secs_f64() * plain as f64 / m.text_bytes as f64,
            rests_on: m.which.clone(),
        },
        None => by_size(plain, objects, options.jobs),
    };
    Ok(preview)
}

fn by_size(text: u64, objects: u64, jobs: usize) -> TimeEstimate {
    TimeEstimate {
        seconds: (text as f64 / jobs.max(1) as f64 + objects as f64 * PER_OBJECT) / PER_SECOND,
        rests_on: "the amount of data alone, not this server or network; a drill measures it".into(),
    }
}
