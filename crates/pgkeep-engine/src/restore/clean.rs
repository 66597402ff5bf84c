//! Dropping what stands in the way (`--clean`), last first.

use bstr::ByteSlice;
use pgkeep_archive::{Entry, object_oids};

use super::entry::{bytes, desc, is_database, is_setting, is_wanted, tag};
use super::options::RestoreOptions;

/// Drop statements for these entries in the order in which to run them, each with the entry's index. With `create`
/// the database alone is dropped: the session is connected elsewhere.
pub(super) fn drops(entries: &[Entry], options: &RestoreOptions) -> Vec<(usize, Vec<u8>)> {
    let mut drops = Vec::new();
    for (i, entry) in entries.iter().enumerate().rev() {
        if is_setting(entry) || is_database(entry) != options.create || !is_wanted(entry, options) {
            continue;
        }
        if let Some(sql) = drop(entry, options.if_exists) {
            drops.push((i, sql));
        }
    }
    drops
}

/// The entry's drop statement, with IF EXISTS where wanted (`RestoreArchive`,
/// src/bin/pg_dump/pg_backup_archiver.c).
fn drop(entry: &Entry, if_exists: bool) -> Option<Vec<u8>> {
    let sql = bytes(&entry.drop);
    match desc(entry) {
        b"BLOB METADATA" if entry.drop.is_some() => unlink(&object_oids(entry), if_exists),
        b"BLOB" if if_exists && !sql.is_empty() => {
            unlink(&[tag(entry).to_str().ok()?.trim().parse().ok()?], true)
        }
        _ if sql.is_empty() => None,
        _ if !if_exists || sql.starts_with(b"--") => Some(sql.to_vec()),
        kind => Some(with_if_exists(kind, sql)),
    }
}

fn unlink(oids: &[u32], if_exists: bool) -> Option<Vec<u8>> {
    let list: Vec<String> = oids.iter().map(u32::to_string).collect();
    let list = format!("'{{{}}}'::pg_catalog.oid[]", list.join(","));
    (!oids.is_empty()).then(|| {
        if if_exists {
            format!(
                "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = ANY ({list})"
            )
        } else {
            format!("SELECT pg_catalog.lo_unlink(o) FROM pg_catalog.unnest({list}) AS u(o)")
        }
        .into_bytes()
    })
}

fn with_if_exists(kind: &[u8], sql: &[u8]) -> Vec<u8> {
    let (mut out, rest) = match sql.strip_prefix(b"ALTER TABLE") {
        Some(rest) => (b"ALTER TABLE IF EXISTS".to_vec(), rest),
        None => (Vec::new(), sql),
    };
    // ALTER COLUMN … DROP DEFAULT has no IF EXISTS; a view replaced by a dummy to break a circle stays as it is.
    let verbatim =
        matches!(kind, b"DEFAULT" | b"DATABASE PROPERTIES") || rest.starts_with(b"CREATE OR REPLACE VIEW");
    let mark = match kind {
        b"CONSTRAINT" | b"CHECK CONSTRAINT" | b"FK CONSTRAINT" => b"DROP CONSTRAINT".to_vec(),
        kind => [b"DROP ", kind].concat(),
    };
    match rest.find(&mark) {
        Some(at) if !verbatim => {
            let (head, tail) = rest.split_at(at + mark.len());
            out.extend_from_slice(head);
            out.extend_from_slice(b" IF EXISTS");
            out.extend_from_slice(tail);
        }
        _ => out.extend_from_slice(rest),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn injected(kind: &str, sql: &str) -> String {
        String::from_utf8(with_if_exists(kind.as_bytes(), sql.as_bytes())).unwrap()
    }

    #[test]
    fn if_exists_goes_where_the_grammar_has_it() {
        assert_eq!(injected("TABLE", "DROP TABLE public.t;\n"), "DROP TABLE IF EXISTS public.t;\n");
        assert_eq!(
            injected("FK CONSTRAINT", "ALTER TABLE ONLY public.t DROP CONSTRAINT f;\n"),
            "ALTER TABLE IF EXISTS ONLY public.t DROP CONSTRAINT IF EXISTS f;\n"
        );
        assert_eq!(
            injected("DEFAULT", "ALTER TABLE public.t ALTER COLUMN id DROP DEFAULT;\n"),
            "ALTER TABLE IF EXISTS public.t ALTER COLUMN id DROP DEFAULT;\n"
        );
        let view = "CREATE OR REPLACE VIEW public.v AS\nSELECT NULL::integer AS a;\n";
        assert_eq!(injected("VIEW", view), view);
    }
}
