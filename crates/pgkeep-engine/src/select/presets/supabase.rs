//! Supabase. Schemas and publications as `supabase db dump` leaves them out (supabase/cli, pkg/migration/dump.go and
//! scripts/dump_schema.sh); event triggers and roles as its PostgreSQL image makes them (supabase/postgres,
//! migrations/db/init-scripts).

use super::{extension, role, schema};
use crate::select::{Kind, Owned};

const MADE: &str = "made and changed by the platform";
const EXT: &str = "made by its extension";
const SERVICE: &str = "not to be had elsewhere";

pub(in crate::select) const OWNED: &[Owned] = &[
    schema("auth", "the Auth service's tables and functions, its users included"),
    schema("storage", "the Storage service's tables: buckets, names of objects"),
    schema("realtime", "the Realtime service's tables and functions"),
    schema("_realtime", MADE),
    schema("_analytics", MADE),
    schema("_supavisor", MADE),
    schema("extensions", "where the platform puts extensions and the functions of its event triggers"),
    schema("pgbouncer", "the pooler's log-in function"),
    schema("supabase_functions", "webhooks' trigger function and log"),
    schema("supabase_migrations", "history of `supabase db push`, which the next push looks at"),
    schema("etl", "the replication service's state"),
    schema("vault", "secrets encrypted with a key that never leaves the project"),
    schema("pgsodium", "keys of the vault"),
    schema("pgsodium_masks", "views of the vault"),
    schema("graphql", EXT),
    schema("graphql_public", "the GraphQL service's entry"),
    schema("net", EXT),
    schema("cron", EXT),
    schema("pgtle", EXT),
    schema("dbdev", EXT),
    extension("pg_graphql", SERVICE),
    extension("supabase_vault", SERVICE),
    extension("pgsodium", SERVICE),
    extension("pg_net", SERVICE),
    extension(
        "pg_cron",
        "must be in shared_preload_libraries of the server, and its jobs are not in the backup",
    ),
    extension("pg_tle", SERVICE),
    extension("supabase-dbdev", SERVICE),
    extension("pgjwt", SERVICE),
    trigger("issue_graphql_placeholder"),
    trigger("issue_pg_cron_access"),
    trigger("issue_pg_graphql_access"),
    trigger("issue_pg_net_access"),
    trigger("pgrst_ddl_watch"),
    trigger("pgrst_drop_watch"),
    publication("supabase_realtime"),
    publication("supabase_realtime_messages_publication"),
    role("supabase_*", "the platform's own roles"),
    role("pgbouncer", "the pooler's role"),
    role("pgsodium_*", "the vault's roles"),
    role("pgtle_admin", "its extension's role"),
    role("dashboard_user", "the dashboard's role"),
];

const fn trigger(name: &'static str) -> Owned {
    Owned {
        kind: Kind::EventTrigger,
        name,
        why: "only superusers make event triggers, and its function is the platform's",
    }
}

const fn publication(name: &'static str) -> Owned {
    Owned { kind: Kind::Publication, name, why: "the Realtime service's, there in every project" }
}
