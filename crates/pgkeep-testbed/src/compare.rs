//! Whether two databases are equal, judged without any of pgkeep's code.

use std::collections::BTreeMap;
use std::process::Command;

use crate::Database;
use crate::run::run;

/// Compares two databases: the schema as stock `pg_dump --schema-only` writes it, and of every table,
/// materialised view, sequence and large object what is in it.
///
/// Not compared: what foreign tables fetch, and what belongs to no database (roles, tablespaces).
///
/// # Errors
/// What differs, in words.
pub fn compare_databases(a: &Database, b: &Database) -> Result<(), String> {
    let mut differences = differing_content(a, b);
    let (schema_a, schema_b) = (schema(a, b), schema(b, a));
    if schema_a != schema_b {
        differences.push(format!("the schema differs:\n{}", diff(&schema_a, &schema_b)));
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

/// The schema's text, written by the newer of both servers' pg_dump so that one program words both.
fn schema(of: &Database, other: &Database) -> String {
    let newer = if of.server().version() >= other.server().version() { of } else { other };
    let mut command = newer.server().bin("pg_dump");
    command.env("PGPORT", of.server().port().to_string());
    command.args(["--schema-only", "--encoding=UTF8", "-d"]).arg(of.url());
    let text = run(&mut command, b"").unwrap_or_else(|error| panic!("{error}"));
    let text = String::from_utf8_lossy(&text);
    let told_apart = |line: &&str| {
        // The first two hold a random word since the releases of August 2025; the others name the server.
        !["\\restrict ", "\\unrestrict ", "-- Dumped from", "-- Dumped by"].iter().any(|start| line.starts_with(start))
    };
    text.lines().filter(told_apart).map(|line| format!("{line}\n")).collect()
}

fn diff(a: &str, b: &str) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in [("first", a), ("second", b)] {
        std::fs::write(dir.path().join(name), text).expect("a temporary file");
    }
    let mut command = Command::new("diff");
    let out = command.current_dir(dir.path()).args(["-u", "first", "second"]).output().expect("diff runs");
    let out = String::from_utf8_lossy(&out.stdout).into_owned();
    let shown: Vec<&str> = out.lines().take(100).collect();
    shown.join("\n")
}

fn differing_content(a: &Database, b: &Database) -> Vec<String> {
    let encoding = "select pg_encoding_to_char(encoding) from pg_database where datname = current_database()";
    // In unlike encodings the bytes of equal text differ. Not always converted, as SQL_ASCII bytes need not be UTF-8.
    let convert = a.psql(encoding) != b.psql(encoding);
    let (a, b) = (content(a, convert), content(b, convert));
    let mut out = Vec::new();
    for (name, in_a) in &a {
        match b.get(name) {
            None => out.push(format!("{name}: only in the first")),
            Some(in_b) if in_a != in_b => out.push(format!("{name}: {in_a} in the first, {in_b} in the second")),
            Some(_) => {}
        }
    }
    out.extend(b.keys().filter(|name| !a.contains_key(*name)).map(|name| format!("{name}: only in the second")));
    out
}

/// Everything that holds data, with what it holds in short.
fn content(database: &Database, convert: bool) -> BTreeMap<String, String> {
    let row = if convert { "convert_to(t::text, 'UTF8')" } else { "t::text" };
    let sql = CONTENT.replace("ROW_TEXT", row);
    let lines = database.psql(&sql);
    let pair = |line: &str| line.split_once('\u{1}').map(|(name, what)| (name.to_owned(), what.to_owned()));
    lines.lines().filter_map(pair).collect()
}

/// Each statement's rows are `name \x01 what it holds`. Rows count regardless of their order: two sums over
/// parts of each row's MD5.
const CONTENT: &str = r"
set row_security = off;
set datestyle = iso;
set intervalstyle = postgres;
set timezone = utc;
set extra_float_digits = 3;
set bytea_output = hex;
set xmloption = content;
set search_path = pg_catalog;
\set QUIET on

select format(
    $$ select %L || chr(1) || count(*) || ' rows, ' || coalesce(sum(('x' || substr(h, 1, 15))::bit(60)::bigint), 0)
         || ' ' || coalesce(sum(('x' || substr(h, 17, 15))::bit(60)::bigint), 0)
       from (select md5(ROW_TEXT) as h from only %s as t) as hashed $$,
    'table ' || replace(c.oid::regclass::text, e'\n', '\n'), c.oid::regclass)
from pg_class c
where c.relkind in ('r', 'm') and c.relispopulated and c.relpersistence <> 't'
  and c.relnamespace not in (select oid from pg_namespace where nspname ~ '^pg_' or nspname = 'information_schema')
order by 1
\gexec

select 'materialised view ' || replace(oid::regclass::text, e'\n', '\n') || chr(1) || 'not populated'
from pg_class where relkind = 'm' and not relispopulated;

select format($$ select %L || chr(1) || last_value || ' ' || is_called from %s $$,
    'sequence ' || replace(c.oid::regclass::text, e'\n', '\n'), c.oid::regclass)
from pg_class c where c.relkind = 'S' and c.relpersistence <> 't'
order by 1
\gexec

select 'large object ' || m.oid || chr(1)
    || concat_ws(' ', length(lo_get(m.oid)), 'bytes', md5(lo_get(m.oid)), pg_get_userbyid(lomowner),
        (select string_agg(a::text, ',' order by a::text) from unnest(lomacl) a),
        quote_nullable(obj_description(m.oid, 'pg_largeobject')))
from pg_largeobject_metadata m;
";
