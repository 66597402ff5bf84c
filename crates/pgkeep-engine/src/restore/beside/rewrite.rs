//! Replacing qualified names in SQL text, token by token.

use std::collections::HashMap;

use super::super::copy_statement::name;
use crate::conn::quote_ident;

/// Schema and name.
pub(super) type Name = (Vec<u8>, Vec<u8>);

/// What has another name now. pg_dump qualifies every name, as its search path is empty.
#[derive(Debug, Default)]
pub(super) struct Names(pub(super) HashMap<Name, Name>);

impl Names {
    /// The text with every `schema.name` that has moved replaced, also where it is the whole of a string, as in
    /// `nextval('app.orders_id_seq')`. What stands within longer strings and in bodies of functions stays as it is.
    pub(super) fn rewrite(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(&first) = rest.first() {
            let token = token(rest);
            let (this, after) = rest.split_at(token);
            match first {
                b'"' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => match self.qualified(rest) {
                    Some((new, length)) => {
                        out.extend_from_slice(&new);
                        rest = &rest[length..];
                        // A third part is a column.
                        continue;
                    }
                    None => {
                        out.extend_from_slice(this);
                        // What follows a dot belongs to this name.
                        rest = after;
                        while let [b'.', more @ ..] = rest {
                            out.push(b'.');
                            let (part, after) = more.split_at(self::token(more).min(more.len()));
                            out.extend_from_slice(part);
                            rest = after;
                        }
                        continue;
                    }
                },
                b'\'' => out.extend_from_slice(&self.literal(this)),
                _ => out.extend_from_slice(this),
            }
            rest = after;
        }
        out
    }

    /// The new name in place of a qualified one that the text begins with, and how long that was.
    fn qualified(&self, text: &[u8]) -> Option<(Vec<u8>, usize)> {
        let mut rest = text;
        let schema = name(&mut rest)?;
        rest = rest.strip_prefix(b".")?;
        // A name at the very end of the text has nothing behind it, and `name` wants something there.
        let padded = [rest, b" "].concat();
        let mut behind = padded.as_slice();
        let own = name(&mut behind)?;
        let length = text.len() - rest.len() + (padded.len() - behind.len());
        let (schema, own) = self.0.get(&(schema, own))?;
        Some(([quote_ident(schema), b".".to_vec(), quote_ident(own)].concat(), length))
    }

    /// A string that is a qualified name and nothing else.
    fn literal(&self, literal: &[u8]) -> Vec<u8> {
        let content = literal.strip_prefix(b"'").and_then(|l| l.strip_suffix(b"'")).unwrap_or_default();
        match self.qualified(content) {
            Some((new, length)) if length == content.len() => [b"'".as_slice(), &new, b"'"].concat(),
            _ => literal.to_vec(),
        }
    }
}

/// Length of the token at the front: an identifier, a string, a comment, or one byte of anything else.
pub(super) fn token(text: &[u8]) -> usize {
    let until = |from: usize, mark: u8| {
        let mut at = from;
        loop {
            match text.get(at) {
                Some(b) if *b == mark && text.get(at + 1) == Some(&mark) => at += 2,
                Some(b) if *b == mark => return at + 1,
                Some(_) => at += 1,
                None => return text.len(),
            }
        }
    };
    match text {
        [b'"', ..] => until(1, b'"'),
        [b'\'', ..] => until(1, b'\''),
        [b'E' | b'e', b'\'', ..] => {
            let mut at = 2;
            while let Some(b) = text.get(at) {
                at += if *b == b'\\' { 2 } else { 1 };
                if *b == b'\'' && text.get(at) != Some(&b'\'') {
                    return at.min(text.len());
                }
                at += usize::from(*b == b'\'');
            }
            text.len()
        }
        [b'-', b'-', ..] => text.iter().position(|b| *b == b'\n').unwrap_or(text.len()),
        [b'$', after @ ..] => {
            let tag = after.iter().position(|b| !is_word(*b)).unwrap_or(after.len());
            if after.get(tag) != Some(&b'$') || after.first().is_some_and(u8::is_ascii_digit) {
                return 1;
            }
            let (mark, body) = text.split_at(tag + 2);
            let end = body.windows(mark.len()).position(|w| w == mark);
            end.map_or(text.len(), |end| mark.len() + end + mark.len())
        }
        [first, ..] if is_word(*first) => {
            text.iter().position(|b| !is_word(*b) && *b != b'$').unwrap_or(text.len())
        }
        _ => text.len().min(1),
    }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> String {
        let name = |s: &str, n: &str| (s.as_bytes().to_vec(), n.as_bytes().to_vec());
        let names = Names(HashMap::from([
            (name("app", "orders"), name("look", "orders")),
            (name("app", "Odd \"one"), name("look", "two")),
            (name("app", "s"), name("look", "s")),
        ]));
        String::from_utf8(names.rewrite(text.as_bytes())).unwrap()
    }

    #[test]
    fn qualified_names_are_replaced_wherever_they_are_names() {
        assert_eq!(
            rewritten("CREATE TABLE app.orders (i app.s);"),
            "CREATE TABLE \"look\".\"orders\" (i \"look\".\"s\");"
        );
        assert_eq!(rewritten("SELECT * FROM app.\"Odd \"\"one\""), "SELECT * FROM \"look\".\"two\"");
        assert_eq!(rewritten("nextval('app.s'::regclass)"), "nextval('\"look\".\"s\"'::regclass)");
        assert_eq!(
            rewritten("COMMENT ON COLUMN app.orders.id IS 'x';"),
            "COMMENT ON COLUMN \"look\".\"orders\".id IS 'x';"
        );
        assert_eq!(rewritten("app.orders"), "\"look\".\"orders\"");
    }

    #[test]
    fn what_only_looks_like_a_name_stays() {
        for text in [
            "SELECT 'see app.orders', E'app.orders\\' app.s', $$app.orders$$, $a$ app.s $a$",
            "SELECT \"app.orders\", myapp.orders, app.orders_too, x.app.orders, \"app.\"\"s\".s -- app.orders",
            "SELECT a$b$, 1.5, app . orders, $1, 'it''s app.s'",
            "",
            "app.",
            "\"app",
        ] {
            assert_eq!(rewritten(text), text);
        }
    }
}
