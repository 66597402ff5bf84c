//! Filter files in the format of pg_dump 17 (`filter_read_item`, `read_pattern`, src/bin/pg_dump/filter.c), read here so
//! that they work with every pg_dump.

use pgkeep_keep::Selection;

use crate::error::{EngineError, ErrorKind, Result};

const HINT: &str = "a line is `include` or `exclude`, then table, table_and_children, table_data, \
                    table_data_and_children, schema, extension or foreign_data, then a pattern";

/// Adds what a filter file says to a selection. `name` is the file's, for errors.
///
/// # Errors
/// `Config`, with the line, for what pg_dump would refuse.
pub fn read_filter_file(text: &str, name: &str, selection: &mut Selection) -> Result<()> {
    let mut rest = Rest { text, line: 1 };
    while rest.next_item() {
        let line = rest.line;
        let bad = |why: String| {
            EngineError::new(ErrorKind::Config, format!("filter file {name}, line {line}"), why).hint(HINT)
        };
        let verb = rest.word();
        let object = rest.word();
        let list = list_of(selection, &verb, &object).map_err(bad)?;
        list.push(rest.pattern().map_err(bad)?);
    }
    Ok(())
}

/// Where a line's pattern belongs.
fn list_of<'s>(s: &'s mut Selection, verb: &str, object: &str) -> Result<&'s mut Vec<String>, String> {
    Ok(match (verb, object) {
        ("include", "table") => &mut s.tables,
        ("include", "table_and_children") => &mut s.table_and_children,
        ("include", "schema") => &mut s.schemas,
        ("include", "extension") => &mut s.extensions,
        ("include", "foreign_data") => &mut s.include_foreign_data,
        ("exclude", "table") => &mut s.exclude_tables,
        ("exclude", "table_and_children") => &mut s.exclude_table_and_children,
        ("exclude", "table_data") => &mut s.exclude_table_data,
        ("exclude", "table_data_and_children") => &mut s.exclude_table_data_and_children,
        ("exclude", "schema") => &mut s.exclude_schemas,
        ("exclude", "extension") => &mut s.exclude_extensions,
        ("include" | "exclude", "") => return Err("the kind of object is missing".into()),
        ("include" | "exclude", _) => return Err(format!("\"{verb} {object}\" is not possible")),
        _ => return Err(format!("\"{verb}\" is neither include nor exclude")),
    })
}

struct Rest<'t> {
    text: &'t str,
    line: usize,
}

impl Rest<'_> {
    /// Goes to the next item, past blank lines and comments; false at the end.
    fn next_item(&mut self) -> bool {
        loop {
            self.text = self.text.trim_start_matches([' ', '\t', '\r']);
            match self.text.chars().next() {
                None => return false,
                Some('\n') => {
                    self.take();
                }
                Some('#') => self.skip_line(),
                Some(_) => return true,
            }
        }
    }

    fn take(&mut self) -> Option<char> {
        let c = self.text.chars().next()?;
        self.text = &self.text[c.len_utf8()..];
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn skip_line(&mut self) {
        self.text = &self.text[self.text.find('\n').unwrap_or(self.text.len())..];
    }

    /// The next word of this line.
    fn word(&mut self) -> String {
        self.text = self.text.trim_start_matches([' ', '\t', '\r']);
        let end = self.text.find(|c: char| c.is_whitespace() || c == '#').unwrap_or(self.text.len());
        let (word, rest) = self.text.split_at(end);
        self.text = rest;
        word.to_owned()
    }

    /// The rest of the line up to a comment as a pattern: spaces around dots and commas go, others become one; what
    /// is quoted stays, over line ends too. (pg_dump keeps a space between a dot and a quote, and then finds nothing.)
    fn pattern(&mut self) -> Result<String, String> {
        let mut pattern = String::new();
        let mut space = false;
        let mut glue = true;
        loop {
            match self.text.chars().next() {
                None | Some('\n') => break,
                Some('#') => {
                    self.skip_line();
                    break;
                }
                Some(c) if c.is_whitespace() => {
                    space = true;
                    self.take();
                }
                Some(c) => {
                    let tight = matches!(c, '.' | ',' | '(' | ')');
                    if space && !glue && !tight {
                        pattern.push(' ');
                    }
                    (space, glue) = (false, tight);
                    self.take();
                    match c {
                        '"' => self.quoted(&mut pattern)?,
                        ',' => pattern.push_str(", "),
                        c => pattern.push(c),
                    }
                }
            }
        }
        if pattern.is_empty() { Err("the pattern is missing".into()) } else { Ok(pattern) }
    }

    /// After an opening quote, up to the closing one.
    fn quoted(&mut self, pattern: &mut String) -> Result<(), String> {
        pattern.push('"');
        loop {
            match self.take().ok_or("a quoted name is not closed")? {
                '"' if self.text.starts_with('"') => {
                    self.take();
                    pattern.push_str("\"\"");
                }
                '"' => {
                    pattern.push('"');
                    return Ok(());
                }
                '\\' => match self.take() {
                    Some('n') => pattern.push('\n'),
                    Some('\\') => pattern.push('\\'),
                    _ => {}
                },
                '\r' => {}
                c => pattern.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Selection> {
        let mut s = Selection::default();
        read_filter_file(text, "f", &mut s).map(|()| s)
    }

    #[test]
    fn lines_comments_and_quotes_are_read_as_pg_dump_reads_them() {
        let s = read(
            "# all of it\n\n  include table public . \"Odd \"\"Name\"  # yes\nexclude table_data *.log\r\n\
             include schema app_*\ninclude table \"two\nlines\"\nexclude extension x\ninclude foreign_data far",
        )
        .unwrap();
        assert_eq!(s.tables, ["public.\"Odd \"\"Name\"", "\"two\nlines\""]);
        assert_eq!(
            (s.exclude_table_data.as_slice(), s.schemas.as_slice()),
            (&["*.log".into()][..], &["app_*".into()][..])
        );
        assert_eq!((s.exclude_extensions, s.include_foreign_data), (vec!["x".into()], vec!["far".into()]));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        for (text, words) in [
            ("include table a\ninlcude table b", "line 2: \"inlcude\" is neither"),
            ("include table_data a", "line 1: \"include table_data\" is not possible"),
            ("exclude foreign_data a", "not possible"),
            ("include table # x", "the pattern is missing"),
            ("include", "the kind of object is missing"),
            ("include table \"a", "not closed"),
        ] {
            let e = read(text).unwrap_err();
            assert_eq!(e.kind, ErrorKind::Config);
            assert!(e.to_string().contains(words), "{e}");
        }
    }
}
