//! Addresses of a host.

use std::net::{IpAddr, ToSocketAddrs};

use crossbeam_channel::RecvTimeoutError;

use super::info::ConnInfo;
use super::patience::Patience;
use crate::error::{EngineError, ErrorKind, Result};

/// The host's addresses in the system's order, none twice. The system's resolver knows no wish to stop, so another
/// thread asks it, and is left to itself when nobody waits any more.
pub(super) fn addresses(info: &ConnInfo, patience: &Patience) -> Result<Vec<IpAddr>> {
    let what = || format!("looking up host \"{}\"", info.host);
    let (send, receive) = crossbeam_channel::bounded(1);
    let place = (info.host.clone(), info.port);
    std::thread::spawn(move || {
        let found = place.to_socket_addrs().map(|found| found.map(|a| a.ip()).collect::<Vec<_>>());
        let _ = send.send(found);
    });
    let found = loop {
        match receive.recv_timeout(patience.step()) {
            Ok(found) => break found,
            Err(RecvTimeoutError::Timeout) => patience.check().map_err(|e| e.during(what()))?,
            Err(RecvTimeoutError::Disconnected) => return Err(EngineError::cancelled()),
        }
    };
    let mut found = found.map_err(|e| {
        EngineError::new(ErrorKind::Connect, what(), e.to_string()).hint("check the host's name")
    })?;
    let mut seen = std::collections::HashSet::new();
    found.retain(|a| seen.insert(*a));
    if found.is_empty() {
        return Err(EngineError::new(ErrorKind::Connect, what(), "the name has no address"));
    }
    Ok(found)
}
