//! From the name of an RDS instance or an Aurora cluster to the place to connect to.

use aws_sdk_rds::types::{DbCluster, DbInstance};

use super::found;
use crate::account::Account;
use crate::error::{Asked, CloudError, CloudErrorKind, Result};
use crate::runtime;

/// Which of a cluster's endpoints is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// The one that may write.
    Writer,
    /// One that only reads: a backup is no burden for the writer there.
    #[default]
    Reader,
}

/// A database server that RDS runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RdsPlace {
    /// DNS name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The database that was made with it, where one was.
    pub database: Option<String>,
    /// `postgres` or `aurora-postgresql`.
    pub engine: String,
    /// Such as `available`.
    pub status: String,
    /// Which endpoint of a cluster it is; `None` for an instance.
    pub role: Option<Role>,
}

impl Account {
    /// The instance or cluster of this name or ARN, by `DescribeDBInstances` and `DescribeDBClusters`. Of a cluster the
    /// reader's endpoint, unless `role` says otherwise; `role` does not go with an instance.
    ///
    /// # Errors
    /// `NotFound`; `Unfit` for another engine than PostgreSQL or a state in which nobody can connect; what AWS refuses.
    pub fn rds(&self, name: &str, role: Option<Role>) -> Result<RdsPlace> {
        let name = name.rsplit(':').next().unwrap_or(name).to_owned();
        let client = aws_sdk_rds::Client::new(&self.sdk);
        let what = format!("RDS {name} in {}", self.region);
        runtime::run(async move {
            let instances = Asked { what: what.clone(), action: "rds:DescribeDBInstances" };
            let request = client.describe_db_instances().db_instance_identifier(&name);
            let found = found(request.send().await.map_err(|e| instances.failed(&e)))?;
            let instance = found.and_then(|f| f.db_instances.unwrap_or_default().into_iter().next());
            // A cluster and one of its members may have the same name: then the cluster is meant.
            if let Some(instance) = instance.filter(|i| i.db_cluster_identifier() != Some(name.as_str())) {
                return of_instance(&instances.what, &instance, role);
            }
            let clusters = Asked { what, action: "rds:DescribeDBClusters" };
            let request = client.describe_db_clusters().db_cluster_identifier(&name);
            match request.send().await {
                Ok(found) => match found.db_clusters().first() {
                    Some(cluster) => of_cluster(&clusters.what, cluster, role.unwrap_or_default()),
                    None => Err(CloudError::new(
                        CloudErrorKind::NotFound,
                        clusters.what,
                        "there is no such cluster",
                    )),
                },
                Err(e) => Err(match clusters.failed(&e) {
                    e if e.kind == CloudErrorKind::NotFound => {
                        CloudError { why: "there is no instance and no cluster of this name".into(), ..e }
                    }
                    e => e,
                }),
            }
        })
    }
}

fn of_instance(what: &str, i: &DbInstance, role: Option<Role>) -> Result<RdsPlace> {
    if role.is_some() {
        return Err(CloudError::new(
            CloudErrorKind::Unfit,
            what,
            "it is an instance, and role=… goes with a cluster",
        )
        .hint("leave role=… out, or name the cluster"));
    }
    let endpoint = i.endpoint();
    let status = i.db_instance_status();
    place(
        what,
        i.engine(),
        status,
        endpoint.and_then(|e| e.address()),
        endpoint.and_then(|e| e.port()),
        i.db_name(),
        None,
    )
}

fn of_cluster(what: &str, c: &DbCluster, role: Role) -> Result<RdsPlace> {
    let host = match role {
        Role::Writer => c.endpoint(),
        // A cluster of an old make or without a reader may have one endpoint only.
        Role::Reader => c.reader_endpoint().or(c.endpoint()),
    };
    place(what, c.engine(), c.status(), host, c.port(), c.database_name(), Some(role))
}

fn place(
    what: &str,
    engine: Option<&str>,
    status: Option<&str>,
    host: Option<&str>,
    port: Option<i32>,
    database: Option<&str>,
    role: Option<Role>,
) -> Result<RdsPlace> {
    let unfit = |why: String| CloudError::new(CloudErrorKind::Unfit, what, why);
    let engine = engine.unwrap_or("unknown");
    if !engine.contains("postgres") {
        return Err(unfit(format!("its engine is {engine}, and pgkeep backs up PostgreSQL only")));
    }
    let status = status.unwrap_or("unknown");
    if !is_reachable(status) {
        return Err(unfit(format!("its status is \"{status}\": it cannot be connected to"))
            .hint("wait until it is available, or start it"));
    }
    let (Some(host), Some(port)) = (host, port.and_then(|p| u16::try_from(p).ok())) else {
        return Err(unfit("it has no endpoint yet".into()).hint("wait until it is available"));
    };
    Ok(RdsPlace {
        host: host.to_owned(),
        port,
        database: database.filter(|d| !d.is_empty()).map(str::to_owned),
        engine: engine.to_owned(),
        status: status.to_owned(),
        role,
    })
}

/// States in which the database answers, though RDS is busy with it, as it is each night with its own backup (RDS User
/// Guide, "Viewing Amazon RDS DB instance status").
fn is_reachable(status: &str) -> bool {
    const BUSY: [&str; 6] = [
        "available",
        "backing-up",
        "modifying",
        "resetting-master-credentials",
        "storage-config-upgrade",
        "storage-optimization",
    ];
    BUSY.contains(&status) || status.starts_with("configuring-")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cluster() -> aws_sdk_rds::types::builders::DbClusterBuilder {
        let all = DbCluster::builder().engine("aurora-postgresql").status("available").port(5432);
        all.endpoint("w.cluster-x").reader_endpoint("r.cluster-ro-x").database_name("shop")
    }

    #[test]
    fn a_clusters_reader_is_preferred_and_its_writer_can_be_asked_for() {
        let host = |role| of_cluster("RDS c", &cluster().build(), role).unwrap().host;
        assert_eq!(
            (host(Role::default()), host(Role::Writer)),
            ("r.cluster-ro-x".into(), "w.cluster-x".into())
        );
        let single =
            DbCluster::builder().engine("postgres").status("available").port(1).endpoint("w").build();
        assert_eq!(of_cluster("RDS c", &single, Role::Reader).unwrap().host, "w");
    }

    #[test]
    fn another_engine_and_a_state_without_connections_are_named() {
        let e = of_cluster("RDS c", &cluster().engine("aurora-mysql").build(), Role::Reader).unwrap_err();
        assert!(e.why.contains("aurora-mysql"), "{e}");
        let e = of_cluster("RDS c", &cluster().status("stopped").build(), Role::Reader).unwrap_err();
        assert!(e.why.contains("\"stopped\"") && e.what.contains("RDS c"), "{e}");
        for status in ["backing-up", "configuring-log-exports"] {
            of_cluster("RDS c", &cluster().status(status).build(), Role::Reader).unwrap();
        }
    }

    #[test]
    fn an_instance_has_no_role_and_one_in_the_making_no_endpoint() {
        let i = DbInstance::builder().engine("postgres").db_instance_status("available").build();
        assert!(of_instance("RDS i", &i, None).unwrap_err().why.contains("endpoint"));
        assert!(of_instance("RDS i", &i, Some(Role::Writer)).unwrap_err().why.contains("instance"));
    }
}
