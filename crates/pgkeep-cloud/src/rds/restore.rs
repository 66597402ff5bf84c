//! New instances and clusters out of snapshots and automated backups, and their removal.

use std::time::SystemTime;

use aws_smithy_types::DateTime;

use super::{Rds, RdsDatabase, RdsKind, RdsSnapshot, Tags, answer, list_of};
use crate::error::Result;

/// What is restored.
#[derive(Debug, Clone)]
pub enum RestoreFrom<'a> {
    /// A snapshot.
    Snapshot(&'a RdsSnapshot),
    /// The database at a moment; `None` is the latest that RDS has.
    Moment(&'a RdsDatabase, Option<SystemTime>),
}

/// What it is restored into. RDS takes what is left out from the source, but for groups, which then are the account's
/// default ones.
#[derive(Debug, Clone, Default)]
pub struct RestoreInto {
    /// The new name.
    pub name: String,
    /// Such as `db.m5.large`.
    pub class: Option<String>,
    /// DB subnet group: in which network it is.
    pub subnet_group: Option<String>,
    /// Ids of security groups: who reaches it.
    pub security_groups: Vec<String>,
    /// Parameter group; of a cluster its cluster parameter group.
    pub parameter_group: Option<String>,
    /// Whether it gets a public address.
    pub public: bool,
    /// Its tags.
    pub tags: Tags,
}

impl RestoreInto {
    fn groups(&self) -> Option<Vec<String>> {
        (!self.security_groups.is_empty()).then(|| self.security_groups.clone())
    }
}

impl Rds {
    /// Begins a restore. A cluster comes without instances: see [`add_member`](Self::add_member).
    ///
    /// # Errors
    /// `Exists` where there is an instance or cluster of this name; `NotFound` for a group; `Quota`, `Key`; what else AWS
    /// refuses.
    pub fn restore(&self, from: &RestoreFrom<'_>, into: &RestoreInto) -> Result<()> {
        let what = format!("restore into {}", into.name);
        let tags = Some(list_of(&into.tags));
        match from {
            RestoreFrom::Snapshot(snapshot) => match snapshot.kind {
                RdsKind::Instance => {
                    let asked = self.asked(&what, "rds:RestoreDBInstanceFromDBSnapshot");
                    let request = self
                        .client
                        .restore_db_instance_from_db_snapshot()
                        .db_instance_identifier(&into.name)
                        .db_snapshot_identifier(&snapshot.name)
                        .set_db_instance_class(into.class.clone())
                        .set_db_subnet_group_name(into.subnet_group.clone())
                        .set_vpc_security_group_ids(into.groups())
                        .set_db_parameter_group_name(into.parameter_group.clone())
                        .publicly_accessible(into.public)
                        .set_tags(tags);
                    answer(asked, request.send()).map(drop)
                }
                RdsKind::Cluster => {
                    let asked = self.asked(&what, "rds:RestoreDBClusterFromSnapshot");
                    let request = self
                        .client
                        .restore_db_cluster_from_snapshot()
                        .db_cluster_identifier(&into.name)
                        .snapshot_identifier(&snapshot.name)
                        .engine(&snapshot.engine)
                        .set_db_subnet_group_name(into.subnet_group.clone())
                        .set_vpc_security_group_ids(into.groups())
                        .set_db_cluster_parameter_group_name(into.parameter_group.clone())
                        .set_tags(tags);
                    answer(asked, request.send()).map(drop)
                }
            },
            RestoreFrom::Moment(source, at) => {
                let at = at.map(DateTime::from);
                match source.kind {
                    RdsKind::Instance => {
                        let asked = self.asked(&what, "rds:RestoreDBInstanceToPointInTime");
                        let request = self
                            .client
                            .restore_db_instance_to_point_in_time()
                            .source_db_instance_identifier(&source.name)
                            .target_db_instance_identifier(&into.name)
                            .set_use_latest_restorable_time(at.is_none().then_some(true))
                            .set_restore_time(at)
                            .set_db_instance_class(into.class.clone())
                            .set_db_subnet_group_name(into.subnet_group.clone())
                            .set_vpc_security_group_ids(into.groups())
                            .set_db_parameter_group_name(into.parameter_group.clone())
                            .publicly_accessible(into.public)
                            .set_tags(tags);
                        answer(asked, request.send()).map(drop)
                    }
                    RdsKind::Cluster => {
                        let asked = self.asked(&what, "rds:RestoreDBClusterToPointInTime");
                        let request = self
                            .client
                            .restore_db_cluster_to_point_in_time()
                            .source_db_cluster_identifier(&source.name)
                            .db_cluster_identifier(&into.name)
                            .set_use_latest_restorable_time(at.is_none().then_some(true))
                            .set_restore_to_time(at)
                            .set_db_subnet_group_name(into.subnet_group.clone())
                            .set_vpc_security_group_ids(into.groups())
                            .set_db_cluster_parameter_group_name(into.parameter_group.clone())
                            .set_tags(tags);
                        answer(asked, request.send()).map(drop)
                    }
                }
            }
        }
    }

    /// Adds an instance to a cluster (`rds:CreateDBInstance`).
    ///
    /// # Errors
    /// `Exists`, `Quota`; what else AWS refuses.
    pub fn add_member(
        &self,
        cluster: &str,
        member: &str,
        engine: &str,
        class: &str,
        into: &RestoreInto,
    ) -> Result<()> {
        let asked = self.asked(&format!("instance {member} of {cluster}"), "rds:CreateDBInstance");
        let request = self
            .client
            .create_db_instance()
            .db_instance_identifier(member)
            .db_cluster_identifier(cluster)
            .engine(engine)
            .db_instance_class(class)
            .publicly_accessible(into.public)
            .set_tags(Some(list_of(&into.tags)));
        answer(asked, request.send()).map(drop)
    }

    /// Gives an instance or a cluster further tags (`rds:AddTagsToResource`).
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn tag(&self, database: &RdsDatabase, tags: &Tags) -> Result<()> {
        let asked = self.asked(&format!("tags of RDS {}", database.name), "rds:AddTagsToResource");
        let request = self.client.add_tags_to_resource().resource_name(&database.arn);
        answer(asked, request.set_tags(Some(list_of(tags))).send()).map(drop)
    }

    /// Deletes an instance or a cluster for good, with its automated backups and without a last snapshot.
    ///
    /// # Errors
    /// `NotFound`; `Busy` in a state in which it cannot be deleted; what else AWS refuses.
    pub fn delete_database(&self, kind: RdsKind, name: &str) -> Result<()> {
        let what = format!("RDS {name}");
        match kind {
            RdsKind::Instance => {
                let asked = self.asked(&what, "rds:DeleteDBInstance");
                let request = self.client.delete_db_instance().db_instance_identifier(name);
                let request = request.skip_final_snapshot(true).delete_automated_backups(true);
                answer(asked, request.send()).map(drop)
            }
            RdsKind::Cluster => {
                let asked = self.asked(&what, "rds:DeleteDBCluster");
                let request = self.client.delete_db_cluster().db_cluster_identifier(name);
                answer(asked, request.skip_final_snapshot(true).send()).map(drop)
            }
        }
    }

    /// The earliest moment that an instance can be restored to: that of its oldest automated backup
    /// (`rds:DescribeDBInstanceAutomatedBackups`).
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn earliest_restorable(&self, instance: &RdsDatabase) -> Result<Option<SystemTime>> {
        let asked = self.asked(
            &format!("automated backups of {}", instance.name),
            "rds:DescribeDBInstanceAutomatedBackups",
        );
        let request =
            self.client.describe_db_instance_automated_backups().dbi_resource_id(&instance.resource);
        let got = answer(asked, request.send())?;
        let windows = got.db_instance_automated_backups().iter().filter_map(|b| b.restore_window());
        Ok(windows.filter_map(|w| super::time(w.earliest_time())).min())
    }
}
