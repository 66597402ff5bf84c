//! Google Cloud SQL (Google documentation: "About PostgreSQL users and roles", "Configure PostgreSQL extensions").

use super::{database, extension, role, schema};
use crate::select::Owned;

const SERVICE: &str = "only on Google Cloud";

pub(in crate::select) const OWNED: &[Owned] = &[
    extension("google_vacuum_mgmt", SERVICE),
    extension("google_ml_integration", SERVICE),
    extension("google_read_only_session", SERVICE),
    schema("google_vacuum_mgmt", "made by its extension"),
    schema("google_ml", "made by its extension"),
    role("cloudsql*", "the service's roles: cloudsqladmin, cloudsqlsuperuser, cloudsqliamuser and others"),
    database("cloudsqladmin", "the service's own, and nobody may connect"),
];
