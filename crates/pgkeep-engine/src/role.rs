//! The SQL that makes a role which may back up the database at hand, and nothing else.

use std::fmt::Write;

use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo, quote_ident};
use crate::error::Result;
use crate::platform::Platform;

/// Connects and writes the SQL for a backup role called `name`, for this server's version and service. Nothing is
/// changed. The password is left to `\password`, which sends only its hash.
///
/// # Errors
/// Where the server is not reached or its catalog not read.
pub fn role_sql(info: &ConnInfo, name: &str, iam: bool, cancel: &Cancel) -> Result<String> {
    let mut client = Client::connect(info, cancel)?;
    let platform = Platform::of(&mut client)?;
    let major = client.server_major();
    let role = String::from_utf8_lossy(&quote_ident(name.as_bytes())).into_owned();
    let database = client.query_one("SELECT pg_catalog.quote_ident(pg_catalog.current_database())")?.text(0);
    let mut sql = format!(
        "-- A role for backups by pgkeep: PostgreSQL {major}, {platform}, database {database}.\n\
         -- Run by psql as a role that may create roles.\n\
         CREATE ROLE {role} LOGIN;\n"
    );
    let aws = matches!(platform, Platform::Rds | Platform::Aurora);
    if iam && aws {
        let _ =
            writeln!(sql, "GRANT rds_iam TO {role}; -- logs in by IAM tokens, and by no password any more");
    } else {
        let _ = writeln!(sql, "\\password {role}");
    }
    let _ = writeln!(sql, "GRANT CONNECT ON DATABASE {database} TO {role};");
    let _ = writeln!(sql, "ALTER ROLE {role} SET default_transaction_read_only = on;");
    if major >= 14 {
        sql.push_str("\n-- All tables, sequences and schemas, also those to come, of all databases:\n");
        let _ = writeln!(sql, "GRANT pg_read_all_data TO {role};");
    } else {
        grants_of_old(&mut client, &role, &mut sql)?;
    }
    large_objects(&mut client, &role, &mut sql)?;
    row_security(&mut client, &role, platform, &mut sql)?;
    if platform != Platform::SelfManaged {
        let _ = write!(
            sql,
            "\n-- {platform} lets nobody read pg_authid: roles are kept without passwords, which are set anew after a restore.\n"
        );
    }
    Ok(sql)
}

/// Before 14 there is no pg_read_all_data: rights by schema, and for what each owner makes later.
fn grants_of_old(client: &mut Client, role: &str, sql: &mut String) -> Result<()> {
    sql.push_str("\n-- Before version 14 schema by schema, and for what the owners make from now on:\n");
    let schemas = client
        .query(
            "SELECT pg_catalog.quote_ident(n.nspname), \
                    ARRAY(SELECT DISTINCT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) \
                          FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'S')) \
             FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1",
        )
        .map_err(|e| e.during("reading the schemas"))?;
    for row in &schemas {
        let schema = row.text(0);
        let _ = writeln!(sql, "GRANT USAGE ON SCHEMA {schema} TO {role};");
        let _ = writeln!(sql, "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};");
        let _ = writeln!(sql, "GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role};");
    }
    let owners = client
        .query(
            "SELECT DISTINCT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1",
        )
        .map_err(|e| e.during("reading the owners"))?;
    for owner in owners.iter().map(|row| row.text(0)) {
        for kind in ["TABLES", "SEQUENCES"] {
            let _ =
                writeln!(sql, "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT ON {kind} TO {role};");
        }
    }
    Ok(())
}

fn large_objects(client: &mut Client, role: &str, sql: &mut String) -> Result<()> {
    let count: u64 = client
        .query_one("SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata")
        .map_err(|e| e.during("counting large objects"))?
        .parse(0)
        .unwrap_or(0);
    if count > 0 {
        let _ = write!(
            sql,
            "\n-- {count} large objects, for which pg_read_all_data does not count; those to come need the same again:\n\
             DO $$ DECLARE lo oid; BEGIN\n  \
             FOR lo IN SELECT oid FROM pg_catalog.pg_largeobject_metadata LOOP\n    \
             EXECUTE 'GRANT SELECT ON LARGE OBJECT ' || lo || ' TO {}';\n  \
             END LOOP;\nEND $$;\n",
            role.replace('\'', "''")
        );
    }
    Ok(())
}

fn row_security(client: &mut Client, role: &str, platform: Platform, sql: &mut String) -> Result<()> {
    let tables = client
        .query(
            "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), \
                    c.relforcerowsecurity, pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relrowsecurity AND c.relkind IN ('r', 'p') ORDER BY 1",
        )
        .map_err(|e| e.during("looking for row-level security"))?;
    if tables.is_empty() {
        return Ok(());
    }
    sql.push_str(
        "\n-- Row-level security would hide rows of these tables, and a backup refuses to be cut:\n",
    );
    for row in &tables {
        let _ = writeln!(
            sql,
            "--   {}{}",
            row.text(0),
            if row.bool(1) { " (forced upon its owner)" } else { "" }
        );
    }
    if platform == Platform::SelfManaged {
        let _ = writeln!(sql, "ALTER ROLE {role} BYPASSRLS;");
        return Ok(());
    }
    let mut remedies: Vec<String> =
        tables.iter().map(|row| platform.row_security_remedy(role, &row.text(2), row.bool(1))).collect();
    remedies.sort();
    remedies.dedup();
    for remedy in remedies {
        // A remedy is a statement with a reason, or words: neither is run unread.
        let _ = writeln!(sql, "-- {remedy}");
    }
    Ok(())
}
