//! The directory format (src/bin/pg_dump/pg_backup_directory.c): `toc.dat`, a file for each data entry, a list for each
//! group of large objects, a file for each large object.
//!
//! Data files are those of their codec, named by its ending (`3041.dat.gz`); a table's rows stand in one as they do in a
//! block, end mark included.

use std::io::{self, BufRead, BufReader, Read};

use bstr::{BStr, BString, ByteSlice};

use crate::{
    Algorithm, ArchiveError, BlockKind, Container, Entry, FormatVersion, MAX_CHUNK, Offset, RangeReader,
    ReadAt, Result, Toc, begin_block, end_blobs, end_block, file_decoder, push_blob_end, push_blob_start,
    push_chunk_head,
};

/// The file with the table of contents, which leads to the others.
pub const TOC_FILE: &str = "toc.dat";
/// The list of large objects before format 1.16, whatever the table of contents calls it (`_LoadLOs`).
pub(crate) const OLD_LIST: &str = "blobs.toc";
/// The longest line of a list (`MAXPGPATH`, src/include/pg_config_manual.h).
const MAX_LINE: u64 = 1024;

/// The file of a large object, without the ending of its codec (`_StartLO`).
pub fn large_object_file(oid: u32) -> String {
    format!("blob_{oid}.dat")
}

/// A large object's line in its list (`_EndLO`).
pub fn large_object_line(oid: u32) -> String {
    format!("{oid} {}\n", large_object_file(oid))
}

/// The files of a directory, which can be read at any place, by several threads at once.
pub trait Folder {
    /// Bytes of a file; `None` if there is no such file.
    fn size(&self, file: &str) -> io::Result<Option<u64>>;

    /// Reads into `buf` from `offset` on, and says how many bytes that gave; 0 is the end.
    fn read_at(&self, file: &str, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
}

/// A directory as one custom archive: a [`ReadAt`] whose bytes are a table of contents with offsets, and for each data
/// entry a block whose chunks are the bytes of its files.
///
/// Only what frames these bytes is made up. Codecs are those of files, which [`decoder`](crate::decoder) reads, too.
pub struct DirectoryArchive<F> {
    folder: F,
    spans: Vec<Span>,
    len: u64,
}

/// A stretch of the archive.
struct Span {
    at: u64,
    bytes: Bytes,
}

enum Bytes {
    Made(Vec<u8>),
    File { name: String, from: u64 },
}

impl<F: Folder> DirectoryArchive<F> {
    /// Reads the table of contents and the lists of large objects, and looks every data file up.
    ///
    /// # Errors
    /// Where a file is missing, or is compressed otherwise than the table of contents says.
    pub fn open(folder: F) -> Result<Self> {
        let text = open_text(&folder, TOC_FILE, "the table of contents")?;
        let mut toc = match Toc::read(&mut BufReader::new(text)) {
            Ok((toc, _)) => toc,
            // Told by the file that has it.
            Err(e) if e.is_damage() => {
                return Err(ArchiveError::BadFile { file: TOC_FILE.into(), what: e.to_string() });
            }
            Err(e) => return Err(e),
        };
        if toc.header.container != Container::Directory {
            let what = "it is a custom archive, not the table of contents of a directory; name it as a file";
            return Err(ArchiveError::BadFile { file: TOC_FILE.into(), what: what.into() });
        }
        toc.header.container = Container::Custom;
        toc.header.offset_size = 8;
        let mut archive = DirectoryArchive { folder, spans: Vec::new(), len: 0 };
        // Its length does not depend on what the offsets are.
        let head_len = toc.encoded_len();
        archive.len = head_len;
        let (version, codec) = (toc.header.version, toc.header.compression);
        for entry in toc.entries.iter_mut().filter(|e| e.has_data) {
            let Some(file) = entry.file.take() else { continue };
            entry.offset = Offset::At(archive.len);
            if !entry.desc_is("BLOBS") {
                archive.table(entry, &file, codec)?;
            } else if version < FormatVersion::V1_16 {
                archive.large_objects(entry, BStr::new(OLD_LIST), codec)?;
            } else {
                archive.large_objects(entry, file.as_bstr(), codec)?;
            }
        }
        archive.spans.insert(0, Span { at: 0, bytes: Bytes::Made(toc.to_bytes()?) });
        Ok(archive)
    }

    fn table(&mut self, entry: &Entry, file: &BString, codec: Algorithm) -> Result<()> {
        let mut frame = Vec::new();
        begin_block(BlockKind::Data, entry.id, &mut frame);
        self.file(frame, plain_name(file.as_bstr())?, codec, entry)?;
        let mut frame = Vec::new();
        end_block(&mut frame);
        self.made(frame);
        Ok(())
    }

    fn large_objects(&mut self, entry: &Entry, list: &BStr, codec: Algorithm) -> Result<()> {
        let list = plain_name(list)?;
        let mut frame = Vec::new();
        begin_block(BlockKind::Blobs, entry.id, &mut frame);
        for (oid, file) in self.read_list(list, &entry.display().to_string())? {
            push_blob_start(&mut frame, oid);
            self.file(frame, plain_name(file.as_bstr())?, codec, entry)?;
            frame = Vec::new();
            push_blob_end(&mut frame);
        }
        end_blobs(&mut frame);
        self.made(frame);
        Ok(())
    }

    /// Oids and file names, a line each.
    fn read_list(&self, list: &str, what: &str) -> Result<Vec<(u32, BString)>> {
        let mut text = BufReader::new(open_text(&self.folder, list, what)?);
        let mut objects = Vec::new();
        loop {
            let mut line = Vec::new();
            let read = text.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
            if read.map_err(|source| ArchiveError::Read { offset: 0, source })? == 0 {
                return Ok(objects);
            }
            let mut words = line.fields();
            let oid = words.next().and_then(|w| w.to_str().ok()?.parse().ok());
            match (oid, words.next(), words.next(), line.ends_with(b"\n")) {
                (Some(oid), Some(file), None, true) if oid != 0 => objects.push((oid, file.into())),
                _ => {
                    let what = format!("the line {:?} is none of a list of large objects", BStr::new(&line));
                    return Err(damaged(list, what));
                }
            }
        }
    }

    /// Adds a file's bytes as chunks, behind what frames them.
    fn file(&mut self, mut frame: Vec<u8>, file: &str, codec: Algorithm, entry: &Entry) -> Result<()> {
        let (name, found, size) = find(&self.folder, file, codec, &entry.display().to_string())?;
        if found != codec {
            let (is, meant) = (named(found), named(codec));
            let what = format!(
                "it is {is}, and the table of contents says {meant}: somebody has packed or unpacked it by hand; \
                 make it {meant} again, under the name {file}{}",
                codec.file_suffix()
            );
            return Err(ArchiveError::BadFile { file: name, what });
        }
        let chunk = MAX_CHUNK as u64;
        let mut from = 0;
        while from < size {
            let len = chunk.min(size - from);
            push_chunk_head(&mut frame, len as usize);
            self.made(std::mem::take(&mut frame));
            self.spans.push(Span { at: self.len, bytes: Bytes::File { name: name.clone(), from } });
            self.len = self.len.saturating_add(len);
            from += len;
        }
        let mut end = Vec::new();
        if size == 0 {
            end = frame;
        }
        self.made(end);
        Ok(())
    }

    fn made(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len() as u64;
        match self.spans.last_mut() {
            Some(Span { bytes: Bytes::Made(before), .. }) => before.extend(bytes),
            _ => self.spans.push(Span { at: self.len, bytes: Bytes::Made(bytes) }),
        }
        self.len = self.len.saturating_add(len);
    }
}

impl<F: Folder> ReadAt for DirectoryArchive<F> {
    /// Asks for one file at most, as each can be a request to a store.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        let mut i = self.spans.partition_point(|s| s.at <= offset).saturating_sub(1);
        while let Some(span) = self.spans.get(i).filter(|_| filled < buf.len()) {
            let at = offset.saturating_add(filled as u64).saturating_sub(span.at);
            let rest = &mut buf[filled..];
            match &span.bytes {
                Bytes::Made(bytes) => filled += bytes.read_at(at, rest)?,
                Bytes::File { name, from } => {
                    let end = self.spans.get(i + 1).map_or(self.len, |next| next.at);
                    let left = usize::try_from(end.saturating_sub(span.at).saturating_sub(at));
                    let want = rest.len().min(left.unwrap_or(usize::MAX));
                    if want > 0 {
                        return Ok(filled + self.folder.read_at(name, from + at, &mut rest[..want])?);
                    }
                }
            }
            i += 1;
        }
        Ok(filled)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.len)
    }
}

/// One file as something to be read at any place.
struct OneFile<'f, F> {
    folder: &'f F,
    name: String,
    size: u64,
}

impl<F: Folder> ReadAt for OneFile<'_, F> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.folder.read_at(&self.name, offset, buf)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

/// Opens the table of contents or a list, which a user may have compressed by hand.
fn open_text<'f>(folder: &'f impl Folder, file: &str, what: &str) -> Result<Box<dyn Read + 'f>> {
    let (name, codec, size) = find(folder, file, Algorithm::None, what)?;
    file_decoder(codec, RangeReader::new(OneFile { folder, name, size }, 0))
}

/// A file under its name with the ending of this codec, or of another: its whole name, its codec, its size.
fn find(folder: &impl Folder, file: &str, codec: Algorithm, what: &str) -> Result<(String, Algorithm, u64)> {
    for codec in [codec, Algorithm::None, Algorithm::Gzip, Algorithm::Lz4, Algorithm::Zstd] {
        let name = format!("{file}{}", codec.file_suffix());
        if let Some(size) = folder.size(&name).map_err(|source| ArchiveError::Read { offset: 0, source })? {
            return Ok((name, codec, size));
        }
    }
    Err(ArchiveError::MissingFile { file: file.into(), what: what.into() })
}

/// A name that leads out of the directory is no pg_dump's.
fn plain_name(name: &BStr) -> Result<&str> {
    let text = name.to_str().ok().filter(|n| {
        !n.starts_with('.') && n.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
    });
    text.ok_or_else(|| damaged(&name.to_string(), "no file of an archive is named so".into()))
}

fn named(codec: Algorithm) -> String {
    match codec {
        Algorithm::None => "not compressed".into(),
        codec => format!("compressed by {codec}"),
    }
}

fn damaged(file: &str, what: String) -> ArchiveError {
    let what = format!("{what}: the archive is damaged; take another copy or an older backup");
    ArchiveError::BadFile { file: file.into(), what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    struct Files(HashMap<&'static str, Vec<u8>>);

    impl Folder for Files {
        fn size(&self, file: &str) -> io::Result<Option<u64>> {
            Ok(self.0.get(file).map(|f| f.len() as u64))
        }

        fn read_at(&self, file: &str, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
            self.0[file].read_at(offset, buf)
        }
    }

    #[test]
    fn no_name_leads_out_of_the_directory() {
        for name in ["../toc.dat", "/etc/passwd", "a/b", "", "..", "a\0b", "a b"] {
            assert!(name.is_empty() || plain_name(BStr::new(name)).is_err(), "{name}");
        }
        assert_eq!(plain_name(BStr::new("blob_7.dat")).unwrap(), "blob_7.dat");
    }

    #[test]
    fn a_list_is_read_line_by_line_and_refused_where_it_is_none() {
        let read = |text: &str| {
            let files = Files(HashMap::from([("l.toc", text.as_bytes().to_vec())]));
            let archive = DirectoryArchive { folder: files, spans: Vec::new(), len: 0 };
            archive.read_list("l.toc", "BLOBS")
        };
        let two = [large_object_line(7), large_object_line(4_000_000_000)].concat();
        let expected = [(7, "blob_7.dat".into()), (4_000_000_000, "blob_4000000000.dat".into())];
        assert_eq!(read(&two).unwrap(), expected);
        for text in ["7\n", "x y\n", "7 a b\n", "7 blob_7.dat", "0 blob_0.dat\n", "\n"] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("l.toc"), "{text}: {error}");
        }
    }
}
