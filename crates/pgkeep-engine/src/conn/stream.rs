//! The socket below a connection: TCP or Unix, with or without TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::info::{ConnInfo, Keepalive, SslMode, SslNegotiation};
use super::patience::{POLL, Patience};
use super::tls;
use crate::error::{EngineError, ErrorKind, Result};

/// `SSLRequest` of the protocol: length 8, code 80877103.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Opens the socket and agrees on TLS as `mode` wishes.
    pub(super) fn open(info: &ConnInfo, mode: SslMode, patience: &Patience) -> Result<Stream> {
        if info.is_unix() {
            return unix(info).map(Stream::Unix);
        }
        if matches!(mode, SslMode::Disable | SslMode::Allow) {
            return Ok(Stream::Tcp(tcp(info, patience)?));
        }
        let mut s = tcp(info, patience)?;
        if info.tls.negotiation == SslNegotiation::Direct {
            let tls = shake_hands(info, s, patience)?;
            if tls.conn.alpn_protocol().is_none() {
                return Err(EngineError::new(
                    ErrorKind::Connect,
                    tls::during(info),
                    "the server does not agree on the protocol \"postgresql\" (ALPN), as sslnegotiation=direct demands",
                )
                .hint("direct TLS needs a server from 17 on; else leave sslnegotiation out"));
            }
            return Ok(Stream::Tls(Box::new(tls)));
        }
        match ask_for_tls(&mut s, patience).map_err(|e| unreachable(info, e))? {
            b'S' => match shake_hands(info, s, patience) {
                Ok(tls) => Ok(Stream::Tls(Box::new(tls))),
                // libpq's meaning of "prefer": without TLS where it does not come about.
                Err(e)
                    if mode == SslMode::Prefer
                        && e.kind == ErrorKind::Connect
                        && patience.check().is_ok() =>
                {
                    tcp(info, patience).map(Stream::Tcp)
                }
                Err(e) => Err(e),
            },
            b'N' if mode == SslMode::Prefer => Ok(Stream::Tcp(s)),
            b'N' => Err(EngineError::new(
                ErrorKind::Connect,
                format!("connecting to {}", info.place()),
                "the server does not offer TLS",
            )
            .hint("turn it on at the server, or use sslmode=prefer if the network is trusted")),
            other => Err(EngineError::new(
                ErrorKind::Connect,
                format!("connecting to {}", info.place()),
                format!("what answers there is no PostgreSQL server (byte {other:#04x})"),
            )),
        }
    }

    /// Whether TLS is spoken.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Stream::Tls(_))
    }

    /// What a log-in can be tied to (RFC 5929, tls-server-end-point), where there is TLS and the server's certificate
    /// names a hash.
    pub(super) fn server_end_point(&self) -> Option<Vec<u8>> {
        match self {
            Stream::Tls(s) => tls::server_end_point(s.conn.peer_certificates()?.first()?),
            _ => None,
        }
    }
}

fn again(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Why a wait for the network ended.
enum Trouble {
    Network(io::Error),
    Told(EngineError),
}

fn ask_for_tls(s: &mut TcpStream, patience: &Patience) -> Result<u8, Trouble> {
    s.write_all(&SSL_REQUEST).map_err(Trouble::Network)?;
    let mut answer = [0u8];
    loop {
        match s.read_exact(&mut answer) {
            Ok(()) => return Ok(answer[0]),
            Err(e) if again(&e) => patience.check().map_err(Trouble::Told)?,
            Err(e) => return Err(Trouble::Network(e)),
        }
    }
}

fn shake_hands(
    info: &ConnInfo,
    s: TcpStream,
    patience: &Patience,
) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let mut tls = StreamOwned::new(tls::session(info)?, s);
    while tls.conn.is_handshaking() {
        match tls.conn.complete_io(&mut tls.sock) {
            Ok(_) => {}
            Err(e) if again(&e) => patience.check().map_err(|e| unreachable(info, Trouble::Told(e)))?,
            Err(e) => return Err(tls::failed(info, &e)),
        }
    }
    Ok(tls)
}

fn unreachable(info: &ConnInfo, trouble: Trouble) -> EngineError {
    let what = match info.hostaddr {
        Some(address) if address.to_string() != info.host => {
            format!("connecting to {} ({address})", info.place())
        }
        _ => format!("connecting to {}", info.place()),
    };
    match trouble {
        Trouble::Network(e) => EngineError::new(ErrorKind::Connect, what, e.to_string()),
        Trouble::Told(e) if e.kind == ErrorKind::Cancelled => return e,
        Trouble::Told(e) => e.during(what),
    }
    .hint("check host and port, that the server listens there, and that no firewall is between")
}

fn unix(info: &ConnInfo) -> Result<UnixStream> {
    let path = format!("{}/.s.PGSQL.{}", info.host, info.port);
    let open = || -> io::Result<UnixStream> {
        let s = match path.strip_prefix('@') {
            Some(name) => abstract_socket(name)?,
            None => UnixStream::connect(&path)?,
        };
        s.set_read_timeout(Some(POLL))?;
        s.set_write_timeout(Some(POLL))?;
        Ok(s)
    };
    open().map_err(|e| {
        EngineError::new(ErrorKind::Connect, format!("connecting to {path}"), e.to_string())
            .hint("is the server running, and does it use this socket directory?")
    })
}

#[cfg(target_os = "linux")]
fn abstract_socket(name: &str) -> io::Result<UnixStream> {
    use std::os::linux::net::SocketAddrExt;
    UnixStream::connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)
}

#[cfg(not(target_os = "linux"))]
fn abstract_socket(_: &str) -> io::Result<UnixStream> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux has sockets in an abstract namespace"))
}

fn tcp(info: &ConnInfo, patience: &Patience) -> Result<TcpStream> {
    let address = info.hostaddr.ok_or_else(EngineError::cancelled)?;
    let address = SocketAddr::new(address, info.port);
    connect(address, patience)
        .and_then(|s| tune(s, &info.keepalive).map_err(Trouble::Network))
        .map_err(|trouble| unreachable(info, trouble))
}

/// Connects without blocking for longer than a step, so that a wish to stop is noticed.
fn connect(address: SocketAddr, patience: &Patience) -> Result<Socket, Trouble> {
    let network = Trouble::Network;
    let s = Socket::new(Domain::for_address(address), Type::STREAM, None).map_err(network)?;
    s.set_nonblocking(true).map_err(network)?;
    match s.connect(&address.into()) {
        Ok(()) => {}
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => loop {
            let step = Timespec::try_from(patience.step()).ok();
            let ready = poll(&mut [PollFd::new(&s, PollFlags::OUT)], step.as_ref());
            match ready {
                Ok(0) | Err(rustix::io::Errno::INTR) => patience.check().map_err(Trouble::Told)?,
                Ok(_) => break,
                Err(e) => return Err(network(e.into())),
            }
        },
        Err(e) => return Err(network(e)),
    }
    match s.take_error().map_err(network)? {
        Some(e) => Err(network(e)),
        None => s.set_nonblocking(false).map(|()| s).map_err(network),
    }
}

fn tune(s: Socket, keepalive: &Keepalive) -> io::Result<TcpStream> {
    s.set_tcp_nodelay(true)?;
    s.set_read_timeout(Some(POLL))?;
    s.set_write_timeout(Some(POLL))?;
    if keepalive.on {
        let wish = socket2::TcpKeepalive::new()
            .with_time(keepalive.idle)
            .with_interval(keepalive.interval)
            .with_retries(keepalive.count);
        s.set_tcp_keepalive(&wish)?;
    }
    user_timeout(&s, keepalive.user_timeout)?;
    Ok(s.into())
}

#[cfg(target_os = "linux")]
fn user_timeout(s: &Socket, time: Option<Duration>) -> io::Result<()> {
    time.map_or(Ok(()), |time| s.set_tcp_user_timeout(Some(time)))
}

/// As with libpq: where the system does not have it, it is passed over.
#[cfg(not(target_os = "linux"))]
fn user_timeout(_: &Socket, _: Option<Duration>) -> io::Result<()> {
    Ok(())
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.read(buf),
            Stream::Unix(s) => s.read(buf),
            Stream::Tls(s) => s.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(s) => s.write(buf),
            Stream::Unix(s) => s.write(buf),
            Stream::Tls(s) => s.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(s) => s.flush(),
            Stream::Unix(s) => s.flush(),
            Stream::Tls(s) => s.flush(),
        }
    }
}
