//! Large objects: groups of them in the TOC, and their bytes as SQL.

use bstr::ByteSlice;

use crate::Entry;

/// The oids of a BLOB METADATA entry (17 and later): one a line.
pub fn object_oids(entry: &Entry) -> Vec<u32> {
    let lines = entry.definition.iter().flat_map(|d| d.lines());
    lines.filter_map(|line| line.to_str().ok()?.trim().parse().ok()).collect()
}

/// Whether the entry's GRANTs stand for every object of a group (`ACL` with the tag `LARGE OBJECTS a..b`, 17 and
/// later).
pub fn is_group_acl(entry: &Entry) -> bool {
    entry.desc_is("ACL") && entry.tag.as_ref().is_some_and(|t| t.starts_with(b"LARGE OBJECTS"))
}

/// One statement for each object.
pub(super) fn for_each(oids: &[u32], before: &[u8], after: &[u8]) -> Vec<u8> {
    let mut sql = Vec::with_capacity(oids.len() * (before.len() + after.len() + 12));
    for oid in oids {
        sql.extend_from_slice(before);
        sql.extend_from_slice(oid.to_string().as_bytes());
        sql.extend_from_slice(after);
        sql.extend_from_slice(b";\n");
    }
    sql
}

/// The group's GRANTs written out for each of its objects (`IssueACLPerBlob`, src/bin/pg_dump/pg_backup_db.c): the
/// archive has them once, for the first.
pub fn group_acl(sql: &[u8], oids: &[u32]) -> Vec<u8> {
    const MARK: &[u8] = b"LARGE OBJECT ";
    let mut out = Vec::new();
    let (mut start, mut quoted, mut i) = (0, false, 0);
    // End of "LARGE OBJECT " and of the oid after it.
    let mut number: Option<(usize, usize)> = None;
    while i < sql.len() {
        match sql[i] {
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b';' => {
                if let Some((from, to)) = number.take() {
                    out.extend_from_slice(&for_each(oids, &sql[start..from], &sql[to..i]));
                } else {
                    out.extend_from_slice(&sql[start..=i]);
                }
                start = i + 1;
            }
            b'L' if number.is_none() && sql[i..].starts_with(MARK) => {
                let from = i + MARK.len();
                let digits = sql[from..].iter().take_while(|b| b.is_ascii_digit()).count();
                number = Some((from, from + digits));
                i = from + digits;
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    out.extend_from_slice(&sql[start..]);
    out
}

/// Bytes of one `lowrite` (`LOBBUFSIZE`, src/bin/pg_dump/pg_backup_archiver.h).
const PIECE: usize = 16 << 10;

/// Writes large objects as the statements that fill them (`StartRestoreLO`, `dump_lo_buf`, `EndRestoreLO`,
/// src/bin/pg_dump/pg_backup_archiver.c). The objects exist already; a transaction is around them all.
pub struct LargeObjectText {
    standard_strings: bool,
    piece: Vec<u8>,
}

impl LargeObjectText {
    /// `standard_strings` is the script's `standard_conforming_strings`.
    pub fn new(standard_strings: bool) -> Self {
        LargeObjectText { standard_strings, piece: Vec::new() }
    }

    /// Begins an object; `INV_WRITE` is 131072 (src/include/libpq/libpq-fs.h).
    pub fn begin(&mut self, oid: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("SELECT pg_catalog.lo_open('{oid}', 131072);\n").as_bytes());
    }

    /// The object's next bytes.
    pub fn bytes(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while self.piece.len() + bytes.len() >= PIECE {
            let (now, later) = bytes.split_at(PIECE - self.piece.len());
            self.piece.extend_from_slice(now);
            self.flush(out);
            bytes = later;
        }
        self.piece.extend_from_slice(bytes);
    }

    /// Ends the object.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.flush(out);
        out.extend_from_slice(b"SELECT pg_catalog.lo_close(0);\n\n");
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        if self.piece.is_empty() {
            return;
        }
        out.extend_from_slice(b"SELECT pg_catalog.lowrite(0, '\\");
        if !self.standard_strings {
            out.push(b'\\');
        }
        out.push(b'x');
        for b in self.piece.drain(..) {
            out.push(DIGITS[usize::from(b >> 4)]);
            out.push(DIGITS[usize::from(b & 15)]);
        }
        out.extend_from_slice(b"');\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_for_the_first_object_become_grants_for_each() {
        let sql = b"GRANT SELECT ON LARGE OBJECT 7 TO \"x; LARGE OBJECT 9\";\nREVOKE ALL ON LARGE OBJECT 7 FROM b;\n";
        let out = String::from_utf8(group_acl(sql, &[7, 8])).unwrap();
        for oid in [7, 8] {
            assert!(
                out.contains(&format!("GRANT SELECT ON LARGE OBJECT {oid} TO \"x; LARGE OBJECT 9\";")),
                "{out}"
            );
            assert!(out.contains(&format!("REVOKE ALL ON LARGE OBJECT {oid} FROM b;")), "{out}");
        }
    }

    #[test]
    fn objects_are_written_in_pieces() {
        let (mut text, mut out) = (LargeObjectText::new(true), Vec::new());
        text.begin(7, &mut out);
        text.bytes(&[0xab; PIECE], &mut out);
        text.bytes(&[1], &mut out);
        text.end(&mut out);
        let out = String::from_utf8(out).unwrap();
        assert!(
            out.starts_with("SELECT pg_catalog.lo_open('7', 131072);\nSELECT pg_catalog.lowrite(0, '\\xabab")
        );
        assert!(out.ends_with("SELECT pg_catalog.lowrite(0, '\\x01');\nSELECT pg_catalog.lo_close(0);\n\n"));
        assert_eq!(out.matches("lowrite").count(), 2);
    }
}
