//! Which of several servers and addresses a connection goes to.

use super::client::Client;
use super::info::{ConnInfo, LoadBalance, TargetSession};
use super::patience::Patience;
use super::resolve;
use crate::cancel::Cancel;
use crate::error::{EngineError, ErrorKind, Result};

/// Tries servers and their addresses in order until one answers and fits. As with libpq a refused log-in ends the
/// search: another server is no remedy for a wrong password (`PQconnectPoll`, src/interfaces/libpq/fe-connect.c).
pub(super) fn connect(info: &ConnInfo, cancel: &Cancel) -> Result<Client> {
    let mut places = info.places();
    if info.load_balance == LoadBalance::Random {
        fastrand::shuffle(&mut places);
    }
    let wishes: &[TargetSession] = match info.target_session {
        TargetSession::PreferStandby => &[TargetSession::Standby, TargetSession::Any],
        ref wish => std::slice::from_ref(wish),
    };
    let mut failures = Vec::new();
    for wish in wishes {
        failures.clear();
        for place in &places {
            match reach(place, *wish, cancel) {
                Ok(client) => return Ok(client),
                Err(Miss::Final(e)) => return Err(e),
                Err(Miss::TryNext(e)) => failures.push(e),
            }
        }
    }
    Err(match failures.len() {
        1 => failures.remove(0),
        _ => EngineError::new(
            ErrorKind::Connect,
            format!("connecting to {info}: none of {} servers will do", places.len()),
            failures
                .iter()
                .map(|e| if e.what.is_empty() { e.why.clone() } else { format!("{}: {}", e.what, e.why) })
                .collect::<Vec<_>>()
                .join("; "),
        ),
    })
}

/// Why a server was not taken.
enum Miss {
    TryNext(EngineError),
    Final(EngineError),
}

/// One server, by each of its addresses.
fn reach(place: &ConnInfo, wish: TargetSession, cancel: &Cancel) -> Result<Client, Miss> {
    let addresses = match place.hostaddr {
        _ if place.is_unix() => vec![None],
        Some(address) => vec![Some(address)],
        None => resolve::addresses(place, &Patience::new(place.connect_timeout, cancel))
            .map_err(sorted)?
            .into_iter()
            .map(Some)
            .collect(),
    };
    let mut last = None;
    for hostaddr in addresses {
        let info = ConnInfo {
            hostaddr,
            load_balance: LoadBalance::Disable,
            target_session: TargetSession::Any,
            ..place.clone()
        };
        match Client::connect_to(&info, cancel) {
            Ok(mut client) => {
                return match misfit(&mut client, wish) {
                    Ok(None) => Ok(client),
                    Ok(Some(why)) => Err(Miss::TryNext(
                        EngineError::new(ErrorKind::Connect, format!("connecting to {info}"), why)
                            .hint("target_session_attrs in the connection string asks for it"),
                    )),
                    Err(e) => Err(sorted(e.during(format!("asking {info} whether it is a standby")))),
                };
            }
            Err(e) => match sorted(e) {
                Miss::TryNext(e) => last = Some(e),
                end => return Err(end),
            },
        }
    }
    Err(Miss::TryNext(last.unwrap_or_else(EngineError::cancelled)))
}

/// A server that starts or stops (cannot_connect_now) or is full (too_many_connections) is passed over like one that
/// does not answer.
fn sorted(e: EngineError) -> Miss {
    match (e.kind, e.sqlstate.as_deref()) {
        (ErrorKind::Connect | ErrorKind::ConnectionLost, None | Some("57P03" | "53300")) => Miss::TryNext(e),
        _ => Miss::Final(e),
    }
}

/// Why the session is not what is wished for.
fn misfit(client: &mut Client, wish: TargetSession) -> Result<Option<&'static str>> {
    if wish == TargetSession::Any {
        return Ok(None);
    }
    let row = client.query_one(
        "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only') = 'on'",
    )?;
    let (standby, read_only) = (row.bool(0), row.bool(0) || row.bool(1));
    Ok(match wish {
        TargetSession::ReadWrite if read_only => Some("its sessions are read-only"),
        TargetSession::ReadOnly if !read_only => Some("its sessions are not read-only"),
        TargetSession::Primary if standby => Some("it is a standby"),
        TargetSession::Standby if !standby => Some("it is no standby"),
        _ => None,
    })
}
