//! Logging in: startup packet and the authentication exchange.

use postgres_protocol::authentication::md5_hash;

use super::info::{ChannelBinding, ConnInfo, Found};
use super::scram::{self, Scram};
use super::server_error::ServerError;
use super::wire::Wire;
use crate::error::{EngineError, ErrorKind, Result};

/// Sends the startup packet and answers what the server asks, until it says `AuthenticationOk`.
pub(super) fn log_in(wire: &mut Wire, info: &ConnInfo) -> Result<()> {
    startup(wire, info)?;
    let mut body = Vec::new();
    let mut scram: Option<Scram> = None;
    let mut proven = false;
    loop {
        match wire.message(&mut body)? {
            b'R' => {}
            b'E' => return Err(refused(info, ServerError::parse(&body))),
            b'N' | b'v' => continue,
            other => return Err(strange(format!("message {:?} during log-in", other as char))),
        }
        let (code, rest) = split_code(&body)?;
        if let Some(method) = method_of(code) {
            accept(info, method)?;
        }
        match code {
            0 => return satisfied(info, proven, scram.as_ref()),
            3 => {
                password_message(wire, password(info)?.as_bytes())?;
                proven = true;
            }
            5 => {
                let salt: [u8; 4] =
                    rest.get(..4).and_then(|s| s.try_into().ok()).ok_or_else(|| strange("short md5 salt"))?;
                let hash = md5_hash(info.user.as_bytes(), password(info)?.as_bytes(), salt);
                password_message(wire, hash.as_bytes())?;
                proven = true;
            }
            10 => {
                let s = scram::begin(wire.stream(), info, rest, password(info)?.as_bytes())?;
                send(wire, b'p', &s.first_message())?;
                scram = Some(s);
            }
            11 => {
                let s = scram.as_mut().ok_or_else(|| strange("SASL continued before it began"))?;
                s.exchange.update(rest).map_err(|e| strange(e.to_string()))?;
                send(wire, b'p', s.exchange.message())?;
            }
            12 => {
                let s = scram.as_mut().ok_or_else(|| strange("SASL ended before it began"))?;
                s.exchange.finish(rest).map_err(|e| {
                    strange(format!("the server could not prove that it knows the password: {e}"))
                })?;
                proven = true;
            }
            other => {
                let method = match other {
                    2 => "Kerberos 5 (long gone)".into(),
                    7 | 8 => "GSSAPI".into(),
                    9 => "SSPI".into(),
                    other => format!("method {other}"),
                };
                return Err(EngineError::new(
                    ErrorKind::Authentication,
                    format!("logging in to {info}"),
                    format!("the server asks for {method}, which pgkeep does not speak"),
                )
                .hint("scram-sha-256, md5, password, client certificates, peer and trust work: see the server's pg_hba.conf"));
            }
        }
    }
}

/// The name that `require_auth` has for what the server asks.
fn method_of(code: u32) -> Option<&'static str> {
    Some(match code {
        3 => "password",
        5 => "md5",
        7 | 8 => "gss",
        9 => "sspi",
        10 => "scram-sha-256",
        _ => return None,
    })
}

/// Before anything is told to the server: whether this way is acceptable.
fn accept(info: &ConnInfo, method: &str) -> Result<()> {
    if !info.require_auth.accepts(method) {
        return Err(EngineError::new(
            ErrorKind::Authentication,
            format!("logging in to {info}"),
            format!(
                "the server asks for \"{method}\", and require_auth={} forbids it",
                info.require_auth.as_str()
            ),
        ));
    }
    if info.channel_binding == ChannelBinding::Require && method != "scram-sha-256" {
        return Err(unbound(info, &format!("the server asks for \"{method}\", which cannot be tied to TLS")));
    }
    Ok(())
}

/// The server lets us in; whether it did all that was demanded of it.
fn satisfied(info: &ConnInfo, proven: bool, scram: Option<&Scram>) -> Result<()> {
    if !proven && !info.require_auth.accepts("none") {
        return Err(EngineError::new(
            ErrorKind::Authentication,
            format!("logging in to {info}"),
            format!(
                "the server asks for no proof, and require_auth={} demands one",
                info.require_auth.as_str()
            ),
        ));
    }
    if info.channel_binding == ChannelBinding::Require && !(proven && scram.is_some_and(|s| s.bound)) {
        return Err(unbound(info, "the server let us in without it"));
    }
    Ok(())
}

fn startup(wire: &mut Wire, info: &ConnInfo) -> Result<()> {
    let mut out = vec![0, 0, 0, 0, 0, 3, 0, 0];
    let mut put = |key: &str, value: &str| {
        out.extend_from_slice(key.as_bytes());
        out.push(0);
        out.extend_from_slice(value.as_bytes());
        out.push(0);
    };
    put("user", &info.user);
    put("database", &info.database);
    put("application_name", &info.application_name);
    if let Some(o) = &info.options {
        put("options", o);
    }
    out.push(0);
    let len = (out.len() as u32).to_be_bytes();
    out[..4].copy_from_slice(&len);
    wire.send(&out)
}

fn split_code(body: &[u8]) -> Result<(u32, &[u8])> {
    let (code, rest) =
        body.split_first_chunk::<4>().ok_or_else(|| strange("short authentication message"))?;
    Ok((u32::from_be_bytes(*code), rest))
}

fn password(info: &ConnInfo) -> Result<String> {
    let missing =
        |why: String| EngineError::new(ErrorKind::Authentication, format!("logging in to {info}"), why);
    match info.find_password()? {
        Found::Password(password) => Ok(password),
        Found::Unfit(why) => Err(missing(format!("the server asks for a password, and the password file {why}"))),
        Found::Nothing => Err(missing("the server asks for a password and none was given".into()).hint(
            "set PGPASSWORD, or write it into ~/.pgpass or the URL of a configuration file that only you can read",
        )),
    }
}

fn password_message(wire: &mut Wire, password: &[u8]) -> Result<()> {
    let mut out = password.to_vec();
    out.push(0);
    send(wire, b'p', &out)
}

fn send(wire: &mut Wire, kind: u8, body: &[u8]) -> Result<()> {
    let mut out = vec![kind];
    out.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    out.extend_from_slice(body);
    wire.send(&out)
}

fn refused(info: &ConnInfo, e: ServerError) -> EngineError {
    let mut e = EngineError::from(e);
    // pgbouncer's words ("unsupported startup parameter: options").
    if e.why.contains("startup parameter") && e.why.contains("options") {
        e = e.hint(
            "a pooler takes no options: leave them out of the connection string and PGOPTIONS, and set them by \
             ALTER ROLE … SET, or connect to the server itself",
        );
    }
    if !matches!(e.kind, ErrorKind::Authentication | ErrorKind::Permission) {
        e.kind = ErrorKind::Connect;
    }
    e.during(format!("connecting to {info}"))
}

pub(super) fn unbound(info: &ConnInfo, why: &str) -> EngineError {
    EngineError::new(
        ErrorKind::Authentication,
        format!("logging in to {info}"),
        format!("channel_binding=require: {why}"),
    )
    .hint("it needs TLS and a password stored as scram-sha-256 on the server")
}

pub(super) fn strange(why: impl Into<String>) -> EngineError {
    EngineError::new(ErrorKind::Connect, "logging in", why)
}
