//! What RDS tells of an instance or a cluster.

use std::time::SystemTime;

use aws_sdk_rds::types::{DbCluster, DbInstance};

use super::{Rds, Tags, answer, found, some, tags_of, text, time};
use crate::error::{CloudError, CloudErrorKind, Result};

/// Whether something is of an instance or of a cluster, which RDS keeps in separate worlds of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RdsKind {
    /// A DB instance.
    Instance,
    /// A DB cluster: Aurora, or Multi-AZ with readable standbys.
    Cluster,
}

impl RdsKind {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RdsKind::Instance => "instance",
            RdsKind::Cluster => "cluster",
        }
    }
}

/// An instance or a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RdsDatabase {
    /// Which of both.
    pub kind: RdsKind,
    /// Its name, in lower case as RDS has it.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// `DbiResourceId` or `DbClusterResourceId`: unlike the name it is never given to another one.
    pub resource: String,
    /// Such as `postgres`, `aurora-postgresql`.
    pub engine: String,
    /// Such as `available`.
    pub status: String,
    /// The cluster that an instance is a member of.
    pub cluster: Option<String>,
    /// What it is a read replica of.
    pub replica_of: Option<String>,
    /// Days that automated backups are kept; 0 is none.
    pub retention_days: i32,
    /// The daily window of automated backups, `02:00-03:00` in UTC.
    pub window: Option<String>,
    /// Begin and end of what can be restored to a point in time.
    pub earliest: Option<SystemTime>,
    /// See `earliest`.
    pub latest: Option<SystemTime>,
    /// Whether its storage, and so its snapshots, are encrypted.
    pub encrypted: bool,
    /// Such as `db.m5.large`; of a cluster only where it is Multi-AZ.
    pub class: Option<String>,
    /// Its members, where it is a cluster.
    pub members: Vec<String>,
    /// DNS name and port, as soon as it has them.
    pub endpoint: Option<(String, u16)>,
    /// The database that was made with it.
    pub database: Option<String>,
    /// The name of its administrator.
    pub user: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Rds {
    /// The instance or cluster of this name or ARN; of a name that both have, the cluster where the instance is its member.
    ///
    /// # Errors
    /// `NotFound`; `Unfit` for another engine than PostgreSQL; what AWS refuses.
    pub fn database(&self, name: &str) -> Result<RdsDatabase> {
        let name = name.rsplit(':').next().unwrap_or(name);
        let instance = found(self.instance(name))?;
        let found = match instance.filter(|i| i.cluster.as_deref() != Some(&i.name)) {
            Some(instance) => instance,
            None => self.cluster(name).map_err(|e| match e.kind {
                CloudErrorKind::NotFound => {
                    CloudError { why: "there is no instance and no cluster of this name".into(), ..e }
                }
                _ => e,
            })?,
        };
        if !found.engine.contains("postgres") {
            let what = format!("RDS {name} in {}", self.region);
            let why = format!("its engine is {}, and pgkeep is about PostgreSQL only", found.engine);
            return Err(CloudError::new(CloudErrorKind::Unfit, what, why));
        }
        Ok(found)
    }

    /// The one of this name and kind, of whatever engine.
    ///
    /// # Errors
    /// `NotFound`; what AWS refuses.
    pub fn database_of(&self, kind: RdsKind, name: &str) -> Result<RdsDatabase> {
        match kind {
            RdsKind::Instance => self.instance(name),
            RdsKind::Cluster => self.cluster(name),
        }
    }

    fn instance(&self, name: &str) -> Result<RdsDatabase> {
        let asked = self.asked(&format!("RDS {name}"), "rds:DescribeDBInstances");
        let none = self.none(&asked.what);
        let request = self.client.describe_db_instances().db_instance_identifier(name);
        let got = answer(asked, request.send())?;
        got.db_instances().first().map(of_instance).ok_or(none)
    }

    fn cluster(&self, name: &str) -> Result<RdsDatabase> {
        let asked = self.asked(&format!("RDS {name}"), "rds:DescribeDBClusters");
        let none = self.none(&asked.what);
        let request = self.client.describe_db_clusters().db_cluster_identifier(name);
        let got = answer(asked, request.send())?;
        got.db_clusters().first().map(of_cluster).ok_or(none)
    }

    fn none(&self, what: &str) -> CloudError {
        CloudError::new(CloudErrorKind::NotFound, what, "there is none of this name")
    }
}

fn of_instance(i: &DbInstance) -> RdsDatabase {
    let endpoint = i.endpoint().and_then(|e| Some((some(e.address())?, port(e.port())?)));
    RdsDatabase {
        kind: RdsKind::Instance,
        name: text(i.db_instance_identifier()),
        arn: text(i.db_instance_arn()),
        resource: text(i.dbi_resource_id()),
        engine: text(i.engine()),
        status: text(i.db_instance_status()),
        cluster: some(i.db_cluster_identifier()),
        replica_of: some(i.read_replica_source_db_instance_identifier()),
        retention_days: i.backup_retention_period().unwrap_or_default(),
        window: some(i.preferred_backup_window()),
        // RDS tells the end only. The beginning is that of the oldest automated backup.
        earliest: None,
        latest: time(i.latest_restorable_time()),
        encrypted: i.storage_encrypted().unwrap_or_default(),
        class: some(i.db_instance_class()),
        members: Vec::new(),
        endpoint,
        database: some(i.db_name()),
        user: some(i.master_username()),
        tags: tags_of(i.tag_list()),
    }
}

fn of_cluster(c: &DbCluster) -> RdsDatabase {
    RdsDatabase {
        kind: RdsKind::Cluster,
        name: text(c.db_cluster_identifier()),
        arn: text(c.db_cluster_arn()),
        resource: text(c.db_cluster_resource_id()),
        engine: text(c.engine()),
        status: text(c.status()),
        cluster: None,
        replica_of: some(c.replication_source_identifier()),
        retention_days: c.backup_retention_period().unwrap_or_default(),
        window: some(c.preferred_backup_window()),
        earliest: time(c.earliest_restorable_time()),
        latest: time(c.latest_restorable_time()),
        encrypted: c.storage_encrypted().unwrap_or_default(),
        class: some(c.db_cluster_instance_class()),
        members: c.db_cluster_members().iter().map(|m| text(m.db_instance_identifier())).collect(),
        endpoint: some(c.endpoint()).and_then(|host| Some((host, port(c.port())?))),
        database: some(c.database_name()),
        user: some(c.master_username()),
        tags: tags_of(c.tag_list()),
    }
}

fn port(port: Option<i32>) -> Option<u16> {
    port.and_then(|p| u16::try_from(p).ok()).filter(|p| *p > 0)
}
