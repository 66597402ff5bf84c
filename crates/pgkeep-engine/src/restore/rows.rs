//! COPY text as an archive holds it: rows, then `\.` and empty lines.

/// Bytes held back: the end mark is `\.` and a newline, and pg_dump writes two empty lines after it
/// (`dumpTableData_copy`, src/bin/pg_dump/pg_dump.c).
const TAIL: usize = 8;

/// Cuts the end mark off rows that come in pieces.
#[derive(Default)]
pub(super) struct EndMark {
    tail: Vec<u8>,
    /// The byte before the tail; a mark must begin a line.
    before: Option<u8>,
}

impl EndMark {
    /// Takes a piece; hands on what cannot belong to the end mark.
    pub(super) fn pass<E>(
        &mut self,
        piece: &[u8],
        mut rows: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if piece.len() >= TAIL {
            let (head, tail) = piece.split_at(piece.len() - TAIL);
            if !self.tail.is_empty() {
                rows(&self.tail)?;
                self.before = self.tail.last().copied();
                self.tail.clear();
            }
            if !head.is_empty() {
                rows(head)?;
                self.before = head.last().copied();
            }
            self.tail.extend_from_slice(tail);
            return Ok(());
        }
        self.tail.extend_from_slice(piece);
        if self.tail.len() > TAIL {
            let over = self.tail.len() - TAIL;
            rows(&self.tail[..over])?;
            self.before = Some(self.tail[over - 1]);
            self.tail.drain(..over);
        }
        Ok(())
    }

    /// What of the tail are rows, `None` where the end mark is missing: the data is cut short.
    pub(super) fn end(&self) -> Option<&[u8]> {
        let text = self.tail.trim_ascii_end();
        // trim_ascii_end may have taken white space of a last row, but only if there is no mark at all.
        let rows = text.strip_suffix(b"\\.")?;
        match rows.last().copied().or(self.before) {
            None | Some(b'\n') => Some(rows),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let mut mark = EndMark::default();
        let mut out = Vec::new();
        for piece in pieces {
            mark.pass::<()>(piece, |rows| {
                out.extend_from_slice(rows);
                Ok(())
            })
            .unwrap();
        }
        out.extend_from_slice(mark.end()?);
        Some(out)
    }

    #[test]
    fn the_mark_is_cut_off_however_the_pieces_fall() {
        let text = b"1\ta\n2\tlong enough to matter\n\\.\n\n\n";
        let rows = b"1\ta\n2\tlong enough to matter\n".to_vec();
        assert_eq!(cut(&[text]), Some(rows.clone()));
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(cut(&bytes), Some(rows.clone()));
        for at in 0..text.len() {
            assert_eq!(cut(&[&text[..at], &text[at..]]), Some(rows.clone()));
        }
        assert_eq!(cut(&[b"\\.\n\n\n"]), Some(Vec::new()));
        assert_eq!(cut(&[b"\n\n\n\n\n\n\n\n\n\n", b"\\.\n\n\n"]), Some(vec![b'\n'; 10]));
    }

    #[test]
    fn data_without_the_mark_is_cut_short() {
        assert_eq!(cut(&[]), None);
        assert_eq!(cut(&[b"1\ta\n2\tb\n"]), None);
        assert_eq!(cut(&[b"1\ta\n2\tb\\."]), None);
        assert_eq!(cut(&[b"1\tabcdefg", b"\\.\n\n\n"]), None);
    }
}
