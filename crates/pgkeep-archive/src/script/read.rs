//! Taking a script apart into statements, rows and commands.

use std::io::{self, BufRead};

use bstr::ByteSlice;

use super::split::{Split, Step};
use super::walk::Title;

/// The longest statement that is taken, in bytes: what a server takes at most (`PQ_LARGE_MESSAGE_LIMIT`,
/// src/include/libpq/libpq.h).
pub const MAX_STATEMENT: usize = 0x3fff_ffff;

/// What comes next in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptEvent {
    /// A statement with its semicolon, without comments around it.
    Statement(Vec<u8>),
    /// A `COPY … FROM stdin;`, whose rows follow: [`ScriptReader::rows`].
    Copy(Vec<u8>),
    /// A command of `psql`, its line without the line end.
    Command(Vec<u8>),
}

/// Reads a script as `psql` would, as a stream: memory for one statement at a time.
///
/// ```
/// use pgkeep_archive::{ScriptEvent, ScriptReader};
/// # fn main() -> std::io::Result<()> {
/// let mut script = ScriptReader::new(&b"CREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\n2\n\\.\n"[..]);
/// assert!(matches!(script.next()?, Some(ScriptEvent::Statement(_))));
/// assert!(matches!(script.next()?, Some(ScriptEvent::Copy(_))));
/// let mut rows = Vec::new();
/// script.rows(|bytes| { rows.extend_from_slice(bytes); Ok::<_, std::io::Error>(()) })?;
/// assert_eq!(rows, b"1\n2\n");
/// assert_eq!(script.next()?, None);
/// # Ok(()) }
/// ```
pub struct ScriptReader<R> {
    inner: R,
    split: Split,
    /// Line of the next byte, and of what [`next`](Self::next) gave last.
    next_line: u64,
    line: u64,
    /// Dumps that were begun and not ended, by pg_dump's comments.
    open_dumps: u32,
    in_rows: bool,
    title: Option<Title>,
    server_version: Option<Vec<u8>>,
    dump_version: Option<Vec<u8>>,
}

impl<R: BufRead> ScriptReader<R> {
    /// Reads from here on.
    pub fn new(inner: R) -> Self {
        ScriptReader {
            inner,
            split: Split::new(),
            next_line: 1,
            line: 1,
            open_dumps: 0,
            in_rows: false,
            title: None,
            server_version: None,
            dump_version: None,
        }
    }

    /// The line on which the last event began, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The last entry that pg_dump's comments named since this was asked, if any.
    pub fn take_title(&mut self) -> Option<Title> {
        self.title.take()
    }

    /// The versions of server and pg_dump that the script's first comments name.
    pub fn versions(&self) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        (self.server_version.clone(), self.dump_version.clone())
    }

    /// The next event, or `None` at the end. Rows that were not taken are passed over.
    ///
    /// # Errors
    /// `UnexpectedEof` where the script ends within a statement or before the line by which pg_dump says that it is
    /// whole; `InvalidData` for what no script of pg_dump has.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> io::Result<Option<ScriptEvent>> {
        if self.in_rows {
            self.rows(|_| Ok::<_, io::Error>(()))?;
        }
        loop {
            let buf = self.inner.fill_buf()?;
            if buf.is_empty() {
                return self.end();
            }
            let mut used = 0;
            let mut step = Step::On;
            for &b in buf {
                if self.split.text.is_empty() {
                    self.line = self.next_line;
                }
                used += 1;
                self.next_line += u64::from(b == b'\n');
                step = self.split.push(b);
                if step != Step::On {
                    break;
                }
            }
            self.inner.consume(used);
            match step {
                Step::On if self.split.text.len() > MAX_STATEMENT => {
                    return Err(invalid("a statement is longer than a server takes"));
                }
                Step::On => {}
                Step::Comment => self.comment(),
                Step::Backslash => return self.command().map(Some),
                Step::Statement => return self.statement().map(Some),
            }
        }
    }

    /// Hands the rows behind a [`ScriptEvent::Copy`] to `each`, in pieces that end with any byte, without the end
    /// mark.
    ///
    /// # Errors
    /// `each`'s own, or the reader's; `UnexpectedEof` where the rows stop without an end mark.
    pub fn rows<E: From<io::Error>>(
        &mut self,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        // The beginning of a line that the buffer did not hold whole and that could still be the end mark.
        let mut held: Vec<u8> = Vec::new();
        let mut mid_line = false;
        while self.in_rows {
            let buf = self.inner.fill_buf()?;
            if buf.is_empty() {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the rows stop without an end mark",
                )
                .into());
            }
            let mut at = 0;
            // Where what is to be handed on ends.
            let mut ready = 0;
            while let Some(len) = buf[at..].find_byte(b'\n') {
                let line = &buf[at..at + len];
                self.next_line += 1;
                at += len + 1;
                let first = std::mem::replace(&mut mid_line, false);
                if !first && is_end_mark(&held, line) {
                    self.in_rows = false;
                    held.clear();
                    break;
                }
                if !held.is_empty() {
                    each(&held)?;
                    held.clear();
                }
                ready = at;
            }
            if ready > 0 {
                each(&buf[..ready])?;
            }
            let mut used = at;
            if self.in_rows {
                let rest = &buf[at..];
                used = buf.len();
                if !mid_line && held.len() + rest.len() <= END_MARK {
                    held.extend_from_slice(rest);
                } else if !rest.is_empty() {
                    mid_line = true;
                    if !held.is_empty() {
                        each(&held)?;
                        held.clear();
                    }
                    each(rest)?;
                }
            }
            self.inner.consume(used);
        }
        Ok(())
    }

    fn comment(&mut self) {
        let comment = self.split.comment.trim_ascii();
        if comment == b"PostgreSQL database dump" || comment == b"PostgreSQL database cluster dump" {
            self.open_dumps += 1;
        } else if comment == b"PostgreSQL database dump complete"
            || comment == b"PostgreSQL database cluster dump complete"
        {
            self.open_dumps = self.open_dumps.saturating_sub(1);
        } else if let Some(version) = comment.strip_prefix(b"Dumped from database version ") {
            self.server_version = Some(version.to_vec());
        } else if let Some(version) = comment.strip_prefix(b"Dumped by pg_dump version ") {
            self.dump_version = Some(version.to_vec());
        } else if let Some(title) = Title::parse(comment) {
            self.title = Some(title);
        }
    }

    fn statement(&mut self) -> io::Result<ScriptEvent> {
        let text = self.split.take();
        let lower = text.get(..text.len().min(4096)).unwrap_or_default().to_ascii_lowercase();
        let mut words = lower.split(|b| !(b.is_ascii_alphanumeric() || *b == b'_')).filter(|w| !w.is_empty());
        match (words.next(), words.next(), words.next()) {
            (Some(b"set"), Some(b"standard_conforming_strings"), value) => {
                self.split.standard_strings = value != Some(b"off");
            }
            (Some(b"copy"), ..) if is_from_stdin(&text) => {
                let mut rest = Vec::new();
                self.inner.read_until(b'\n', &mut rest)?;
                self.next_line += 1;
                if !rest.trim_ascii().is_empty() {
                    return Err(invalid("something follows a COPY statement on its line"));
                }
                self.in_rows = true;
                return Ok(ScriptEvent::Copy(text));
            }
            _ => {}
        }
        Ok(ScriptEvent::Statement(text))
    }

    fn command(&mut self) -> io::Result<ScriptEvent> {
        if !self.split.text.is_empty() {
            return Err(invalid("a psql command stands within a statement"));
        }
        let mut line = vec![b'\\'];
        self.inner.read_until(b'\n', &mut line)?;
        self.next_line += 1;
        Ok(ScriptEvent::Command(line.trim_ascii_end().to_vec()))
    }

    fn end(&mut self) -> io::Result<Option<ScriptEvent>> {
        let cut = |why| Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        if !self.split.is_between() {
            return cut("it ends within a statement");
        }
        // A last line without a line end.
        self.comment();
        match self.open_dumps {
            0 => Ok(None),
            _ => cut("it ends before the line \"PostgreSQL database dump complete\""),
        }
    }
}

const END_MARK: usize = 3;

/// Whether a line is `\.`.
fn is_end_mark(held: &[u8], rest: &[u8]) -> bool {
    held.len() + rest.len() <= END_MARK && matches!([held, rest].concat().as_slice(), b"\\." | b"\\.\r")
}

/// Whether a COPY statement takes its rows from what follows it.
fn is_from_stdin(copy: &[u8]) -> bool {
    let tail = &copy[copy.len().saturating_sub(400)..];
    let lower = tail.to_ascii_lowercase();
    let words: Vec<&[u8]> =
        lower.split(|b| b.is_ascii_whitespace() || *b == b';').filter(|w| !w.is_empty()).collect();
    words.windows(2).any(|pair| pair == [b"from".as_slice(), b"stdin"])
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    const SCRIPT: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET a = 1;\n\n\
        COPY public.t (a, b) FROM stdin;\n1\t\\\\.\n\\.x\n2\t\\N\n\\.\n\n\nSELECT 'x';\n\
        COPY e FROM stdin;\n\\.\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n";

    fn read(text: &str, buffer: usize) -> io::Result<Vec<String>> {
        let mut script = ScriptReader::new(BufReader::with_capacity(buffer, text.as_bytes()));
        let mut out = Vec::new();
        while let Some(event) = script.next()? {
            let (ScriptEvent::Statement(text) | ScriptEvent::Command(text) | ScriptEvent::Copy(text)) =
                &event;
            out.push(format!("{} {}", script.line(), String::from_utf8_lossy(text)));
            if matches!(event, ScriptEvent::Copy(_)) {
                let mut rows = Vec::new();
                script.rows(|r| {
                    rows.extend_from_slice(r);
                    Ok::<_, io::Error>(())
                })?;
                out.push(String::from_utf8(rows).unwrap());
            }
        }
        Ok(out)
    }

    #[test]
    fn statements_rows_and_commands_come_in_order_whatever_the_buffer() {
        for buffer in [1, 2, 3, 7, 8192] {
            assert_eq!(
                read(SCRIPT, buffer).unwrap(),
                [
                    "5 \\restrict abc",
                    "7 SET a = 1;",
                    "9 COPY public.t (a, b) FROM stdin;",
                    "1\t\\\\.\n\\.x\n2\t\\N\n",
                    "16 SELECT 'x';",
                    "17 COPY e FROM stdin;",
                    "",
                    "23 \\unrestrict abc",
                ]
            );
        }
    }

    #[test]
    fn a_script_that_was_cut_is_noticed_wherever_it_was_cut() {
        let whole = SCRIPT.find("complete").unwrap();
        for end in 40..whole {
            let cut = read(&SCRIPT[..end], 64);
            assert!(cut.is_err(), "{end}: {cut:?}");
        }
    }
}
