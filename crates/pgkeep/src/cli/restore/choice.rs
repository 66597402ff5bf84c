//! What of a backup to restore, and where in the target.

use clap::Args;
use pgkeep_engine::restore::{Beside, Choice};

use super::super::choice::WhatFlags;
use crate::config::keys::THIS_RUN;
use crate::failure::{Failure, Result};

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = THIS_RUN)]
pub(super) struct ChoiceFlags {
    #[command(flatten)]
    what: WhatFlags,
    /// Put what is chosen into this schema, beside the living
    #[arg(long, value_name = "SCHEMA")]
    into_schema: Option<String>,
    /// Restore a table under another name, beside the living one
    #[arg(long, value_name = "OLD=NEW")]
    rename_table: Vec<String>,
    /// Restore nothing, and print what would be restored as pg_restore --list does
    #[arg(long, short = 'l')]
    pub(super) list: bool,
}

impl ChoiceFlags {
    /// Where to put it.
    pub(super) fn beside(&self) -> Result<Beside> {
        let split = |words: &String| match words.split_once('=') {
            Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.to_owned(), new.to_owned())),
            _ => Err(Failure::usage(format!(
                "--rename-table {words}: an old and a new name, as in orders=orders_then"
            ))),
        };
        let renames = self.rename_table.iter().map(split).collect::<Result<_>>()?;
        Ok(Beside { schema: self.into_schema.clone(), renames })
    }

    /// What these flags choose. Reads the list.
    pub(super) fn choice(&self) -> Result<Choice> {
        self.what.choice()
    }
}
