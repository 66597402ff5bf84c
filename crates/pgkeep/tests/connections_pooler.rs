//! pgbouncer between pgkeep and the server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use failures_support::data::noise;
use failures_support::place::Place;
use pgkeep_testbed::{Database, Pgbouncer, Server, compare_databases};

#[test]
fn a_pooler_in_session_mode_is_as_good_as_the_server() {
    let server = Server::major(17);
    let pooler = Pgbouncer::start(&server, "session");
    let database = noise(&server, 200_000);
    let target = Database::create(&server, "restored");
    let place = Place::folder();
    place.backup(&database.url_via(pooler.port()), &["--jobs", "4"]).ok();
    let id = place.holds_one_backup();
    let into = target.url_via(pooler.port());
    place.ran(&["restore", &id, "--store", &place.url(), "--into", &into, "--jobs", "4"]).ok();
    compare_databases(&database, &target).unwrap();
}

#[test]
fn a_pooler_in_transaction_mode_is_refused_before_anything_is_done() {
    for mode in ["transaction", "statement"] {
        let server = Server::major(16);
        let pooler = Pgbouncer::start(&server, mode);
        let database = noise(&server, 1000);
        let place = Place::folder();
        let url = database.url_via(pooler.port());
        let refused = place.backup(&url, &["--json"]);
        if mode == "statement" {
            // Says so itself, as soon as a transaction begins.
            refused.failed(4, &["looking for a pooler", "transaction blocks not allowed"]);
            continue;
        }
        let refused = refused.failed(4, &["a pooler in transaction mode", "pool_mode = session"]);
        assert_eq!(refused.json()["error"]["kind"], "pooler");
        place.is_clean();
        let checked = place.ran(&["check", &url, "--to", &place.url(), "--json"]);
        assert_eq!(checked.code(), 4, "{checked:#?}");
        assert_eq!(checked.json()["databases"][0]["problems"][0]["class"], "pooler", "{checked:#?}");
        // The sessions that others are served with are left as they were.
        let path = format!("postgres://postgres:{}@127.0.0.1:{}", Server::PASSWORD, pooler.port());
        let found =
            server.psql_at(&format!("{path}/{}", database.name()), "show search_path; show row_security");
        assert_eq!(found, "\"$user\", public\non");
    }
}

#[test]
fn a_pooler_is_refused_as_target_of_a_restore() {
    let server = Server::major(18);
    let pooler = Pgbouncer::start(&server, "transaction");
    let database = noise(&server, 1000);
    let target = Database::create(&server, "restored");
    let place = Place::folder();
    place.backup(&database.url(), &[]).ok();
    let id = place.holds_one_backup();
    place
        .ran(&["restore", &id, "--store", &place.url(), "--into", &target.url_via(pooler.port())])
        .failed(4, &["a pooler in transaction mode"]);
    assert_eq!(target.psql("select count(*) from pg_class where relname = 't'"), "0");
}

#[test]
fn options_that_a_pooler_does_not_take_are_named() {
    let server = Server::major(17);
    let pooler = Pgbouncer::start(&server, "session");
    let url = format!("{}?options=-c%20statement_timeout%3D0", server.url_via(pooler.port(), "postgres"));
    Place::folder().backup(&url, &[]).failed(4, &["options", "a pooler takes no options"]);
}
