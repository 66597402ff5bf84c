//! Fingerprints of rows: equal for equal sets of rows, whatever their order.
//!
//! The fingerprint of a table is its row count, the bytes of its COPY text, and the sum modulo 2^128 of XXH3-128
//! (seed 0) over each row's COPY text line without its newline. A sum can be built in any order and from any
//! parts, so segments and partitions merge by addition.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Row count, bytes of COPY text (newlines included) and the sum of the rows' hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Number of rows.
    pub rows: u64,
    /// Bytes of COPY text, one newline a row included.
    pub bytes: u64,
    /// Sum modulo 2^128 of the rows' XXH3-128, written as 32 hexadecimal digits.
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    pub sum: u128,
}

impl AddAssign for Fingerprint {
    fn add_assign(&mut self, other: Fingerprint) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {} bytes, {:032x}", self.rows, self.bytes, self.sum)
    }
}

fn to_hex<S: Serializer>(sum: &u128, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&format!("{sum:032x}"))
}

fn from_hex<'de, D: Deserializer<'de>>(d: D) -> Result<u128, D::Error> {
    let text = String::deserialize(d)?;
    u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
}

/// Adds up the fingerprint of COPY text that comes in pieces of any size.
#[derive(Default)]
pub struct RowHasher {
    total: Fingerprint,
    /// A row whose end has not come yet; rows can be a gigabyte long and are never gathered.
    open: Option<Box<Xxh3>>,
}

impl RowHasher {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        RowHasher::default()
    }

    /// Takes the next piece of COPY text.
    pub fn update(&mut self, mut text: &[u8]) {
        self.total.bytes += text.len() as u64;
        while let Some(end) = memchr::memchr(b'\n', text) {
            let (line, rest) = text.split_at(end);
            text = &rest[1..];
            let hash = match self.open.take() {
                None => xxh3_128(line),
                Some(mut open) => {
                    open.update(line);
                    open.digest128()
                }
            };
            self.total.rows += 1;
            self.total.sum = self.total.sum.wrapping_add(hash);
        }
        if !text.is_empty() {
            self.open.get_or_insert_with(Default::default).update(text);
        }
    }

    /// Rows whose end has been seen.
    pub fn rows(&self) -> u64 {
        self.total.rows
    }

    /// Bytes taken.
    pub fn bytes(&self) -> u64 {
        self.total.bytes
    }

    /// The fingerprint of everything taken. A last line without newline counts as a row.
    pub fn finish(mut self) -> Fingerprint {
        if let Some(open) = self.open.take() {
            self.total.rows += 1;
            self.total.sum = self.total.sum.wrapping_add(open.digest128());
        }
        self.total
    }
}

/// Fingerprint of one large object: its oid, length and bytes, all under one hash, so that objects add up as
/// rows do. `content` is the XXH3-128 of its bytes.
pub fn large_object(oid: u32, length: u64, content: u128) -> Fingerprint {
    let mut key = [0u8; 28];
    key[..4].copy_from_slice(&oid.to_le_bytes());
    key[4..12].copy_from_slice(&length.to_le_bytes());
    key[12..].copy_from_slice(&content.to_le_bytes());
    Fingerprint { rows: 1, bytes: length, sum: xxh3_128(&key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[&[u8]]) -> Fingerprint {
        let mut h = RowHasher::new();
        for p in pieces {
            h.update(p);
        }
        h.finish()
    }

    #[test]
    fn the_order_of_rows_and_the_cut_of_pieces_do_not_matter() {
        let whole = of(&[b"1\ta\n2\tb\n\n3\tc\n"]);
        assert_eq!(whole, of(&[b"3\tc\n", b"2\tb\n1\t", b"", b"a\n\n"]));
        assert_eq!((whole.rows, whole.bytes), (4, 13));
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let mut sum = of(&[b"1\n"]);
        sum += of(&[b"2\n"]);
        assert_eq!(sum, of(&[b"2\n1\n"]));
    }

    #[test]
    fn a_changed_a_doubled_and_a_missing_row_are_noticed() {
        let good = of(&[b"1\n2\n"]);
        assert_ne!(good, of(&[b"1\n3\n"]));
        assert_ne!(good, of(&[b"1\n2\n2\n"]));
        assert_ne!(good, of(&[b"1\n"]));
        assert_ne!(of(&[b"1\n1\n"]).sum, of(&[b"2\n2\n"]).sum);
    }

    #[test]
    fn json_keeps_all_128_bits() {
        let f = Fingerprint { rows: 1, bytes: 2, sum: u128::MAX - 5 };
        let json = serde_json::to_string(&f).unwrap();
        assert_eq!(serde_json::from_str::<Fingerprint>(&json).unwrap(), f);
    }
}
