//! Data that is SQL text: `pg_dump --inserts`, and comments of large objects in old archives.

/// Finds statement ends in SQL text that comes in pieces, as `ExecuteSimpleCommands`
/// (src/bin/pg_dump/pg_backup_db.c) does: quotes matter, comments, dollar quotes
/// and `E''` do not occur.
pub(super) struct Splitter {
    standard_strings: bool,
    text: Vec<u8>,
    /// How far `text` was looked at, and where its last statement ended.
    seen: usize,
    complete: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    Literal,
    /// After a backslash in a literal.
    Escaped,
    Identifier,
}

impl Splitter {
    pub(super) fn new(standard_strings: bool) -> Splitter {
        Splitter { standard_strings, text: Vec::new(), seen: 0, complete: 0, state: State::Plain }
    }

    /// Takes a piece of text.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.text.extend_from_slice(piece);
        while let Some(&b) = self.text.get(self.seen) {
            self.seen += 1;
            self.state = match (self.state, b) {
                (State::Plain, b'\'') => State::Literal,
                (State::Plain, b'"') => State::Identifier,
                (State::Literal, b'\'') | (State::Identifier, b'"') => State::Plain,
                (State::Literal, b'\\') if !self.standard_strings => State::Escaped,
                (State::Escaped, _) => State::Literal,
                (state, _) => state,
            };
            if self.state == State::Plain && b == b';' {
                self.complete = self.seen;
            }
        }
    }

    /// Whole statements not yet taken, once there are `at_least` bytes of them.
    pub(super) fn take(&mut self, at_least: usize) -> Option<Vec<u8>> {
        if self.complete == 0 || self.complete < at_least {
            return None;
        }
        let rest = self.text.split_off(self.complete);
        self.seen -= self.complete;
        self.complete = 0;
        Some(std::mem::replace(&mut self.text, rest))
    }

    /// Whether nothing but white space is left after the last statement.
    pub(super) fn is_at_end(&self) -> bool {
        self.state == State::Plain && self.text[self.complete..].trim_ascii().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, standard: bool) -> (Vec<String>, bool) {
        let mut splitter = Splitter::new(standard);
        let mut out = Vec::new();
        for piece in text.as_bytes().chunks(3) {
            splitter.push(piece);
            out.extend(splitter.take(1).map(|s| String::from_utf8(s).unwrap().trim().to_string()));
        }
        (out, splitter.is_at_end())
    }

    #[test]
    fn semicolons_in_quotes_end_nothing() {
        let text = "INSERT INTO \"a;\" VALUES ('x;''y;', 'b\\');\nINSERT INTO t DEFAULT VALUES;\n\n";
        let (statements, end) = split(text, true);
        assert_eq!(
            statements,
            ["INSERT INTO \"a;\" VALUES ('x;''y;', 'b\\');", "INSERT INTO t DEFAULT VALUES;"]
        );
        assert!(end);
    }

    #[test]
    fn backslashes_escape_where_the_archive_says_so() {
        assert_eq!(split("SELECT 'a\\';b';", false).0, ["SELECT 'a\\';b';"]);
    }

    #[test]
    fn text_that_stops_in_a_statement_is_noticed() {
        assert!(!split("INSERT INTO t VALUES (1", true).1);
        assert!(!split("INSERT INTO t VALUES ('1);", true).1);
    }
}
