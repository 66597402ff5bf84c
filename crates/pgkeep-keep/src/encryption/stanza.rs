//! A recipient stanza: the file key, wrapped for one recipient
//! (<https://github.com/C2SP/C2SP/blob/main/age.md#recipient-stanza>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Columns of a stanza's body.
const COLUMNS: usize = 64;

/// One stanza.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stanza {
    /// What kind it is, and its arguments.
    pub(super) words: Vec<String>,
    pub(super) body: Vec<u8>,
}

/// Base64 as the format has it: canonical, without padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}

/// The bytes of such text.
pub(super) fn unbase64(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}

impl Stanza {
    /// Reads a stanza whose first line, without its arrow, is `first`, and whose body's lines are the next of `lines`.
    pub(super) fn read<'l>(first: &str, lines: &mut impl Iterator<Item = &'l str>) -> Option<Stanza> {
        let words: Vec<String> = first.split(' ').map(str::to_owned).collect();
        let is_word = |word: &String| !word.is_empty() && word.bytes().all(|b| (33..=126).contains(&b));
        if !words.iter().all(is_word) {
            return None;
        }
        let mut body = String::new();
        loop {
            let line = lines.next()?;
            body += line;
            // The last line is shorter than the others, and so may be empty.
            match line.len() {
                COLUMNS => {}
                0..COLUMNS => return Some(Stanza { words, body: unbase64(&body)? }),
                _ => return None,
            }
        }
    }

    /// Appends it as text.
    pub(super) fn write(&self, text: &mut String) {
        for part in ["-> ", &self.words.join(" "), "\n"] {
            text.push_str(part);
        }
        let body = base64(&self.body);
        let mut left = body.as_str();
        while left.len() >= COLUMNS {
            let (line, rest) = left.split_at(COLUMNS);
            text.push_str(line);
            text.push('\n');
            left = rest;
        }
        text.push_str(left);
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for len in [0, 1, 47, 48, 49, 96, 200] {
            let stanza = Stanza { words: vec!["kind".into(), "argument".into()], body: vec![7; len] };
            let mut text = String::new();
            stanza.write(&mut text);
            let mut lines = text.lines();
            let first = lines.next().and_then(|l| l.strip_prefix("-> ")).unwrap();
            assert_eq!(Stanza::read(first, &mut lines), Some(stanza), "{text}");
            assert_eq!(lines.next(), None);
        }
    }
}
