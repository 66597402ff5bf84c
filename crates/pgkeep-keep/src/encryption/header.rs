//! The header of an age file: the file key, wrapped for each recipient, under a MAC
//! (<https://github.com/C2SP/C2SP/blob/main/age.md#header>).

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;

use super::SCHEME;
use super::file_key::FileKey;
use super::stanza::{Stanza, base64, unbase64};

/// The longest header that is read: some thousand recipients.
pub(super) const MAX_HEADER: usize = 256 << 10;
/// What the last line begins with.
const LAST: &str = "---";

/// What a header says.
pub(super) struct Header {
    pub(super) stanzas: Vec<Stanza>,
    /// What the MAC is over.
    text: Vec<u8>,
    mac: Vec<u8>,
    /// Bytes of the whole header.
    pub(super) len: usize,
}

/// Why there is no header.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoHeader {
    /// More bytes are needed to tell.
    Incomplete,
    /// It is none, for this reason.
    Invalid(&'static str),
}

/// Reads the header at the beginning of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Result<Header, NoHeader> {
    let first = [SCHEME.as_bytes(), b"\n"].concat();
    if !bytes.starts_with(&first[..bytes.len().min(first.len())]) {
        return Err(NoHeader::Invalid("it does not begin as an age file of version 1"));
    }
    let mut from = first.len();
    // The last line is the only one that begins so: a body's lines are base64.
    let end = loop {
        let rest = bytes.get(from..).ok_or(NoHeader::Incomplete)?;
        let line = rest.iter().position(|b| *b == b'\n').ok_or(NoHeader::Incomplete)?;
        if rest.starts_with(LAST.as_bytes()) {
            break from + line;
        }
        from += line + 1;
    };
    let invalid = NoHeader::Invalid("its header is not of the form that age has");
    let parsed = std::str::from_utf8(&bytes[first.len()..end]).ok().and_then(parse);
    let (stanzas, mac) = parsed.ok_or(invalid)?;
    Ok(Header { stanzas, mac, text: bytes[..from + LAST.len()].to_vec(), len: end + 1 })
}

/// The stanzas and the MAC of a header without its first line.
fn parse(text: &str) -> Option<(Vec<Stanza>, Vec<u8>)> {
    let mut lines = text.split('\n');
    let mut stanzas = Vec::new();
    loop {
        let line = lines.next()?;
        if let Some(mac) = line.strip_prefix(LAST) {
            let mac = unbase64(mac.strip_prefix(' ')?).filter(|mac| mac.len() == 32)?;
            return (!stanzas.is_empty()).then_some((stanzas, mac));
        }
        stanzas.push(Stanza::read(line.strip_prefix("-> ")?, &mut lines)?);
    }
}

impl Header {
    /// Whether the header is the one that was made with this key.
    pub(super) fn is_of(&self, file_key: &FileKey) -> bool {
        mac_key(file_key).and_then(|key| hmac::verify(&key, &self.text, &self.mac)).is_ok()
    }
}

/// The header that wraps `file_key` by these stanzas.
pub(super) fn write(stanzas: &[Stanza], file_key: &FileKey) -> Result<Vec<u8>, Unspecified> {
    let mut text = format!("{SCHEME}\n");
    stanzas.iter().for_each(|stanza| stanza.write(&mut text));
    text.push_str(LAST);
    let mac = hmac::sign(&mac_key(file_key)?, text.as_bytes());
    Ok(format!("{text} {}\n", base64(mac.as_ref())).into_bytes())
}

fn mac_key(file_key: &FileKey) -> Result<hmac::Key, Unspecified> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, file_key.derive(&[], b"header")?.as_slice()))
}
