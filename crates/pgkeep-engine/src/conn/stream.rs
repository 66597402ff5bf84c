//! The socket below a connection: TCP or Unix, with or without TLS.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};

use super::info::{ConnInfo, SslMode};
use super::tls;
use crate::error::{EngineError, ErrorKind, Result};

/// How often a blocked read or write wakes to look at the cancel flag.
const POLL: Duration = Duration::from_millis(500);

/// `SSLRequest` of the protocol: length 8, code 80877103.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Opens the socket and agrees on TLS as `info.sslmode` wishes.
    pub(super) fn open(info: &ConnInfo) -> Result<Stream> {
        if info.is_unix() {
            let path = format!("{}/.s.PGSQL.{}", info.host, info.port);
            let s = UnixStream::connect(&path).map_err(|e| {
                EngineError::new(ErrorKind::Connect, format!("connecting to {path}"), e.to_string())
                    .hint("is the server running, and does it use this socket directory?")
            })?;
            s.set_read_timeout(Some(POLL)).map_err(|e| unreachable(info, &e))?;
            s.set_write_timeout(Some(POLL)).map_err(|e| unreachable(info, &e))?;
            return Ok(Stream::Unix(s));
        }
        if info.sslmode == SslMode::Disable || info.sslmode == SslMode::Allow {
            return Ok(Stream::Tcp(tcp(info)?));
        }
        let mut s = tcp(info)?;
        s.set_read_timeout(Some(info.connect_timeout)).map_err(|e| unreachable(info, &e))?;
        let mut answer = [0u8];
        s.write_all(&SSL_REQUEST)
            .and_then(|()| s.read_exact(&mut answer))
            .map_err(|e| unreachable(info, &e))?;
        match answer[0] {
            b'S' => {
                let session = tls::session(info)?;
                let mut tls = StreamOwned::new(session, s);
                while tls.conn.is_handshaking() {
                    tls.conn.complete_io(&mut tls.sock).map_err(|e| {
                        if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
                            return unreachable(info, &e);
                        }
                        let why = EngineError::new(
                            ErrorKind::Connect,
                            format!("TLS with {}:{}", info.host, info.port),
                            e.to_string(),
                        );
                        why.hint("sslmode and sslrootcert in the connection string say what is trusted")
                    })?;
                }
                tls.sock.set_read_timeout(Some(POLL)).map_err(|e| unreachable(info, &e))?;
                Ok(Stream::Tls(Box::new(tls)))
            }
            b'N' if info.sslmode == SslMode::Prefer => {
                s.set_read_timeout(Some(POLL)).map_err(|e| unreachable(info, &e))?;
                Ok(Stream::Tcp(s))
            }
            b'N' => Err(EngineError::new(
                ErrorKind::Connect,
                format!("connecting to {}:{}", info.host, info.port),
                "the server does not offer TLS",
            )
            .hint("turn it on at the server, or use sslmode=prefer if the network is trusted")),
            other => Err(EngineError::new(
                ErrorKind::Connect,
                format!("connecting to {}:{}", info.host, info.port),
                format!("what answers there is no PostgreSQL server (byte {other:#04x})"),
            )),
        }
    }
}

fn unreachable(info: &ConnInfo, e: &io::Error) -> EngineError {
    let what = format!("connecting to {}:{}", info.host, info.port);
    let why = match e.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("no answer within {} s", info.connect_timeout.as_secs())
        }
        _ => e.to_string(),
    };
    EngineError::new(ErrorKind::Connect, what, why)
        .hint("check host and port, that the server listens there, and that no firewall is between")
}

fn tcp(info: &ConnInfo) -> Result<TcpStream> {
    let addresses = (info.host.as_str(), info.port).to_socket_addrs().map_err(|e| {
        EngineError::new(ErrorKind::Connect, format!("looking up host \"{}\"", info.host), e.to_string())
            .hint("check the host's name")
    })?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, info.connect_timeout) {
            Ok(s) => {
                tune(&s).map_err(|e| unreachable(info, &e))?;
                return Ok(s);
            }
            Err(e) => last = e,
        }
    }
    Err(unreachable(info, &last))
}

/// Keepalives, since a coordinator is silent while its workers read for hours and NAT gateways forget silent
/// connections (RDS's after 350 s); a dead peer is noticed within two minutes.
fn tune(s: &TcpStream) -> io::Result<()> {
    s.set_nodelay(true)?;
    s.set_read_timeout(Some(POLL))?;
    s.set_write_timeout(Some(POLL))?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    socket2::SockRef::from(s).set_tcp_keepalive(&keepalive)
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
