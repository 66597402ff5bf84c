//! Where a program under test sends requests: an HTTP server that keeps what it gets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST` …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }
}

/// What it answers: a status, headers, a body.
pub type Reply = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// A receiver of a test's own.
#[derive(Debug)]
pub struct Receiver {
    port: u16,
    kept: Arc<(Mutex<Vec<Request>>, Condvar)>,
}

impl Receiver {
    /// It gives these statuses in turn, the last one for ever.
    #[must_use]
    pub fn answering(statuses: &'static [u16]) -> Receiver {
        Receiver::start(move |n, _| (statuses[n.min(statuses.len() - 1)], Vec::new(), Vec::new()))
    }

    /// It gives what `answer` says to the request of this number (from 0 on).
    #[must_use]
    pub fn start(answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let kept: Arc<(Mutex<Vec<Request>>, Condvar)> = Arc::default();
        let (keep, answer) = (kept.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (keep, answer) = (keep.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &keep, answer.as_ref()));
            }
        });
        Receiver { port, kept }
    }

    /// Where it listens, with this path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Waits until so many requests have come; all of them.
    #[must_use]
    pub fn wait_for(&self, many: usize) -> Vec<Request> {
        self.wait_until(|all| all.len() >= many)
    }

    /// Waits until what has come is enough; all of it.
    #[must_use]
    pub fn wait_until(&self, enough: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        let (kept, arrived) = &*self.kept;
        let (kept, waited) = arrived
            .wait_timeout_while(kept.lock().expect("no panic"), Duration::from_secs(120), |all| !enough(all))
            .expect("no panic");
        assert!(!waited.timed_out(), "not enough requests came: {kept:#?}");
        kept.clone()
    }
}

fn serve(
    stream: TcpStream,
    kept: &(Mutex<Vec<Request>>, Condvar),
    answer: &dyn Fn(usize, &Request) -> Reply,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let mut request = Request {
        method: words.next()?.into(),
        path: words.next()?.into(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    while let Some((name, value)) = line()?.split_once(':') {
        request.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length: usize = request.header("content-length").map_or(0, |n| n.parse().expect("a number"));
    request.body.resize(length, 0);
    reader.read_exact(&mut request.body).ok()?;
    let (all, arrived) = kept;
    let mut all = all.lock().expect("no panic");
    let (status, headers, body) = answer(all.len(), &request);
    all.push(request);
    drop(all);
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n");
    (&stream).write_all(&[head.as_bytes(), &body].concat()).ok()?;
    // Only what was answered counts as arrived.
    arrived.notify_all();
    Some(())
}
