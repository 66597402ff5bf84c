//! A restore of RDS's, until one can connect, and a drill there.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use pgkeep_cloud::{Rds, RdsDatabase, RestoreInto};
use pgkeep_engine::drill::{WholeRead, read_whole};
use pgkeep_engine::progress::Progress;
use pgkeep_engine::{Cancel, EngineError};
use pgkeep_snapshots::{Pace, Source, Windows, restore};

use crate::config::Config;
use crate::connect;
use crate::failure::{Exit, Failure, Result};

/// One try to connect.
const TRY: Duration = Duration::from_secs(5);
/// Connections that read in a drill.
const JOBS: usize = 4;

pub(crate) struct RdsRestoreJob<'j> {
    pub(crate) rds: &'j Rds,
    pub(crate) source: &'j Source,
    pub(crate) into: RestoreInto,
    pub(crate) windows: Windows,
    /// How long it is tried to be reached; not at all without.
    pub(crate) reach: Option<Duration>,
    /// The words for the database, by which one connects, and what is asserted of it.
    pub(crate) drill: Option<(&'j str, &'j [String])>,
}

impl RdsRestoreJob<'_> {
    /// Restores; what was made stays, also where it is not reached.
    pub(crate) fn run(
        &self,
        config: &Config,
        pace: &Pace<'_>,
        cancel: &Cancel,
    ) -> Result<(RdsDatabase, Option<WholeRead>)> {
        let database = restore(self.rds, self.source, &self.into, self.windows, pace)?.database;
        let read = look_into(&database, self.rds.region(), self.reach, self.drill, config, pace, cancel)?;
        Ok((database, read))
    }
}

/// Waits until a restored database can be reached, and reads it whole where a drill is wanted.
pub(crate) fn look_into(
    database: &RdsDatabase,
    region: &str,
    within: Option<Duration>,
    drill: Option<(&str, &[String])>,
    config: &Config,
    pace: &Pace<'_>,
    cancel: &Cancel,
) -> Result<Option<WholeRead>> {
    let Some((host, port)) = &database.endpoint else { return Ok(None) };
    if let Some(within) = within {
        reach(&database.name, host, *port, within, pace)?;
    }
    let Some((words, checks)) = drill else { return Ok(None) };
    let info = connect::restored(words, config, region, &database.name, (host, *port))?;
    Ok(Some(read_whole(&info, checks, JOBS, &Progress::new(), cancel)?))
}

/// Waits until the server takes connections.
fn reach(name: &str, host: &str, port: u16, within: Duration, pace: &Pace<'_>) -> Result<()> {
    let end = Instant::now() + within;
    loop {
        let tried = (host, port).to_socket_addrs().and_then(|mut all| {
            let none = || std::io::Error::other("the name has no address");
            TcpStream::connect_timeout(&all.next().ok_or_else(none)?, TRY)
        });
        let Err(e) = tried else { return Ok(()) };
        if Instant::now() >= end {
            return Err(Failure::new(
                Exit::Database,
                "connect",
                format!(
                    "{name} is available, but {host}:{port} is not reached from here: {e}\n  hint: its subnets and security groups \
                     (--subnet-group, --security-group) decide who reaches it; it stays: pgkeep rds snapshot remove {name}"
                ),
            ));
        }
        if !(pace.pause)(pace.poll) {
            return Err(EngineError::cancelled().into());
        }
    }
}
