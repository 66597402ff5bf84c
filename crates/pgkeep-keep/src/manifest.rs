//! The manifest: what a backup is, as JSON. Its fields are a contract, documented in `docs/manifest.md`; a change
//! of meaning raises [`MANIFEST_VERSION`].

use jiff::Timestamp;
use pgkeep_archive::Algorithm;
use pgkeep_store::{Finished, Store};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::encryption::EncryptionRecord;
use crate::error::{KeepError, Result};
use crate::fingerprint::Fingerprint;
use crate::id::BackupId;
use crate::selection::Selection;
use crate::self_digest;

/// Version of the manifest that this crate writes.
pub const MANIFEST_VERSION: u32 = 1;

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// See [`MANIFEST_VERSION`].
    pub manifest_version: u32,
    /// Version of pgkeep that wrote it.
    pub pgkeep_version: String,
    /// The backup's id.
    pub id: String,
    /// The name it is kept under: the configured name or the database's.
    pub name: String,
    /// When the run began.
    pub started: Timestamp,
    /// When the archive was whole.
    pub finished: Timestamp,
    /// The archive as an object; where it is many, the one that leads to the others (`toc.dat`).
    pub object: ObjectRecord,
    /// The other objects of an archive that is many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<ObjectRecord>,
    /// The server's roles and tablespaces, where they were taken along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<GlobalsRecord>,
    /// How all of these are encrypted; `None` where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<EncryptionRecord>,
    /// Where the backup was to be kept, and whether the run got it there; empty where one store was meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<CopyRecord>,
    /// When somebody else's archive was read whole and given this manifest; `None` for pgkeep's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Timestamp>,
    /// What was dumped.
    pub dump: DumpReport,
}

/// One store that a backup was written to, as its run saw it; what was copied later does not show here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRecord {
    /// The store's URL.
    pub store: String,
    /// Why it has no copy; `None` where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// The archive as an object in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// Key below the store's URL.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Composite SHA-256 as S3 defines it: SHA-256 over the binary SHA-256 digests of the parts, in order. With a
    /// single part it is written as that part's own digest. The archive's head is written last, so no digest can
    /// run over the whole from its first byte.
    pub sha256: String,
    /// Bytes of each part but the last.
    pub part_size: u64,
    /// SHA-256 of each part, hexadecimal.
    pub parts: Vec<String>,
}

impl ObjectRecord {
    /// The record of a finished upload.
    pub fn new(key: &str, finished: &Finished) -> ObjectRecord {
        let digests: Vec<&[u8]> = finished.parts.iter().map(|p| p.sha256.as_slice()).collect();
        ObjectRecord {
            key: key.to_owned(),
            size: finished.size,
            sha256: composite(&digests),
            part_size: finished.part_size,
            parts: digests.iter().map(|d| hex(d)).collect(),
        }
    }
}

/// Bytes of a part where somebody else's object is read to be recorded: small enough to be held, and not too many.
const READ_PART: u64 = 16 << 20;

impl ObjectRecord {
    /// The record of an object that is in the store already, which is read whole. `tick` is called with the bytes read
    /// since the last call, and ends the reading by returning false.
    ///
    /// # Errors
    /// The store's; `Cancelled`.
    pub fn read(store: &Store, key: &str, tick: &mut dyn FnMut(u64) -> bool) -> Result<ObjectRecord> {
        let size = store.head(key)?.size;
        let mut digests = Vec::new();
        let mut from = 0;
        while from < size {
            let bytes = store.get_range(key, from..size.min(from + READ_PART))?;
            digests.push(Sha256::digest(&bytes));
            from += READ_PART;
            if !tick(bytes.len() as u64) {
                return Err(KeepError::Cancelled);
            }
        }
        let digests: Vec<&[u8]> = digests.iter().map(|d| d.as_slice()).collect();
        Ok(ObjectRecord {
            key: key.to_owned(),
            size,
            sha256: composite(&digests),
            part_size: READ_PART,
            parts: digests.iter().map(|d| hex(d)).collect(),
        })
    }
}

/// Roles, role settings and tablespaces of the server, as an SQL script beside the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalsRecord {
    /// Key below the store's URL.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Make and version of what wrote it, such as `pg_dumpall 17.11`.
    pub source: String,
    /// Whether the hashes of the roles' passwords are in it.
    pub passwords: bool,
}

impl GlobalsRecord {
    /// The record of this script.
    pub fn new(key: &str, sql: &[u8], source: String, passwords: bool) -> GlobalsRecord {
        let sha256 = hex(&Sha256::digest(sql));
        GlobalsRecord { key: key.to_owned(), size: sql.len() as u64, sha256, source, passwords }
    }

    /// Whether this is the script that was recorded.
    pub fn fits(&self, sql: &[u8]) -> bool {
        self.size == sql.len() as u64 && self.sha256 == hex(&Sha256::digest(sql))
    }
}

/// The composite digest over parts' digests; see [`ObjectRecord::sha256`].
fn composite(digests: &[&[u8]]) -> String {
    match digests {
        [one] => hex(one),
        many => {
            let mut all = Sha256::new();
            many.iter().for_each(|d| all.update(d));
            hex(&all.finalize())
        }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Which database this is, however it is reached: two dumps with equal identities are of one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseIdentity {
    /// Database name.
    pub name: String,
    /// The cluster's `system_identifier`, where the role may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_identifier: Option<String>,
    /// OID in `pg_database`; unknown of an adopted archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<u32>,
    /// Host the dump connected to; unknown of an adopted archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Port the dump connected to; unknown of an adopted archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Server encoding.
    pub encoding: String,
    /// Database size in bytes as `pg_database_size` gives it, where permitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// How a backup is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// pg_dump's custom format (`-Fc`).
    #[default]
    Custom,
    /// pg_dump's directory format (`-Fd`).
    Directory,
    /// An SQL script (`-Fp`), compressed as a file or not at all.
    Plain,
}

impl Format {
    /// How an object of this format ends: `dump`, `sql`, `sql.zst` …
    pub fn extension(self, codec: Algorithm) -> String {
        match self {
            Format::Custom => "dump".into(),
            Format::Directory => "dir".into(),
            Format::Plain => format!("sql{}", codec.file_suffix()),
        }
    }

    fn is_custom(&self) -> bool {
        *self == Format::Custom
    }
}

/// What a dump found and wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpReport {
    /// The database.
    pub database: DatabaseIdentity,
    /// Version of the server.
    pub server_version: String,
    /// Format of the archive; not written for the custom one.
    #[serde(default, skip_serializing_if = "Format::is_custom")]
    pub format: Format,
    /// Make and version of the schema source, such as `pg_dump 17.11`.
    pub schema_source: String,
    /// WAL position of the snapshot, where the server tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_lsn: Option<String>,
    /// Time of the snapshot, by the server's clock.
    pub snapshot_time: Timestamp,
    /// Codec and level, such as `zstd:3`.
    pub compression: String,
    /// Archive format version, such as `1.15.0`; empty for a script.
    pub archive_version: String,
    /// Client encoding of the archive's text.
    pub encoding: String,
    /// Bytes of header and TOC at the archive's start.
    pub head_len: u64,
    /// Bytes of the whole archive.
    pub archive_len: u64,
    /// Entries in the TOC as the schema source gave it.
    pub toc_entries: u64,
    /// Every table that was read.
    pub tables: Vec<TableReport>,
    /// Every sequence.
    pub sequences: Vec<SequenceReport>,
    /// All large objects as one fingerprint (`rows` is their number); see
    /// [`fingerprint::large_object`](crate::fingerprint::large_object).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub large_objects: Option<Fingerprint>,
    /// Connections that read data.
    pub jobs: usize,
    /// How the dump was asked for, beyond `compression` and `jobs`.
    pub options: OptionsRecord,
    /// What went on with a remark: retried connections, tables read by the coordinator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Options of a dump that do not show elsewhere in its report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionsRecord {
    /// Whether big tables were cut into segments.
    pub segments: bool,
    /// Aimed size of a segment in bytes on the server's disk.
    pub segment_size: u64,
    /// Longest wait for a table's lock in milliseconds; `None` for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_timeout_ms: Option<u64>,
    /// What of the database was asked for; `None` for everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
}

impl DumpReport {
    /// What a full backup has and this one lacks, in one line; `None` for a full one.
    pub fn partial(&self) -> Option<String> {
        self.options.selection.as_ref().filter(|s| s.is_partial()).map(Selection::words)
    }

    /// Whether values were masked.
    pub fn is_masked(&self) -> bool {
        self.options.selection.as_ref().is_some_and(|s| !s.masks.is_empty())
    }

    /// Whether rows were left out or values masked, so that it must not take the original's place.
    pub fn changes_rows(&self) -> bool {
        self.options.selection.as_ref().is_some_and(Selection::changes_rows)
    }

    /// Rows and bytes of COPY text of all tables together.
    pub fn totals(&self) -> (u64, u64) {
        self.tables.iter().fold((0, 0), |(r, b), t| (r + t.fingerprint.rows, b + t.fingerprint.bytes))
    }
}

/// One table's rows as they were dumped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReport {
    /// Schema, see [`name_text`].
    pub schema: String,
    /// Table, see [`name_text`].
    pub table: String,
    /// Columns in the order in which they were copied, see [`name_text`]; generated columns are not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Condition by which rows were chosen (extension configuration tables), as SQL after the table's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Number of pieces the table was read in.
    pub segments: u32,
    /// Rows, bytes and hash.
    #[serde(flatten)]
    pub fingerprint: Fingerprint,
}

/// A sequence's state as it was dumped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceReport {
    /// Schema, see [`name_text`].
    pub schema: String,
    /// Sequence, see [`name_text`].
    pub sequence: String,
    /// `last_value`.
    pub last_value: i64,
    /// `is_called`.
    pub is_called: bool,
}

/// A name as text: UTF-8 as it is, but every byte that is not UTF-8 as `\xHH` and a backslash doubled, so that
/// equal text means equal bytes whatever the database's encoding.
pub fn name_text(name: &[u8]) -> String {
    let mut out = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' {
                out.push('\\');
            }
            out.push(c);
        }
        for b in chunk.invalid() {
            out.push_str(&format!("\\x{b:02X}"));
        }
    }
    out
}

impl std::fmt::Display for DatabaseIdentity {
    /// `shop on db.example.com:5432, cluster 7710434895666740746`, as far as it is known.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if let (Some(host), Some(port)) = (&self.host, self.port) {
            write!(f, " on {host}:{port}")?;
        }
        self.system_identifier.iter().try_for_each(|cluster| write!(f, ", cluster {cluster}"))
    }
}

impl Manifest {
    /// The backup's id.
    pub fn backup_id(&self) -> BackupId {
        BackupId::of_manifest_key(&format!("x/{}.manifest.json", self.id))
            .map_or_else(|| BackupId::new(self.started), |(_, id)| id)
    }

    /// All objects of the archive, the leading one first.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectRecord> {
        std::iter::once(&self.object).chain(&self.files)
    }

    /// Bytes of the whole archive in the store.
    pub fn size(&self) -> u64 {
        self.objects().map(|o| o.size).sum()
    }

    /// Keys of everything that the manifest commits, itself not among them.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.objects().map(|o| o.key.as_str()).chain(self.globals.iter().map(|g| g.key.as_str()))
    }

    /// The JSON text, with a line for every value so that people can read and compare it, and its own digest at the end.
    pub fn to_json(&self) -> Vec<u8> {
        // Plain data with string keys always has a JSON form.
        self_digest::seal(&serde_json::to_string_pretty(self).unwrap_or_default()).into_bytes()
    }

    /// Whether this is the manifest of a newer pgkeep, which this one cannot read.
    pub(crate) fn is_newer(json: &[u8]) -> bool {
        #[derive(Deserialize)]
        struct Version {
            manifest_version: u32,
        }
        serde_json::from_slice::<Version>(json).is_ok_and(|v| v.manifest_version > MANIFEST_VERSION)
    }

    /// Reads a manifest; `object` is its URL, for the error.
    ///
    /// # Errors
    /// `Manifest` for text that is no manifest, one of a newer version, or one that was changed after it was written. A
    /// manifest without a digest, as early versions wrote it, is taken as it is.
    pub fn from_json(json: &[u8], object: &str) -> Result<Manifest> {
        #[derive(Deserialize)]
        struct Version {
            manifest_version: u32,
            #[serde(default)]
            digest: Option<String>,
        }
        let bad =
            |why: String, hint: &str| KeepError::Manifest { object: object.into(), why, hint: hint.into() };
        let damaged =
            "the file was changed or cut; the archive beside it can still be restored by its own name";
        let version: Version = serde_json::from_slice(json).map_err(|e| bad(e.to_string(), damaged))?;
        if version.manifest_version > MANIFEST_VERSION {
            let why = format!(
                "it has version {}, and {MANIFEST_VERSION} is the newest known",
                version.manifest_version
            );
            return Err(bad(why, "use a newer pgkeep"));
        }
        if version.digest.is_some_and(|digest| !self_digest::holds(json, &digest)) {
            let why = "it was edited or damaged after it was written: its digest is not that of its content";
            return Err(bad(why.into(), damaged));
        }
        serde_json::from_slice(json).map_err(|e| bad(e.to_string(), damaged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_encoding_have_one_text_each() {
        assert_eq!(name_text("größe".as_bytes()), "größe");
        assert_eq!(name_text(b"gr\xf6\xdfe"), "gr\\xF6\\xDFe");
        assert_eq!(name_text(b"a\\xF6"), "a\\\\xF6");
    }

    #[test]
    fn a_newer_manifest_is_refused_with_the_way_out() {
        let e = Manifest::from_json(br#"{"manifest_version": 99}"#, "x").unwrap_err().to_string();
        assert!(e.contains("99") && e.contains("newer pgkeep"), "{e}");
        assert!(Manifest::from_json(b"{", "x").is_err());
    }

    #[test]
    fn the_composite_digest_is_sha256_over_the_parts_digests() {
        // printf of the two digests of "a" and "b" as bytes into sha256sum.
        let a = Sha256::digest(b"a");
        let b = Sha256::digest(b"b");
        let all = Sha256::digest([a.as_slice(), b.as_slice()].concat());
        assert_eq!(composite(&[&a, &b]), hex(&all));
        assert_eq!(composite(&[&a]), "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
    }
}
