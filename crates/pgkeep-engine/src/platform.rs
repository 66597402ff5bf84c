//! Who runs a server, as far as its catalog tells, and what that one refuses.

use std::fmt;

use serde::Serialize;

use crate::conn::Client;
use crate::error::Result;

/// Who runs a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Nobody known: a server of one's own.
    SelfManaged,
    /// Amazon RDS.
    Rds,
    /// Amazon Aurora.
    Aurora,
    /// Supabase.
    Supabase,
    /// Google Cloud SQL or AlloyDB.
    CloudSql,
    /// Azure Database for PostgreSQL.
    Azure,
    /// Neon.
    Neon,
}

impl Platform {
    /// Looks for the roles that each service keeps for itself.
    pub(crate) fn of(client: &mut Client) -> Result<Platform> {
        let row = client
            .query_one(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE proname = 'aurora_version'), \
                        ARRAY(SELECT rolname::pg_catalog.text FROM pg_catalog.pg_roles WHERE rolname IN ('rds_superuser', \
                          'supabase_admin', 'cloudsqlsuperuser', 'alloydbsuperuser', 'azure_pg_admin', 'neon_superuser'))",
            )
            .map_err(|e| e.during("looking at who runs the server"))?;
        let (aurora, roles) = (row.bool(0), row.text(1));
        let has = |role: &str| roles.contains(role);
        Ok(match () {
            () if aurora => Platform::Aurora,
            () if has("rds_superuser") => Platform::Rds,
            () if has("supabase_admin") => Platform::Supabase,
            () if has("cloudsqlsuperuser") || has("alloydbsuperuser") => Platform::CloudSql,
            () if has("azure_pg_admin") => Platform::Azure,
            () if has("neon_superuser") => Platform::Neon,
            () => Platform::SelfManaged,
        })
    }

    /// What lets a role read all rows of a table with row-level security. Only superusers give BYPASSRLS, before 16
    /// all of them, from 16 also roles that have it themselves (AlterRole, src/backend/commands/user.c); what belongs
    /// to one's own role is not filtered unless forced (check_enable_rls, src/backend/utils/misc/rls.c).
    pub(crate) fn row_security_remedy(self, grantee: &str, owner: &str, forced: bool) -> String {
        match self {
            Platform::SelfManaged => format!("ALTER ROLE {grantee} BYPASSRLS (as a superuser)"),
            Platform::Supabase => {
                format!(
                    "back up as postgres, which bypasses row-level security there, or ALTER ROLE {grantee} BYPASSRLS as it"
                )
            }
            _ if forced => {
                "this service lets nobody give BYPASSRLS, and the table's security is forced upon its owner: \
                 ALTER TABLE … NO FORCE ROW LEVEL SECURITY and back up as a member of the owner"
                    .into()
            }
            _ => format!(
                "GRANT {owner} TO {grantee}: this service lets nobody give BYPASSRLS, and an owner is not filtered"
            ),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Platform::SelfManaged => "self-managed",
            Platform::Rds => "Amazon RDS",
            Platform::Aurora => "Amazon Aurora",
            Platform::Supabase => "Supabase",
            Platform::CloudSql => "Google Cloud",
            Platform::Azure => "Azure",
            Platform::Neon => "Neon",
        })
    }
}
