//! Presets: what a managed service owns in its customers' databases, and a restore elsewhere cannot create.

use super::presets::{cloud_sql, rds, supabase};

/// Kinds of objects that a service owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A schema with everything in it, left out by `--exclude-schema`.
    Schema,
    /// An extension, with its comment and rights.
    Extension,
    /// An event trigger.
    EventTrigger,
    /// A publication, with its tables and rights.
    Publication,
    /// A role: default privileges set for it are left out, since only its members may set them.
    Role,
    /// A database that `--all` leaves out.
    Database,
}

/// One object that a service owns.
#[derive(Debug, Clone, Copy)]
pub struct Owned {
    /// What it is.
    pub kind: Kind,
    /// Its name; a `*` at the end stands for anything.
    pub name: &'static str,
    /// Why it is left out.
    pub why: &'static str,
}

/// One service.
#[derive(Debug)]
pub struct Preset {
    /// The name on the command line.
    pub name: &'static str,
    /// What it owns.
    pub owned: &'static [&'static [Owned]],
}

/// All presets. `docs/presets.md` documents them object by object.
pub const PRESETS: &[Preset] = &[
    Preset { name: "supabase", owned: &[supabase::OWNED] },
    Preset { name: "rds", owned: &[rds::OWNED] },
    Preset { name: "aurora", owned: &[rds::OWNED, rds::AURORA] },
    Preset { name: "cloudsql", owned: &[cloud_sql::OWNED] },
];

/// The preset of this name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|p| p.name == name)
}

impl Preset {
    /// What it owns of a kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &'static Owned> {
        self.owned.iter().copied().flatten().filter(move |o| o.kind == kind)
    }

    /// Whether it owns this one.
    pub fn owns(&self, kind: Kind, name: &[u8]) -> bool {
        self.of(kind).any(|o| match o.name.strip_suffix('*') {
            Some(begin) => name.starts_with(begin.as_bytes()),
            None => name == o.name.as_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_at_the_end_stands_for_anything() {
        let p = preset("supabase").unwrap();
        assert!(p.owns(Kind::Role, b"supabase_admin") && p.owns(Kind::Schema, b"auth"));
        assert!(
            !p.owns(Kind::Role, b"postgres")
                && !p.owns(Kind::Schema, b"auth2")
                && !p.owns(Kind::Schema, b"public")
        );
        assert!(preset("aurora").unwrap().owns(Kind::Extension, b"aws_s3"), "aurora is rds and more");
        assert!(preset("azure").is_none());
    }

    #[test]
    fn every_object_of_a_preset_is_documented() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/presets.md");
        let docs = std::fs::read_to_string(file).unwrap();
        for owned in PRESETS.iter().flat_map(|p| p.owned.iter().copied().flatten()) {
            let kind = match owned.kind {
                Kind::Schema => "schema",
                Kind::Extension => "extension",
                Kind::EventTrigger => "event trigger",
                Kind::Publication => "publication",
                Kind::Role => "role",
                Kind::Database => "database",
            };
            let line = format!("| `{}` | {kind} | {} |", owned.name, owned.why);
            assert!(docs.lines().any(|l| l == line), "docs/presets.md has not: {line}");
        }
    }
}
