//! RDS and Aurora: where a database is ([`RdsPlace`]), and its snapshots ([`Rds`]).

mod database;
mod export;
mod place;
mod restore;
mod snapshot;

use std::time::{Duration, SystemTime};

use aws_sdk_rds::Client;
use aws_sdk_rds::config::retry::RetryConfig;
use aws_sdk_rds::types::Tag;
use aws_smithy_types::DateTime;

use crate::account::Account;
use crate::error::Asked;
use crate::request::{answer, empty, found, some, text};
pub use database::{RdsDatabase, RdsKind};
pub use export::{Export, ExportOrder};
pub use place::{RdsPlace, Role};
pub use restore::{RestoreFrom, RestoreInto};
pub use snapshot::{RdsSnapshot, Tags};

/// Tries of one request, the first among them. RDS allows few requests a second in all of an account, and snapshots are
/// begun by schedules that begin at the same minute everywhere, so that more than the SDK's three are worth it.
const TRIES: u32 = 6;
/// The first wait, doubled for each further one and shortened by chance, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// RDS of one account and region. Requests that fail in passing (throttled, cut off, 5xx) are tried six times in all, also
/// those that make something: each of these has a name of the caller's, so that the second of two is refused.
#[derive(Clone, Debug)]
pub struct Rds {
    client: Client,
    region: String,
}

impl Account {
    /// The snapshots of this account and region.
    #[must_use]
    pub fn rds_snapshots(&self) -> Rds {
        let retries = RetryConfig::standard()
            .with_max_attempts(TRIES)
            .with_initial_backoff(FIRST_WAIT)
            .with_max_backoff(LONGEST_WAIT);
        let config = aws_sdk_rds::config::Builder::from(&self.sdk).retry_config(retries).build();
        Rds { client: Client::from_conf(config), region: self.region.clone() }
    }
}

impl Rds {
    /// The region that requests go to.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    fn asked(&self, what: &str, action: &'static str) -> Asked<'static> {
        Asked { what: format!("{what} in {}", self.region), action }
    }
}

fn time(at: Option<&DateTime>) -> Option<SystemTime> {
    at.and_then(|at| SystemTime::try_from(*at).ok())
}

fn tags_of(list: &[Tag]) -> Tags {
    list.iter().map(|tag| (text(tag.key()), text(tag.value()))).collect()
}

fn list_of(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
