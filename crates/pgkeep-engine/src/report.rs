//! What a run found out, as plain data: the manifest and the screen are made from it.

use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;

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
