//! What a restore job is told.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

/// Which moment is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// That of the snapshot.
    Snapshot,
    /// This one, of a continuous recovery point.
    At(Timestamp),
    /// The last one that a continuous recovery point has.
    Latest,
}

/// What the new instance or cluster is to be. What is not said is as the recovery point has it.
#[derive(Debug, Clone, Default)]
pub struct RestoreTarget {
    /// Its name.
    pub name: String,
    /// Such as `db.t4g.medium`.
    pub class: Option<String>,
    /// Subnet group.
    pub subnet_group: Option<String>,
    /// Ids of security groups; none: as the recovery point has them.
    pub security_groups: Vec<String>,
    /// Parameter group: of the instance, or of the cluster for Aurora.
    pub parameter_group: Option<String>,
    /// Further metadata, which counts over everything.
    pub more: BTreeMap<String, String>,
}

/// Why a restore cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreError(pub String);

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RestoreError {}

/// The metadata of a restore job: those of the recovery point (`GetRecoveryPointRestoreMetadata`) under what is asked for.
/// Keys: <https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-rds.html> and `restoring-aur.html`.
///
/// # Errors
/// Another kind of resource than `RDS` and `Aurora`, no name, the name of what was backed up, a moment for a recovery point
/// that is not continuous or in the future.
pub fn metadata(
    from: &BTreeMap<String, String>,
    (resource_type, resource, continuous): (&str, &str, bool),
    target: &RestoreTarget,
    (when, now): (When, Timestamp),
) -> Result<BTreeMap<String, String>, RestoreError> {
    let wrong = |what: String| Err(RestoreError(what));
    let (name, group) = match resource_type {
        "RDS" => ("DBInstanceIdentifier", "DBParameterGroupName"),
        "Aurora" => ("DBClusterIdentifier", "DBClusterParameterGroupName"),
        other => {
            return wrong(format!(
                "the recovery point is of {other}; pgkeep restores those of RDS and Aurora"
            ));
        }
    };
    if target.name.is_empty() {
        return wrong("name the new instance: --name".into());
    }
    if resource.rsplit(':').next() == Some(target.name.as_str()) {
        return wrong(format!(
            "{} is what was backed up: a restore makes a new one, give it another name",
            target.name
        ));
    }
    match when {
        When::Snapshot => {}
        _ if !continuous => {
            return wrong(
                "the recovery point is a snapshot and no continuous backup: it has one moment only; leave --to and --latest out".into(),
            );
        }
        When::At(time) if time > now => return wrong(format!("{time} has still to come")),
        When::At(_) | When::Latest => {}
    }
    let mut all = from.clone();
    // Of what was backed up: the new one must not be named by them.
    for gone in ["DBInstanceIdentifier", "DBClusterIdentifier", "RestoreTime", "UseLatestRestorableTime"] {
        all.remove(gone);
    }
    all.insert(name.into(), target.name.clone());
    let mut set = |key: &str, value: Option<String>| value.map(|value| all.insert(key.into(), value));
    // A cluster has no class: its instance is made once it is there.
    set("DBInstanceClass", target.class.clone().filter(|_| resource_type == "RDS"));
    set("DBSubnetGroupName", target.subnet_group.clone());
    set(group, target.parameter_group.clone());
    let groups =
        (!target.security_groups.is_empty()).then(|| serde_json::json!(target.security_groups).to_string());
    set("VpcSecurityGroupIds", groups);
    match when {
        When::Snapshot => {}
        When::At(time) => drop(set("RestoreTime", Some(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()))),
        When::Latest => drop(set("UseLatestRestorableTime", Some("true".into()))),
    }
    all.extend(target.more.clone());
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn from() -> BTreeMap<String, String> {
        [("DBInstanceIdentifier", "chat"), ("DBInstanceClass", "db.r6g.large"), ("MultiAZ", "true")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into()
    }

    fn ask(
        point: (&str, &str, bool),
        change: impl FnOnce(&mut RestoreTarget),
        when: When,
    ) -> Result<BTreeMap<String, String>, RestoreError> {
        let mut target = RestoreTarget { name: "chat-restored".into(), ..RestoreTarget::default() };
        change(&mut target);
        metadata(&from(), point, &target, (when, "2026-11-24T12:00:00Z".parse().unwrap()))
    }

    const SNAPSHOT: (&str, &str, bool) = ("RDS", "arn:aws:rds:eu-west-1:1:db:chat", false);
    const CONTINUOUS: (&str, &str, bool) = ("RDS", "arn:aws:rds:eu-west-1:1:db:chat", true);

    #[test]
    fn flags_count_over_what_the_recovery_point_says() {
        let all = ask(
            SNAPSHOT,
            |t| {
                t.class = Some("db.t3.small".into());
                t.security_groups = vec!["sg-1".into(), "sg-2".into()];
                t.more = BTreeMap::from([("MultiAZ".into(), "false".into())]);
            },
            When::Snapshot,
        )
        .unwrap();
        let of = |key: &str| all[key].as_str();
        assert_eq!((of("DBInstanceIdentifier"), of("DBInstanceClass")), ("chat-restored", "db.t3.small"));
        assert_eq!((of("MultiAZ"), of("VpcSecurityGroupIds")), ("false", "[\"sg-1\",\"sg-2\"]"));
    }

    #[test]
    fn a_moment_is_for_continuous_recovery_points_and_the_past() {
        let time: Timestamp = "2026-11-20T10:30:00Z".parse().unwrap();
        assert_eq!(ask(CONTINUOUS, |_| {}, When::At(time)).unwrap()["RestoreTime"], "2026-11-20T10:30:00Z");
        assert_eq!(ask(CONTINUOUS, |_| {}, When::Latest).unwrap()["UseLatestRestorableTime"], "true");
        for (point, when, words) in [
            (SNAPSHOT, When::At(time), "no continuous backup"),
            (SNAPSHOT, When::Latest, "no continuous backup"),
            (CONTINUOUS, When::At("2026-11-25T00:00:00Z".parse().unwrap()), "still to come"),
            (("EFS", "arn", false), When::Snapshot, "of EFS"),
        ] {
            assert!(ask(point, |_| {}, when).unwrap_err().0.contains(words), "{words}");
        }
    }

    #[test]
    fn a_restore_never_takes_the_name_of_what_was_backed_up() {
        assert!(
            ask(SNAPSHOT, |t| t.name = "chat".into(), When::Snapshot).unwrap_err().0.contains("another name")
        );
        assert!(ask(SNAPSHOT, |t| t.name.clear(), When::Snapshot).unwrap_err().0.contains("--name"));
        let cluster = ("Aurora", "arn:aws:rds:eu-west-1:1:cluster:c", false);
        let all = ask(cluster, |t| t.class = Some("db.r6g.xlarge".into()), When::Snapshot).unwrap();
        assert_ne!(all["DBInstanceClass"], "db.r6g.xlarge", "that is its instance's");
        assert_eq!(all["DBClusterIdentifier"], "chat-restored");
        assert!(!all.contains_key("DBInstanceIdentifier"));
    }
}
