//! `check` and `role`: what they say is right, judged by whether a backup works.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use failures_support::closed_port;
use failures_support::place::Place;
use failures_support::program::{PLANTED, Ran, pgkeep, ran, run};
use pgkeep_testbed::{Database, Server};

/// Tables of two schemas, a sequence, a large object and a table with row-level security, all another role's.
const GUARDED: &str = "
create schema \"Odd Schema\";
create table \"Odd Schema\".\"Odd Table\" (id serial, t text);
insert into \"Odd Schema\".\"Odd Table\" (t) select 'row ' || i from generate_series(1, 100) i;
create table guarded (owner text);
insert into guarded values ('a'), ('b');
alter table guarded enable row level security;
create policy own on guarded using (owner = current_user);
select lo_from_bytea(0, '\\x01');
";

struct Guarded {
    database: Database,
    role: String,
}

impl Guarded {
    fn on(major: u32) -> Guarded {
        let database = Database::create(&Server::major(major), "check");
        database.psql(GUARDED);
        let role = format!("backup \"{}", database.name());
        Guarded { database, role }
    }

    /// The role's URL.
    fn url(&self) -> String {
        let role = self.role.replace(' ', "%20").replace('"', "%22");
        self.database.url().replace(
            "postgres:secret@",
            &format!("{role}:{}@", PLANTED.replace('@', "%40").replace('/', "%2F")),
        )
    }

    fn quoted(&self) -> String {
        format!("\"{}\"", self.role.replace('"', "\"\""))
    }

    fn check(&self, place: &Place) -> Ran {
        run(pgkeep(&["check", &self.url(), "--to", &place.url(), "--json"]))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.database.try_psql(&format!("drop owned by {0}; drop role {0}", self.quoted()));
    }
}

#[test]
fn what_a_role_may_not_read_is_named_and_what_role_prints_mends_it() {
    for major in [13, 14, 17, 18] {
        let guarded = Guarded::on(major);
        let place = Place::folder();
        guarded.database.psql(&format!("create role {} login password '{PLANTED}'", guarded.quoted()));

        let found = guarded.check(&place);
        assert_eq!(found.code(), 7, "{found:#?}");
        let problems = found.json()["databases"][0]["problems"].clone();
        let about: Vec<_> = problems
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["object"].as_str().unwrap_or_default().to_owned())
            .collect();
        for object in [
            "\"Odd Schema\".\"Odd Table\"",
            "\"Odd Schema\".\"Odd Table_id_seq\"",
            "public.guarded",
            "large object",
        ] {
            assert!(about.iter().any(|a| a.starts_with(object)), "{object} is missing: {found:#?}");
        }
        assert!(problems.to_string().contains("row-security"), "{found:#?}");
        place.backup(&guarded.url(), &[]).says(&["pgkeep: error: "]);
        place.is_clean();

        // As its reader would: all that it says, but for the question for a password.
        let sql = ran(&["role", &guarded.database.url(), "--role", &guarded.role]).ok().stdout;
        let sql: String = sql
            .lines()
            .filter(|line| !line.starts_with("\\password") && !line.starts_with("CREATE ROLE"))
            .map(|line| line.to_owned() + "\n")
            .collect();
        guarded.database.psql(&sql);
        let found = guarded.check(&place).ok();
        assert_eq!(
            found.json()["databases"][0]["problems"].as_array().unwrap().len(),
            0,
            "{major}: {found:#?}"
        );
        place.backup(&guarded.url(), &[]).ok();
    }
}

#[test]
fn a_role_that_is_made_as_printed_can_read_and_not_write() {
    let guarded = Guarded::on(17);
    let sql = ran(&["role", &guarded.database.url(), "--role", &guarded.role]).ok().stdout;
    assert!(sql.contains("\\password"), "{sql}");
    guarded
        .database
        .psql(&sql.lines().filter(|l| !l.starts_with("\\password")).collect::<Vec<_>>().join("\n"));
    guarded.database.psql(&format!("alter role {} password '{PLANTED}'", guarded.quoted()));
    let as_role = |sql: &str| {
        guarded.database.try_psql(&format!("set session authorization {}; {sql}", guarded.quoted()))
    };
    as_role("select * from guarded").unwrap();
    assert!(as_role("insert into guarded values ('c')").unwrap_err().contains("permission denied"));
}

#[test]
fn all_is_well_for_the_owner_and_the_figures_are_those_of_the_database() {
    let database = Database::create(&Server::major(17), "check");
    database.psql("create table t as select i, md5(i::text) m from generate_series(1, 200000) i");
    let place = Place::folder();
    let found = ran(&["check", &database.url(), "--to", &place.url(), "--json"]).ok();
    let facts = found.json()["databases"][0].clone();
    let size: u64 = database.psql("select pg_table_size('t')").trim().parse().unwrap();
    assert_eq!((facts["tables"].as_u64(), facts["table_bytes"].as_u64()), (Some(1), Some(size)));
    assert!(facts["pg_dump"].as_str().unwrap().starts_with("17."), "{facts}");
    let archive = facts["estimate"]["archive_bytes"].as_u64().unwrap();
    let real = place.backup(&database.url(), &["--json"]).ok().json()["size"].as_u64().unwrap();
    assert!(archive > real / 2 && archive < real * 2, "{archive} for {real}");
}

#[test]
fn each_class_has_its_exit_code() {
    let place = Place::folder();
    let unreachable = format!("postgres://u@127.0.0.1:{}/x", closed_port());
    ran(&["check", &unreachable, "--to", &place.url()]).failed(4, &["refused", "check host and port"]);

    let database = Database::create(&Server::major(18), "check");
    let mut old = pgkeep(&["check", &database.url(), "--to", &place.url()]);
    old.env("PATH", "").env("PGKEEP_PG_BIN", Server::major(14).bin_dir());
    run(old).failed(6, &["every pg_dump here is older", "postgresql-client-18"]);

    // A folder below a file cannot be made, by nobody.
    let file = tempfile::NamedTempFile::new().unwrap();
    let store = format!("{}/backups", file.path().display());
    ran(&["check", &database.url(), "--to", &store]).failed(5, &["writing"]);
}
