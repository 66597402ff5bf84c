//! The password file (PostgreSQL documentation, "The Password File").

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What a password file has for a place.
pub(in crate::conn) enum Found {
    Password(String),
    /// The file is there, and nobody may trust it, for this reason.
    Unfit(String),
    Nothing,
}

/// Looks for the first line that fits. `host` is what libpq compares with: the name, else the address; `localhost` for
/// a Unix socket in the default directory (`passwordFromFile`, src/interfaces/libpq/fe-connect.c).
pub(in crate::conn) fn look_up(file: &Path, host: &str, port: u16, database: &str, user: &str) -> Found {
    let Ok(meta) = std::fs::metadata(file) else { return Found::Nothing };
    if !meta.is_file() {
        return Found::Unfit(format!("{} is no plain file", file.display()));
    }
    if meta.mode() & 0o077 != 0 {
        return Found::Unfit(format!(
            "{} is ignored, since others than its owner have access to it: chmod 600 it",
            file.display()
        ));
    }
    let Ok(text) = std::fs::read(file) else {
        return Found::Unfit(format!("{} cannot be read", file.display()));
    };
    let port = port.to_string();
    let wanted = [host, &port, database, user];
    let text = String::from_utf8_lossy(&text);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields = fields(line);
        let fits = fields.len() >= 5 && wanted.iter().zip(&fields).all(|(want, has)| has.fits(want));
        if let (true, Some(password)) = (fits, fields.into_iter().nth(4)) {
            return Found::Password(password.text);
        }
    }
    Found::Nothing
}

struct Field {
    text: String,
    /// `*` as it stands, not `\*`.
    any: bool,
}

impl Field {
    fn fits(&self, want: &str) -> bool {
        self.any || self.text == want
    }
}

/// Splits at colons; `\:` and `\\` stand for themselves.
fn fields(line: &str) -> Vec<Field> {
    let mut fields = vec![Field { text: String::new(), any: line.starts_with("*:") }];
    let mut chars = line.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            ':' if fields.len() < 5 => {
                let any = line[i + 1..].starts_with("*:");
                fields.push(Field { text: String::new(), any });
            }
            // The password ends at a colon, too.
            ':' => break,
            c => {
                let c = if c == '\\' { chars.next().map(|(_, c)| c) } else { Some(c) };
                if let Some(field) = fields.last_mut() {
                    field.text.extend(c);
                }
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    fn found(text: &str, host: &str, database: &str, user: &str) -> Option<String> {
        match look_up(file(text, 0o600).path(), host, 5432, database, user) {
            Found::Password(p) => Some(p),
            _ => None,
        }
    }

    #[test]
    fn the_first_line_that_fits_wins() {
        let text = "# c\nother:5432:d:u:no\nh:5432:*:u:yes\n*:*:*:*:late\n";
        assert_eq!(found(text, "h", "d", "u").as_deref(), Some("yes"));
        assert_eq!(found(text, "h", "d", "v").as_deref(), Some("late"));
        assert_eq!(found("h:1:d:u:p\n", "h", "d", "u"), None);
    }

    #[test]
    fn escapes_are_those_of_libpq() {
        let text = r"a\:b:5432:d\\e:u:p\:q\\r";
        assert_eq!(found(text, "a:b", r"d\e", "u").as_deref(), Some(r"p:q\r"));
        assert_eq!(found(r"\*:5432:d:u:p", "h", "d", "u"), None);
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        let file = file("*:*:*:*:p", 0o644);
        match look_up(file.path(), "h", 1, "d", "u") {
            Found::Unfit(why) => assert!(why.contains("chmod 600"), "{why}"),
            _ => panic!("it was used"),
        }
    }
}
