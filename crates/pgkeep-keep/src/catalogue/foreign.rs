//! Archives that others put into a store: pg_dump's own, by hand or by another tool.

use pgkeep_store::{ObjectInfo, Store};

use crate::encryption::plain_name;
use crate::error::Result;
use crate::id::BackupId;
use crate::object::directory_of;
use crate::run::marked;

/// Endings of names under which people keep what pg_dump wrote, and what they mean.
const ENDINGS: &[(&str, ForeignFormat)] = &[
    (".dump", ForeignFormat::Custom),
    (".pgdump", ForeignFormat::Custom),
    (".backup", ForeignFormat::Custom),
    (".custom", ForeignFormat::Custom),
    (".sql", ForeignFormat::Script),
    (".sql.gz", ForeignFormat::Script),
    (".sql.zst", ForeignFormat::Script),
    (".sql.lz4", ForeignFormat::Script),
];

/// What an archive is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignFormat {
    /// An archive in the custom format.
    Custom,
    /// An SQL script, compressed or not.
    Script,
    /// A folder with a `toc.dat`.
    Directory,
}

impl ForeignFormat {
    /// The format in pg_dump's words.
    pub fn as_str(self) -> &'static str {
        match self {
            ForeignFormat::Custom => "custom",
            ForeignFormat::Script => "plain",
            ForeignFormat::Directory => "directory",
        }
    }

    fn of(key: &str) -> Option<ForeignFormat> {
        if directory_of(key).is_some() {
            return Some(ForeignFormat::Directory);
        }
        let plain = plain_name(key).unwrap_or(key);
        ENDINGS.iter().find(|(end, _)| plain.ends_with(end)).map(|(_, format)| *format)
    }
}

/// An archive that no manifest names and that pgkeep did not write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// The object; of a directory its `toc.dat`.
    pub object: ObjectInfo,
    /// What its name says that it is.
    pub format: ForeignFormat,
}

impl Foreign {
    /// Finds the foreign archives among the objects of a listing, by their names alone. `is_named` tells whether a
    /// manifest names a key.
    ///
    /// # Errors
    /// The store's, which is asked for marks of running backups only where something was found.
    pub fn find(
        store: &Store,
        objects: &[ObjectInfo],
        is_named: impl Fn(&str) -> bool,
    ) -> Result<Vec<Foreign>> {
        let mut found: Vec<Foreign> = objects
            .iter()
            // What is pgkeep's own and has no manifest is being written, or what a dead run left.
            .filter(|o| BackupId::of_own_key(&o.key).is_none() && !is_named(&o.key))
            .filter_map(|o| Some(Foreign { object: o.clone(), format: ForeignFormat::of(&o.key)? }))
            .collect();
        if !found.is_empty() {
            let written = marked(store)?;
            found.retain(|f| written.iter().all(|(_, key)| key.as_deref() != Some(&f.object.key)));
        }
        Ok(found)
    }
}
