//! Names of tables and columns as a rule has them: dots between parts, quoted as in SQL and pg_dump's patterns.

/// The parts of a name: letters without double quotes around them become lower case, as PostgreSQL does it.
///
/// # Errors
/// Why it is no name.
pub(super) fn parts(text: &str) -> Result<Vec<String>, &'static str> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut quoted = false;
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => part.push('"'),
            '"' => quoted = !quoted,
            c if quoted => part.push(c),
            '.' => parts.push(std::mem::take(&mut part)),
            '*' | '?' => return Err("a rule is for one table or column: it has no patterns"),
            // downcase_identifier (src/backend/parser/scansup.c) leaves other letters to the server's locale.
            c => part.push(c.to_ascii_lowercase()),
        }
    }
    parts.push(part);
    match parts.iter().any(String::is_empty) {
        _ if quoted => Err("a double quote is not closed"),
        true => Err("a part of the name is empty"),
        false => Ok(parts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_and_quoted_as_in_sql() {
        assert_eq!(parts("Public.Users.email").unwrap(), ["public", "users", "email"]);
        assert_eq!(parts("\"Odd.Schema\".\"T \"\"x\"").unwrap(), ["Odd.Schema", "T \"x"]);
        assert_eq!(parts("größe.Ä").unwrap(), ["größe", "Ä"]);
        for bad in ["public.*", "public.", "\"a", ""] {
            assert!(parts(bad).is_err(), "{bad}");
        }
    }
}
