//! `rds:<instance or cluster>[/database]?region=…&role=writer|reader&user=…&auth=iam`.

use pgkeep_cloud::{Account, Role};

use super::password::{PasswordSource, engine_error};
use super::string::ConnString;
use crate::failure::{Failure, Result};

/// Instances without a database of their own have this one.
const MAINTENANCE: &str = "postgres";

/// Whether the words name a database by RDS.
pub(crate) fn is_rds(words: &str) -> bool {
    words.starts_with("rds:")
}

/// The name without its parameters.
pub(super) fn shown(words: &str) -> &str {
    words.split('?').next().unwrap_or(words)
}

/// What the words say, before anybody is asked.
#[derive(Debug, Default, PartialEq)]
struct Named {
    name: String,
    database: Option<String>,
    region: Option<String>,
    role: Option<Role>,
    iam: bool,
    /// Everything else is for the connection.
    rest: Vec<(String, String)>,
}

/// The same words for another instance or cluster, which is in the region that the caller names.
pub(super) fn renamed(words: &str, name: &str) -> String {
    let (place, query) = words.split_once('?').unwrap_or((words, ""));
    let text = place.strip_prefix("rds:").unwrap_or(place).trim_start_matches("//");
    let database = text.split_once('/').map(|(_, database)| format!("/{database}")).unwrap_or_default();
    let query: Vec<&str> = query.split('&').filter(|p| !p.is_empty() && !p.starts_with("region=")).collect();
    format!("rds:{name}{database}?{}", query.join("&"))
}

/// The instance or cluster that such words name, and its region where they say it.
///
/// # Errors
/// Words that make no sense.
pub(crate) fn named(words: &str) -> Result<(String, Option<String>)> {
    let named = parse(words).map_err(|why| Failure::usage(format!("{}: {why}", shown(words))))?;
    Ok((named.name, named.region))
}

/// Asks RDS for the place; also whether a token is the password.
pub(super) fn place(words: &str, region: Option<&str>) -> Result<(ConnString, Option<PasswordSource>)> {
    let named = parse(words).map_err(|why| {
        Failure::usage(format!(
            "{}: {why}\n  hint: rds:<instance or cluster>[/database]?region=…&user=…&role=writer|reader&auth=iam",
            shown(words)
        ))
    })?;
    let account = Account::of(&named.name, named.region.as_deref().or(region)).map_err(engine_error)?;
    let place = account.rds(&named.name, named.role).map_err(engine_error)?;
    let mut string = ConnString::new();
    for (key, value) in &named.rest {
        string.set(key, value);
    }
    string.fill("host", Some(&place.host));
    string.fill("port", Some(&place.port.to_string()));
    let database = named.database.or(place.database);
    string.fill("dbname", Some(database.as_deref().unwrap_or(MAINTENANCE)));
    let iam = named.iam.then(|| PasswordSource::Iam { iam: true, region: Some(account.region().to_owned()) });
    Ok((string, iam))
}

fn parse(words: &str) -> Result<Named, String> {
    let text = words.strip_prefix("rds:").unwrap_or(words).trim_start_matches("//");
    let (place, query) = text.split_once('?').unwrap_or((text, ""));
    let (name, database) = place.split_once('/').unwrap_or((place, ""));
    // RDS User Guide, "Naming constraints in Amazon RDS"; an ARN has colons too.
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-:".contains(c)) {
        return Err("the name of an instance or cluster has letters, digits and hyphens".into());
    }
    let mut named = Named { name: name.into(), ..Named::default() };
    named.database = Some(decode(database)?).filter(|d| !d.is_empty());
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or("a parameter after \"?\" has no \"=\"")?;
        let value = decode(value)?;
        match (key, value.as_str()) {
            ("region", _) => named.region = Some(value),
            ("role", "writer") => named.role = Some(Role::Writer),
            ("role", "reader") => named.role = Some(Role::Reader),
            ("role", _) => return Err(format!("role={value} is neither writer nor reader")),
            ("auth", "iam") => named.iam = true,
            ("auth", "password") => named.iam = false,
            ("auth", _) => return Err(format!("auth={value} is neither iam nor password")),
            _ => named.rest.push((decode(key)?, value)),
        }
    }
    Ok(named)
}

fn decode(text: &str) -> Result<String, String> {
    let text = percent_encoding::percent_decode_str(text).decode_utf8();
    text.map(Into::into).map_err(|_| "a percent-encoded part is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_to_look_for_and_how_to_connect() {
        let named =
            parse("rds:shop/my%20db?region=eu-central-1&role=writer&auth=iam&user=app&sslmode=require")
                .unwrap();
        assert_eq!((named.name.as_str(), named.database.as_deref()), ("shop", Some("my db")));
        assert_eq!(
            (named.region.as_deref(), named.role, named.iam),
            (Some("eu-central-1"), Some(Role::Writer), true)
        );
        assert_eq!(named.rest, [("user".into(), "app".into()), ("sslmode".into(), "require".into())]);
        assert_eq!(parse("rds:shop").unwrap(), Named { name: "shop".into(), ..Named::default() });
    }

    #[test]
    fn another_instance_is_connected_to_in_the_same_way() {
        let words = renamed("rds:shop/orders?region=eu-central-1&user=app&auth=iam", "shop-drill");
        assert_eq!(words, "rds:shop-drill/orders?user=app&auth=iam");
        assert_eq!(parse(&renamed("rds:arn:aws:rds:x:1:db:shop", "new")).unwrap().name, "new");
    }

    #[test]
    fn a_name_that_makes_no_sense_is_refused() {
        for (words, why) in [
            ("rds:", "letters, digits"),
            ("rds:a b", "letters, digits"),
            ("rds:shop?role=master", "role=master"),
            ("rds:shop?auth=ldap", "auth=ldap"),
            ("rds:shop?region", "no \"=\""),
        ] {
            assert!(parse(words).unwrap_err().contains(why), "{words}");
        }
    }
}
