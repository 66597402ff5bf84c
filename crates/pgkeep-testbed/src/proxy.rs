//! A TCP proxy on loopback that breaks connections on command.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

mod http;

use http::Rule;

/// A proxy in front of a server. All controls work at once, on open connections too; they are for tests, so
/// there is one thread for each direction of each connection.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    http: bool,
    refuse: AtomicBool,
    stall: AtomicBool,
    closing: AtomicBool,
    /// Bytes a second, for each connection and direction; 0 is no limit.
    rate: AtomicU64,
    to_client: AtomicU64,
    to_server: AtomicU64,
    accepted: AtomicU64,
    cuts: Mutex<Vec<Cut>>,
    open: Mutex<Vec<Arc<Link>>>,
    rules: Mutex<Vec<Rule>>,
    requests: Mutex<Vec<String>>,
}

/// Cut connections once they have carried so many bytes to the client.
#[derive(Debug)]
struct Cut {
    /// Counted from 1 over the proxy's life; `None` is every one.
    connection: Option<u64>,
    after: u64,
}

/// One client's connection and the one made for it.
#[derive(Debug)]
struct Link {
    number: u64,
    client: TcpStream,
    server: TcpStream,
    to_client: AtomicU64,
    cut: AtomicBool,
    /// The next byte of the server's reply cuts the connection.
    lose_reply: AtomicBool,
}

impl Link {
    /// Resets both sides: what is in flight is lost, as when a machine in between goes away.
    fn cut(&self) {
        self.cut.store(true, SeqCst);
        for stream in [&self.client, &self.server] {
            socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).ok();
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

impl FaultProxy {
    /// A proxy to the server at `address`, such as `("127.0.0.1", server.port())`.
    #[must_use]
    pub fn to(address: impl ToSocketAddrs) -> Self {
        Self::start(address, false)
    }

    /// A proxy to a web server, with the controls for requests.
    #[must_use]
    pub fn to_http(address: impl ToSocketAddrs) -> Self {
        Self::start(address, true)
    }

    fn start(address: impl ToSocketAddrs, http: bool) -> Self {
        let upstream = address.to_socket_addrs().expect("an address").next().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let shared = Arc::new(Shared {
            upstream,
            http,
            refuse: AtomicBool::new(false),
            stall: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            rate: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
            to_server: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            cuts: Mutex::default(),
            open: Mutex::default(),
            rules: Mutex::default(),
            requests: Mutex::default(),
        });
        let proxy = Self { address: listener.local_addr().expect("bound"), shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.closing.load(SeqCst) {
                    return;
                }
                if let Ok(client) = client {
                    shared.accept(client);
                }
            }
        });
        proxy
    }

    /// Where the proxy listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port on 127.0.0.1 where the proxy listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts every connection once it has carried so many bytes to the client.
    pub fn cut_after(&self, bytes: u64) {
        self.shared.cuts.lock().unwrap().push(Cut { connection: None, after: bytes });
    }

    /// The same for one connection only: the `nth` since the proxy began, counted from 1.
    pub fn cut_nth_after(&self, nth: u64, bytes: u64) {
        self.shared.cuts.lock().unwrap().push(Cut { connection: Some(nth), after: bytes });
    }

    /// Resets all open connections. New ones work.
    pub fn cut_all_now(&self) {
        for link in self.shared.open.lock().unwrap().drain(..) {
            link.cut();
        }
    }

    /// Resets new connections as soon as they are made, until told otherwise.
    pub fn refuse(&self, refuse: bool) {
        self.shared.refuse.store(refuse, SeqCst);
    }

    /// Holds every connection to so many bytes a second, in each direction.
    pub fn throttle(&self, bytes_per_second: u64) {
        self.shared.rate.store(bytes_per_second, SeqCst);
    }

    /// Nothing flows any more and nothing is closed: a peer that vanished. Ended by [`heal`](Self::heal).
    pub fn stall(&self) {
        self.shared.stall.store(true, SeqCst);
    }

    /// Answers the next `times` requests whose request line (`PUT /bucket/key?partNumber=2&… HTTP/1.1`) the
    /// predicate accepts with this status, and does not hand them on.
    pub fn fail_requests(&self, matches: impl Fn(&str) -> bool + Send + 'static, times: u32, status: u16) {
        self.add_rule(matches, times, http::Fault::Status(status));
    }

    /// Hands the next `times` such requests on, and cuts the connection when the server replies: the server has
    /// done it, and the client cannot know.
    pub fn lose_replies(&self, matches: impl Fn(&str) -> bool + Send + 'static, times: u32) {
        self.add_rule(matches, times, http::Fault::LoseReply);
    }

    /// Cuts the connection on which such a request arrives, the next `times` times, without handing it on.
    pub fn cut_requests(&self, matches: impl Fn(&str) -> bool + Send + 'static, times: u32) {
        self.add_rule(matches, times, http::Fault::Cut);
    }

    fn add_rule(&self, matches: impl Fn(&str) -> bool + Send + 'static, times: u32, fault: http::Fault) {
        assert!(self.shared.http, "requests are seen by FaultProxy::to_http only");
        self.shared.rules.lock().unwrap().push(Rule::new(matches, times, fault));
    }

    /// Ends all faults; connections made so far stay as they are.
    pub fn heal(&self) {
        self.shared.refuse.store(false, SeqCst);
        self.shared.stall.store(false, SeqCst);
        self.shared.rate.store(0, SeqCst);
        self.shared.cuts.lock().unwrap().clear();
        self.shared.rules.lock().unwrap().clear();
    }

    /// Bytes handed on to clients so far.
    #[must_use]
    pub fn bytes_to_client(&self) -> u64 {
        self.shared.to_client.load(SeqCst)
    }

    /// Bytes handed on to the server so far.
    #[must_use]
    pub fn bytes_to_server(&self) -> u64 {
        self.shared.to_server.load(SeqCst)
    }

    /// Connections accepted so far, refused ones included.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.accepted.load(SeqCst)
    }

    /// Connections open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.shared.open.lock().unwrap().len()
    }

    /// The request lines seen so far, failed ones included.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.closing.store(true, SeqCst);
        // Wakes the listener, which then ends.
        TcpStream::connect(self.address).ok();
        self.cut_all_now();
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, client: TcpStream) {
        let number = self.accepted.fetch_add(1, SeqCst) + 1;
        let server = if self.refuse.load(SeqCst) { None } else { TcpStream::connect(self.upstream).ok() };
        let Some(server) = server else {
            socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).ok();
            return;
        };
        for stream in [&client, &server] {
            stream.set_nodelay(true).ok();
        }
        let link = Arc::new(Link {
            number,
            client,
            server,
            to_client: AtomicU64::new(0),
            cut: AtomicBool::new(false),
            lose_reply: AtomicBool::new(false),
        });
        self.open.lock().unwrap().push(Arc::clone(&link));

        let (shared, down) = (Arc::clone(self), Arc::clone(&link));
        thread::spawn(move || {
            shared.copy(&down, &down.server, &down.client, true);
            // The server has finished: the client may not send any more either.
            down.client.shutdown(Shutdown::Write).ok();
            down.server.shutdown(Shutdown::Read).ok();
            shared.open.lock().unwrap().retain(|open| open.number != down.number);
        });
        let shared = Arc::clone(self);
        thread::spawn(move || {
            if shared.http {
                shared.copy_requests(&link);
            } else {
                shared.copy(&link, &link.client, &link.server, false);
            }
            link.server.shutdown(Shutdown::Write).ok();
        });
    }

    /// Copies until either side ends.
    fn copy(&self, link: &Link, mut from: &TcpStream, to: &TcpStream, to_client: bool) {
        let mut buffer = vec![0; 64 << 10];
        let mut pace = Pace::new();
        loop {
            let length = match from.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(length) => length,
            };
            if !self.hand_on(link, &buffer[..length], to, to_client, &mut pace) {
                return;
            }
        }
    }

    /// Writes to one side what the faults let through; false when the connection is over.
    fn hand_on(
        &self,
        link: &Link,
        mut bytes: &[u8],
        mut to: &TcpStream,
        to_client: bool,
        pace: &mut Pace,
    ) -> bool {
        while !bytes.is_empty() {
            while self.stall.load(SeqCst) && !link.cut.load(SeqCst) {
                thread::sleep(Duration::from_millis(10));
            }
            if link.cut.load(SeqCst) || (to_client && link.lose_reply.load(SeqCst)) {
                link.cut();
                return false;
            }
            let mut piece = bytes.len();
            let rate = self.rate.load(SeqCst);
            if rate > 0 {
                piece = piece.min(usize::try_from(rate / 50).unwrap_or(usize::MAX).max(1));
            }
            let mut cut = false;
            if to_client && let Some(left) = self.left_before_cut(link) {
                cut = left <= piece as u64;
                piece = piece.min(usize::try_from(left).unwrap_or(usize::MAX));
            }
            if to.write_all(&bytes[..piece]).is_err() {
                return false;
            }
            if to_client {
                link.to_client.fetch_add(piece as u64, SeqCst);
            }
            let total = if to_client { &self.to_client } else { &self.to_server };
            total.fetch_add(piece as u64, SeqCst);
            if cut {
                // Lets the last bytes out before the reset overtakes them.
                thread::sleep(Duration::from_millis(5));
                link.cut();
                return false;
            }
            bytes = &bytes[piece..];
            pace.wait(piece, rate);
        }
        true
    }

    fn left_before_cut(&self, link: &Link) -> Option<u64> {
        let sent = link.to_client.load(SeqCst);
        let cuts = self.cuts.lock().unwrap();
        let mine = cuts.iter().filter(|cut| cut.connection.is_none_or(|nth| nth == link.number));
        mine.map(|cut| cut.after.saturating_sub(sent)).min()
    }
}

/// Keeps one direction to a rate.
#[derive(Debug)]
struct Pace {
    ready: Instant,
}

impl Pace {
    fn new() -> Self {
        Self { ready: Instant::now() }
    }

    fn wait(&mut self, bytes: usize, rate: u64) {
        if rate == 0 {
            return;
        }
        let now = Instant::now();
        self.ready = self.ready.max(now) + Duration::from_secs_f64(bytes as f64 / rate as f64);
        thread::sleep(self.ready.saturating_duration_since(now));
    }
}
