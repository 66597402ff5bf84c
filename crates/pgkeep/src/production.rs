//! A backup whose rows were cut or masked does not go into a production database.

use pgkeep_engine::production::{Production, production};
use pgkeep_engine::{Cancel, ConnInfo};
use pgkeep_keep::Manifest;

use crate::config::Config;
use crate::connect;
use crate::failure::{Exit, Failure, Result};

/// Refuses `target` for such a backup if the configuration or the database itself says that it is production. `words`
/// are those that named it; with `create` they lead to another database of the server, which has its archived name.
pub(crate) fn refuse(
    manifest: &Manifest,
    words: &str,
    target: &ConnInfo,
    create: bool,
    config: &Config,
    cancel: &Cancel,
) -> Result<()> {
    if !manifest.dump.changes_rows() {
        return Ok(());
    }
    let original = &manifest.dump.database;
    let target = if create { target.with_database(&original.name) } else { target.clone() };
    let why = match configured(words, &target, create, config)? {
        Some(name) => format!("the configuration says production = true (databases.{name})"),
        None => match production(&target, original, cancel)? {
            Some(Production::Marked) => "its comment marks it as production".into(),
            Some(Production::Original) => "it is the very database that the backup was made of".into(),
            None => return Ok(()),
        },
    };
    let what = if manifest.dump.is_masked() { "masked values" } else { "only some of the rows" };
    Err(Failure::new(
        Exit::Failed,
        "production",
        format!(
            "{target}: {why}, and the backup holds {what} ({})\n  hint: restore it into another database; \
             --masked-into-production does it all the same",
            manifest.dump.partial().unwrap_or_default()
        ),
    ))
}

/// The configured production database that the target is.
fn configured<'c>(
    words: &str,
    target: &ConnInfo,
    create: bool,
    config: &'c Config,
) -> Result<Option<&'c str>> {
    for (name, _) in config.databases.iter().filter(|(_, entry)| entry.production) {
        let is_named = name == words && !create;
        if is_named || connect::place(name, config)?.is_some_and(|place| same(&place, target)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Whether both are one database of one server, by what they are called.
fn same(a: &ConnInfo, b: &ConnInfo) -> bool {
    let places = |info: &ConnInfo| {
        let others = info.others.iter().map(|p| (p.host.clone(), p.port));
        std::iter::once((info.host.clone(), info.port)).chain(others).collect::<Vec<_>>()
    };
    let of_b = places(b);
    a.database == b.database
        && places(a).iter().any(|(host, port)| of_b.iter().any(|(h, p)| port == p && same_host(host, h)))
}

fn same_host(a: &str, b: &str) -> bool {
    let is_local = |host: &str| {
        host.starts_with(['/', '@'])
            || ["localhost", "127.0.0.1", "::1"].iter().any(|l| host.eq_ignore_ascii_case(l))
    };
    a.eq_ignore_ascii_case(b) || is_local(a) && is_local(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_database_by_several_spellings_is_one() {
        let info = |url: &str| ConnInfo::parse(url).unwrap();
        let a = info("postgres://u@db.example.com,db2.example.com/shop");
        assert!(same(&a, &info("host=DB2.example.com dbname=shop user=x")));
        assert!(!same(&a, &info("host=db2.example.com dbname=shop2 user=x")));
        assert!(!same(&a, &info("host=db2.example.com port=5433 dbname=shop user=x")));
        assert!(same(&info("host=/tmp dbname=a user=u"), &info("postgres://u@localhost/a")));
    }
}
