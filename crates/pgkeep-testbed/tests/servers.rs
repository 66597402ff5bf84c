//! Servers, proxy and bucket do what their documentation says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pgkeep_testbed::{Database, FaultProxy, S3, Server, private_server};

#[test]
fn every_major_is_there_and_says_so() {
    for major in Server::MAJORS {
        let version = Server::major(major).psql("postgres", "show server_version_num");
        assert_eq!(version.parse::<u32>().unwrap() / 10_000, major);
    }
}

#[test]
fn a_database_with_an_odd_name_comes_and_goes() {
    let server = Server::major(18);
    let database = Database::create(&server, "Od\"d ü/?");
    assert_eq!(database.psql("select current_database()"), database.name());
    let name = database.name().replace('\'', "''");
    drop(database);
    assert_eq!(
        server.psql("postgres", &format!("select count(*) from pg_database where datname = '{name}'")),
        "0"
    );
}

#[test]
fn a_fixture_is_loaded_once_and_copied() {
    let server = Server::major(17);
    let (one, two) =
        (Database::with_fixture(&server, "odd_objects"), Database::with_fixture(&server, "odd_objects"));
    one.psql("drop table odd.big_plain");
    assert_ne!(two.psql("select count(*) from odd.big_plain"), "0");
    assert_eq!(two.psql("select count(*) from pg_largeobject_metadata"), one.psql("select 55"));
}

#[test]
fn a_server_of_ones_own_can_be_killed_and_started_again() {
    let own = private_server(18, &[("max_connections", "12")]);
    assert_eq!(own.psql("postgres", "show max_connections"), "12");
    own.psql("postgres", "create table t as select 1 as i");
    own.kill();
    assert!(own.try_psql("postgres", "select 1").is_err());
    own.start();
    assert_eq!(own.psql("postgres", "select i from t"), "1");
    own.restart();
    assert_eq!(own.psql("postgres", "select i from t"), "1");
}

fn rows_through(proxy: &FaultProxy, server: &Server) -> Result<usize, String> {
    let sql = "select repeat('x', 1000) from generate_series(1, 2000)";
    let out =
        server.bin("psql").args(["-XAtqc", sql, "-d", &server.url_via(proxy.port(), "postgres")]).output();
    let out = out.unwrap();
    if out.status.success() { Ok(out.stdout.len()) } else { Err(String::from_utf8_lossy(&out.stderr).into()) }
}

#[test]
fn the_proxy_cuts_refuses_and_heals() {
    let server = Server::major(17);
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    assert_eq!(rows_through(&proxy, &server), Ok(2_002_000));
    assert!(proxy.bytes_to_client() > 2_000_000);

    proxy.cut_nth_after(2, 100_000);
    rows_through(&proxy, &server).expect_err("the second connection is cut");
    rows_through(&proxy, &server).expect("the third is not");
    proxy.cut_after(100_000);
    rows_through(&proxy, &server).expect_err("every connection is cut");
    proxy.heal();
    rows_through(&proxy, &server).expect("healed");

    proxy.refuse(true);
    rows_through(&proxy, &server).expect_err("refused");
    proxy.refuse(false);
    assert_eq!(proxy.connections(), 6);
}

#[test]
fn the_proxy_keeps_to_the_rate() {
    let server = Server::major(17);
    let proxy = FaultProxy::to(("127.0.0.1", server.port()));
    proxy.throttle(1_000_000);
    let start = Instant::now();
    rows_through(&proxy, &server).unwrap();
    let took = start.elapsed().as_secs_f64();
    assert!((1.7..4.0).contains(&took), "2 MB at 1 MB/s took {took} s");
}

#[test]
fn a_stalled_connection_neither_speaks_nor_closes() {
    let s3 = S3::from_env();
    let proxy = FaultProxy::to(s3.address());
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    proxy.stall();
    client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let error = client.read(&mut [0; 100]).unwrap_err();
    assert!(matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{error}");
    proxy.heal();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(client.read(&mut [0; 100]).unwrap() > 0, "the answer arrives after all");
}

fn get(proxy: &FaultProxy) -> String {
    let mut client = TcpStream::connect(proxy.address()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.write_all(b"GET /wanted HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn requests_fail_as_often_as_told() {
    let proxy = FaultProxy::to_http(S3::from_env().address());
    proxy.fail_requests(|line| line.starts_with("GET /wanted"), 2, 503);
    proxy.lose_replies(|line| line.starts_with("GET /wanted"), 1);
    assert!(get(&proxy).contains(" 503 "));
    assert!(get(&proxy).contains(" 503 "));
    assert_eq!(get(&proxy), "", "the reply is lost");
    assert!(get(&proxy).contains(" 404 "), "then the server answers, which knows no such bucket");
    assert_eq!(proxy.requests().len(), 4);
}

#[test]
fn a_bucket_holds_what_is_put_into_it() {
    let bucket = S3::from_env().create_bucket("bed_test");
    let dir = tempfile::tempdir().unwrap();
    let (here, back) = (dir.path().join("here"), dir.path().join("back"));
    std::fs::write(&here, b"content").unwrap();
    let odd = "a folder/ü+&=?.txt";
    bucket.upload(odd, &here);
    bucket.upload("b", &here);
    assert_eq!(bucket.sizes(), [(odd.to_owned(), 7), ("b".to_owned(), 7)]);
    bucket.download(odd, &back);
    assert_eq!(std::fs::read(&back).unwrap(), b"content");
    bucket.delete("b");
    assert_eq!(bucket.keys(), [odd]);
    assert_eq!(bucket.multipart_uploads(), []);
}
