//! A mail server (PyPI's aiosmtpd) that keeps what it gets.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use crate::aws::python;
use crate::certificates::Authority;

/// A mail server of a test's own, gone with this value.
#[derive(Debug)]
pub struct MailServer {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// Its port on `localhost`.
    pub port: u16,
}

impl MailServer {
    /// Starts one. `tls` is `starttls`, `tls` or `none`; it wants this user and password, or no log-in where the user is
    /// empty.
    #[must_use]
    pub fn start(tls: &str, authority: &Authority, user: &str, password: &str) -> MailServer {
        let (certificate, key) = authority.server("DNS:localhost", 30);
        let mut child = python()
            .args(["-c", include_str!("mail.py"), tls])
            .args([certificate, key])
            .args([user, password])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut server = MailServer { child, lines, port: 0 };
        let line = server.mail();
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        server.port = digits.parse().unwrap_or_else(|_| panic!("the mail server said {line:?}"));
        server
    }

    /// Waits for the next mail: a line of JSON: `sender`, `to`, `subject`, `text`, `tls`, `user`.
    pub fn mail(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
