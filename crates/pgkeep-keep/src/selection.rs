//! What of a database a backup was asked to hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What to back up, in the words and with the meaning of pg_dump's options (PostgreSQL documentation, "pg_dump"). The
/// default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// Patterns of schemas; others are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schemas: Vec<String>,
    /// Patterns of schemas that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_schemas: Vec<String>,
    /// Patterns of tables, views and sequences; others are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<String>,
    /// The same with all partitions and inheriting tables; needs pg_dump 16.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub table_and_children: Vec<String>,
    /// Patterns of tables that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_tables: Vec<String>,
    /// The same with all partitions and inheriting tables; needs pg_dump 16.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_table_and_children: Vec<String>,
    /// Patterns of tables whose rows are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_table_data: Vec<String>,
    /// The same with all partitions and inheriting tables; needs pg_dump 16.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_table_data_and_children: Vec<String>,
    /// Patterns of extensions; others are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// Patterns of extensions that are left out; needs pg_dump 17.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude_extensions: Vec<String>,
    /// Patterns of foreign servers whose tables' rows are fetched and kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include_foreign_data: Vec<String>,
    /// Sections: `pre-data`, `data`, `post-data`; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<String>,
    /// No rows, no large objects, no values of sequences.
    #[serde(skip_serializing_if = "is_false")]
    pub schema_only: bool,
    /// Nothing but those.
    #[serde(skip_serializing_if = "is_false")]
    pub data_only: bool,
    /// No object has an owner in the archive.
    #[serde(skip_serializing_if = "is_false")]
    pub no_owner: bool,
    /// No GRANT and REVOKE.
    #[serde(skip_serializing_if = "is_false")]
    pub no_privileges: bool,
    /// No comments.
    #[serde(skip_serializing_if = "is_false")]
    pub no_comments: bool,
    /// No publications.
    #[serde(skip_serializing_if = "is_false")]
    pub no_publications: bool,
    /// No subscriptions.
    #[serde(skip_serializing_if = "is_false")]
    pub no_subscriptions: bool,
    /// No rows of unlogged tables.
    #[serde(skip_serializing_if = "is_false")]
    pub no_unlogged_table_data: bool,
    /// Large objects in or out; `None` leaves it to pg_dump: in, unless schemas or tables are chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large_objects: Option<bool>,
    /// Every pattern that includes must match something.
    #[serde(skip_serializing_if = "is_false")]
    pub strict_names: bool,
    /// Name of the preset whose objects are left out, such as `supabase`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Conditions by table: of these tables only the rows that fulfil it. Not pg_dump's; `docs/masking.md`.
    #[serde(rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub row_filters: BTreeMap<String, String>,
    /// By column, what is kept in place of its values: an SQL expression or the name of a built-in mask.
    #[serde(rename = "mask", skip_serializing_if = "BTreeMap::is_empty")]
    pub masks: BTreeMap<String, String>,
}

fn is_false(b: &bool) -> bool {
    !b
}

impl Selection {
    /// Whether something that a full backup has may be missing.
    pub fn is_partial(&self) -> bool {
        !self.words().is_empty()
    }

    /// Whether the user chose objects or kinds of content, so that nothing at all may be left.
    pub fn chooses(&self) -> bool {
        self.lists().iter().any(|(_, patterns)| !patterns.is_empty())
            || self.schema_only
            || self.data_only
            || self.large_objects == Some(false)
    }

    /// Whether no table's rows are kept.
    pub fn leaves_rows_out(&self) -> bool {
        self.schema_only || !self.sections.is_empty() && !self.sections.iter().any(|s| s == "data")
    }

    /// Whether what is kept of a table may be other than what is in it: rows left out, values masked.
    pub fn changes_rows(&self) -> bool {
        !self.row_filters.is_empty() || !self.masks.is_empty()
    }

    /// What is missing, in one line; empty for a full backup.
    pub fn words(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        words.extend(self.preset.as_ref().map(|p| format!("preset {p}")));
        for (what, patterns) in self.lists() {
            if !patterns.is_empty() {
                words.push(format!("{what} {}", patterns.join(", ")));
            }
        }
        let flags = [
            (self.schema_only, "schema only"),
            (self.data_only, "data only"),
            (self.no_owner, "no owners"),
            (self.no_privileges, "no privileges"),
            (self.no_comments, "no comments"),
            (self.no_publications, "no publications"),
            (self.no_subscriptions, "no subscriptions"),
            (self.no_unlogged_table_data, "no rows of unlogged tables"),
            (self.large_objects == Some(false), "no large objects"),
        ];
        words.extend(flags.iter().filter(|(set, _)| *set).map(|(_, what)| (*what).to_owned()));
        words.extend(self.row_filters.iter().map(|(table, rule)| format!("rows of {table} where {rule}")));
        if !self.masks.is_empty() {
            let columns: Vec<&str> = self.masks.keys().map(String::as_str).collect();
            words.push(format!("masked {}", columns.join(", ")));
        }
        words.join("; ")
    }

    /// The patterns that choose, in words. Foreign data is more than a full backup has and so not among them.
    fn lists(&self) -> [(&'static str, &[String]); 11] {
        [
            ("schemas", &self.schemas),
            ("without schemas", &self.exclude_schemas),
            ("tables", &self.tables),
            ("tables with children", &self.table_and_children),
            ("without tables", &self.exclude_tables),
            ("without tables and their children", &self.exclude_table_and_children),
            ("without rows of", &self.exclude_table_data),
            ("without rows of children and", &self.exclude_table_data_and_children),
            ("extensions", &self.extensions),
            ("without extensions", &self.exclude_extensions),
            ("sections", &self.sections),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_backup_needs_no_words_and_a_partial_one_says_what_is_missing() {
        assert_eq!(serde_json::to_string(&Selection::default()).unwrap(), "{}");
        let harmless = Selection { large_objects: Some(true), strict_names: true, ..Selection::default() };
        assert!(!harmless.is_partial() && !harmless.chooses());
        let some = Selection {
            tables: vec!["public.*".into(), "a.b".into()],
            exclude_table_data: vec!["*.log".into()],
            no_comments: true,
            preset: Some("rds".into()),
            ..Selection::default()
        };
        assert_eq!(some.words(), "preset rds; tables public.*, a.b; without rows of *.log; no comments");
        let json = serde_json::to_string(&some).unwrap();
        assert_eq!(serde_json::from_str::<Selection>(&json).unwrap(), some);
    }

    #[test]
    fn changed_rows_make_a_backup_partial() {
        let rule = |a: &str, b: &str| BTreeMap::from([(a.to_owned(), b.to_owned())]);
        let cut =
            Selection { row_filters: rule("public.orders", "day > '2026-01-01'"), ..Selection::default() };
        assert!(cut.is_partial() && cut.changes_rows() && !cut.chooses());
        assert_eq!(cut.words(), "rows of public.orders where day > '2026-01-01'");
        let masked = Selection { masks: rule("public.users.email", "hash"), ..cut };
        assert!(masked.words().ends_with("; masked public.users.email"));
        let json = serde_json::to_string(&masked).unwrap();
        assert!(json.contains(r#""mask":{"public.users.email":"hash"}"#), "{json}");
        assert_eq!(serde_json::from_str::<Selection>(&json).unwrap(), masked);
    }
}
