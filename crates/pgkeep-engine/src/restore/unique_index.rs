//! A primary key or unique constraint in two steps: its index, then the constraint on it.
//!
//! ADD CONSTRAINT locks its table for as long as it builds the index, so that no other index of the table can be built
//! beside it. CREATE UNIQUE INDEX lets them, and ADD CONSTRAINT … USING INDEX takes no time. The result is the same to
//! the last bit of the catalogs, apart from oids.

use super::copy_statement::name;

/// The statements of the two steps.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TwoSteps {
    pub(super) index: Vec<u8>,
    pub(super) constraint: Vec<u8>,
}

/// Takes `ALTER TABLE ONLY t ADD CONSTRAINT c PRIMARY KEY (…);` apart, as dumpConstraint (src/bin/pg_dump/pg_dump.c)
/// writes it. `None` for whatever is not exactly that: other kinds, options that an index does not have, a second
/// statement after it.
pub(super) fn split(definition: &[u8]) -> Option<TwoSteps> {
    let definition = definition.trim_ascii_end();
    let start = definition.strip_prefix(b"ALTER TABLE ONLY ")?;
    let mut rest = start;
    name(&mut rest)?;
    if let Some(after) = rest.strip_prefix(b".") {
        rest = after;
        name(&mut rest)?;
    }
    let table = &start[..start.len() - rest.len()];
    rest = rest.strip_prefix(b"\n    ADD CONSTRAINT ")?;
    let from = rest;
    name(&mut rest)?;
    let constraint = &from[..from.len() - rest.len()];
    let (kind, nulls, keys): (&[u8], &[u8], &[u8]) = if let Some(keys) = rest.strip_prefix(b" PRIMARY KEY (")
    {
        (b"PRIMARY KEY", b"", keys)
    } else if let Some(keys) = rest.strip_prefix(b" UNIQUE (") {
        (b"UNIQUE", b"", keys)
    } else {
        (b"UNIQUE", b" NULLS NOT DISTINCT", rest.strip_prefix(b" UNIQUE NULLS NOT DISTINCT (")?)
    };
    let (columns, rest) = list(keys)?;
    let (include, rest) = match rest.strip_prefix(b" INCLUDE (") {
        Some(more) => list(more).map(|(columns, rest)| (Some(columns), rest))?,
        None => (None, rest),
    };
    let when: &[u8] = match rest {
        b";" => b"",
        b" DEFERRABLE;" => b" DEFERRABLE",
        b" DEFERRABLE INITIALLY DEFERRED;" => b" DEFERRABLE INITIALLY DEFERRED",
        _ => return None,
    };
    let mut index =
        [b"CREATE UNIQUE INDEX ".as_slice(), constraint, b" ON ", table, b" USING btree (", columns, b")"]
            .concat();
    if let Some(include) = include {
        index.extend_from_slice(&[b" INCLUDE (".as_slice(), include, b")"].concat());
    }
    index.extend_from_slice(nulls);
    let constraint = [
        b"ALTER TABLE ONLY ".as_slice(),
        table,
        b" ADD CONSTRAINT ",
        constraint,
        b" ",
        kind,
        b" USING INDEX ",
        constraint,
        when,
    ]
    .concat();
    Some(TwoSteps { index, constraint })
}

/// Column names and nothing else, up to the parenthesis that closes the list; and what comes after it.
fn list(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = text;
    loop {
        name(&mut rest)?;
        match rest {
            [b',', b' ', after @ ..] => rest = after,
            [b')', after @ ..] => return Some((&text[..text.len() - after.len() - 1], after)),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(definition: &str) -> Option<(String, String)> {
        let steps = split(definition.as_bytes())?;
        Some((String::from_utf8(steps.index).unwrap(), String::from_utf8(steps.constraint).unwrap()))
    }

    #[test]
    fn plain_constraints_are_taken_apart() {
        let (index, constraint) = steps(
            "ALTER TABLE ONLY public.\"T,\n(\"\n    ADD CONSTRAINT \"k \"\"1\" PRIMARY KEY (a, \"b)\");\n",
        )
        .unwrap();
        assert_eq!(index, "CREATE UNIQUE INDEX \"k \"\"1\" ON public.\"T,\n(\" USING btree (a, \"b)\")");
        assert_eq!(
            constraint,
            "ALTER TABLE ONLY public.\"T,\n(\" ADD CONSTRAINT \"k \"\"1\" PRIMARY KEY USING INDEX \"k \"\"1\""
        );
        let (index, constraint) = steps(
            "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT u UNIQUE NULLS NOT DISTINCT (a) INCLUDE (b) DEFERRABLE;\n",
        )
        .unwrap();
        assert_eq!(index, "CREATE UNIQUE INDEX u ON s.t USING btree (a) INCLUDE (b) NULLS NOT DISTINCT");
        assert_eq!(constraint, "ALTER TABLE ONLY s.t ADD CONSTRAINT u UNIQUE USING INDEX u DEFERRABLE");
    }

    #[test]
    fn whatever_else_there_is_stays_whole() {
        for definition in [
            "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT u UNIQUE (a) WITH (fillfactor='70');\n",
            "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT u PRIMARY KEY (a, b WITHOUT OVERLAPS);\n",
            "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT u EXCLUDE USING gist (a WITH =);\n",
            "ALTER TABLE ONLY s.t\n    ADD CONSTRAINT u PRIMARY KEY (a);\n\nALTER TABLE s.t CLUSTER ON u;\n",
            "ALTER TABLE s.t\n    ADD CONSTRAINT u CHECK (a > 0);",
            "",
        ] {
            assert_eq!(steps(definition), None, "{definition}");
        }
    }
}
