//! A scripted AWS, for what moto has no time for: snapshots that take time, fail, are throttled and vanish.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::aws::python;
use crate::own_server::free_port;

/// A fake of its own, gone with this value. A request or an answer that AWS's service model does not allow fails the test.
#[derive(Debug)]
pub struct AwsFake {
    child: Child,
    port: u16,
}

impl AwsFake {
    /// Starts one. Takes about a second.
    #[must_use]
    pub fn start() -> AwsFake {
        let port = free_port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws_fake/server.py");
        let mut command = python();
        command.arg(script).arg(port.to_string()).stdin(Stdio::null()).stdout(Stdio::null());
        let mut fake = AwsFake { child: command.spawn().expect("python3 runs"), port };
        let began = Instant::now();
        while fake.connect().is_err() {
            let ended = fake.child.try_wait().expect("waiting");
            assert!(ended.is_none(), "the fake ended ({ended:?})");
            assert!(began.elapsed() < Duration::from_secs(120), "the fake does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        fake
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))
    }

    /// Such as `http://127.0.0.1:4566`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The environment in which a program finds it, with credentials.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".into()),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
            ("AWS_REGION", crate::Aws::REGION.into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]
    }

    /// Gives an order as JSON (see `aws_fake/server.py`); its answer as JSON.
    pub fn order(&self, order: &str) -> String {
        let mut stream = self.connect().expect("the fake answers");
        let head = format!(
            "POST /fake HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            order.len()
        );
        stream.write_all(format!("{head}{order}").as_bytes()).expect("the fake reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the fake answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{order}: {body}");
        body.to_owned()
    }
}

impl Drop for AwsFake {
    fn drop(&mut self) {
        let violations =
            if std::thread::panicking() { "[]".to_owned() } else { self.order(r#"{"do":"violations"}"#) };
        self.child.kill().ok();
        self.child.wait().ok();
        assert_eq!(violations, "[]", "AWS's service model does not allow this");
    }
}
