//! A rule's text in the session's encoding: it comes in UTF-8, whatever the database's is.

use crate::conn::Client;
use crate::error::Result;

/// The same text as the session takes it. The server converts it; in plain ASCII, in which all encodings agree, it is
/// not asked.
pub(super) fn encoded(client: &mut Client, text: &str) -> Result<Vec<u8>> {
    if text.is_ascii() {
        return Ok(text.into());
    }
    let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
    let row = client
        .query_one(format!("SELECT convert_from(decode('{hex}', 'hex'), 'UTF8')"))
        .map_err(|e| e.during(format!("\"{text}\" in the database's encoding")))?;
    Ok(row.bytes(0).unwrap_or_default().to_vec())
}
