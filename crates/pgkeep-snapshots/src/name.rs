//! Names of snapshots: `<database>-YYYYMMDDHHMMSS`, in UTC, so that they sort by time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pgkeep_cloud::RdsKind;

const TIME: &str = "%Y%m%d%H%M%S";
const DIGITS: usize = 14;
/// The longest name of a cluster's snapshot (RDS API reference, "CreateDBClusterSnapshot"); an instance's has 255, which
/// instances' own names do not come near.
const LONGEST_OF_CLUSTER: usize = 63;

/// The name of a snapshot that is begun now.
#[must_use]
pub fn name_of(kind: RdsKind, database: &str, at: Timestamp) -> String {
    let room = match kind {
        RdsKind::Cluster => LONGEST_OF_CLUSTER - DIGITS - 1,
        RdsKind::Instance => usize::MAX,
    };
    // RDS takes no two hyphens in a row. Names are ASCII.
    let database = database.get(..room).unwrap_or(database).trim_end_matches('-');
    format!("{database}-{}", at.strftime(TIME))
}

/// The time in such a name.
#[must_use]
pub fn taken_of(name: &str) -> Option<Timestamp> {
    let (_, time) = name.rsplit_once('-')?;
    let is_time = time.len() == DIGITS && time.bytes().all(|b| b.is_ascii_digit());
    let time = DateTime::strptime(TIME, time).ok().filter(|_| is_time)?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_has_its_time_and_sorts_by_it() {
        let at: Timestamp = "2026-11-20T02:03:04Z".parse().unwrap();
        let name = name_of(RdsKind::Instance, "prod-database-1", at);
        assert_eq!(name, "prod-database-1-20261120020304");
        assert_eq!(taken_of(&name), Some(at));
        for other in
            ["prod-database-1", "x-2026112002030", "x-20261320020304", "x-2026-11-20", "20261120020304"]
        {
            assert_eq!(taken_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_clusters_snapshot_keeps_to_the_length_that_rds_takes() {
        let at: Timestamp = "2026-11-20T02:03:04Z".parse().unwrap();
        let name = name_of(RdsKind::Cluster, &format!("{}-tail-of-the-name", "c".repeat(47)), at);
        assert_eq!(name, format!("{}-20261120020304", "c".repeat(47)));
    }
}
