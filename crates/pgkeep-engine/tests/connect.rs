//! What a connection does while it comes about, and when several would do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::TcpListener;
use std::time::Duration;

use pgkeep_engine::{Cancel, Client, ConnInfo, ErrorKind};
use pgkeep_testbed::Server;

/// Waits for a connection that never comes about, and raises the flag meanwhile; not noticed, the end would be a
/// timeout.
fn stopped(url: &str) {
    let cancel = Cancel::new();
    let raiser = cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        raiser.raise();
    });
    let e = Client::connect(&ConnInfo::parse(url).unwrap(), &cancel).err().unwrap();
    assert_eq!(e.kind, ErrorKind::Cancelled, "{e}");
}

#[test]
fn a_wish_to_stop_is_noticed_while_nobody_answers() {
    // A listener whose queue is full takes no further connection and refuses none.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap().as_socket().unwrap();
    let _queue: Vec<_> =
        (0..4).map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50))).collect();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for port in [address.port(), silent.local_addr().unwrap().port()] {
        for sslmode in ["disable", "require"] {
            let url = format!("postgres://u@127.0.0.1:{port}/d?sslmode={sslmode}&connect_timeout=60");
            stopped(&url);
        }
    }
}

#[test]
fn the_way_that_a_connection_took_is_known_afterwards() {
    let server = Server::major(18);
    let url = format!(
        "postgres://postgres:{}@127.0.0.1:1,localhost:{}/postgres?target_session_attrs=primary",
        Server::PASSWORD,
        server.port()
    );
    let client = Client::connect(&ConnInfo::parse(&url).unwrap(), &Cancel::new()).unwrap();
    let info = client.info();
    assert_eq!((info.host.as_str(), info.port), ("localhost", server.port()));
    assert!(info.hostaddr.is_some_and(|a| a.is_loopback()) && info.others.is_empty());
}
