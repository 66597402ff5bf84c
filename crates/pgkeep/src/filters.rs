//! What of a database to back up, as flags and as keys of the configuration.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use pgkeep_engine::select::{PRESETS, Selection, preset, read_filter_file};
use serde::Deserialize;

use crate::failure::{Failure, Result};

const SECTIONS: [&str; 3] = ["pre-data", "data", "post-data"];

/// pg_dump's filters, with its patterns and meaning.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default)]
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
    /// What these flags choose, and where they say nothing, the configuration; a list on the command line stands in
    /// place of the configured one. Reads the filter files.
    pub(crate) fn selection(&self, configured: Option<&Filters>) -> Result<Selection> {
        let none = Filters::default();
        let other = configured.unwrap_or(&none);
        let list = |own: &Vec<String>, other: &Vec<String>| if own.is_empty() { other } else { own }.clone();
        let mut selection = Selection {
            schemas: list(&self.schemas, &other.schemas),
            exclude_schemas: list(&self.exclude_schemas, &other.exclude_schemas),
            tables: list(&self.tables, &other.tables),
            table_and_children: list(&self.table_and_children, &other.table_and_children),
            exclude_tables: list(&self.exclude_tables, &other.exclude_tables),
            exclude_table_and_children: list(
                &self.exclude_table_and_children,
                &other.exclude_table_and_children,
            ),
            exclude_table_data: list(&self.exclude_table_data, &other.exclude_table_data),
            exclude_table_data_and_children: list(
                &self.exclude_table_data_and_children,
                &other.exclude_table_data_and_children,
            ),
            extensions: list(&self.extensions, &other.extensions),
            exclude_extensions: list(&self.exclude_extensions, &other.exclude_extensions),
            include_foreign_data: list(&self.include_foreign_data, &other.include_foreign_data),
            sections: list(&self.sections, &other.sections),
            schema_only: self.schema_only || (other.schema_only && !self.data_only),
            data_only: self.data_only || (other.data_only && !self.schema_only),
            no_owner: self.no_owner || other.no_owner,
            no_privileges: self.no_privileges || other.no_privileges,
            no_comments: self.no_comments || other.no_comments,
            no_publications: self.no_publications || other.no_publications,
            no_subscriptions: self.no_subscriptions || other.no_subscriptions,
            no_unlogged_table_data: self.no_unlogged_table_data || other.no_unlogged_table_data,
            large_objects: self.large_objects_wanted().or(other.large_objects_wanted()),
            strict_names: self.strict_names || other.strict_names,
            preset: self.preset.clone().or_else(|| other.preset.clone()),
        };
        for file in if self.filter.is_empty() { &other.filter } else { &self.filter } {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file)
                .map_err(|e| Failure::usage(format!("reading filter file {name}: {e}")))?;
            read_filter_file(&text, &name, &mut selection)?;
        }
        check(&selection)?;
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

/// What clap has seen to on the command line may still come from the configuration.
fn check(selection: &Selection) -> Result<()> {
    if selection.schema_only && selection.data_only {
        return Err(Failure::usage("schema_only and data_only exclude each other"));
    }
    if let Some(bad) = selection.sections.iter().find(|s| !SECTIONS.contains(&s.as_str())) {
        return Err(Failure::usage(format!("section \"{bad}\": it is one of {}", SECTIONS.join(", "))));
    }
    if let Some(bad) = selection.preset.as_ref().filter(|p| preset(p).is_none()) {
        let known: Vec<&str> = PRESETS.iter().map(|p| p.name).collect();
        return Err(Failure::usage(format!("preset \"{bad}\": it is one of {}", known.join(", "))));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_comes_first_and_the_configuration_fills_what_it_leaves() {
        let configured: Filters = toml::from_str(
            "schemas = ['a']\nexclude_table_data = ['*.log']\nschema_only = true\nno_large_objects = true",
        )
        .unwrap();
        let flags = Filters { schemas: vec!["b".into()], data_only: true, ..Filters::default() };
        let s = flags.selection(Some(&configured)).unwrap();
        assert_eq!((s.schemas, s.exclude_table_data), (vec!["b".to_owned()], vec!["*.log".to_owned()]));
        assert_eq!((s.schema_only, s.data_only, s.large_objects), (false, true, Some(false)));
        assert_eq!(Filters::default().selection(None).unwrap(), Selection::default());
    }

    #[test]
    fn nonsense_in_the_configuration_is_refused() {
        for (text, words) in [
            ("schema_only = true\ndata_only = true", "exclude each other"),
            ("sections = ['date']", "pre-data"),
            ("preset = 'heroku'", "supabase"),
            ("filter = ['/no/such/file']", "/no/such/file"),
        ] {
            let filters: Filters = toml::from_str(text).unwrap();
            let e = Filters::default().selection(Some(&filters)).unwrap_err();
            assert!(e.message.contains(words), "{}", e.message);
        }
    }
}
