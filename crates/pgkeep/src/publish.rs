//! A copy of the archive at a key that never changes, for programs that fetch it from there. The backup itself keeps its
//! own key, so that nothing of it is lost while the copy is replaced.

use clap::Args;
use pgkeep_archive::TOC_FILE;
use pgkeep_keep::Manifest;
use pgkeep_store::Store;

use crate::failure::{Exit, Failure, Result};

/// What archives begin with: pg_dump's (`WriteHead`, src/bin/pg_dump/pg_backup_archiver.c), and encrypted ones
/// (<https://age-encryption.org/v1>).
const BEGINNINGS: [&[u8]; 2] = [b"PGDMP", b"age-encryption.org/"];

/// Where to.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct PublishFlags {
    /// Once the backup is there, put a copy of its archive at exactly this key of the store, for programs that fetch it
    /// from there; an archive that is there already is replaced, anything else is not
    #[arg(long, value_name = "KEY")]
    publish: Option<String>,
    /// With --publish: replace whatever is there
    #[arg(long)]
    publish_over: bool,
}

impl PublishFlags {
    /// Whether anything is to be done.
    pub(crate) fn is_asked(&self) -> bool {
        self.publish.is_some()
    }

    /// Looks before there is a backup whether the copy can be made.
    ///
    /// # Errors
    /// A key that pgkeep keeps for itself, or something there that is no archive.
    pub(crate) fn check(&self, stores: &[Store]) -> Result<()> {
        let Some(key) = &self.publish else { return Ok(()) };
        if key.starts_with('.') || key.ends_with(".manifest.json") || key.ends_with(TOC_FILE) {
            return Err(Failure::usage(format!("--publish {key}: pgkeep keeps such keys for itself")));
        }
        for store in stores.iter().filter(|_| !self.publish_over) {
            let longest = BEGINNINGS.iter().map(|b| b.len() as u64).max().unwrap_or_default();
            match store.get_range(key, 0..longest) {
                Ok(bytes) if BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning)) => {}
                Err(e) if e.is_not_found() => {}
                // An empty object has no such range.
                Ok(_) | Err(pgkeep_store::StoreError::OutOfRange(_)) => {
                    return Err(Failure::new(
                        Exit::Failed,
                        "in-the-way",
                        format!(
                            "{} is there and is no archive: nothing was backed up\n  hint: another key, or \
                             --publish-over to replace it",
                            store.url_of(key)
                        ),
                    ));
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Makes the copy in every store that has the backup, without the bytes passing through this process; the copies'
    /// URLs.
    ///
    /// # Errors
    /// Of kind `degraded`: the backup is whole all the same.
    pub(crate) fn run(&self, copies: &[&Store], manifest: &Manifest) -> Result<Vec<String>> {
        let Some(key) = &self.publish else { return Ok(Vec::new()) };
        let object = &manifest.object;
        let publish = |store: &&Store| {
            store.copy_from(key, store, &object.key, Some(object.part_size)).map_err(|e| {
                let whole =
                    format!("backup {} is whole, but its copy at the asked key is missing: ", manifest.id);
                Failure::new(Exit::Degraded, "degraded", whole + &e.to_string())
            })?;
            Ok(store.url_of(key))
        };
        copies.iter().map(publish).collect()
    }
}
