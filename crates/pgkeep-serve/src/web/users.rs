//! Who may sign in.

use std::path::PathBuf;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use serde::Serialize;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See everything, and change nothing.
    Viewer,
    /// Begin and stop runs, too.
    Operator,
}

impl Role {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
        }
    }

    /// The role of this word.
    pub fn of(word: &str) -> Option<Role> {
        [Role::Viewer, Role::Operator].into_iter().find(|r| r.as_str() == word)
    }
}

/// The line of a user in the file of users: `name:role:hash`, with an argon2id hash in PHC form.
///
/// # Errors
/// In words, what is wrong with name or password.
pub fn hash_user(name: &str, role: Role, password: &str) -> Result<String, String> {
    if name.is_empty() || name.contains([':', '#']) || name.contains(char::is_control) || name.trim() != name
    {
        return Err("a user's name may hold neither \":\" nor \"#\", and no space at its ends".into());
    }
    if password.chars().count() < 8 {
        return Err("a password of less than 8 characters is no protection".into());
    }
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|e| e.to_string())?;
    Ok(format!("{name}:{}:{hash}", role.as_str()))
}

/// All that may sign in with a password.
#[derive(Default)]
pub(super) struct Users(Vec<User>);

struct User {
    name: String,
    role: Role,
    hash: String,
}

impl Users {
    /// Reads the file.
    pub(super) fn read(files: &[PathBuf]) -> Result<Users, String> {
        let mut users = Users::default();
        for file in files {
            let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
            users.add(&text).map_err(|why| format!("{}: {why}", file.display()))?;
        }
        Ok(users)
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let bad =
                |why: &str| format!("line {}: {why}\n  hint: `pgkeep user NAME` makes such lines", i + 1);
            let mut fields = line.splitn(3, ':');
            let (Some(name), Some(role), Some(hash)) = (fields.next(), fields.next(), fields.next()) else {
                return Err(bad("it is not name:role:hash"));
            };
            let role = Role::of(role).ok_or_else(|| bad("the role is neither viewer nor operator"))?;
            let parsed = PasswordHash::new(hash).map_err(|e| bad(&format!("the hash is none: {e}")))?;
            if parsed.algorithm.as_str() != "argon2id" {
                return Err(bad("the hash is not of argon2id"));
            }
            if self.0.iter().any(|u| u.name == name) {
                return Err(bad("this name was there before"));
            }
            self.0.push(User { name: name.into(), role, hash: hash.into() });
        }
        Ok(())
    }

    /// The role of somebody who has signed in, as the file has it now.
    pub(super) fn role(&self, name: &str) -> Option<Role> {
        self.0.iter().find(|u| u.name == name).map(|u| u.role)
    }

    /// Whether this is the user's password. Takes as long for a name that is unknown.
    pub(super) fn verify(&self, name: &str, password: &str) -> Option<Role> {
        let user = self.0.iter().find(|u| u.name == name);
        let hash = user.or(self.0.first()).map(|u| u.hash.as_str())?;
        let hash = PasswordHash::new(hash).ok()?;
        let fits = Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
        user.filter(|_| fits).map(|u| u.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_password_of_the_right_user_opens() {
        let mut users = Users::default();
        let line = |name: &str, role, password: &str| hash_user(name, role, password).unwrap();
        let ann = line("ann", Role::Operator, "correct horse");
        assert!(ann.starts_with("ann:operator:$argon2id$v=19$m="), "{ann}");
        users.add(&format!("# who\n\n{ann}\n{}\n", line("bob", Role::Viewer, "battery staple"))).unwrap();
        assert_eq!(users.verify("ann", "correct horse"), Some(Role::Operator));
        assert_eq!(users.verify("bob", "battery staple"), Some(Role::Viewer));
        for (name, password) in [("bob", "correct horse"), ("ann", ""), ("eve", "correct horse"), ("", "")] {
            assert_eq!(users.verify(name, password), None, "{name}");
        }
        assert_eq!(users.role("eve"), None);
    }

    #[test]
    fn a_file_that_makes_no_sense_says_where() {
        let hash = hash_user("a", Role::Viewer, "long enough").unwrap();
        for (text, why) in [
            ("a:viewer".to_owned(), "line 1: it is not name:role:hash"),
            (hash.replace("viewer", "admin"), "neither viewer nor operator"),
            ("#\na:viewer:plain".into(), "line 2: the hash is none"),
            (hash.replace("argon2id", "argon2i"), "not of argon2id"),
            (format!("{hash}\n{hash}"), "there before"),
        ] {
            let told = Users::default().add(&text).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
        assert!(hash_user("a:b", Role::Viewer, "long enough").is_err());
        assert!(hash_user("a", Role::Viewer, "short").is_err());
    }
}
