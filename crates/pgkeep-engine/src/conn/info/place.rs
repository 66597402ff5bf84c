//! Where servers are: hosts, addresses and ports, each possibly several.

use std::net::IpAddr;

use super::{ConnInfo, bad};
use crate::error::Result;

/// Directories of Unix sockets that libpq looks into by itself: that of Debian's packages, and of the source's default.
pub(super) const SOCKET_DIRS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Where one server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Host name, address, or directory of a Unix socket.
    pub host: String,
    /// The address to connect to in place of looking the host's name up.
    pub hostaddr: Option<IpAddr>,
    /// TCP port, or the number in the socket's name.
    pub port: u16,
}

/// Comma-separated lists, as libpq reads them: as many addresses as hosts where both are given; one port for all or one
/// for each, an empty one being the default (`pqConnectOptions2`, src/interfaces/libpq/fe-connect.c).
pub(super) fn places(host: Option<&str>, hostaddr: Option<&str>, port: Option<&str>) -> Result<Vec<Place>> {
    let list = |text: Option<&str>| -> Vec<String> {
        text.map(|t| t.split(',').map(|s| s.trim().to_owned()).collect()).unwrap_or_default()
    };
    let (hosts, addresses, ports) = (list(host), list(hostaddr), list(port));
    let count = hosts.len().max(addresses.len()).max(1);
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return Err(bad(format!("{} hosts and {} addresses (hostaddr)", hosts.len(), addresses.len()))
            .hint("give one hostaddr for each host"));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(bad(format!("{} ports for {count} hosts", ports.len()))
            .hint("give one port for all hosts, or one for each"));
    }
    (0..count)
        .map(|i| {
            let port = match ports.get(if ports.len() == 1 { 0 } else { i }).filter(|p| !p.is_empty()) {
                None => 5432,
                Some(p) => match p.parse() {
                    Ok(n) if n > 0 => n,
                    _ => return Err(bad(format!("port \"{p}\" is not a number from 1 to 65535"))),
                },
            };
            let hostaddr = match addresses.get(i).filter(|a| !a.is_empty()) {
                None => None,
                Some(a) => Some(
                    a.parse::<IpAddr>().map_err(|_| bad(format!("hostaddr \"{a}\" is not an IP address")))?,
                ),
            };
            let host = match (hosts.get(i).filter(|h| !h.is_empty()), hostaddr) {
                (Some(host), _) => host.clone(),
                (None, Some(address)) => address.to_string(),
                (None, None) => default_host(port),
            };
            Ok(Place { host, hostaddr, port })
        })
        .collect()
}

/// As libpq: the Unix socket where there is one, else the loopback.
fn default_host(port: u16) -> String {
    SOCKET_DIRS
        .into_iter()
        .find(|dir| std::path::Path::new(&format!("{dir}/.s.PGSQL.{port}")).exists())
        .unwrap_or("localhost")
        .into()
}

impl ConnInfo {
    /// One for each server, in the order in which they are to be tried.
    pub(in crate::conn) fn places(&self) -> Vec<ConnInfo> {
        let first = Place { host: self.host.clone(), hostaddr: self.hostaddr, port: self.port };
        std::iter::once(&first)
            .chain(&self.others)
            .map(|place| ConnInfo {
                host: place.host.clone(),
                hostaddr: place.hostaddr,
                port: place.port,
                others: Vec::new(),
                ..self.clone()
            })
            .collect()
    }
}
