//! What of a backup to take.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use pgkeep_archive::Section;
use pgkeep_engine::restore::{Choice, read_list};
use pgkeep_engine::select::{PRESETS, preset};

use crate::config::keys::THIS_RUN;
use crate::failure::{Failure, Result};
use crate::filters::SECTIONS;

/// pg_restore's options of these names; where it takes a name, this takes a pattern too.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = THIS_RUN)]
pub(super) struct WhatFlags {
    /// Only these tables, views and sequences, with what they need: types, functions, indexes, constraints, sequences
    #[arg(long = "table", short = 't', value_name = "PATTERN")]
    tables: Vec<String>,
    /// Only these schemas, with what they need of others
    #[arg(long = "schema", short = 'n', value_name = "PATTERN")]
    schemas: Vec<String>,
    /// Not these tables, nor what cannot be made without them
    #[arg(long = "exclude-table", value_name = "PATTERN")]
    exclude_tables: Vec<String>,
    /// Not these schemas, nor what cannot be made without them
    #[arg(long = "exclude-schema", short = 'N', value_name = "PATTERN")]
    exclude_schemas: Vec<String>,
    /// These tables without their rows
    #[arg(long, value_name = "PATTERN")]
    exclude_table_data: Vec<String>,
    /// Only these indexes
    #[arg(long = "index", short = 'I', value_name = "PATTERN")]
    indexes: Vec<String>,
    /// Only these triggers
    #[arg(long = "trigger", short = 'T', value_name = "PATTERN")]
    triggers: Vec<String>,
    /// Only these functions, with or without arguments
    #[arg(long = "function", short = 'P', value_name = "PATTERN")]
    functions: Vec<String>,
    /// With --table and --schema: nothing but what is named, as pg_restore does it
    #[arg(long)]
    only_named: bool,
    /// Only this section
    #[arg(long = "section", value_name = "SECTION", value_parser = PossibleValuesParser::new(SECTIONS))]
    sections: Vec<String>,
    /// No rows, large objects and values of sequences
    #[arg(long, short = 's', conflicts_with = "data_only")]
    schema_only: bool,
    /// Nothing but those
    #[arg(long, short = 'a')]
    data_only: bool,
    /// Leave out what a managed service owns; docs/presets.md lists it
    #[arg(long, value_name = "SERVICE", value_parser = PossibleValuesParser::new(PRESETS.iter().map(|p| p.name)))]
    preset: Option<String>,
    /// Only what is in this list, in its order
    #[arg(long, short = 'L', value_name = "FILE")]
    use_list: Option<PathBuf>,
}

impl WhatFlags {
    /// What these flags choose. Reads the list.
    pub(super) fn choice(&self) -> Result<Choice> {
        let section = |s: &String| match s.as_str() {
            "pre-data" => Section::PreData,
            "data" => Section::Data,
            _ => Section::PostData,
        };
        let list = self.use_list.as_ref().map(|file| {
            let name = file.display();
            let text = std::fs::read_to_string(file)
                .map_err(|e| Failure::usage(format!("reading the list {name}: {e}")))?;
            Ok::<_, Failure>(read_list(&text).map_err(|e| e.during(name))?)
        });
        Ok(Choice {
            tables: self.tables.clone(),
            schemas: self.schemas.clone(),
            exclude_tables: self.exclude_tables.clone(),
            exclude_schemas: self.exclude_schemas.clone(),
            exclude_table_data: self.exclude_table_data.clone(),
            indexes: self.indexes.clone(),
            triggers: self.triggers.clone(),
            functions: self.functions.clone(),
            only_named: self.only_named,
            sections: self.sections.iter().map(section).collect(),
            schema_only: self.schema_only,
            data_only: self.data_only,
            list: list.transpose()?,
            preset: self.preset.as_deref().and_then(preset),
        })
    }
}
