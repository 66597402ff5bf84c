//! A script, and what stands in it.

use std::io::{self, BufReader};
use std::thread;

use pgkeep_archive::{
    Algorithm, Contents, ReadAt, ScriptContents, ScriptReader, Timestamp, Title, Toc, Visit, file_decoder,
    walk,
};

use super::super::places::Place;
use super::super::read_ahead::ReadAhead;
use super::super::source::RestoreSource;
use crate::cancel::Cancel;
use crate::error::{EngineError, ErrorKind, Result};
use crate::progress::Progress;

/// A script in a store.
pub struct ScriptSource<'a> {
    pub(crate) archive: &'a (dyn ReadAt + Sync),
    pub(crate) compression: Algorithm,
}

/// Versions of server and pg_dump.
type Versions = (Option<Vec<u8>>, Option<Vec<u8>>);

impl<'a> ScriptSource<'a> {
    /// Looks whether this is a script: by its name (`.sql`, and `.gz`, `.zst` or `.lz4` behind it), or by its first
    /// bytes, which are those of a comment, a setting, or a `psql` command. `None` for anything else.
    ///
    /// # Errors
    /// `Archive` where it cannot be read.
    pub fn open(archive: &'a (dyn ReadAt + Sync), name: &str) -> Result<Option<ScriptSource<'a>>> {
        let mut magic = [0; 8];
        let n = archive.read_at(0, &mut magic).map_err(unreadable)?;
        let magic = &magic[..n];
        let compression = Algorithm::of_file(magic);
        let named = [".sql", ".sql.gz", ".sql.zst", ".sql.lz4"].iter().any(|end| name.ends_with(end));
        let begins = [b"--".as_slice(), b"SET ", b"\\restric"].iter().any(|start| magic.starts_with(start));
        let is_archive = magic.starts_with(b"PGDMP");
        Ok((!is_archive && (named || begins)).then_some(ScriptSource { archive, compression }))
    }

    /// Reads the script to its end for what its comments name.
    ///
    /// # Errors
    /// `Archive` where it is cut or damaged, or not pg_dump's.
    pub fn contents(&self, progress: &Progress, cancel: &Cancel) -> Result<ScriptContents> {
        let mut contents = Contents::new(now());
        let (server, dump) = self.pass(&mut contents, progress, cancel)?;
        contents.finish(server, dump).map_err(|e| strange(0, e))
    }

    /// The script as an archive of which definitions can be restored, and no data.
    pub fn definitions(&self, toc: Toc) -> RestoreSource<'a> {
        RestoreSource { archive: self.archive, toc, data_start: 0, starts: Vec::new() }
    }

    /// Goes through the script once.
    pub(crate) fn pass<V: Visit<Error = io::Error>>(
        &self,
        visitor: &mut V,
        progress: &Progress,
        cancel: &Cancel,
    ) -> Result<Versions> {
        let len = self.archive.len().map_err(unreadable)?;
        thread::scope(|scope| {
            let packed = ReadAhead::begin(scope, self.archive, Place { from: 0, to: len }, progress);
            let plain = file_decoder(self.compression, packed)?;
            let mut script = ScriptReader::new(BufReader::with_capacity(256 << 10, plain));
            let walked = walk(&mut script, &mut Watched { visitor, cancel });
            cancel.check()?;
            walked.map_err(|e| strange(script.line(), e))?;
            Ok(script.versions())
        })
    }
}

/// Looks at the flag between pieces of data.
struct Watched<'v, V> {
    visitor: &'v mut V,
    cancel: &'v Cancel,
}

impl<V: Visit<Error = io::Error>> Visit for Watched<'_, V> {
    type Error = io::Error;

    fn setting(&mut self, sql: &[u8]) -> io::Result<()> {
        self.visitor.setting(sql)
    }
    fn entry(&mut self, title: &Title) -> io::Result<()> {
        self.visitor.entry(title)
    }
    fn statement(&mut self, sql: Vec<u8>) -> io::Result<()> {
        self.visitor.statement(sql)
    }
    fn data(&mut self, title: &Title, first: &[u8]) -> io::Result<()> {
        self.visitor.data(title, first)
    }
    fn text(&mut self, text: &[u8]) -> io::Result<()> {
        self.cancel.check().map_err(io::Error::other)?;
        self.visitor.text(text)
    }
    fn object(&mut self, oid: u32) -> io::Result<()> {
        self.visitor.object(oid)
    }
    fn object_end(&mut self) -> io::Result<()> {
        self.visitor.object_end()
    }
    fn data_end(&mut self) -> io::Result<()> {
        self.visitor.data_end()
    }
}

pub(super) fn unreadable(e: io::Error) -> EngineError {
    EngineError::new(ErrorKind::Archive, "reading the script", e.to_string())
        .hint("the script is cut short or damaged: fetch it again, or take another backup")
}

fn strange(line: u64, e: io::Error) -> EngineError {
    let place = if line > 0 { format!("line {line}: ") } else { String::new() };
    EngineError::new(ErrorKind::Archive, "reading the script", format!("{place}{e}")).hint(
        "this takes whole scripts of pg_dump and pgkeep; run another one by psql, and back up that database",
    )
}

/// The time as an archive's header has it.
fn now() -> Timestamp {
    let now = jiff::Zoned::now();
    Timestamp {
        sec: now.second().into(),
        min: now.minute().into(),
        hour: now.hour().into(),
        mday: now.day().into(),
        mon: i32::from(now.month()) - 1,
        year: now.year().into(),
        isdst: -1,
    }
}
