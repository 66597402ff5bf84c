//! Logging in: startup packet and the authentication exchange.

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};

use super::info::ConnInfo;
use super::server_error::ServerError;
use super::wire::Wire;
use crate::error::{EngineError, ErrorKind, Result};

/// Sends the startup packet and answers what the server asks, until it says `AuthenticationOk`.
pub(super) fn log_in(wire: &mut Wire, info: &ConnInfo) -> Result<()> {
    startup(wire, info)?;
    let mut body = Vec::new();
    let mut scram: Option<ScramSha256> = None;
    loop {
        match wire.message(&mut body)? {
            b'R' => {}
            b'E' => return Err(refused(info, ServerError::parse(&body))),
            b'N' | b'v' => continue,
            other => return Err(strange(format!("message {:?} during log-in", other as char))),
        }
        let (code, rest) = split_code(&body)?;
        match code {
            0 => return Ok(()),
            3 => password_message(wire, password(info)?.as_bytes())?,
            5 => {
                let salt: [u8; 4] =
                    rest.get(..4).and_then(|s| s.try_into().ok()).ok_or_else(|| strange("short md5 salt"))?;
                let hash = md5_hash(info.user.as_bytes(), password(info)?.as_bytes(), salt);
                password_message(wire, hash.as_bytes())?;
            }
            10 => {
                if !rest.split(|b| *b == 0).any(|m| m == SCRAM_SHA_256.as_bytes()) {
                    return Err(strange("the server offers no SCRAM-SHA-256"));
                }
                let s = ScramSha256::new(password(info)?.as_bytes(), ChannelBinding::unsupported());
                let mut out = Vec::from(SCRAM_SHA_256.as_bytes());
                out.push(0);
                let first = s.message();
                out.extend_from_slice(&(first.len() as u32).to_be_bytes());
                out.extend_from_slice(first);
                send(wire, b'p', &out)?;
                scram = Some(s);
            }
            11 => {
                let s = scram.as_mut().ok_or_else(|| strange("SASL continued before it began"))?;
                s.update(rest).map_err(|e| strange(e.to_string()))?;
                send(wire, b'p', s.message())?;
            }
            12 => {
                let s = scram.as_mut().ok_or_else(|| strange("SASL ended before it began"))?;
                s.finish(rest).map_err(|e| {
                    strange(format!("the server could not prove that it knows the password: {e}"))
                })?;
            }
            other => {
                return Err(EngineError::new(
                    ErrorKind::Authentication,
                    format!("logging in to {info}"),
                    format!("the server asks for authentication method {other}, which pgkeep does not speak"),
                )
                .hint("scram-sha-256, md5, password and trust work"));
            }
        }
    }
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
    let password = info.password.as_ref().ok_or_else(|| {
        EngineError::new(
            ErrorKind::Authentication,
            format!("logging in to {info}"),
            "the server asks for a password and none was given",
        )
        .hint("set PGPASSWORD, or write it in the URL of a configuration file that only you can read")
    })?;
    password.get()
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
    if !matches!(e.kind, ErrorKind::Authentication | ErrorKind::Permission) {
        e.kind = ErrorKind::Connect;
    }
    e.during(format!("connecting to {info}"))
}

fn strange(why: impl Into<String>) -> EngineError {
    EngineError::new(ErrorKind::Connect, "logging in", why)
}
