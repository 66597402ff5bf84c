//! Going through a script of pg_dump entry by entry, as its comments name them.

use std::io::{self, BufRead};

use bstr::{BString, ByteSlice};

use super::contents::number;
use super::read::{ScriptEvent, ScriptReader};
use super::write::one_line;
use crate::Entry;

/// An entry as a script's comment names it: `-- Name: t; Type: TABLE; Schema: public; Owner: me`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Title {
    /// Whether its data follows, and not its definition.
    pub data: bool,
    /// Name.
    pub tag: BString,
    /// Kind, such as `TABLE`.
    pub desc: BString,
    /// Schema, empty for none; and so on.
    pub schema: BString,
    /// Owner.
    pub owner: BString,
    /// Tablespace.
    pub tablespace: BString,
}

impl Title {
    /// The comment without its dashes; `None` for other comments.
    pub(super) fn parse(comment: &[u8]) -> Option<Title> {
        let (before, rest) = comment.split_once_str("Name: ")?;
        let data = before == b"Data for ";
        if !(data || before.is_empty() || before.ends_with(b" for ")) {
            return None;
        }
        let cut = |text: &'_ [u8], word: &str| {
            let at = text.rfind(word)?;
            Some((text[..at].to_vec(), text[at + word.len()..].to_vec()))
        };
        let none = |text: Vec<u8>| -> BString { if text == b"-" { "".into() } else { text.into() } };
        let (rest, tablespace) = cut(rest, "; Tablespace: ").unwrap_or((rest.to_vec(), Vec::new()));
        let (rest, owner) = cut(&rest, "; Owner: ")?;
        let (rest, schema) = cut(&rest, "; Schema: ")?;
        let (tag, desc) = cut(&rest, "; Type: ")?;
        Some(Title {
            data,
            tag: tag.into(),
            desc: desc.into(),
            schema: none(schema),
            owner: none(owner),
            tablespace: tablespace.into(),
        })
    }

    /// Whether it is of the database itself, which a script with `--create` makes.
    pub fn is_about_database(&self) -> bool {
        let about = matches!(self.desc.as_slice(), b"ACL" | b"COMMENT" | b"SECURITY LABEL");
        matches!(self.desc.as_slice(), b"DATABASE" | b"DATABASE PROPERTIES")
            || about && self.schema.is_empty() && self.tag.starts_with(b"DATABASE ")
    }

    /// Whether it is this entry of the script's [`Contents`](super::Contents).
    pub fn names(&self, entry: &Entry) -> bool {
        let is = |text: &Option<BString>, word: &BString| text.as_ref() == Some(word);
        let tag = entry.tag.as_ref().is_some_and(|tag| one_line(tag) == self.tag);
        tag && is(&entry.desc, &self.desc)
            && is(&entry.namespace, &self.schema)
            && entry.has_data == self.data
    }

    /// Schema and name.
    pub(super) fn name(&self) -> (BString, BString) {
        (self.schema.clone(), self.tag.clone())
    }
}

/// Takes what a script holds. Data comes as `data`, then `text` or for large objects `object`, `text`, `object_end`, then
/// `data_end`.
pub trait Visit {
    /// Its own errors, among them those of the reader.
    type Error: From<io::Error>;
    /// A statement that belongs to no entry.
    fn setting(&mut self, sql: &[u8]) -> Result<(), Self::Error>;
    /// An entry begins.
    fn entry(&mut self, title: &Title) -> Result<(), Self::Error>;
    /// A statement of the entry.
    fn statement(&mut self, sql: Vec<u8>) -> Result<(), Self::Error>;
    /// The entry's data begins with this statement: a `COPY`, or the first of many.
    fn data(&mut self, title: &Title, first: &[u8]) -> Result<(), Self::Error>;
    /// Data, in pieces, with the end mark.
    fn text(&mut self, _: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }
    /// A large object begins.
    fn object(&mut self, _oid: u32) -> Result<(), Self::Error> {
        Ok(())
    }
    /// The large object ends.
    fn object_end(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
    /// The data ends.
    fn data_end(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Goes through the script to its end.
///
/// # Errors
/// The visitor's own, the reader's, and `InvalidData` for a script that connects to another database than the one that
/// it makes.
pub fn walk<R: BufRead, V: Visit>(script: &mut ScriptReader<R>, visitor: &mut V) -> Result<(), V::Error> {
    let mut title: Option<Title> = None;
    // Whether data that is statements is under way.
    let mut open = false;
    while let Some(event) = script.next()? {
        if let Some(next) = script.take_title() {
            if std::mem::take(&mut open) {
                visitor.data_end()?;
            }
            visitor.entry(&next)?;
            title = Some(next);
        }
        match (event, &title) {
            (ScriptEvent::Command(line), _)
                if line.starts_with(b"\\restrict") || line.starts_with(b"\\unrestrict") => {}
            // With --create the script enters the database that it has made, and settings follow.
            (ScriptEvent::Command(line), Some(of))
                if of.desc == "DATABASE" && line.starts_with(b"\\connect ") =>
            {
                title = None;
            }
            (ScriptEvent::Command(line), _) => {
                let line = line.to_str_lossy().into_owned();
                let why = format!("the command {line} has no place in an archive of one database");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why).into());
            }
            (ScriptEvent::Copy(copy), Some(title)) if title.data => {
                visitor.data(title, &copy)?;
                script.rows(|rows| visitor.text(rows))?;
                // As pg_dump ends a table's data in an archive (`dumpTableData_copy`).
                visitor.text(b"\\.\n\n\n")?;
                visitor.data_end()?;
            }
            (ScriptEvent::Copy(_), _) => {
                let why = "rows stand where no comment names their table";
                return Err(io::Error::new(io::ErrorKind::InvalidData, why).into());
            }
            (ScriptEvent::Statement(sql), None) => visitor.setting(&sql)?,
            (ScriptEvent::Statement(sql), Some(_)) if is_setting(&sql) => visitor.setting(&sql)?,
            (ScriptEvent::Statement(sql), Some(title)) if title.data => {
                if !std::mem::replace(&mut open, true) {
                    visitor.data(title, &sql)?;
                }
                match title.desc == "BLOBS" {
                    true => large_object(&sql, visitor)?,
                    false => {
                        visitor.text(&sql)?;
                        visitor.text(b"\n")?;
                    }
                }
            }
            (ScriptEvent::Statement(sql), Some(_)) => visitor.statement(sql)?,
        }
    }
    if open { visitor.data_end() } else { Ok(()) }
}

/// What `_selectTablespace`, `_selectTableAccessMethod` and `_selectOutputSchema` put between entries.
fn is_setting(sql: &[u8]) -> bool {
    [b"SET default_t".as_slice(), b"SET search_path = ", b"SET default_with_oids = "]
        .iter()
        .any(|s| sql.starts_with(s))
}

/// One of the statements that [`LargeObjectText`](super::LargeObjectText) writes.
fn large_object<V: Visit>(sql: &[u8], visitor: &mut V) -> Result<(), V::Error> {
    if let Some(oid) = number(sql, b"SELECT pg_catalog.lo_open('") {
        return visitor.object(oid);
    }
    if let Some(hex) = sql.strip_prefix(b"SELECT pg_catalog.lowrite(0, '") {
        let hex = hex.trim_start_with(|c| c == '\\').strip_prefix(b"x").unwrap_or_default();
        let bytes = unhex(hex).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no hexadecimal"))?;
        return visitor.text(&bytes);
    }
    if sql.starts_with(b"SELECT pg_catalog.lo_close(") { visitor.object_end() } else { Ok(()) }
}

/// Hexadecimal digits up to the quote behind them.
pub fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.split(|b| *b == b'\'').next()?;
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}
