//! What of a database to back up.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use pgkeep_engine::select::{PRESETS, Selection, read_filter_file};

use crate::failure::{Failure, Result};

pub(crate) const SECTIONS: [&str; 3] = ["pre-data", "data", "post-data"];

/// pg_dump's filters, with its patterns and meaning.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What to back up (as in pg_dump)")]
pub(crate) struct Filters {
    /// Only these schemas
    #[arg(long = "schema", short = 'n', value_name = "PATTERN")]
    schemas: Vec<String>,
    /// Not these schemas
    #[arg(long = "exclude-schema", short = 'N', value_name = "PATTERN")]
    exclude_schemas: Vec<String>,
    /// Only these tables, views and sequences
    #[arg(long = "table", short = 't', value_name = "PATTERN")]
    tables: Vec<String>,
    /// Only these, with partitions and inheriting tables (pg_dump 16)
    #[arg(long, value_name = "PATTERN")]
    table_and_children: Vec<String>,
    /// Not these tables
    #[arg(long = "exclude-table", short = 'T', value_name = "PATTERN")]
    exclude_tables: Vec<String>,
    /// Not these, with partitions and inheriting tables (pg_dump 16)
    #[arg(long, value_name = "PATTERN")]
    exclude_table_and_children: Vec<String>,
    /// These tables without their rows
    #[arg(long, value_name = "PATTERN")]
    exclude_table_data: Vec<String>,
    /// The same with partitions and inheriting tables (pg_dump 16)
    #[arg(long, value_name = "PATTERN")]
    exclude_table_data_and_children: Vec<String>,
    /// Only these extensions
    #[arg(long = "extension", short = 'e', value_name = "PATTERN")]
    extensions: Vec<String>,
    /// Not these extensions (pg_dump 17)
    #[arg(long = "exclude-extension", value_name = "PATTERN")]
    exclude_extensions: Vec<String>,
    /// Also the rows of foreign tables on these servers
    #[arg(long, value_name = "PATTERN")]
    include_foreign_data: Vec<String>,
    /// A file of filters in pg_dump 17's format; works with every version
    #[arg(long = "filter", value_name = "FILE")]
    filter: Vec<PathBuf>,
    /// Only this section
    #[arg(long = "section", value_name = "SECTION", value_parser = PossibleValuesParser::new(SECTIONS))]
    sections: Vec<String>,
    /// No rows, large objects and values of sequences
    #[arg(long, short = 's', conflicts_with = "data_only")]
    schema_only: bool,
    /// Nothing but those
    #[arg(long, short = 'a')]
    data_only: bool,
    /// No owners
    #[arg(long, short = 'O')]
    no_owner: bool,
    /// No GRANT and REVOKE
    #[arg(long, short = 'x')]
    no_privileges: bool,
    /// No comments
    #[arg(long)]
    no_comments: bool,
    /// No publications
    #[arg(long)]
    no_publications: bool,
    /// No subscriptions
    #[arg(long)]
    no_subscriptions: bool,
    /// No rows of unlogged tables
    #[arg(long)]
    no_unlogged_table_data: bool,
    /// Large objects, although --schema or --table chooses
    #[arg(long, short = 'b', conflicts_with = "no_large_objects", alias = "blobs")]
    large_objects: bool,
    /// No large objects
    #[arg(long, short = 'B', alias = "no-blobs")]
    no_large_objects: bool,
    /// Each pattern that includes must match something
    #[arg(long)]
    strict_names: bool,
    /// Leave out what a managed service owns; docs/presets.md lists it
    #[arg(long, value_name = "SERVICE", value_parser = PossibleValuesParser::new(PRESETS.iter().map(|p| p.name)))]
    preset: Option<String>,
}

impl Filters {
    /// What these flags choose. Reads the filter files.
    pub(crate) fn selection(&self) -> Result<Selection> {
        let mut selection = Selection {
            schemas: self.schemas.clone(),
            exclude_schemas: self.exclude_schemas.clone(),
            tables: self.tables.clone(),
            table_and_children: self.table_and_children.clone(),
            exclude_tables: self.exclude_tables.clone(),
            exclude_table_and_children: self.exclude_table_and_children.clone(),
            exclude_table_data: self.exclude_table_data.clone(),
            exclude_table_data_and_children: self.exclude_table_data_and_children.clone(),
            extensions: self.extensions.clone(),
            exclude_extensions: self.exclude_extensions.clone(),
            include_foreign_data: self.include_foreign_data.clone(),
            sections: self.sections.clone(),
            schema_only: self.schema_only,
            data_only: self.data_only,
            no_owner: self.no_owner,
            no_privileges: self.no_privileges,
            no_comments: self.no_comments,
            no_publications: self.no_publications,
            no_subscriptions: self.no_subscriptions,
            no_unlogged_table_data: self.no_unlogged_table_data,
            large_objects: self.large_objects_wanted(),
            strict_names: self.strict_names,
            preset: self.preset.clone(),
            ..Selection::default()
        };
        for file in &self.filter {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file)
                .map_err(|e| Failure::usage(format!("reading filter file {name}: {e}")))?;
            read_filter_file(&text, &name, &mut selection)?;
        }
        // clap sees to it on the command line, but not where one of them is configured.
        if selection.schema_only && selection.data_only {
            return Err(Failure::usage("schema_only and data_only exclude each other"));
        }
        Ok(selection)
    }

    fn large_objects_wanted(&self) -> Option<bool> {
        match (self.large_objects, self.no_large_objects) {
            (_, true) => Some(false),
            (true, _) => Some(true),
            _ => None,
        }
    }
}
