//! The integers and strings that everything else is made of
//! (`ReadInt`, `WriteInt`, `ReadStr`, `WriteStr` in src/bin/pg_dump/pg_backup_archiver.c).

use std::io::Read;

use bstr::BString;

use crate::{ArchiveError, Result};

/// Bytes of an int in an archive: a sign byte and four bytes of magnitude, the lowest first.
pub const INT_LEN: usize = 5;

/// The longest string that is read from a TOC: 1 GiB, the limit of any PostgreSQL text value.
pub const MAX_STRING: u64 = 1 << 30;

/// Strings are read in steps of this size, so that memory follows what arrives and not what is claimed.
const STRING_STEP: usize = 64 * 1024;

/// Encodes an int as an archive holds it.
pub fn encode_int(n: i32) -> [u8; INT_LEN] {
    let [a, b, c, d] = n.unsigned_abs().to_le_bytes();
    [u8::from(n < 0), a, b, c, d]
}

/// Decodes an int; any sign byte other than 0 means negative, as it does to `pg_restore`.
///
/// `None` if the magnitude does not fit, which no writer produces (save 2^31 with a sign, the lowest int).
pub fn decode_int(raw: [u8; INT_LEN]) -> Option<i32> {
    let [sign, a, b, c, d] = raw;
    let magnitude = u32::from_le_bytes([a, b, c, d]);
    if sign == 0 { i32::try_from(magnitude).ok() } else { 0i32.checked_sub_unsigned(magnitude) }
}

/// Somewhere encoded bytes go: a buffer, or a mere count of them.
pub(crate) trait Put {
    fn put(&mut self, bytes: &[u8]);

    fn put_int(&mut self, n: i32) {
        self.put(&encode_int(n));
    }

    /// A string, or NULL, which has the length −1.
    fn put_str(&mut self, s: Option<&[u8]>) {
        match s {
            None => self.put_int(-1),
            Some(s) => {
                self.put_int(i32::try_from(s.len()).unwrap_or(i32::MAX));
                self.put(s);
            }
        }
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts instead of writing.
#[derive(Default)]
pub(crate) struct Count(pub(crate) u64);

impl Put for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len() as u64;
    }
}

/// A reader that knows where it stands and never takes a byte more than asked for.
pub(crate) struct Source<'r> {
    inner: &'r mut dyn Read,
    offset: u64,
}

impl<'r> Source<'r> {
    pub(crate) fn new(inner: &'r mut dyn Read) -> Self {
        Self { inner, offset: 0 }
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn exact(&mut self, buf: &mut [u8], reading: &'static str) -> Result<()> {
        self.inner.read_exact(buf).map_err(|e| ArchiveError::read(self.offset, reading, e))?;
        self.offset += buf.len() as u64;
        Ok(())
    }

    /// Fills as much of `buf` as the input has, and says how much that was.
    pub(crate) fn up_to(&mut self, buf: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.inner.read(&mut buf[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ArchiveError::Read { offset: self.offset, source }),
            }
        }
        self.offset += filled as u64;
        Ok(filled)
    }

    pub(crate) fn byte(&mut self, reading: &'static str) -> Result<u8> {
        let mut b = [0u8];
        self.exact(&mut b, reading)?;
        Ok(b[0])
    }

    pub(crate) fn int(&mut self, reading: &'static str) -> Result<i32> {
        let start = self.offset;
        let mut raw = [0u8; INT_LEN];
        self.exact(&mut raw, reading)?;
        decode_int(raw)
            .ok_or_else(|| ArchiveError::corrupt(start, format!("no int can be {raw:?} ({reading})")))
    }

    pub(crate) fn string(&mut self, reading: &'static str) -> Result<Option<BString>> {
        let start = self.offset;
        let len = self.int(reading)?;
        let Ok(len) = usize::try_from(len) else { return Ok(None) };
        if len as u64 > MAX_STRING {
            return Err(ArchiveError::StringTooLong {
                offset: start,
                claimed: len as u64,
                limit: MAX_STRING,
            });
        }
        let mut s = Vec::new();
        while s.len() < len {
            let had = s.len();
            s.resize(had + STRING_STEP.min(len - had), 0);
            self.exact(&mut s[had..], reading)?;
        }
        Ok(Some(s.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ints_survive_the_round_trip() {
        for n in [0, 1, -1, 255, 256, -256, 1 << 24, i32::MAX, -i32::MAX, i32::MIN] {
            assert_eq!(decode_int(encode_int(n)), Some(n), "{n}");
        }
        assert_eq!(encode_int(1), [0, 1, 0, 0, 0]);
        assert_eq!(encode_int(-1), [1, 1, 0, 0, 0]);
        assert_eq!(decode_int([0, 0, 0, 0, 0x80]), None, "2^31 is no int");
        assert_eq!(decode_int([1, 1, 0, 0, 0x80]), None);
    }

    #[test]
    fn null_and_empty_strings_stay_apart() {
        let mut out = Vec::new();
        out.put_str(None);
        out.put_str(Some(b""));
        out.put_str(Some(b"caf\xe9"));
        let mut input = &out[..];
        let mut src = Source::new(&mut input);
        assert_eq!(src.string("a").unwrap(), None);
        assert_eq!(src.string("b").unwrap(), Some("".into()));
        assert_eq!(src.string("c").unwrap(), Some(b"caf\xe9".as_slice().into()));
        assert_eq!(src.offset(), out.len() as u64);
    }

    #[test]
    fn a_claimed_gigabyte_is_not_allocated() {
        let mut bytes = encode_int(1 << 30).to_vec();
        bytes.extend_from_slice(b"short");
        let mut input = &bytes[..];
        let error = Source::new(&mut input).string("a tag").unwrap_err();
        assert!(matches!(error, ArchiveError::Truncated { offset: 5, reading: "a tag" }), "{error:?}");
    }

    #[test]
    fn a_string_beyond_postgresqls_limit_is_refused_by_its_length() {
        let bytes = encode_int(i32::MAX);
        let mut input = &bytes[..];
        let error = Source::new(&mut input).string("a tag").unwrap_err();
        assert!(matches!(error, ArchiveError::StringTooLong { offset: 0, .. }), "{error:?}");
    }
}
