//! Patterns of names, as psql and pg_dump take them (PostgreSQL documentation, "psql", Patterns).

use pgkeep_archive::Entry;

use super::super::entry::{bytes, tag};
use crate::error::{EngineError, ErrorKind, Result};

/// `name` or `schema.name`: `*` and `?` stand for any characters and any one, letters are lower case, and between double
/// quotes everything is as it stands.
#[derive(Debug, Clone)]
pub(in crate::restore) struct Pattern {
    text: String,
    schema: Option<Vec<Sign>>,
    name: Vec<Sign>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Any,
    One,
    Just(char),
}

impl Pattern {
    /// # Errors
    /// `Config` for quotes that are not closed, and for more than two parts.
    pub(in crate::restore) fn parse(text: &str) -> Result<Pattern> {
        let bad = |why: &str| {
            EngineError::new(ErrorKind::Config, format!("pattern {text}"), why)
                .hint("like orders, app.*, or with double quotes around upper case: 'app.\"Orders\"'")
        };
        let mut parts = vec![Vec::new()];
        let mut quoted = false;
        let mut parens = 0;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let sign = match c {
                '"' if quoted && chars.next_if_eq(&'"').is_some() => Sign::Just('"'),
                '"' => {
                    quoted = !quoted;
                    continue;
                }
                c if quoted => Sign::Just(c),
                '*' => Sign::Any,
                '?' => Sign::One,
                // Arguments of a function have schemas of their own.
                '.' if parens == 0 => {
                    parts.push(Vec::new());
                    continue;
                }
                c => {
                    parens += i32::from(c == '(') - i32::from(c == ')');
                    Sign::Just(c.to_lowercase().next().unwrap_or(c))
                }
            };
            if let Some(part) = parts.last_mut() {
                part.push(sign);
            }
        }
        if quoted {
            return Err(bad("a double quote is not closed"));
        }
        let name = parts.pop().filter(|n| !n.is_empty()).ok_or_else(|| bad("it names nothing"))?;
        let schema = parts.pop();
        if !parts.is_empty() {
            return Err(bad("it has too many parts"));
        }
        Ok(Pattern { text: text.to_owned(), schema, name })
    }

    pub(super) fn parse_all(texts: &[String]) -> Result<Vec<Pattern>> {
        texts.iter().map(|t| Pattern::parse(t)).collect()
    }

    /// As it was given.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it means this name of this schema; a name that is literally the pattern is meant too, as pg_restore
    /// takes names and no patterns.
    pub(super) fn is_of(&self, schema: &[u8], name: &[u8]) -> bool {
        self.text.as_bytes() == name
            || self.schema.as_ref().is_none_or(|s| fits(s, schema)) && fits(&self.name, name)
    }

    /// Whether it means this entry by its whole tag.
    pub(in crate::restore) fn is_of_entry(&self, entry: &Entry) -> bool {
        self.is_of(bytes(&entry.namespace), tag(entry))
    }

    /// Whether it means this schema.
    pub(super) fn is_of_schema(&self, schema: &[u8]) -> bool {
        self.schema.is_none() && self.is_of(b"", schema)
    }
}

fn fits(signs: &[Sign], name: &[u8]) -> bool {
    let name: Vec<char> = String::from_utf8_lossy(name).chars().collect();
    // Where the last `*` is, and how much of the name it took so far.
    let (mut s, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match signs.get(s) {
            Some(Sign::Any) => {
                star = Some((s, n));
                s += 1;
            }
            Some(Sign::One) => (s, n) = (s + 1, n + 1),
            Some(Sign::Just(c)) if *c == name[n] => (s, n) = (s + 1, n + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (s, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    signs[s..].iter().all(|sign| *sign == Sign::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_of(pattern: &str, schema: &str, name: &str) -> bool {
        Pattern::parse(pattern).unwrap().is_of(schema.as_bytes(), name.as_bytes())
    }

    #[test]
    fn stars_quotes_and_schemas_mean_what_they_mean_to_pg_dump() {
        assert!(is_of("orders", "any", "orders") && is_of("ORDERS", "any", "orders"));
        assert!(!is_of("\"ORDERS\"", "any", "orders") && is_of("\"OR*\"", "any", "OR*"));
        assert!(is_of("app.o*s", "app", "orders") && !is_of("app.o*s", "public", "orders"));
        assert!(is_of("*.*", "app", "x") && is_of("o?d*", "a", "old") && !is_of("o?d", "a", "od"));
        assert!(is_of("a*b*c", "s", "a_b_b_c") && !is_of("a*b*c", "s", "a_b_b"));
        assert!(is_of("app.f(app.t, integer)", "app", "f(app.t, integer)"));
    }

    #[test]
    fn a_name_that_is_literally_the_pattern_is_meant_too() {
        assert!(is_of("Orders", "app", "Orders") && is_of("a.b", "app", "a.b"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["\"a", "a.b.c", "", "app."] {
            assert_eq!(Pattern::parse(text).unwrap_err().kind, ErrorKind::Config, "{text}");
        }
    }
}
