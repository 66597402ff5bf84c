//! Just enough of HTTP/1.1 to see where a request begins and ends.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::{Link, Pace, Shared};

/// What befalls a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    Status(u16),
    LoseReply,
    Cut,
}

/// Which requests a fault befalls, and how many of them yet.
pub(super) struct Rule {
    matches: Box<dyn Fn(&str) -> bool + Send>,
    times: u32,
    fault: Fault,
}

impl Rule {
    pub(super) fn new(matches: impl Fn(&str) -> bool + Send + 'static, times: u32, fault: Fault) -> Self {
        Self { matches: Box::new(matches), times, fault }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {} more times", self.fault, self.times)
    }
}

impl Shared {
    /// Copies requests to the server one by one, so that each can be seen and failed.
    pub(super) fn copy_requests(&self, link: &Link) {
        let mut from = BufReader::with_capacity(64 << 10, &link.client);
        let mut pace = Pace::new();
        while let Some(head) = read_head(&mut from) {
            let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
            self.requests.lock().unwrap().push(line.clone());
            let fault = self.fault_for(&line);
            match fault {
                Some(Fault::Cut) => return link.cut(),
                Some(Fault::LoseReply) => link.lose_reply.store(true, SeqCst),
                Some(Fault::Status(status)) => return reply(link, status),
                None => {}
            }
            if !self.hand_on(link, &head, &link.server, false, &mut pace)
                || !self.copy_body(link, &mut from, Body::of(&head), &mut pace)
            {
                return;
            }
        }
    }

    fn fault_for(&self, line: &str) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| rule.times > 0 && (rule.matches)(line))?;
        rule.times -= 1;
        Some(rule.fault)
    }

    fn copy_body(&self, link: &Link, from: &mut impl BufRead, body: Body, pace: &mut Pace) -> bool {
        match body {
            Body::Length(length) => self.copy_exactly(link, from, length, pace),
            Body::Chunked => loop {
                let mut line = Vec::new();
                if from.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                    return false;
                }
                let size = String::from_utf8_lossy(&line);
                let size = size.split([';', '\r']).next().unwrap_or_default().trim();
                let Ok(size) = u64::from_str_radix(size, 16) else { return false };
                // The chunk and the line end after it; after the last one an empty line (trailers are not in use).
                if !self.hand_on(link, &line, &link.server, false, pace)
                    || !self.copy_exactly(link, from, size + 2, pace)
                {
                    return false;
                }
                if size == 0 {
                    return true;
                }
            },
        }
    }

    fn copy_exactly(&self, link: &Link, from: &mut impl Read, mut length: u64, pace: &mut Pace) -> bool {
        let mut buffer = vec![0; 64 << 10];
        while length > 0 {
            let want = buffer.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            let Ok(got @ 1..) = from.read(&mut buffer[..want]) else { return false };
            if !self.hand_on(link, &buffer[..got], &link.server, false, pace) {
                return false;
            }
            length -= got as u64;
        }
        true
    }
}

/// How far a request's body reaches.
enum Body {
    Length(u64),
    Chunked,
}

impl Body {
    fn of(head: &[u8]) -> Self {
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let field = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(key, _)| key.trim() == name)
                .map(|(_, v)| v)
        };
        if field("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            return Self::Chunked;
        }
        Self::Length(field("content-length").and_then(|value| value.trim().parse().ok()).unwrap_or(0))
    }
}

/// All up to the empty line; `None` when the client has gone.
fn read_head(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    loop {
        let before = head.len();
        match from.read_until(b'\n', &mut head) {
            Ok(0) | Err(_) => return None,
            Ok(_) if matches!(&head[before..], b"\r\n" | b"\n") => return Some(head),
            Ok(_) => {}
        }
    }
}

/// Answers in the server's place, as S3 words errors, and closes. The body is swallowed first: closing with
/// unread bytes would reset the connection and take the answer with it.
fn reply(link: &Link, status: u16) {
    let code = match status {
        503 => "SlowDown",
        500 => "InternalError",
        403 => "AccessDenied",
        404 => "NoSuchKey",
        _ => "TestFault",
    };
    let body = format!("<Error><Code>{code}</Code><Message>made by the fault proxy</Message></Error>");
    let answer = format!(
        "HTTP/1.1 {status} Fault\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    (&link.client).write_all(answer.as_bytes()).ok();
    link.client.shutdown(std::net::Shutdown::Write).ok();
    link.client.set_read_timeout(Some(Duration::from_secs(2))).ok();
    let mut sink = vec![0; 64 << 10];
    while matches!((&link.client).read(&mut sink), Ok(1..)) {}
    link.server.shutdown(std::net::Shutdown::Both).ok();
}
