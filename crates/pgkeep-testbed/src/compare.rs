//! Whether two databases are equal, judged without any of pgkeep's code.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::process::Command;

use crate::run::run;
use crate::{Database, Server};

/// Compares two databases: the schema as stock `pg_dump --schema-only` writes it, and of every table,
/// materialised view, sequence and large object what is in it.
///
/// Not compared: what foreign tables fetch, and what belongs to no database (roles, tablespaces).
///
/// # Errors
/// What differs, in words.
pub fn compare_databases(a: &Database, b: &Database) -> Result<(), String> {
    let mut differences = differing_content(a, b);
    differences.extend(differing_schema(a, b));
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}

/// A newer server words views, constraints and rights otherwise. The older side's schema is therefore first
/// carried over to an empty database on the newer server, by stock tools.
///
/// It may have been carried over by either version's pg_dump, and they differ: the newer one also carries the old
/// version's defaults, such as everybody's rights on the schema public, while the older one leaves the new
/// version's in force. Both are right.
fn differing_schema(a: &Database, b: &Database) -> Option<String> {
    let (version_a, version_b) = (a.server().version(), b.server().version());
    let own = |of: &Database| without_noise(&dump_schema(of, of.server()));
    let mut difference = None;
    for newer_tools in [false, true] {
        let tools = if (version_a < version_b) == newer_tools { b.server() } else { a.server() };
        let (schema_a, schema_b) = match version_a.cmp(&version_b) {
            Ordering::Equal => (own(a), own(b)),
            Ordering::Less => (carried_over(a, b, tools), own(b)),
            Ordering::Greater => (own(a), carried_over(b, a, tools)),
        };
        if schema_a == schema_b {
            return None;
        }
        difference = Some(format!("the schema differs:\n{}", diff(&schema_a, &schema_b)));
        if version_a == version_b {
            break;
        }
    }
    difference
}

/// The schema of one database as the other's newer server words it.
fn carried_over(of: &Database, to: &Database, tools: &Server) -> String {
    let options = format!("TEMPLATE template0 ENCODING '{}' LC_COLLATE 'C' LC_CTYPE 'C'", encoding(to));
    let carried = Database::create_with(to.server(), "carried_over", &options);
    let script = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(script.path(), dump_schema(of, tools)).expect("a temporary file");
    to.server().psql_file(carried.name(), script.path());
    without_noise(&dump_schema(&carried, to.server()))
}

fn dump_schema(of: &Database, tools: &Server) -> Vec<u8> {
    let mut command = tools.bin("pg_dump");
    // SQL_ASCII promises nothing that could be converted.
    let encoding = if encoding(of) == "SQL_ASCII" { "SQL_ASCII" } else { "UTF8" };
    command.args(["--schema-only", "--encoding", encoding, "-d"]).arg(of.url());
    run(&mut command, b"").unwrap_or_else(|error| panic!("{error}"))
}

fn without_noise(text: &[u8]) -> String {
    // The first two hold a random word since the releases of August 2025; the others name the server.
    let noise = ["\\restrict ", "\\unrestrict ", "-- Dumped from", "-- Dumped by"];
    let text = String::from_utf8_lossy(text);
    text.lines()
        .filter(|line| !noise.iter().any(|start| line.starts_with(start)))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn encoding(database: &Database) -> String {
    database.psql("select pg_encoding_to_char(encoding) from pg_database where datname = current_database()")
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
    // In unlike encodings the bytes of equal text differ. Not always converted, as SQL_ASCII bytes need not be UTF-8.
    let convert = encoding(a) != encoding(b);
    let (a, b) = (content(a, convert), content(b, convert));
    let mut out = Vec::new();
    for (name, in_a) in &a {
        match b.get(name) {
            None => out.push(format!("{name}: only in the first")),
            Some(in_b) if in_a != in_b => {
                out.push(format!("{name}: {in_a} in the first, {in_b} in the second"))
            }
            Some(_) => {}
        }
    }
    out.extend(
        b.keys().filter(|name| !a.contains_key(*name)).map(|name| format!("{name}: only in the second")),
    );
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

-- Which hash partition holds a row may differ (enum values hash by their oid): those are taken together.
with holding as (
    select c.oid, c.relkind,
        (select p.relid::oid from pg_partition_ancestors(c.oid) with ordinality as p (relid, level)
         join pg_partitioned_table t on t.partrelid = p.relid and t.partstrat = 'h'
         order by level desc limit 1) as hashed
    from pg_class c
    where c.relkind in ('r', 'm') and c.relispopulated and c.relpersistence <> 't'
      and c.relnamespace not in (select oid from pg_namespace where nspname ~ '^pg_' or nspname = 'information_schema')
)
select format(
    $$ select %L || chr(1) || count(*) || ' rows, ' || coalesce(sum(('x' || substr(h, 1, 15))::bit(60)::bigint), 0)
         || ' ' || coalesce(sum(('x' || substr(h, 17, 15))::bit(60)::bigint), 0)
       from (select md5(ROW_TEXT) as h from %s %s as t) as hashed $$,
    'table ' || replace(relation::text, e'\n', '\n'), just, relation)
from (select distinct coalesce(hashed, oid)::regclass as relation, case when hashed is null then 'only' end as just
      from holding) as h
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
