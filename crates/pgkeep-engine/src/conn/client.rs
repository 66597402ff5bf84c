//! One session with a server: queries in text, COPY in both directions.

use std::time::{Duration, Instant};

use bstr::{BStr, ByteSlice};

use super::auth;
use super::hosts;
use super::info::{ConnInfo, SslMode};
use super::patience::Patience;
use super::server_error::ServerError;
use super::stream::Stream;
use super::wire::Wire;
use crate::cancel::Cancel;
use crate::error::{EngineError, ErrorKind, Result};

/// One row of an answer: text values in the session's client encoding, `None` for NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row(Vec<Option<Vec<u8>>>);

impl Row {
    /// The bytes of column `i`, `None` for NULL or a column that is not there.
    pub fn bytes(&self, i: usize) -> Option<&[u8]> {
        self.0.get(i)?.as_deref()
    }

    /// Column `i` as text; NULL as the empty string, bytes that are not UTF-8 replaced.
    pub fn text(&self, i: usize) -> String {
        self.bytes(i).map(|b| b.to_str_lossy().into_owned()).unwrap_or_default()
    }

    /// Column `i` parsed, `None` for NULL and for what cannot be parsed.
    pub fn parse<T: std::str::FromStr>(&self, i: usize) -> Option<T> {
        self.bytes(i)?.to_str().ok()?.parse().ok()
    }

    /// Column `i` as a boolean (`t`/`f`).
    pub fn bool(&self, i: usize) -> bool {
        self.bytes(i) == Some(b"t")
    }
}

/// A session with a PostgreSQL server. Closed politely on drop.
pub struct Client {
    wire: Wire,
    body: Vec<u8>,
    pid: i32,
    secret: Vec<u8>,
    info: ConnInfo,
    server_version: String,
    in_copy: bool,
    /// A statement was sent and the server has not said that it is done with it.
    busy: bool,
}

impl Client {
    /// Connects and logs in; of several servers to the first that will do.
    ///
    /// [`Client::info`] is then the very place, so that further connections go to the same server.
    ///
    /// # Errors
    /// `Connect` where nobody answers or the answer is no, `Authentication` for a wrong user or password.
    pub fn connect(info: &ConnInfo, cancel: &Cancel) -> Result<Client> {
        hosts::connect(info, cancel)
    }

    /// Connects to one server at one address.
    pub(super) fn connect_to(info: &ConnInfo, cancel: &Cancel) -> Result<Client> {
        let mode = info.tls.mode;
        let first = Self::connect_once(info, mode, cancel);
        // libpq's meanings: "allow" goes without TLS first, "prefer" with it, and both the other way where the server
        // refuses (28000: pg_hba.conf has no line for it).
        let other = match (mode, &first) {
            _ if info.is_unix() => return first,
            (SslMode::Allow, Err(e)) if e.kind == ErrorKind::Authentication => SslMode::Require,
            (SslMode::Prefer, Err(e)) if e.sqlstate.as_deref() == Some("28000") => SslMode::Disable,
            _ => return first,
        };
        Self::connect_once(info, other, cancel).or(first)
    }

    fn connect_once(info: &ConnInfo, mode: SslMode, cancel: &Cancel) -> Result<Client> {
        let patience = Patience::new(info.connect_timeout, cancel);
        let mut wire = Wire::new(Stream::open(info, mode, &patience)?, patience);
        let refused = |e: EngineError| match e.kind {
            ErrorKind::ConnectionLost | ErrorKind::Connect if e.sqlstate.is_none() => {
                EngineError { kind: ErrorKind::Connect, ..e.during(format!("connecting to {info}")) }
            }
            _ => e,
        };
        auth::log_in(&mut wire, info).map_err(refused)?;
        let mut client = Client {
            wire,
            body: Vec::new(),
            pid: 0,
            secret: Vec::new(),
            info: info.clone(),
            server_version: String::new(),
            in_copy: false,
            busy: false,
        };
        loop {
            match client.wire.message(&mut client.body).map_err(refused)? {
                b'Z' => {
                    client.wire.patience().endless();
                    return Ok(client);
                }
                b'K' => {
                    if let Some((pid, secret)) = client.body.split_first_chunk::<4>() {
                        client.pid = i32::from_be_bytes(*pid);
                        client.secret = secret.to_vec();
                    }
                }
                b'S' => {
                    let mut parts = client.body.split(|b| *b == 0);
                    if parts.next() == Some(b"server_version") {
                        client.server_version = parts.next().unwrap_or_default().to_str_lossy().into_owned();
                    }
                }
                b'E' => {
                    let e = EngineError::from(ServerError::parse(&client.body));
                    let kind = match e.kind {
                        ErrorKind::Server | ErrorKind::ConnectionLost => ErrorKind::Connect,
                        kind => kind,
                    };
                    return Err(EngineError { kind, ..e }.during(format!("connecting to {info}")));
                }
                _ => {}
            }
        }
    }

    /// Where this session is connected.
    pub fn info(&self) -> &ConnInfo {
        &self.info
    }

    /// The server process behind this session, as `pg_stat_activity.pid` shows it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The server's version as it names itself, such as `17.11` or `15.4 (Debian 15.4-1)`.
    pub fn server_version(&self) -> &str {
        &self.server_version
    }

    /// The server's major version.
    pub fn server_major(&self) -> u32 {
        major_of(&self.server_version)
    }

    /// Runs one or more statements and gives the rows of all of them.
    ///
    /// # Errors
    /// The server's error, or `ConnectionLost`. The caller adds what it was doing with
    /// [`EngineError::during`].
    pub fn query(&mut self, sql: impl AsRef<[u8]>) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        self.query_each(sql, |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Runs statements and hands over each row as it comes.
    pub fn query_each(
        &mut self,
        sql: impl AsRef<[u8]>,
        mut each: impl FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        self.send_query(sql.as_ref())?;
        let mut first_error = None;
        loop {
            match self.wire.message(&mut self.body)? {
                b'D' if first_error.is_none() => {
                    let row = data_row(&self.body).ok_or_else(|| protocol("a malformed row"))?;
                    if let Err(e) = each(row) {
                        first_error = Some(e);
                    }
                }
                b'E' => {
                    first_error.get_or_insert(reported(&self.body)?);
                }
                b'Z' => {
                    self.busy = false;
                    return first_error.map_or(Ok(()), Err);
                }
                b'G' => {
                    self.send_message(b'f', b"no COPY data was expected here\0")?;
                }
                _ => {}
            }
        }
    }

    /// Runs statements whose rows, if any, are of no interest.
    pub fn execute(&mut self, sql: impl AsRef<[u8]>) -> Result<()> {
        self.query_each(sql, |_| Ok(()))
    }

    /// Runs a query for one row.
    ///
    /// # Errors
    /// Also `Server` where the answer has no row.
    pub fn query_one(&mut self, sql: impl AsRef<[u8]>) -> Result<Row> {
        self.query(sql)?.into_iter().next().ok_or_else(|| protocol("no row where one was expected"))
    }

    /// Runs statements that end in a `COPY … TO STDOUT` and hands its bytes to `sink` in pieces of any size;
    /// row boundaries are not kept, but in text format a newline byte ends a row and nothing else.
    ///
    /// # Errors
    /// The server's, the connection's, or the sink's. After the sink's error the session is no longer usable
    /// (COPY cannot be left politely) and every further call fails.
    pub fn copy_out(
        &mut self,
        sql: impl AsRef<[u8]>,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.send_query(sql.as_ref())?;
        let mut error = None;
        self.in_copy = true;
        loop {
            match self.wire.copy_data(&mut self.body, &mut sink)? {
                b'E' => {
                    error.get_or_insert(reported(&self.body)?);
                }
                b'Z' => {
                    self.in_copy = false;
                    self.busy = false;
                    return error.map_or(Ok(()), Err);
                }
                _ => {}
            }
        }
    }

    /// Begins a `COPY … FROM STDIN`.
    ///
    /// # Errors
    /// The server's where it refuses the statement.
    pub fn copy_in(&mut self, sql: impl AsRef<[u8]>) -> Result<CopyIn<'_>> {
        self.send_query(sql.as_ref())?;
        let mut error = None;
        loop {
            match self.wire.message(&mut self.body)? {
                b'G' => {
                    return Ok(CopyIn {
                        client: self,
                        out: Vec::with_capacity(COPY_IN_BUFFER + 5),
                        done: false,
                    });
                }
                b'E' => {
                    error.get_or_insert(reported(&self.body)?);
                }
                b'Z' => {
                    self.busy = false;
                    return Err(error.unwrap_or_else(|| protocol("the statement is no COPY FROM STDIN")));
                }
                _ => {}
            }
        }
    }

    /// A handle that can cancel what this session runs, from another thread.
    pub fn canceller(&self) -> Canceller {
        let info = ConnInfo { connect_timeout: FAREWELL.min(self.info.connect_timeout), ..self.info.clone() };
        Canceller { info, tls: self.wire.stream().is_tls(), pid: self.pid, secret: self.secret.clone() }
    }

    fn send_query(&mut self, sql: &[u8]) -> Result<()> {
        if self.in_copy {
            return Err(EngineError::new(
                ErrorKind::ConnectionLost,
                "connection lost",
                "an earlier COPY was given up",
            ));
        }
        if sql.contains(&0) {
            return Err(protocol("SQL text holds a zero byte"));
        }
        let mut out = Vec::with_capacity(sql.len() + 6);
        out.push(b'Q');
        out.extend_from_slice(&(sql.len() as u32 + 5).to_be_bytes());
        out.extend_from_slice(sql);
        out.push(0);
        self.busy = true;
        // A server that ended the session while it was idle has said why.
        self.wire.send(&out).map_err(|e| self.pending_error().unwrap_or(e))
    }

    fn send_message(&mut self, kind: u8, body: &[u8]) -> Result<()> {
        let mut out = Vec::with_capacity(body.len() + 5);
        out.push(kind);
        out.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        out.extend_from_slice(body);
        self.wire.send(&out)
    }
}

/// Longest wait for a connection over which only a cancel request goes, and for a goodbye to be sent.
const FAREWELL: Duration = Duration::from_secs(2);

impl Drop for Client {
    fn drop(&mut self) {
        // A server that waits for a lock or builds an index does not notice that nobody waits for it any more.
        if self.busy && self.wire.patience().is_given_up() {
            let _ = self.canceller().cancel();
        }
        if !self.in_copy {
            self.wire.patience().limit(FAREWELL);
            let _ = self.send_message(b'X', &[]);
        }
    }
}

/// Bytes of COPY data gathered before they are sent as one message.
const COPY_IN_BUFFER: usize = 128 << 10;

/// A running `COPY … FROM STDIN`. Dropped without [`CopyIn::finish`], it makes the server roll the COPY back.
pub struct CopyIn<'c> {
    client: &'c mut Client,
    out: Vec<u8>,
    done: bool,
}

impl CopyIn<'_> {
    /// Sends bytes; they need not end at a row's end.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            if self.out.is_empty() {
                self.out.extend_from_slice(&[b'd', 0, 0, 0, 0]);
            }
            let room = COPY_IN_BUFFER + 5 - self.out.len();
            let n = room.min(bytes.len());
            self.out.extend_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            if n == room {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let len = (self.out.len() as u32 - 1).to_be_bytes();
        self.out[1..5].copy_from_slice(&len);
        let sent = self.client.wire.send(&self.out);
        self.out.clear();
        // A server that refused a row closes with an error that says more than "broken pipe".
        sent.map_err(|e| self.client.pending_error().unwrap_or(e))
    }

    /// Ends the COPY and waits for the server's word that every row is in.
    pub fn finish(mut self) -> Result<()> {
        self.done = true;
        self.flush()?;
        self.client.send_message(b'c', &[])?;
        self.client.await_ready()
    }

    /// Gives the COPY up: the server rolls it back and the session stays usable.
    pub fn fail(mut self, why: &str) -> Result<()> {
        self.done = true;
        let why: Vec<u8> = why.bytes().filter(|b| *b != 0).chain([0]).collect();
        self.client.send_message(b'f', &why)?;
        match self.client.await_ready() {
            Err(e) if e.kind == ErrorKind::ConnectionLost => Err(e),
            _ => Ok(()),
        }
    }
}

impl Drop for CopyIn<'_> {
    fn drop(&mut self) {
        if !self.done {
            let _ = self.client.send_message(b'f', b"given up\0");
            let _ = self.client.await_ready();
        }
    }
}

impl Client {
    fn await_ready(&mut self) -> Result<()> {
        let mut error = None;
        loop {
            match self.wire.message(&mut self.body)? {
                b'E' => {
                    error.get_or_insert(reported(&self.body)?);
                }
                b'Z' => {
                    self.busy = false;
                    return error.map_or(Ok(()), Err);
                }
                _ => {}
            }
        }
    }

    fn pending_error(&mut self) -> Option<EngineError> {
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            match self.wire.message(&mut self.body) {
                Ok(b'E') => return Some(EngineError::from(ServerError::parse(&self.body))),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
        None
    }
}

/// Cancels a running statement of another session (`CancelRequest` of the protocol).
#[derive(Clone)]
pub struct Canceller {
    info: ConnInfo,
    /// Whether the session speaks TLS, so that the request goes the same way.
    tls: bool,
    pid: i32,
    secret: Vec<u8>,
}

impl Canceller {
    /// Asks the server to cancel; whether anything was running is not told.
    pub fn cancel(&self) -> Result<()> {
        let patience = Patience::new(self.info.connect_timeout, &Cancel::new());
        let mode = if self.tls { self.info.tls.mode.max(SslMode::Prefer) } else { SslMode::Disable };
        let mut wire = Wire::new(Stream::open(&self.info, mode, &patience)?, patience);
        let mut out = Vec::with_capacity(16);
        out.extend_from_slice(&(12 + self.secret.len() as u32).to_be_bytes());
        out.extend_from_slice(&80_877_102u32.to_be_bytes());
        out.extend_from_slice(&self.pid.to_be_bytes());
        out.extend_from_slice(&self.secret);
        wire.send(&out)
    }
}

/// The server's error. One that ends the session is returned as `Err`: nothing comes after it.
fn reported(body: &[u8]) -> Result<EngineError> {
    let error = ServerError::parse(body);
    if error.ends_session() { Err(error.into()) } else { Ok(error.into()) }
}

fn protocol(why: &str) -> EngineError {
    EngineError::new(ErrorKind::Server, "", why)
}

fn data_row(body: &[u8]) -> Option<Row> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut values = Vec::with_capacity(usize::from(u16::from_be_bytes(*count)));
    for _ in 0..u16::from_be_bytes(*count) {
        let (len, tail) = rest.split_first_chunk::<4>()?;
        match i32::from_be_bytes(*len) {
            -1 => {
                values.push(None);
                rest = tail;
            }
            n => {
                let (value, tail) = tail.split_at_checked(usize::try_from(n).ok()?)?;
                values.push(Some(value.to_vec()));
                rest = tail;
            }
        }
    }
    Some(Row(values))
}

/// `17.11 (Debian …)`, `18beta1`, `9.6.24` → 17, 18, 9.
pub(crate) fn major_of(version: &str) -> u32 {
    BStr::new(version)
        .split(|b| !b.is_ascii_digit())
        .next()
        .and_then(|d| d.to_str().ok())
        .and_then(|d| d.parse().ok())
        .unwrap_or(0)
}
