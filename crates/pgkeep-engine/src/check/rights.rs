//! The rights that a backup needs and the role does not have, object by object.

use super::{Class, Finding};
use crate::conn::Client;
use crate::error::Result;
use crate::platform::Platform;

/// What pg_dump locks or reads, and what of it the role may not: tables (`LOCK TABLE … IN ACCESS SHARE MODE` needs
/// SELECT), sequences, the schemas around them. Members of extensions are left out, as pg_dump leaves them out, but
/// for their configuration tables (getTables, dumpSequenceData, src/bin/pg_dump/pg_dump.c).
const REFUSED: &str = "
SELECT c.relkind = 'S',
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
       pg_catalog.quote_ident(n.nspname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                   AND d.objid = c.oid AND d.deptype = 'e')
       OR EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE c.oid = ANY (e.extconfig)))
  AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE')
           AND CASE c.relkind WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
                              ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)
ORDER BY 2";

/// Tables whose rows would be filtered for this role; with row_security off, as a backup runs, that is an error.
const FILTERED: &str = "
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), c.relforcerowsecurity,
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relrowsecurity AND c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid)
ORDER BY 1";

/// Large objects that the role may not read: pg_read_all_data does not count for them.
const LARGE_OBJECTS: &str = "
SELECT pg_catalog.count(*), min(m.oid)
FROM pg_catalog.pg_largeobject_metadata m
WHERE pg_catalog.current_setting('is_superuser') <> 'on' AND pg_catalog.current_setting('lo_compat_privileges') <> 'on'
  AND NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE')
  AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'
                  AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))";

pub(super) fn missing(client: &mut Client, role: &str, platform: Platform) -> Result<Vec<Finding>> {
    let grantee = String::from_utf8_lossy(&crate::conn::quote_ident(role.as_bytes())).into_owned();
    let mut findings = Vec::new();
    let read_all = client.server_major() >= 14;
    for row in client.query(REFUSED).map_err(|e| e.during("looking for missing rights"))? {
        let (what, object, usage, schema) =
            (if row.bool(0) { "sequence" } else { "table" }, row.text(1), row.bool(2), row.text(3));
        let remedy = if read_all {
            format!("GRANT pg_read_all_data TO {grantee}")
        } else if usage {
            format!("GRANT SELECT ON {object} TO {grantee}")
        } else {
            format!("GRANT USAGE ON SCHEMA {schema} TO {grantee}; GRANT SELECT ON {object} TO {grantee}")
        };
        let problem = if usage {
            format!("no right to read this {what}")
        } else {
            format!("no right to use the schema of this {what}")
        };
        findings.push(Finding { class: Class::Rights, object: Some(object), problem, remedy });
    }
    for row in client.query(FILTERED).map_err(|e| e.during("looking for row-level security"))? {
        let (object, forced, owner) = (row.text(0), row.bool(1), row.text(2));
        findings.push(Finding {
            class: Class::RowSecurity,
            object: Some(object),
            problem:
                "row-level security would hide rows of it from this role, and a backup refuses to be cut"
                    .into(),
            remedy: platform.row_security_remedy(&grantee, &owner, forced),
        });
    }
    let row = client.query_one(LARGE_OBJECTS).map_err(|e| e.during("looking at large objects"))?;
    let count: u64 = row.parse(0).unwrap_or(0);
    if count > 0 {
        findings.push(Finding {
            class: Class::Rights,
            object: Some(format!("large object {}", row.text(1))),
            problem: format!("no right to read this and {} more", count - 1),
            remedy: format!(
                "GRANT SELECT ON LARGE OBJECT … TO {grantee} for each (pgkeep role prints a loop), or leave large objects out"
            ),
        });
    }
    Ok(findings)
}
