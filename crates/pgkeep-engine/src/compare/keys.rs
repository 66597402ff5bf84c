//! Which rows of a table differ, by primary key.

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::cancel::Cancel;
use crate::conn::{Client, quote_literal};
use crate::definitions::Side;
use crate::error::{EngineError, Result};
use crate::report::TableReport;
use crate::session::prepare;
use crate::snapshot::Snapshot;

/// Keys that are named; all are counted.
const NAMED: usize = 10;
/// Rows that go from a reading thread to the comparing one at a time, and how many such lots may wait.
const LOT: usize = 1000;
const WAITING: usize = 4;

/// Rows that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// Rows whose key only the first side has.
    pub only_first: u64,
    /// Rows whose key only the second side has.
    pub only_second: u64,
    /// Rows whose key both have, with other values.
    pub different: u64,
    /// The first of them in the order of their keys' text.
    pub first: Vec<KeyDifference>,
}

/// One row that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDifference {
    /// Its key as a row's text: `(42)`, `(a,"b c")`.
    pub key: String,
    /// Where it is.
    pub side: Side,
}

/// Key and digest of a row, both in hexadecimal.
type Line = (Vec<u8>, Vec<u8>);

/// Compares a table by its primary key; `None` where it has none, or not the same columns on both sides.
pub(super) fn compare(
    first: &Snapshot,
    second: &Snapshot,
    table: &TableReport,
    cancel: &Cancel,
) -> Result<Option<Keys>> {
    let open = |snapshot: &Snapshot| {
        let mut client = Client::connect(snapshot.client.info(), cancel)?;
        prepare(&mut client, "UTF8")?;
        snapshot.give_to(&mut client)?;
        Ok::<_, EngineError>(client)
    };
    let (mut ours, mut theirs) = (open(first)?, open(second)?);
    let (Some(our), Some(their)) = (statement(&mut ours, table)?, statement(&mut theirs, table)?) else {
        return Ok(None);
    };
    if our != their {
        return Ok(None);
    }
    std::thread::scope(|scope| {
        let (send, ours_read) = bounded(WAITING);
        let a = scope.spawn(move || read(&mut ours, &our, &send));
        let (send, theirs_read) = bounded(WAITING);
        let b = scope.spawn(move || read(&mut theirs, &their, &send));
        let keys = merge(&mut Lines::new(ours_read), &mut Lines::new(theirs_read));
        for reader in [a, b] {
            reader.join().unwrap_or_else(|_| Err(EngineError::cancelled()))?;
        }
        Ok(Some(keys))
    })
}

/// The query that gives keys and digests in order, made of the server's own quoting. As bytes of UTF-8 keys sort the
/// same under every collation and encoding.
fn statement(client: &mut Client, table: &TableReport) -> Result<Option<Vec<u8>>> {
    let literal = |name: &str| quote_literal(name.as_bytes());
    let mut sql = b"SELECT i.indrelid::pg_catalog.regclass, \
        (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY k.n) \
         FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k(attnum, n) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum \
         WHERE k.n <= i.indnkeyatts), \
        (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attname) \
         FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum > 0 AND NOT a.attisdropped \
           AND a.attgenerated = '') \
        FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        WHERE i.indisprimary AND n.nspname = "
        .to_vec();
    sql.extend_from_slice(&literal(&table.schema));
    sql.extend_from_slice(b" AND c.relname = ");
    sql.extend_from_slice(&literal(&table.table));
    let rows = client.query(sql).map_err(|e| e.during("looking for the primary key"))?;
    let Some(row) = rows.first() else { return Ok(None) };
    let part = |i| row.bytes(i).unwrap_or_default();
    Ok(Some(
        [
            b"COPY (SELECT pg_catalog.convert_to(ROW(".as_slice(),
            part(1),
            b")::pg_catalog.text, 'UTF8') AS k, pg_catalog.sha256(pg_catalog.convert_to(ROW(",
            part(2),
            b")::pg_catalog.text, 'UTF8')) FROM ONLY ",
            part(0),
            b" ORDER BY k) TO STDOUT",
        ]
        .concat(),
    ))
}

fn read(client: &mut Client, sql: &[u8], to: &Sender<Vec<Line>>) -> Result<()> {
    let mut rest: Vec<u8> = Vec::new();
    let mut lot = Vec::with_capacity(LOT);
    // The other end goes only after the last row, or when the other side failed.
    let gone = || EngineError::cancelled();
    client.copy_out(sql, |bytes| {
        rest.extend_from_slice(bytes);
        let mut begin = 0;
        while let Some(end) = memchr::memchr(b'\n', &rest[begin..]) {
            let line = &rest[begin..begin + end];
            begin += end + 1;
            let mut fields = line.splitn(2, |b| *b == b'\t').map(<[u8]>::to_vec);
            lot.push((fields.next().unwrap_or_default(), fields.next().unwrap_or_default()));
            if lot.len() == LOT {
                to.send(std::mem::take(&mut lot)).map_err(|_| gone())?;
            }
        }
        rest.drain(..begin);
        Ok(())
    })?;
    to.send(lot).map_err(|_| gone())
}

/// Rows as they come, until the reader is done.
struct Lines {
    from: Receiver<Vec<Line>>,
    lot: std::vec::IntoIter<Line>,
}

impl Lines {
    fn new(from: Receiver<Vec<Line>>) -> Lines {
        Lines { from, lot: Vec::new().into_iter() }
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.lot.next() {
                return Some(line);
            }
            self.lot = self.from.recv().ok()?.into_iter();
        }
    }
}

/// Goes through both in the order of keys.
fn merge(ours: &mut dyn Iterator<Item = Line>, theirs: &mut dyn Iterator<Item = Line>) -> Keys {
    let mut keys = Keys::default();
    let (mut a, mut b) = (ours.next(), theirs.next());
    loop {
        let side = match (&a, &b) {
            (None, None) => return keys,
            (Some(_), None) => Some(Side::First),
            (None, Some(_)) => Some(Side::Second),
            (Some((x, _)), Some((y, _))) if x < y => Some(Side::First),
            (Some((x, _)), Some((y, _))) if x > y => Some(Side::Second),
            (Some((_, x)), Some((_, y))) => (x != y).then_some(Side::Both),
        };
        let at = match side {
            Some(Side::Second) => &b,
            _ => &a,
        };
        if let (Some(side), Some((key, _))) = (side, at) {
            match side {
                Side::First => keys.only_first += 1,
                Side::Second => keys.only_second += 1,
                Side::Both => keys.different += 1,
            }
            if keys.first.len() < NAMED {
                keys.first.push(KeyDifference { key: shown(key), side });
            }
        }
        if side != Some(Side::Second) {
            a = ours.next();
        }
        if side != Some(Side::First) {
            b = theirs.next();
        }
    }
}

/// The text of a key in COPY's form of bytea, `\\x2834...`.
fn shown(key: &[u8]) -> String {
    let digits = key.strip_prefix(b"\\\\x").unwrap_or(key);
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or(0);
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, b| byte << 4 | digit(b))).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_side_and_changed_rows_are_counted_and_named() {
        let line = |key: &str, value: &str| (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        let ours = [line("\\\\x31", "a"), line("\\\\x32", "b"), line("\\\\x34", "d"), line("\\\\x35", "e")];
        let theirs = [line("\\\\x31", "a"), line("\\\\x32", "x"), line("\\\\x33", "c"), line("\\\\x34", "d")];
        let keys = merge(&mut ours.into_iter(), &mut theirs.into_iter());
        assert_eq!((keys.only_first, keys.only_second, keys.different), (1, 1, 1));
        let named: Vec<_> = keys.first.iter().map(|k| (k.key.as_str(), k.side)).collect();
        assert_eq!(named, [("2", Side::Both), ("3", Side::Second), ("5", Side::First)]);
    }
}
