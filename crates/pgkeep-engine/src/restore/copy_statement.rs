//! Taking apart the `COPY … FROM stdin;` of a TABLE DATA entry.

use crate::conn::quote_ident;

/// The parts of a copy statement, names unquoted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CopyStatement {
    /// Absent in archives older than the SEARCHPATH entry.
    pub(crate) schema: Option<Vec<u8>>,
    pub(crate) table: Vec<u8>,
    pub(crate) columns: Vec<Vec<u8>>,
}

impl CopyStatement {
    /// `COPY public.t (a, "b c") FROM stdin;`, `None` for anything else.
    pub(crate) fn parse(sql: &[u8]) -> Option<CopyStatement> {
        let mut rest = sql.strip_prefix(b"COPY ")?;
        let first = name(&mut rest)?;
        let (schema, table) = match rest.strip_prefix(b".") {
            Some(after) => {
                rest = after;
                (Some(first), name(&mut rest)?)
            }
            None => (None, first),
        };
        rest = rest.trim_ascii_start();
        let mut columns = Vec::new();
        if let Some(list) = rest.strip_prefix(b"(") {
            rest = list;
            loop {
                columns.push(name(&mut rest)?);
                rest = match rest {
                    [b',', b' ', after @ ..] | [b',', after @ ..] => after,
                    [b')', after @ ..] => {
                        rest = after;
                        break;
                    }
                    _ => return None,
                };
            }
        }
        (rest.trim_ascii() == b"FROM stdin;").then_some(CopyStatement { schema, table, columns })
    }

    /// The same for another table, whose qualified and quoted name this is.
    pub(super) fn for_table(&self, table: &[u8]) -> Vec<u8> {
        let mut sql = [b"COPY ".as_slice(), table, b" "].concat();
        for (i, column) in self.columns.iter().enumerate() {
            sql.extend_from_slice(if i == 0 { b"(" } else { b", " });
            sql.extend_from_slice(&quote_ident(column));
        }
        sql.extend_from_slice(if self.columns.is_empty() { b"FROM stdin;\n" } else { b") FROM stdin;\n" });
        sql
    }
}

/// The same statement with `WITH (FREEZE)`.
pub(super) fn with_freeze(sql: &[u8]) -> Option<Vec<u8>> {
    let head = sql.trim_ascii_end().strip_suffix(b" FROM stdin;")?;
    Some([head, b" FROM stdin WITH (FREEZE)"].concat())
}

/// One name at the front, as fmtId (src/fe_utils/string_utils.c) writes it: bare or in double quotes.
pub(super) fn name(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    if let Some(mut quoted) = rest.strip_prefix(b"\"") {
        loop {
            match quoted {
                [b'"', b'"', after @ ..] => {
                    out.push(b'"');
                    quoted = after;
                }
                [b'"', after @ ..] => {
                    *rest = after;
                    return Some(out);
                }
                [b, after @ ..] => {
                    out.push(*b);
                    quoted = after;
                }
                [] => return None,
            }
        }
    }
    let end = rest.iter().position(|b| b" .,()\n;\"".contains(b))?;
    out.extend_from_slice(&rest[..end]);
    *rest = &rest[end..];
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(sql: &str) -> Option<(Option<String>, String, Vec<String>)> {
        let s = |b: Vec<u8>| String::from_utf8(b).unwrap();
        let c = CopyStatement::parse(sql.as_bytes())?;
        Some((c.schema.map(s), s(c.table), c.columns.into_iter().map(s).collect()))
    }

    #[test]
    fn every_form_of_pg_dump_is_understood() {
        let some = |s: Option<&str>, t: &str, c: &[&str]| {
            Some((s.map(String::from), t.to_string(), c.iter().map(|c| c.to_string()).collect::<Vec<_>>()))
        };
        assert_eq!(parse("COPY public.t (a, b) FROM stdin;\n"), some(Some("public"), "t", &["a", "b"]));
        assert_eq!(
            parse("COPY \"o.dd\".\"a \"\"t (\" (\"x, y)\", b) FROM stdin;\n"),
            some(Some("o.dd"), "a \"t (", &["x, y)", "b"])
        );
        assert_eq!(parse("COPY public.none  FROM stdin;\n"), some(Some("public"), "none", &[]));
        assert_eq!(parse("COPY old (a) FROM stdin;\n"), some(None, "old", &["a"]));
        assert_eq!(parse("COPY public.t (a FROM stdin;\n"), None);
        assert_eq!(parse("INSERT INTO t"), None);
        assert_eq!(parse("COPY \"open"), None);
    }

    #[test]
    fn freeze_is_added_at_the_end() {
        assert_eq!(with_freeze(b"COPY t (a) FROM stdin;\n").unwrap(), b"COPY t (a) FROM stdin WITH (FREEZE)");
        assert_eq!(with_freeze(b"COPY t (a) FROM program"), None);
    }
}
