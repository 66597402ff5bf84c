//! Guessing how long an index takes to build beside its table's load, from the archive's text alone: only the order
//! matters, and that the longest starts first.

use bstr::ByteSlice;

/// A btree index on one number: times the time to load its table.
const PLAIN: f64 = 0.3;
/// Sorting text compares it byte by byte, and longer keys fill more pages.
const WIDE: f64 = 3.0;
/// Each further column of a key costs little.
const FURTHER: f64 = 0.3;

/// Time to run `definition` (CREATE INDEX, or ADD CONSTRAINT of a kind that builds an index) relative to the load of
/// the table that `table` defines.
pub(super) fn index(definition: &[u8], table: &[u8]) -> f64 {
    let (method, rest) = match definition.find(b" USING ") {
        Some(at) => {
            let rest = &definition[at + 7..];
            let end =
                rest.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_').unwrap_or(rest.len());
            (&rest[..end], &rest[end..])
        }
        None => (b"btree".as_slice(), keys_of_constraint(definition)),
    };
    match method {
        b"gin" => 4.0 * PLAIN,
        b"gist" => 6.0 * PLAIN,
        b"spgist" => 4.0 * PLAIN,
        b"brin" => 0.1 * PLAIN,
        b"hash" => PLAIN,
        _ => {
            let keys = keys(rest);
            let first = keys.first().map_or(1.0, |key| if is_wide(key, table) { WIDE } else { 1.0 });
            PLAIN * (first + FURTHER * keys.len().saturating_sub(1) as f64)
        }
    }
}

fn keys_of_constraint(definition: &[u8]) -> &[u8] {
    let found = [b"PRIMARY KEY ".as_slice(), b"UNIQUE "].into_iter().find_map(|word| definition.find(word));
    found.map_or(b"", |at| &definition[at..])
}

/// The keys between the first parenthesis and the one that closes it.
fn keys(text: &[u8]) -> Vec<&[u8]> {
    let Some(open) = text.find_byte(b'(') else { return Vec::new() };
    let (mut keys, mut depth, mut quoted, mut start) = (Vec::new(), 0, None, open + 1);
    for (i, &b) in text.iter().enumerate().skip(open) {
        match (quoted, b) {
            (None, b'\'' | b'"') => quoted = Some(b),
            (Some(mark), b) if mark == b => quoted = None,
            (Some(_), _) => {}
            (None, b'(') => depth += 1,
            (None, b')') => depth -= 1,
            _ => {}
        }
        if quoted.is_none() && (depth == 0 || (depth == 1 && b == b',')) {
            keys.push(text[start..i].trim_ascii());
            start = i + 1;
            if depth == 0 {
                break;
            }
        }
    }
    keys
}

/// Whether the key is an expression, or a column whose type has no fixed width. pg_dump writes each column on a line of
/// its own, four spaces in.
fn is_wide(key: &[u8], table: &[u8]) -> bool {
    if key.contains(&b'(') {
        return true;
    }
    let column = match key {
        [b'"', rest @ ..] => rest.find_byte(b'"').map_or(key, |end| &key[..end + 2]),
        _ => key.split(|b| *b == b' ').next().unwrap_or(key),
    };
    let line = [b"\n    ".as_slice(), column, b" "].concat();
    let Some(at) = table.find(&line) else { return true };
    let kind = &table[at + line.len()..];
    const NARROW: [&[u8]; 12] = [
        b"smallint",
        b"integer",
        b"bigint",
        b"boolean",
        b"real",
        b"double precision",
        b"date",
        b"time",
        b"interval",
        b"uuid",
        b"oid",
        b"money",
    ];
    !NARROW.iter().any(|narrow| kind.starts_with(narrow))
        || kind.lines().next().is_some_and(|l| l.contains_str("[]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] =
        b"CREATE TABLE public.t (\n    id bigint NOT NULL,\n    \"no, te\" text,\n    a integer[]\n);\n";

    fn cost(definition: &str) -> f64 {
        index(definition.as_bytes(), TABLE) / PLAIN
    }

    #[test]
    fn text_and_expressions_take_longer_than_numbers() {
        assert_eq!(cost("CREATE INDEX i ON public.t USING btree (id);"), 1.0);
        assert_eq!(
            cost("CREATE INDEX i ON public.t USING btree (id DESC NULLS LAST) INCLUDE (\"no, te\");"),
            1.0
        );
        assert_eq!(cost("CREATE INDEX i ON public.t USING btree (\"no, te\") WHERE (id > 3);"), WIDE);
        assert_eq!(cost("CREATE INDEX i ON public.t USING btree (lower(\"no, te\"), id);"), WIDE + FURTHER);
        assert_eq!(cost("CREATE INDEX i ON public.t USING btree (a);"), WIDE);
        assert_eq!(cost("ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (id);"), 1.0);
        assert_eq!(
            cost("ALTER TABLE ONLY public.t\n    ADD CONSTRAINT u UNIQUE (\"no, te\", id);"),
            WIDE + FURTHER
        );
        assert!(cost("CREATE INDEX i ON public.t USING gin (a);") > WIDE);
    }

    #[test]
    fn text_that_makes_no_sense_is_no_harm() {
        for text in [
            "",
            "(",
            ")",
            "UNIQUE",
            "USING",
            " USING ",
            " USING btree",
            " USING btree (\"",
            "PRIMARY KEY (((,",
        ] {
            assert!(cost(text) > 0.0, "{text}");
        }
    }
}
