//! A small HTTP server in front of another (or none), which does with each request what the test says.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Name (in lower case) and value.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    head: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn is_part(&self) -> bool {
        self.method == "PUT" && self.target.contains("partNumber=")
    }

    pub fn is_create_multipart(&self) -> bool {
        self.method == "POST" && self.target.contains("uploads") && !self.target.contains("uploadId")
    }

    pub fn is_complete(&self) -> bool {
        self.method == "POST" && self.target.contains("uploadId=")
    }
}

/// What to do with a request.
pub enum Action {
    /// Hand it on, and the answer back.
    Forward,
    /// Hand it on, and cut the connection instead of answering.
    ForwardThenReset,
    /// Answer with this status, headers and body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Cut the connection.
    Reset,
}

/// The server; it ends with the process.
pub struct Proxy {
    pub endpoint: String,
    /// The requests so far.
    pub seen: Arc<Mutex<Vec<Request>>>,
}

impl Proxy {
    /// Starts one; `upstream` is an `http://host:port`.
    pub fn start(upstream: &str, decide: impl Fn(&Request) -> Action + Send + Sync + 'static) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let (seen, decide) = (Arc::new(Mutex::new(Vec::new())), Arc::new(decide));
        let log = seen.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, decide, log) = (upstream.clone(), decide.clone(), log.clone());
                std::thread::spawn(move || {
                    // A client that goes away is part of what is tested.
                    let _ = serve(client, &upstream, &*decide, &log);
                });
            }
        });
        Proxy { endpoint, seen }
    }

    pub fn count(&self, which: impl Fn(&Request) -> bool) -> usize {
        self.seen.lock().unwrap().iter().filter(|r| which(r)).count()
    }
}

fn serve(
    mut client: TcpStream,
    upstream: &str,
    decide: &dyn Fn(&Request) -> Action,
    log: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(60)))?;
    let request = read_request(&mut client)?;
    let action = decide(&request);
    log.lock().unwrap().push(Request { body: Vec::new(), ..request.clone() });
    match action {
        Action::Forward => client.write_all(&forward(&request, upstream)?)?,
        Action::ForwardThenReset => {
            forward(&request, upstream)?;
        }
        Action::Answer(status, headers, body) => {
            let mut answer = format!("HTTP/1.1 {status} -\r\nConnection: close\r\n");
            if !headers.iter().any(|(n, _)| *n == "Content-Length") {
                answer += &format!("Content-Length: {}\r\n", body.len());
            }
            for (name, value) in headers {
                answer += &format!("{name}: {value}\r\n");
            }
            client.write_all(format!("{answer}\r\n{body}").as_bytes())?;
        }
        Action::Reset => {
            // Without waiting for what is unsent, closing sends a reset.
            socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
            return Ok(());
        }
    }
    client.shutdown(Shutdown::Both)
}

fn read_request(client: &mut TcpStream) -> std::io::Result<Request> {
    let mut data = Vec::new();
    let mut block = vec![0; 64 << 10];
    let end = loop {
        if let Some(end) = data.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
        match client.read(&mut block)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => data.extend_from_slice(&block[..n]),
        }
    };
    let head = String::from_utf8_lossy(&data[..end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let headers: Vec<_> = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
        .collect();
    let length =
        headers.iter().find(|(n, _)| n == "content-length").map_or(0, |(_, v)| v.parse().unwrap_or(0));
    let mut body = data.split_off(end);
    while body.len() < length {
        match client.read(&mut block)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => body.extend_from_slice(&block[..n]),
        }
    }
    let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    Ok(Request { method, target, headers, body, head })
}

fn forward(request: &Request, upstream: &str) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(upstream)?;
    let head = request.head.trim_end();
    server.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes())?;
    server.write_all(&request.body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    Ok(answer)
}
