//! Manual snapshots of instances and clusters.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_rds::types::{DbClusterSnapshot, DbSnapshot};

use super::{Rds, RdsDatabase, RdsKind, answer, empty, list_of, some, tags_of, text, time};
use crate::error::{CloudError, CloudErrorKind, Result};

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RdsSnapshot {
    /// Whether it is of an instance or of a cluster.
    pub kind: RdsKind,
    /// Its name, in lower case as RDS has it.
    pub name: String,
    /// Its ARN, by which other regions know it.
    pub arn: String,
    /// The instance or cluster that it is of, which may be gone.
    pub database: String,
    /// The identity of that, where RDS tells it.
    pub resource: Option<String>,
    /// Such as `postgres`.
    pub engine: String,
    /// Such as `creating`, `available`, `failed`.
    pub status: String,
    /// How much of it is made, 0 to 100.
    pub percent: i32,
    /// When it was taken, as soon as it is; that of a copy is the original's for an instance's snapshot.
    pub created: Option<SystemTime>,
    /// `manual`, `automated`, `shared`, `public` or `awsbackup`.
    pub origin: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The ARN of the key by which it is encrypted.
    pub kms_key: Option<String>,
    /// Size of the database's storage in GiB; of the snapshot itself RDS tells none.
    pub size_gib: i32,
    /// What it was copied from.
    pub copy_of: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Rds {
    /// Begins a snapshot (`rds:CreateDBSnapshot`, `rds:CreateDBClusterSnapshot`, with `rds:AddTagsToResource`).
    ///
    /// # Errors
    /// `Exists` where there is one of this name; `Busy` in a state in which none can be made; `Quota`, `Key`; what else AWS
    /// refuses.
    pub fn create_snapshot(&self, database: &RdsDatabase, name: &str, tags: &Tags) -> Result<RdsSnapshot> {
        let what = format!("snapshot {name} of {}", database.name);
        match database.kind {
            RdsKind::Instance => {
                let asked = self.asked(&what, "rds:CreateDBSnapshot and rds:AddTagsToResource");
                let none = empty(&asked);
                let request = self.client.create_db_snapshot().db_instance_identifier(&database.name);
                let request = request.db_snapshot_identifier(name).set_tags(Some(list_of(tags)));
                answer(asked, request.send())?.db_snapshot().map(of_instance).ok_or(none)
            }
            RdsKind::Cluster => {
                let asked = self.asked(&what, "rds:CreateDBClusterSnapshot and rds:AddTagsToResource");
                let none = empty(&asked);
                let request = self.client.create_db_cluster_snapshot().db_cluster_identifier(&database.name);
                let request = request.db_cluster_snapshot_identifier(name).set_tags(Some(list_of(tags)));
                answer(asked, request.send())?.db_cluster_snapshot().map(of_cluster).ok_or(none)
            }
        }
    }

    /// The snapshot of this name.
    ///
    /// # Errors
    /// `NotFound`; what AWS refuses.
    pub fn snapshot(&self, kind: RdsKind, name: &str) -> Result<RdsSnapshot> {
        let what = format!("snapshot {name}");
        let none = CloudError::new(
            CloudErrorKind::NotFound,
            format!("{what} in {}", self.region),
            "there is no such snapshot",
        );
        match kind {
            RdsKind::Instance => {
                let asked = self.asked(&what, "rds:DescribeDBSnapshots");
                let request = self.client.describe_db_snapshots().db_snapshot_identifier(name);
                answer(asked, request.send())?.db_snapshots().first().map(of_instance).ok_or(none)
            }
            RdsKind::Cluster => {
                let asked = self.asked(&what, "rds:DescribeDBClusterSnapshots");
                let request =
                    self.client.describe_db_cluster_snapshots().db_cluster_snapshot_identifier(name);
                answer(asked, request.send())?.db_cluster_snapshots().first().map(of_cluster).ok_or(none)
            }
        }
    }

    /// All manual snapshots of what has this name, whoever made them; also in another region than the database's.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn snapshots_of(&self, kind: RdsKind, database: &str) -> Result<Vec<RdsSnapshot>> {
        let what = format!("snapshots of {database}");
        let (mut all, mut marker) = (Vec::new(), None);
        loop {
            match kind {
                RdsKind::Instance => {
                    let asked = self.asked(&what, "rds:DescribeDBSnapshots");
                    let request = self.client.describe_db_snapshots().db_instance_identifier(database);
                    let request = request.snapshot_type("manual").set_marker(marker);
                    let page = answer(asked, request.send())?;
                    all.extend(page.db_snapshots().iter().map(of_instance));
                    marker = some(page.marker());
                }
                RdsKind::Cluster => {
                    let asked = self.asked(&what, "rds:DescribeDBClusterSnapshots");
                    let request = self.client.describe_db_cluster_snapshots().db_cluster_identifier(database);
                    let request = request.snapshot_type("manual").set_marker(marker);
                    let page = answer(asked, request.send())?;
                    all.extend(page.db_cluster_snapshots().iter().map(of_cluster));
                    marker = some(page.marker());
                }
            }
            if marker.is_none() {
                return Ok(all);
            }
        }
    }

    /// Begins to copy a snapshot of any region into this one (`rds:CopyDBSnapshot`, `rds:CopyDBClusterSnapshot`), under a key
    /// of this region where one is given. Of the source's tags none is taken.
    ///
    /// # Errors
    /// As [`create_snapshot`](Self::create_snapshot).
    pub fn copy_snapshot(
        &self,
        source: &RdsSnapshot,
        name: &str,
        kms_key: Option<&str>,
        tags: &Tags,
    ) -> Result<RdsSnapshot> {
        let what = format!("copy {name} of {}", source.arn);
        let key = kms_key.map(str::to_owned);
        match source.kind {
            RdsKind::Instance => {
                let asked = self.asked(&what, "rds:CopyDBSnapshot and rds:AddTagsToResource");
                let none = empty(&asked);
                let request = self.client.copy_db_snapshot().source_db_snapshot_identifier(&source.arn);
                let request = request.target_db_snapshot_identifier(name).set_kms_key_id(key);
                let request = request.copy_tags(false).set_tags(Some(list_of(tags)));
                answer(asked, request.send())?.db_snapshot().map(of_instance).ok_or(none)
            }
            RdsKind::Cluster => {
                let asked = self.asked(&what, "rds:CopyDBClusterSnapshot and rds:AddTagsToResource");
                let none = empty(&asked);
                let request =
                    self.client.copy_db_cluster_snapshot().source_db_cluster_snapshot_identifier(&source.arn);
                let request = request.target_db_cluster_snapshot_identifier(name).set_kms_key_id(key);
                let request = request.copy_tags(false).set_tags(Some(list_of(tags)));
                answer(asked, request.send())?.db_cluster_snapshot().map(of_cluster).ok_or(none)
            }
        }
    }

    /// Deletes a snapshot.
    ///
    /// # Errors
    /// `NotFound`; `Busy` while it is being copied or exported; what else AWS refuses.
    pub fn delete_snapshot(&self, snapshot: &RdsSnapshot) -> Result<()> {
        let what = format!("snapshot {}", snapshot.name);
        match snapshot.kind {
            RdsKind::Instance => {
                let asked = self.asked(&what, "rds:DeleteDBSnapshot");
                let request = self.client.delete_db_snapshot().db_snapshot_identifier(&snapshot.name);
                answer(asked, request.send()).map(drop)
            }
            RdsKind::Cluster => {
                let asked = self.asked(&what, "rds:DeleteDBClusterSnapshot");
                let request = self.client.delete_db_cluster_snapshot();
                let request = request.db_cluster_snapshot_identifier(&snapshot.name);
                answer(asked, request.send()).map(drop)
            }
        }
    }

    /// Lets other accounts, by their numbers, restore and copy a snapshot.
    ///
    /// # Errors
    /// `Busy` for one that is encrypted by RDS's own key, which cannot be shared; what else AWS refuses.
    pub fn share_snapshot(&self, snapshot: &RdsSnapshot, accounts: &[String]) -> Result<()> {
        // "restore" is the one attribute there is (RDS API reference, "ModifyDBSnapshotAttribute").
        const RESTORE: &str = "restore";
        let what = format!("sharing snapshot {}", snapshot.name);
        let accounts = Some(accounts.to_vec());
        match snapshot.kind {
            RdsKind::Instance => {
                let asked = self.asked(&what, "rds:ModifyDBSnapshotAttribute");
                let request =
                    self.client.modify_db_snapshot_attribute().db_snapshot_identifier(&snapshot.name);
                let request = request.attribute_name(RESTORE).set_values_to_add(accounts);
                answer(asked, request.send()).map(drop)
            }
            RdsKind::Cluster => {
                let asked = self.asked(&what, "rds:ModifyDBClusterSnapshotAttribute");
                let request = self.client.modify_db_cluster_snapshot_attribute();
                let request = request.db_cluster_snapshot_identifier(&snapshot.name);
                let request = request.attribute_name(RESTORE).set_values_to_add(accounts);
                answer(asked, request.send()).map(drop)
            }
        }
    }
}

fn of_instance(s: &DbSnapshot) -> RdsSnapshot {
    RdsSnapshot {
        kind: RdsKind::Instance,
        name: text(s.db_snapshot_identifier()),
        arn: text(s.db_snapshot_arn()),
        database: text(s.db_instance_identifier()),
        resource: some(s.dbi_resource_id()),
        engine: text(s.engine()),
        status: text(s.status()),
        percent: s.percent_progress().unwrap_or_default(),
        created: time(s.original_snapshot_create_time().or(s.snapshot_create_time())),
        origin: text(s.snapshot_type()),
        encrypted: s.encrypted().unwrap_or_default(),
        kms_key: some(s.kms_key_id()),
        size_gib: s.allocated_storage().unwrap_or_default(),
        copy_of: some(s.source_db_snapshot_identifier()),
        tags: tags_of(s.tag_list()),
    }
}

fn of_cluster(s: &DbClusterSnapshot) -> RdsSnapshot {
    RdsSnapshot {
        kind: RdsKind::Cluster,
        name: text(s.db_cluster_snapshot_identifier()),
        arn: text(s.db_cluster_snapshot_arn()),
        database: text(s.db_cluster_identifier()),
        resource: some(s.db_cluster_resource_id()),
        engine: text(s.engine()),
        status: text(s.status()),
        percent: s.percent_progress().unwrap_or_default(),
        created: time(s.snapshot_create_time()),
        origin: text(s.snapshot_type()),
        encrypted: s.storage_encrypted().unwrap_or_default(),
        kms_key: some(s.kms_key_id()),
        size_gib: s.allocated_storage().unwrap_or_default(),
        copy_of: some(s.source_db_cluster_snapshot_arn()),
        tags: tags_of(s.tag_list()),
    }
}
