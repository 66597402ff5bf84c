//! A hot standby: backups from it, and what its replay does to them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use failures_support::place::Place;
use failures_support::program::Running;
use failures_support::wait_until;
use pgkeep_testbed::{FaultProxy, OwnServer, Server, private_server};

fn caught_up(primary: &OwnServer, standby: &OwnServer) {
    let position = primary.psql("postgres", "select pg_current_wal_lsn()");
    wait_until("the standby caught up", || {
        standby.psql("postgres", &format!("select pg_last_wal_replay_lsn() >= '{position}'")) == "t"
    });
}

fn rows(server: &Server, table: &str, rows: u32) {
    server.psql(
        "postgres",
        &format!(
            "create table {table} as select i, sha256(i::text::bytea) as h from generate_series(1, {rows}) as i;
             alter table {table} add primary key (i)"
        ),
    );
}

#[test]
fn a_standby_is_backed_up_and_found_among_several_servers() {
    let primary = private_server(17, &[]);
    let standby = primary.standby(&[]);
    rows(&primary, "kept", 100_000);
    primary.psql("postgres", "create unlogged table gone as select 1 as i");
    caught_up(&primary, &standby);
    let place = Place::folder();
    let backup = |attrs: &str| {
        let url = format!(
            "postgres://postgres:{}@127.0.0.1:{},127.0.0.1:{}/postgres?target_session_attrs={attrs}",
            Server::PASSWORD,
            primary.port(),
            standby.port()
        );
        let ran = place.backup(&url, &["--jobs", "3", "--json"]).ok();
        let file = ran.json()["manifest_url"].as_str().unwrap().replace("file://", "");
        let manifest = std::fs::read_to_string(file).unwrap();
        let from = |server: &Server| manifest.contains(&format!("\"port\": {}", server.port()));
        assert_ne!(from(&primary), from(&standby), "{manifest}");
        from(&standby)
    };
    for (attrs, takes_standby) in [
        ("any", false),
        ("read-write", false),
        ("primary", false),
        ("standby", true),
        ("read-only", true),
        ("prefer-standby", true),
    ] {
        assert_eq!(backup(attrs), takes_standby, "{attrs}");
    }
    place
        .backup(&format!("{}?target_session_attrs=read-write", standby.url("postgres")), &[])
        .failed(4, &["its sessions are read-only", "target_session_attrs"]);
    let checked = place.ran(&["check", &standby.url("postgres"), "--to", &place.url()]).ok();
    checked.says(&["a standby"]);
}

#[test]
fn a_snapshot_that_was_in_the_way_of_replay_is_explained() {
    let primary = private_server(17, &[("autovacuum", "off")]);
    let standby = primary.standby(&[("max_standby_streaming_delay", "0")]);
    rows(&primary, "kept", 400_000);
    caught_up(&primary, &standby);
    let proxy = FaultProxy::to(("127.0.0.1", standby.port()));
    proxy.throttle(1_000_000);
    let place = Place::folder();
    let url = standby.url_via(proxy.port(), "postgres");
    let running = Running::pgkeep(&["backup", &url, "--to", &place.url(), "--jobs", "2"]);
    wait_until("a worker reads", || {
        let reading =
            "select count(*) from pg_stat_activity where query like 'LOCK TABLE ONLY % NOWAIT; COPY%'";
        standby.psql("postgres", reading) != "0"
    });
    primary.psql("postgres", "delete from kept where i % 2 = 0");
    primary.psql("postgres", "vacuum kept");
    running.wait().failed(4, &["conflict with recovery", "max_standby_streaming_delay"]);
    place.is_clean();
}
