//! Stand-ins for roles that a server lacks: without them no object could have its owner.

use std::collections::BTreeSet;

use bstr::{BString, ByteSlice};
use pgkeep_archive::{Entry, Toc};

use crate::conn::{Client, quote_ident};
use crate::error::{EngineError, ErrorKind, Result};

/// Creates the roles that the archive names and the server lacks, without a right to log in, and gives their names.
///
/// # Errors
/// What the server says; `Permission` where the user may not create roles.
pub(super) fn create_roles(client: &mut Client, toc: &Toc) -> Result<Vec<BString>> {
    let there = client.query("SELECT rolname FROM pg_catalog.pg_roles")?;
    let there: BTreeSet<BString> =
        there.iter().map(|row| BString::from(row.bytes(0).unwrap_or_default())).collect();
    let mut created = Vec::new();
    for role in named(toc).difference(&there) {
        let sql = [b"CREATE ROLE ".as_slice(), &quote_ident(role)].concat();
        match client.execute(sql) {
            Ok(()) => created.push(role.clone()),
            // Another drill was quicker; a name that only a newer server may give.
            Err(e) if matches!(e.sqlstate.as_deref(), Some("42710" | "42939")) => {}
            Err(e) => return Err(failed(e, role)),
        }
    }
    Ok(created)
}

fn failed(e: EngineError, role: &BString) -> EngineError {
    let hint = "let the user who restores create roles, or create these before";
    let e = e.during(format!("creating the role {role}, which the archive names and this server lacks"));
    if e.kind == ErrorKind::Permission { e.hint(hint) } else { e }
}

/// Owners, and roles that rights, policies and user mappings name.
fn named(toc: &Toc) -> BTreeSet<BString> {
    let mut roles = BTreeSet::new();
    for entry in &toc.entries {
        roles.extend(entry.owner.iter().filter(|o| !o.is_empty()).cloned());
        if let Some(sql) = with_roles(entry) {
            roles.extend(roles_in(sql));
        }
    }
    roles
}

/// The part of a definition that names roles.
fn with_roles(entry: &Entry) -> Option<&[u8]> {
    let sql = entry.definition.as_ref()?.as_bytes();
    if ["ACL", "DEFAULT ACL", "USER MAPPING"].iter().any(|desc| entry.desc_is(desc)) {
        return Some(sql);
    }
    // What follows is an expression with words of its own.
    let end = [b" USING (".as_slice(), b" WITH CHECK ("].iter().filter_map(|end| sql.find(end)).min();
    entry.desc_is("POLICY").then(|| &sql[..end.unwrap_or(sql.len())])
}

/// Words before a role or a list of them.
const BEFORE: [&[u8]; 5] = [b"TO", b"FROM", b"ROLE", b"AUTHORIZATION", b"FOR"];
/// What stands there and is none.
const NO_ROLES: [&[u8]; 9] =
    [b"PUBLIC", b"CURRENT_USER", b"SESSION_USER", b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"ALL", b";"];

fn roles_in(sql: &[u8]) -> BTreeSet<BString> {
    let mut roles = BTreeSet::new();
    let (mut expected, mut after_role) = (false, false);
    for (word, quoted) in words(sql) {
        let is_list = after_role && !quoted && word == ",";
        after_role = false;
        if !quoted && BEFORE.contains(&word.as_slice()) || is_list {
            expected = true;
        } else if std::mem::take(&mut expected) && (quoted || !NO_ROLES.contains(&word.as_slice())) {
            roles.insert(word);
            after_role = true;
        }
    }
    roles
}

/// Words and whether they were quoted; commas and semicolons are words.
fn words(sql: &[u8]) -> Vec<(BString, bool)> {
    let mut words: Vec<(BString, bool)> = Vec::new();
    let mut rest = sql;
    while let Some((&first, tail)) = rest.split_first() {
        match first {
            b'"' => {
                let mut word = BString::default();
                let mut tail = tail;
                while let Some((&b, after)) = tail.split_first() {
                    tail = after;
                    match (b, after.first()) {
                        (b'"', Some(b'"')) => {
                            word.push(b'"');
                            tail = &after[1..];
                        }
                        (b'"', _) => break,
                        _ => word.push(b),
                    }
                }
                words.push((word, true));
                rest = tail;
            }
            b',' | b';' => {
                words.push((BString::from([first].as_slice()), false));
                rest = tail;
            }
            b if b.is_ascii_whitespace() => rest = tail,
            _ => {
                let end = rest.iter().position(|b| b" \t\n\",;".contains(b)).unwrap_or(rest.len());
                words.push((BString::from(&rest[..end]), false));
                rest = &rest[end..];
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn found(sql: &str, expected: &[&str]) {
        let expected: BTreeSet<BString> = expected.iter().map(|r| BString::from(*r)).collect();
        assert_eq!(roles_in(sql.as_bytes()), expected, "{sql}");
    }

    #[test]
    fn roles_are_found_wherever_pg_dump_names_them() {
        found(
            "REVOKE ALL ON TABLE public.\"TO x\" FROM owner;\nGRANT SELECT ON TABLE public.t TO reader WITH GRANT OPTION;\n\
             SET SESSION AUTHORIZATION \"odd \"\"one\";\nGRANT ALL ON TABLE public.t TO PUBLIC;\nRESET SESSION AUTHORIZATION;\n",
            &["owner", "reader", "odd \"one"],
        );
        found(
            "ALTER DEFAULT PRIVILEGES FOR ROLE maker IN SCHEMA s GRANT SELECT ON TABLES TO taker;",
            &["maker", "taker"],
        );
        found("CREATE POLICY p ON public.t AS RESTRICTIVE FOR SELECT TO a, \"B\"", &["a", "B"]);
        found("CREATE USER MAPPING FOR CURRENT_USER SERVER s;", &[]);
        found("CREATE USER MAPPING FOR u SERVER s;", &["u"]);
    }
}
