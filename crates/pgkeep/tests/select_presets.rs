//! Presets: what a managed service owns stays out of the backup, and the rest restores elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pgkeep_testbed::{Database, private_server};
use support::stock::PgRestore;
use support::{Backup, pgkeep, restore, succeed};

/// A project as the platform and its user make it. Of the extensions there is only the name.
const SUPABASE: &str = r#"
create role supabase_admin superuser;
create role anon;
create role authenticated;
create role service_role bypassrls;
create schema auth;
create schema extensions;
create schema storage;
create schema net;
create schema vault;
create table auth.users (id uuid primary key, email text);
insert into auth.users values ('00000000-0000-0000-0000-000000000001', 'x@example.com');
create function auth.uid() returns uuid language sql stable as
  $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
create table storage.objects (name text);
create table vault.secrets (secret text);
create function extensions.grant_pg_net_access() returns event_trigger language plpgsql as $$ begin end $$;
create event trigger issue_pg_net_access on ddl_command_end execute function extensions.grant_pg_net_access();
comment on event trigger issue_pg_net_access is 'the platform''s';
create function public.own() returns event_trigger language plpgsql as $$ begin end $$;
create event trigger own_trigger on sql_drop execute function public.own();
create extension citext schema extensions;
create extension pgcrypto schema net;
update pg_extension set extname = 'pg_net' where extname = 'pgcrypto';
comment on extension pg_net is 'requests';
create table public.notes (id int primary key, owner uuid references auth.users, word extensions.citext);
insert into public.notes values (1, '00000000-0000-0000-0000-000000000001', 'Mine');
alter table public.notes enable row level security;
create policy mine on public.notes using (owner = auth.uid());
grant select on public.notes to anon;
create publication supabase_realtime for table public.notes;
create publication own_publication for table public.notes;
alter default privileges for role supabase_admin in schema public grant select on tables to anon;
alter default privileges for role postgres in schema public grant select on tables to anon;
"#;

/// The stand-ins of docs/presets.md.
fn stand_ins() -> String {
    let docs =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/presets.md")).unwrap();
    let (_, after) = docs.split_once("```sql\n").unwrap();
    after.split_once("```").unwrap().0.to_owned()
}

#[test]
fn a_supabase_project_restores_elsewhere_without_what_the_platform_owns() {
    let (platform, elsewhere) = (private_server(17, &[]), private_server(17, &[]));
    let source = Database::create(&platform, "project");
    source.psql(SUPABASE);
    let backup = Backup::of(&source, &["--preset", "supabase"]);
    let entries = PgRestore { major: 17, archive: &backup.path() }.list().join("\n");
    for gone in [
        "SCHEMA - auth",
        "users",
        "storage",
        "vault",
        "issue_pg_net_access",
        "pg_net",
        "supabase_realtime",
        "supabase_admin",
        "COMMENT - EXTENSION",
    ] {
        assert!(!entries.contains(gone), "{gone} is in it:\n{entries}");
    }
    for there in [
        "EXTENSION - citext",
        "EVENT TRIGGER - own_trigger",
        "PUBLICATION - own_publication",
        "POLICY public notes mine",
        "DEFAULT ACL public DEFAULT PRIVILEGES FOR TABLES postgres",
        "TABLE DATA public notes",
    ] {
        assert!(entries.contains(there), "{there} is not in it:\n{entries}");
    }
    let notes = backup.manifest()["dump"]["notes"].to_string();
    assert!(notes.contains("left out by preset supabase: EVENT TRIGGER issue_pg_net_access"), "{notes}");
    assert_eq!(backup.result["partial"], "preset supabase");

    let target = Database::create(&elsewhere, "elsewhere");
    target.psql(&stand_ins());
    target.psql("insert into auth.users values ('00000000-0000-0000-0000-000000000001', 'x@example.com')");
    let restored = restore(&backup.file(), &target, &[]);
    assert_eq!(restored["proven"], true, "{restored}");
    assert_eq!(
        target.psql("set search_path = extensions; select count(*) from public.notes where word = 'mine'"),
        "1"
    );
    assert_eq!(target.psql("set role anon; select count(*) from public.notes"), "0");

    // The platform's own rows, by a second backup, as docs/presets.md has it.
    let rows = Backup::of(&source, &["--data-only", "-n", "auth", "-n", "storage"]);
    assert_eq!(rows.result["tables"], 2);
}

#[test]
fn an_unknown_preset_is_refused_with_the_known_ones() {
    let out = pgkeep(&["backup", "postgres://u@127.0.0.1:1/x", "--preset", "heroku"]);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(["supabase", "rds", "aurora", "cloudsql"].iter().all(|p| said.contains(p)), "{said}");
}

#[test]
fn a_service_s_own_database_is_left_out_of_all() {
    let server = private_server(16, &[]);
    server.psql("postgres", "create database rdsadmin");
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().to_str().unwrap();
    let out = succeed(support::program().args([
        "backup",
        "--all",
        &server.url("postgres"),
        "--to",
        to,
        "--preset",
        "rds",
    ]));
    let said = String::from_utf8(out).unwrap();
    assert!(
        said.contains("skipped   rdsadmin: the service's own") && said.contains("1 of 1 database"),
        "{said}"
    );
}
