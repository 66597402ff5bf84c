//! The data of the presets, a file for each service.

pub(super) mod cloud_sql;
pub(super) mod rds;
pub(super) mod supabase;

use super::preset::{Kind, Owned};

const fn schema(name: &'static str, why: &'static str) -> Owned {
    Owned { kind: Kind::Schema, name, why }
}

const fn extension(name: &'static str, why: &'static str) -> Owned {
    Owned { kind: Kind::Extension, name, why }
}

const fn role(name: &'static str, why: &'static str) -> Owned {
    Owned { kind: Kind::Role, name, why }
}

const fn database(name: &'static str, why: &'static str) -> Owned {
    Owned { kind: Kind::Database, name, why }
}
