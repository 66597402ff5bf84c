//! Where a statement ends, byte by byte, as `psql` decides it (src/fe_utils/psqlscan.l).

/// What a byte led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Go on.
    On,
    /// The statement is whole, its semicolon included.
    Statement,
    /// A command of `psql` begins here.
    Backslash,
    /// A line of comment ended; [`Split::comment`] has it.
    Comment,
}

/// One statement in the making.
pub(super) struct Split {
    /// The statement so far, without comments and without what stands before its first token.
    pub(super) text: Vec<u8>,
    /// The last line comment, its first bytes.
    pub(super) comment: Vec<u8>,
    /// `standard_conforming_strings`: whether a backslash in a string is just that.
    pub(super) standard_strings: bool,
    state: State,
    /// The word at the end of `text`, in lower case, its first bytes.
    word: Vec<u8>,
    words: usize,
    /// First letters of the statement's first words, where they are those of CREATE OR REPLACE FUNCTION.
    create: [u8; 4],
    parens: u32,
    /// Depth of BEGIN ATOMIC … END and CASE … END in a function's body.
    begins: u32,
}

enum State {
    Plain,
    LineComment,
    BlockComment {
        depth: u32,
        last: u8,
    },
    String {
        escapes: bool,
    },
    Escaped,
    /// Right behind a string, which another quote continues.
    Quoted {
        escapes: bool,
    },
    Identifier,
    /// In the tag of a dollar quote, whose first `$` is at this place.
    Tag(usize),
    /// In a dollar quote with this tag, whose text begins at this place.
    Dollar(Vec<u8>, usize),
}

/// Longer words are none that matter.
const LONGEST_WORD: usize = 24;
/// More of a comment is never looked at.
const LONGEST_COMMENT: usize = 8 << 10;

impl Split {
    pub(super) fn new() -> Self {
        Split {
            text: Vec::new(),
            comment: Vec::new(),
            standard_strings: true,
            state: State::Plain,
            word: Vec::new(),
            words: 0,
            create: [0; 4],
            parens: 0,
            begins: 0,
        }
    }

    /// Begins anew behind a statement.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let standard_strings = self.standard_strings;
        let whole = std::mem::replace(self, Split::new());
        self.standard_strings = standard_strings;
        whole.text
    }

    /// Whether the script may end here.
    pub(super) fn is_between(&self) -> bool {
        self.text.is_empty() && matches!(self.state, State::Plain | State::LineComment)
    }

    pub(super) fn push(&mut self, b: u8) -> Step {
        match &mut self.state {
            State::Plain => return self.plain(b),
            State::LineComment if b == b'\n' => {
                self.state = State::Plain;
                self.keep(b);
                return Step::Comment;
            }
            State::LineComment => {
                if self.comment.len() < LONGEST_COMMENT {
                    self.comment.push(b);
                }
                return Step::On;
            }
            State::BlockComment { depth, last } => {
                match (*last, b) {
                    (b'/', b'*') => (*depth, *last) = (*depth + 1, 0),
                    (b'*', b'/') => (*depth, *last) = (*depth - 1, 0),
                    _ => *last = b,
                }
                if *depth == 0 {
                    self.state = State::Plain;
                    self.keep(b' ');
                }
                return Step::On;
            }
            State::String { escapes: true } if b == b'\\' => self.state = State::Escaped,
            State::String { escapes } if b == b'\'' => self.state = State::Quoted { escapes: *escapes },
            State::String { .. } => {}
            State::Escaped => self.state = State::String { escapes: true },
            State::Quoted { escapes } if b == b'\'' => self.state = State::String { escapes: *escapes },
            State::Quoted { .. } => {
                self.state = State::Plain;
                return self.plain(b);
            }
            State::Identifier if b == b'"' => self.state = State::Plain,
            State::Identifier => {}
            State::Tag(from) => {
                let from = *from;
                if b == b'$' {
                    self.text.push(b);
                    self.state = State::Dollar(self.text[from..].to_vec(), self.text.len());
                    return Step::On;
                }
                let first = self.text.len() == from + 1;
                if !is_word(b) || b.is_ascii_digit() && first {
                    self.state = State::Plain;
                    return self.plain(b);
                }
            }
            State::Dollar(tag, from) => {
                self.text.push(b);
                if b == b'$' && self.text.len() >= *from + tag.len() && self.text.ends_with(tag) {
                    self.state = State::Plain;
                }
                return Step::On;
            }
        }
        self.text.push(b);
        Step::On
    }

    fn plain(&mut self, b: u8) -> Step {
        if is_word(b) || b == b'$' && !self.word.is_empty() {
            if self.word.len() < LONGEST_WORD {
                self.word.push(b.to_ascii_lowercase());
            }
            self.text.push(b);
            return Step::On;
        }
        let word = std::mem::take(&mut self.word);
        self.word_ended(&word);
        match (self.text.last(), b) {
            (Some(b'-'), b'-') => {
                self.text.pop();
                self.comment.clear();
                self.state = State::LineComment;
                return Step::On;
            }
            (Some(b'/'), b'*') => {
                self.text.pop();
                self.state = State::BlockComment { depth: 1, last: 0 };
                return Step::On;
            }
            (_, b'\\') => return Step::Backslash,
            (_, b'\'') => {
                self.state = State::String { escapes: word == b"e" || !self.standard_strings };
            }
            (_, b'"') => self.state = State::Identifier,
            (_, b'$') => self.state = State::Tag(self.text.len()),
            (_, b'(') => self.parens += 1,
            (_, b')') => self.parens = self.parens.saturating_sub(1),
            (_, b';') if self.parens == 0 && self.begins == 0 => {
                self.keep(b);
                return if self.text.is_empty() { Step::On } else { Step::Statement };
            }
            _ => {}
        }
        self.keep(b);
        Step::On
    }

    /// Takes a byte, but for what stands before the first token.
    fn keep(&mut self, b: u8) {
        if !self.text.is_empty() || !b.is_ascii_whitespace() && b != b';' {
            self.text.push(b);
        }
    }

    /// Follows CREATE [OR REPLACE] {FUNCTION | PROCEDURE} into a body between BEGIN ATOMIC and END.
    fn word_ended(&mut self, word: &[u8]) {
        if word.is_empty() {
            return;
        }
        let of_create = matches!(word, b"create" | b"or" | b"replace" | b"function" | b"procedure");
        if let Some(letter) = self.create.get_mut(self.words).filter(|_| of_create) {
            *letter = word[0];
        }
        self.words += 1;
        let in_function = matches!(self.create, [b'c', b'f' | b'p', ..] | [b'c', b'o', b'r', b'f' | b'p']);
        if !in_function || self.parens > 0 {
            return;
        }
        match word {
            b"begin" => self.begins += 1,
            b"case" if self.begins > 0 => self.begins += 1,
            b"end" => self.begins = self.begins.saturating_sub(1),
            _ => {}
        }
    }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<String> {
        let mut split = Split::new();
        let mut out = Vec::new();
        for b in text.bytes() {
            if split.push(b) == Step::Statement {
                out.push(String::from_utf8(split.take()).unwrap());
            }
        }
        assert!(split.is_between(), "{:?}", String::from_utf8_lossy(&split.text));
        out
    }

    #[test]
    fn semicolons_in_quotes_and_comments_end_nothing() {
        for text in [
            "SELECT 'a;''b;', E'c\\';d''\\';', \"e;\", U&'f;';",
            "SELECT $$a;$x$;b$$, $x$;$$;$x$, $ü1$;$ü1$;",
            "SELECT a$b$;",
            "SELECT 1 $1;",
            "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b);",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN 1 = 2 THEN 3 END; SELECT 1; END;",
            "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC; END;",
        ] {
            assert_eq!(split(text), [text]);
        }
        assert_eq!(split("BEGIN; END;"), ["BEGIN;", "END;"]);
        assert_eq!(
            split("-- a; 'b\n\nSELECT 1 -- c;\n; /* d; /* e */ ; */ SELECT 2;;"),
            ["SELECT 1 \n;", "SELECT 2;"]
        );
        assert_eq!(split("SELECT 1-1, 4/2;"), ["SELECT 1-1, 4/2;"]);
    }

    #[test]
    fn a_backslash_escapes_where_strings_are_not_standard() {
        let mut split = Split::new();
        split.standard_strings = false;
        let ended: Vec<usize> = "SELECT 'a\\';b';"
            .bytes()
            .enumerate()
            .filter_map(|(i, b)| (split.push(b) == Step::Statement).then_some(i))
            .collect();
        assert_eq!(ended, [14]);
    }
}
