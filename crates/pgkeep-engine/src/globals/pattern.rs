//! Patterns of names as psql's `\l` and `pg_dumpall --exclude-database` take them (`patternToSQLRegex`,
//! src/fe_utils/string_utils.c).

use crate::error::{EngineError, ErrorKind, Result};

/// The regular expression for a pattern of database names: `*` and `?` stand for any characters and any one, letters
/// are lower case, and between double quotes everything is as it stands. Other signs of regular expressions work.
///
/// # Errors
/// `Config` for a dot, which would be a schema's, and for quotes that are not closed.
pub(super) fn database_regex(pattern: &str) -> Result<String> {
    let bad = |why: &str| {
        EngineError::new(ErrorKind::Config, format!("pattern of database names {pattern}"), why)
            .hint("like shop*, or with double quotes around upper case and dots: '\"Shop.2\"'")
    };
    let mut regex = String::from("^(");
    let mut quoted = false;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => regex.push('"'),
            '"' => quoted = !quoted,
            c if quoted && "|*+?()[]{}.^$\\".contains(c) => regex.extend(['\\', c]),
            c if quoted => regex.push(c),
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '.' => return Err(bad("a name of a database has no parts")),
            '$' => regex.push_str("\\$"),
            c => regex.extend(c.to_lowercase()),
        }
    }
    if quoted {
        return Err(bad("a double quote is not closed"));
    }
    regex.push_str(")$");
    Ok(regex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_to_psql() {
        assert_eq!(database_regex("Shop*_?").unwrap(), "^(shop.*_.)$");
        assert_eq!(database_regex("\"Shop.*\"").unwrap(), "^(Shop\\.\\*)$");
        assert_eq!(database_regex("a\"B\"\"\"c$").unwrap(), "^(aB\"c\\$)$");
        assert!(database_regex("a.b").is_err() && database_regex("\"a").is_err());
    }
}
