//! Reading single statements and commands of a script.

use bstr::ByteSlice;

use super::super::copy_statement;
use crate::error::EngineError;
use crate::report::{SequenceReport, name_text};

/// The first words of a statement, up to anything that could be a secret.
pub(super) fn shown(sql: &[u8]) -> String {
    let head = sql.split(|b| matches!(b, b'\'' | b'$' | b'(' | b'\n')).next().unwrap_or_default();
    let words: Vec<&str> = head.fields().take(6).map(|w| w.to_str().unwrap_or("?")).collect();
    words.join(" ").trim_end_matches(';').to_owned()
}

/// Whether a session's setting is one that this server does not know, such as `transaction_timeout` before 17.
pub(super) fn is_unknown_setting(sql: &[u8], error: &EngineError) -> bool {
    // 42704: undefined_object.
    sql.starts_with(b"SET ")
        && error.sqlstate.as_deref() == Some("42704")
        && error.why.contains("configuration parameter")
}

/// `SELECT pg_catalog.setval('public.s', 42, true);`.
pub(super) fn sequence_set(sql: &[u8]) -> Option<SequenceReport> {
    let arguments = sql.strip_prefix(b"SELECT pg_catalog.setval('")?.strip_suffix(b");")?;
    let mut parts = arguments.rsplitn(3, |b| *b == b',');
    let (called, value) = (parts.next()?.trim_ascii(), parts.next()?.trim_ascii());
    let quoted = parts.next()?.strip_suffix(b"'")?.replace("''", "'");
    let mut rest = [quoted.as_slice(), b" "].concat();
    let mut names = rest.as_slice();
    let schema = copy_statement::name(&mut names)?;
    names = names.strip_prefix(b".")?;
    let sequence = copy_statement::name(&mut names)?;
    rest.clear();
    Some(SequenceReport {
        schema: name_text(&schema),
        sequence: name_text(&sequence),
        last_value: value.to_str().ok()?.parse().ok()?,
        is_called: called == b"true",
    })
}

/// The database in `\connect name`, or in `\connect -reuse-previous=on "dbname='odd name'"`
/// (`appendPsqlMetaConnect`, src/fe_utils/string_utils.c).
pub(super) fn connect_argument(rest: &[u8]) -> Option<String> {
    let rest = rest.strip_prefix(b"-reuse-previous=on").unwrap_or(rest).trim_ascii();
    let plain = match rest.strip_prefix(b"\"").and_then(|r| r.strip_suffix(b"\"")) {
        Some(inside) => inside.replace("\"\"", "\""),
        None if rest.iter().any(u8::is_ascii_whitespace) => return None,
        None => rest.to_vec(),
    };
    let name = match plain.strip_prefix(b"dbname='").and_then(|p| p.strip_suffix(b"'")) {
        Some(name) => name.replace("\\'", "'").replace("\\\\", "\\"),
        None if plain.contains(&b'=') => return None,
        None => plain,
    };
    String::from_utf8(name).ok().filter(|n| !n.is_empty() && n != "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_statement_is_shown() {
        let sql = b"CREATE USER MAPPING FOR a SERVER b OPTIONS (\n    password 'secret'\n);";
        assert_eq!(shown(sql), "CREATE USER MAPPING FOR a SERVER");
        assert_eq!(shown(b"ALTER ROLE a PASSWORD 'secret';"), "ALTER ROLE a PASSWORD");
    }

    #[test]
    fn a_sequence_is_found_whatever_its_name() {
        let s = sequence_set(b"SELECT pg_catalog.setval('odd.\"it''s, (1)\"', 42, false);").unwrap();
        assert_eq!((s.schema.as_str(), s.sequence.as_str()), ("odd", "it's, (1)"));
        assert_eq!((s.last_value, s.is_called), (42, false));
        assert!(sequence_set(b"SELECT 1;").is_none());
    }

    #[test]
    fn the_database_of_connect_is_found() {
        let argument = |text: &str| connect_argument(text.as_bytes());
        assert_eq!(argument("shop").as_deref(), Some("shop"));
        assert_eq!(argument("-reuse-previous=on \"dbname='a ''b\\'\"\"'\"").as_deref(), Some("a ''b'\""));
        assert_eq!(argument("\"dbname=x host=evil\""), None);
        assert_eq!(argument("db user host"), None);
    }
}
