//! Amazon RDS and Aurora (AWS documentation: "Understanding PostgreSQL roles and permissions", "Extension versions for
//! Amazon RDS for PostgreSQL", "Extensions not supported by community PostgreSQL").

use super::{database, extension, role, schema};
use crate::select::Owned;

const SERVICE: &str = "only on RDS and Aurora";
const AURORA_ONLY: &str = "only on Aurora";

pub(in crate::select) const OWNED: &[Owned] = &[
    extension("aws_commons", SERVICE),
    extension("aws_s3", SERVICE),
    extension("aws_lambda", SERVICE),
    extension("rds_tools", SERVICE),
    extension("rds_activity_stream", SERVICE),
    schema("aws_commons", "made by its extension"),
    schema("aws_s3", "made by its extension"),
    schema("aws_lambda", "made by its extension"),
    schema("rds_tools", "made by its extension"),
    role("rdsadmin", "the service's superuser"),
    role("rds_*", "the service's roles: rds_superuser, rds_replication, rds_iam, rds_password, rds_ad"),
    role("rdsrepladmin", "the service's role for replication"),
    role("rdstopmgr", "the service's role for clusters"),
    role("rdsproxyadmin", "the RDS Proxy's role"),
    role("rdswriteforwarduser", "the service's role for forwarded writes"),
    database("rdsadmin", "the service's own, and nobody may connect"),
];

pub(in crate::select) const AURORA: &[Owned] = &[
    extension("aws_ml", AURORA_ONLY),
    extension("apg_plan_mgmt", AURORA_ONLY),
    extension("aurora_stat_utils", AURORA_ONLY),
    schema("aws_ml", "made by its extension"),
    schema("apg_plan_mgmt", "plans of this cluster's optimizer, made by its extension"),
];
