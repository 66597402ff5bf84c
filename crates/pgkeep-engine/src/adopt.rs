//! What can be told of an archive that somebody else made, after it was read whole.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pgkeep_archive::Toc;
use pgkeep_keep::{FoundRows, FoundTable, Selection};

use crate::report::{
    DatabaseIdentity, DumpReport, Format, OptionsRecord, SequenceReport, TableReport, name_text,
};
use crate::restore::RestoreSource;
use crate::restore::collect::sequence_of;
use crate::restore::copy_statement::CopyStatement;
use crate::session::encoding_of;

/// What an archive is, whose rows a check has found.
pub struct Adoptee<'a> {
    /// Its table of contents; `None` for a script.
    pub source: Option<&'a RestoreSource<'a>>,
    /// Its format.
    pub format: Format,
    /// Bytes in the store.
    pub size: u64,
    /// When it was written there, by the store's clock.
    pub modified: Timestamp,
    /// The database's name, if the archive does not tell it.
    pub database: Option<String>,
    /// The database, if it is known to be one that pgkeep has backed up.
    pub identity: Option<DatabaseIdentity>,
}

impl Adoptee<'_> {
    /// The name of the database that the archive itself tells.
    pub fn own_name(&self) -> Option<String> {
        Some(name_text(self.source?.toc.header.database.as_ref()?))
    }

    /// The report that a dump would have given, as far as it is known; `None` where nothing tells the database's name.
    pub fn report(&self, found: &FoundRows) -> Option<DumpReport> {
        let toc = self.source.map(|s| &s.toc);
        let header = toc.map(|t| &t.header);
        let text = |b: Option<&bstr::BString>| b.map(|b| name_text(b)).unwrap_or_default();
        let encoding = toc.and_then(|t| encoding_of(t).ok()).unwrap_or_default();
        let database = self.identity.clone().or_else(|| {
            let name = self.own_name().or_else(|| self.database.clone())?;
            let encoding = encoding.clone();
            Some(DatabaseIdentity {
                name,
                system_identifier: None,
                oid: None,
                host: None,
                port: None,
                encoding,
                size: None,
            })
        })?;
        let dumped_by = text(header.and_then(|h| h.dump_version.as_ref()));
        Some(DumpReport {
            database,
            server_version: text(header.and_then(|h| h.server_version.as_ref())),
            format: self.format,
            schema_source: format!("pg_dump {dumped_by}").trim_end().to_owned(),
            snapshot_lsn: None,
            snapshot_time: self.taken(),
            compression: header.map(|h| h.compression.to_string()).unwrap_or_default(),
            archive_version: header.map(|h| h.version.to_string()).unwrap_or_default(),
            encoding,
            head_len: self.source.map_or(0, |s| s.data_start),
            archive_len: self.size,
            toc_entries: toc.map_or(0, |t| t.entries.len() as u64),
            tables: found.tables.iter().filter_map(table).collect(),
            sequences: toc.map(sequences).unwrap_or_default(),
            large_objects: found.large_objects,
            jobs: 1,
            options: OptionsRecord {
                segments: false,
                segment_size: 0,
                lock_timeout_ms: None,
                selection: toc.and_then(missing),
            },
            notes: vec![
                "adopted: the archive was made by another program, and what it left out is not known".into(),
            ],
        })
    }

    /// When the dump was begun. An archive tells it in the local time of a machine whose zone it does not tell, which is
    /// taken for UTC, and for no later than the object.
    fn taken(&self) -> Timestamp {
        let of_header = |toc: &Toc| {
            let t = toc.header.created;
            let small = |n: i32| i8::try_from(n).ok();
            let (year, month) = (i16::try_from(t.year).ok()?, small(t.mon + 1)?);
            let time = DateTime::new(
                year,
                month,
                small(t.mday)?,
                small(t.hour)?,
                small(t.min)?,
                small(t.sec.min(59))?,
                0,
            );
            Some(time.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
        };
        self.source.and_then(|s| of_header(&s.toc)).map_or(self.modified, |t| t.min(self.modified))
    }
}

fn table(found: &FoundTable) -> Option<TableReport> {
    let copy = CopyStatement::parse(&found.copy)?;
    let (schema, table) = found
        .name
        .clone()
        .unwrap_or_else(|| (name_text(copy.schema.as_deref().unwrap_or_default()), name_text(&copy.table)));
    Some(TableReport {
        schema,
        table,
        columns: copy.columns.iter().map(|c| name_text(c)).collect(),
        filter: None,
        segments: found.segments,
        fingerprint: found.fingerprint,
    })
}

fn sequences(toc: &Toc) -> Vec<SequenceReport> {
    toc.entries.iter().filter(|e| e.desc_is("SEQUENCE SET")).filter_map(sequence_of).collect()
}

/// What plainly is not in the archive, so that it never counts as a full one.
fn missing(toc: &Toc) -> Option<Selection> {
    let has = |desc: &str| toc.entries.iter().any(|e| e.desc_is(desc));
    let (tables, rows) = (has("TABLE"), has("TABLE DATA"));
    let selection =
        Selection { schema_only: tables && !rows, data_only: rows && !tables, ..Selection::default() };
    (selection.is_partial()).then_some(selection)
}
