//! Those who connect and then take their time, spoken to by plain sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use jiff::Timestamp;
use pgkeep_serve::web::{ConnectionLimits, WebOptions};
use support::{Site, Users, fleet, options, store};

const HOUR: Duration = Duration::from_secs(3_600);
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n";

fn site(connections: usize, patience: Duration) -> Site {
    let options = WebOptions { limits: ConnectionLimits { connections, patience }, ..options() };
    Site::with(&options, fleet::sound(&store(), Timestamp::now()))
}

fn connect(site: &Site) -> TcpStream {
    TcpStream::connect(site.url.strip_prefix("http://").unwrap()).unwrap()
}

fn say(to: &mut TcpStream, words: &str) {
    to.write_all(words.as_bytes()).unwrap();
}

/// All that comes until the other end closes.
fn rest(from: &mut TcpStream) -> String {
    let mut said = Vec::new();
    match from.read_to_end(&mut said) {
        Ok(_) => {}
        Err(e) => assert_eq!(e.kind(), ErrorKind::ConnectionReset),
    }
    String::from_utf8(said).unwrap()
}

/// One answer of `/healthz`, whose body is the last to come.
fn answer(from: &mut TcpStream) -> String {
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"\r\n\r\nok\n") {
        from.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    String::from_utf8(said).unwrap()
}

#[test]
fn who_does_not_get_to_the_point_is_hung_up_on() {
    let site = site(100, Duration::from_millis(300));
    for begun in ["", "GET /", HEALTH, "POST /orders/run HTTP/1.1\r\n"] {
        let mut slow = connect(&site);
        say(&mut slow, begun);
        let said = rest(&mut slow);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{begun:?}: {said}");
    }
    // A connection that was of use once is no place for ever.
    let mut idle = connect(&site);
    say(&mut idle, &format!("{HEALTH}\r\n"));
    assert!(rest(&mut idle).starts_with("HTTP/1.1 200 OK"));
    let mut form = connect(&site);
    let head = format!("origin: {}\r\nhost: localhost\r\ncontent-length: 100\r\n", site.url);
    say(
        &mut form,
        &format!(
            "POST /orders/run HTTP/1.1\r\n{}\r\ndatabase=shop",
            head.replace("localhost", &site.url[7..])
        ),
    );
    let said = rest(&mut form);
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("The form took too long to come."), "{said}");
    assert_eq!(site.order(), None);
}

#[test]
fn what_has_no_place_waits_until_there_is_one() {
    let site = site(1, HOUR);
    let mut first = connect(&site);
    say(&mut first, HEALTH);
    let mut second = connect(&site);
    say(&mut second, &format!("{HEALTH}connection: close\r\n\r\n"));
    say(&mut first, "\r\n");
    answer(&mut first);
    for _ in 0..50 {
        say(&mut first, &format!("{HEALTH}\r\n"));
        answer(&mut first);
    }
    second.set_nonblocking(true).unwrap();
    assert_eq!(second.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    second.set_nonblocking(false).unwrap();
    drop(first);
    assert!(rest(&mut second).starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn heads_and_forms_that_are_too_long_are_refused() {
    let users = Users::new();
    let site = users.site();
    let mut long = connect(&site);
    say(&mut long, &format!("{HEALTH}x: {}\r\n\r\n", "x".repeat(20_000)));
    assert!(rest(&mut long).starts_with("HTTP/1.1 431"));
    let mut many = connect(&site);
    say(&mut many, &format!("{HEALTH}{}\r\n", "x: y\r\n".repeat(200)));
    assert!(rest(&mut many).starts_with("HTTP/1.1 431"));
    // Before signing in, too.
    let fields = [("user", "ann"), ("password", &"x".repeat(100_000))];
    assert_eq!(site.form("/sign-in", &fields).send().unwrap().status(), 413);
}

#[test]
fn an_end_waits_for_no_one_who_says_nothing() {
    let site = site(10, HOUR);
    let mut idle = connect(&site);
    say(&mut idle, HEALTH);
    drop(site);
    assert_eq!(rest(&mut idle), "");
}
