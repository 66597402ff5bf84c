//! What a drill found out, as JSON. Its fields are a contract, documented in `docs/drills.md`; a change of meaning
//! raises [`RECORD_VERSION`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{KeepError, Result};
use crate::manifest::{Manifest, hex};

/// Version of the record that this crate writes.
pub const RECORD_VERSION: u32 = 1;

/// The outcome of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DrillVerdict {
    /// Everything that the backup holds was restored and is what was dumped.
    Proven,
    /// Something is missing, or is not what was dumped.
    Failed,
    /// Nothing was found wrong, but the server or a limit kept something from being proven.
    Incomplete,
}

impl DrillVerdict {
    /// The verdict in one word, as keys and records have it.
    pub fn as_str(self) -> &'static str {
        match self {
            DrillVerdict::Proven => "proven",
            DrillVerdict::Failed => "failed",
            DrillVerdict::Incomplete => "incomplete",
        }
    }
}

/// One drill of one backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillRecord {
    /// See [`RECORD_VERSION`].
    pub record_version: u32,
    /// Version of pgkeep that ran it.
    pub pgkeep_version: String,
    /// The outcome.
    pub verdict: DrillVerdict,
    /// What was drilled.
    pub backup: DrilledBackup,
    /// When the drill began, by the clock of the machine that ran it.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// The machine that ran it.
    pub host: String,
    /// The public key that the record is signed with: an Ed25519 key as SubjectPublicKeyInfo (RFC 8410) in base64. The
    /// signature over all bytes of the record stands in the file of the same stem that ends in `.sig`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// What was found.
    pub drill: DrillReport,
}

/// The backup that a record speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrilledBackup {
    /// Name it is kept under.
    pub name: String,
    /// Its id.
    pub id: String,
    /// URL of the archive that was read, without secrets.
    pub url: String,
    /// Bytes of the archive.
    pub size: u64,
    /// SHA-256 of the archive, as its manifest has it.
    pub sha256: String,
    /// SHA-256 of the manifest's JSON as this pgkeep writes it.
    pub manifest_sha256: String,
    /// The database that was backed up.
    pub database: String,
    /// Version of its server.
    pub server_version: String,
    /// Time of the snapshot.
    pub snapshot_time: Timestamp,
    /// What the backup lacks of a full one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
}

impl DrilledBackup {
    /// The backup of this manifest, read from this URL.
    pub fn of(manifest: &Manifest, url: String) -> DrilledBackup {
        DrilledBackup {
            name: manifest.name.clone(),
            id: manifest.id.clone(),
            url,
            size: manifest.size(),
            sha256: manifest.object.sha256.clone(),
            manifest_sha256: hex(&Sha256::digest(manifest.to_json())),
            database: manifest.dump.database.name.clone(),
            server_version: manifest.dump.server_version.clone(),
            snapshot_time: manifest.dump.snapshot_time,
            partial: manifest.dump.partial(),
        }
    }
}

/// What a drill did and found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillReport {
    /// Where it restored: `throwaway`, or host and port of a scratch server.
    pub server: String,
    /// Version of that server.
    pub server_version: String,
    /// What the rows were compared with: `manifest`, or `archive` where there is none.
    pub proven_against: String,
    /// Milliseconds that making the place took: starting a server, roles, an empty database.
    pub prepare_ms: u64,
    /// Milliseconds from the empty database to the restored one: the measured time of recovery.
    pub restore_ms: u64,
    /// Milliseconds that proving took.
    pub proof_ms: u64,
    /// Archive entries carried out.
    pub entries: u64,
    /// Every table of the backup.
    pub tables: Vec<DrilledTable>,
    /// Rows read back.
    pub rows: u64,
    /// Bytes of COPY text read back.
    pub bytes: u64,
    /// Bytes of the restored database on disk.
    pub database_bytes: u64,
    /// Sequences compared.
    pub sequences: u64,
    /// Large objects compared.
    pub large_objects: u64,
    /// Definitions compared with the archive's.
    pub definitions: u64,
    /// Constraints found valid.
    pub constraints: u64,
    /// Indexes found valid.
    pub indexes: u64,
    /// What the user asserted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckResult>,
    /// What is not as it was dumped.
    pub failures: Vec<Finding>,
    /// What could not be proven here.
    pub unproven: Vec<Finding>,
    /// What no drill of this kind compares.
    pub not_compared: Vec<String>,
    /// What one should know beside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl DrillReport {
    /// The verdict that follows from what was found.
    pub fn verdict(&self) -> DrillVerdict {
        match (self.failures.is_empty(), self.unproven.is_empty()) {
            (false, _) => DrillVerdict::Failed,
            (true, false) => DrillVerdict::Incomplete,
            (true, true) => DrillVerdict::Proven,
        }
    }
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrilledTable {
    /// Schema, see [`name_text`](crate::name_text).
    pub schema: String,
    /// Table.
    pub table: String,
    /// Rows that were dumped.
    pub rows: u64,
    /// Bytes of their COPY text.
    pub bytes: u64,
    /// The verdict on its rows.
    pub verdict: DrillVerdict,
}

/// Something that is wrong, or was not proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What: `table public.orders`, `INDEX public.orders_day`.
    pub object: String,
    /// How, or why not.
    pub why: String,
}

impl Finding {
    /// A finding in words.
    pub fn new(object: impl Into<String>, why: impl Into<String>) -> Finding {
        Finding { object: object.into(), why: why.into() }
    }
}

/// A user's assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The query.
    pub sql: String,
    /// Whether it gave one row with `true`.
    pub passed: bool,
    /// What it gave, or the error.
    pub result: String,
}

impl DrillRecord {
    /// The JSON text, with a line for every value.
    pub fn to_json(&self) -> Vec<u8> {
        // Plain data with string keys always has a JSON form.
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// Reads a record; `object` is its URL or file, for the error.
    ///
    /// # Errors
    /// `DrillRecord` for text that is no record or one of a newer version.
    pub fn from_json(json: &[u8], object: &str) -> Result<DrillRecord> {
        let bad = |why: String| KeepError::DrillRecord { object: object.into(), why };
        let record: DrillRecord = serde_json::from_slice(json).map_err(|e| bad(e.to_string()))?;
        match record.record_version {
            0..=RECORD_VERSION => Ok(record),
            newer => Err(bad(format!("it has version {newer}, and {RECORD_VERSION} is the newest known"))),
        }
    }
}
