//! A selection as pg_dump's arguments.

use pgkeep_keep::Selection;

use super::preset::{Kind, preset};

/// The arguments, each with its value after `=`, so that no pattern is taken for an option.
///
/// Owners are left out of the archive by [`prune`](super::prune): pg_dump heeds `--no-owner` for scripts only.
pub(crate) fn arguments(selection: &Selection) -> Vec<String> {
    let s = selection;
    let mut args = Vec::new();
    let lists: [(&str, &[String]); 12] = [
        ("schema", &s.schemas),
        ("exclude-schema", &s.exclude_schemas),
        ("table", &s.tables),
        ("table-and-children", &s.table_and_children),
        ("exclude-table", &s.exclude_tables),
        ("exclude-table-and-children", &s.exclude_table_and_children),
        ("exclude-table-data", &s.exclude_table_data),
        ("exclude-table-data-and-children", &s.exclude_table_data_and_children),
        ("extension", &s.extensions),
        ("exclude-extension", &s.exclude_extensions),
        ("include-foreign-data", &s.include_foreign_data),
        ("section", &s.sections),
    ];
    for (name, values) in lists {
        args.extend(values.iter().map(|v| format!("--{name}={v}")));
    }
    if let Some(preset) = s.preset.as_deref().and_then(preset) {
        args.extend(preset.of(Kind::Schema).map(|o| format!("--exclude-schema={}", o.name)));
    }
    let flags = [
        (s.schema_only, "--schema-only"),
        (s.data_only, "--data-only"),
        (s.no_privileges, "--no-privileges"),
        (s.no_comments, "--no-comments"),
        (s.no_publications, "--no-publications"),
        (s.no_subscriptions, "--no-subscriptions"),
        (s.no_unlogged_table_data, "--no-unlogged-table-data"),
        (s.strict_names, "--strict-names"),
        // The long names changed in 16, the short ones never.
        (s.large_objects == Some(true), "-b"),
        (s.large_objects == Some(false), "-B"),
    ];
    args.extend(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_owned()));
    args
}

/// The option that needs the newest pg_dump, and that version's major; `None` where every supported one will do.
pub(crate) fn needed_major(selection: &Selection) -> Option<(&'static str, u32)> {
    let s = selection;
    [
        ("--exclude-extension", 17, !s.exclude_extensions.is_empty()),
        ("--table-and-children", 16, !s.table_and_children.is_empty()),
        ("--exclude-table-and-children", 16, !s.exclude_table_and_children.is_empty()),
        ("--exclude-table-data-and-children", 16, !s.exclude_table_data_and_children.is_empty()),
    ]
    .into_iter()
    .find(|(_, _, used)| *used)
    .map(|(option, major, _)| (option, major))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_becomes_an_argument_of_pg_dump() {
        assert_eq!(arguments(&Selection::default()), Vec::<String>::new());
        let s = Selection {
            schemas: vec!["--evil".into(), "b".into()],
            schema_only: true,
            large_objects: Some(false),
            no_owner: true,
            ..Selection::default()
        };
        assert_eq!(arguments(&s), ["--schema=--evil", "--schema=b", "--schema-only", "-B"]);
        let s = Selection { preset: Some("cloudsql".into()), ..Selection::default() };
        assert!(arguments(&s).contains(&"--exclude-schema=google_vacuum_mgmt".to_owned()));
    }
}
