//! `pgkeep restore --globals`: the server's roles and tablespaces out of a backup.

use pgkeep_engine::globals::{GlobalsReport, restore_globals};
use pgkeep_engine::{Cancel, ConnInfo};
use pgkeep_keep::read_globals;
use serde_json::json;

use super::Options;
use crate::failure::{Exit, Failure, Result};
use crate::resolve::Found;
use crate::show::{count, plural, print, print_json, warn};

/// Carries out the script beside the backup.
pub(super) fn run(options: &Options, target: &ConnInfo, found: &Found, cancel: &Cancel) -> Result<()> {
    let Some(manifest) = &found.manifest else {
        let url = found.store.url_of(&found.key);
        return Err(Failure::new(
            Exit::Failed,
            "no-manifest",
            format!(
                "{url}: there is no manifest beside it, and so no roles\n  hint: run a script of pg_dumpall with psql"
            ),
        ));
    };
    let identities = found.identities()?;
    let sql = read_globals(&found.store, manifest, &identities).map_err(|e| found.locked(e))?;
    let passwords = manifest.globals.as_ref().is_some_and(|g| g.passwords);
    let report = restore_globals(target, &sql, !options.no_tablespaces, cancel)?;
    let outcome = match report.errors.len() as u64 {
        0 => Ok(()),
        n => Err(Failure {
            told: true,
            ..Failure::new(
                Exit::Failed,
                "restore-errors",
                format!("{} of roles and tablespaces failed; the rest is restored", plural(n, "statement")),
            )
        }),
    };
    match options.json {
        true => tell_json(&report, target, passwords, outcome.as_ref().err()),
        false => tell(&report, target, passwords),
    }
    outcome
}

fn tell_json(report: &GlobalsReport, target: &ConnInfo, passwords: bool, failure: Option<&Failure>) {
    let mut result = json!({
        "ok": failure.is_none(),
        "server": format!("{}:{}", target.host, target.port),
        "roles": report.roles,
        "existing_roles": report.existing_roles,
        "memberships": report.memberships,
        "tablespaces": report.tablespaces,
        "existing_tablespaces": report.existing_tablespaces,
        "passwords": passwords,
        "notes": report.notes,
        "errors": report.errors.iter().map(|e| json!({
            "object": e.object, "error": e.error.to_string(), "sqlstate": e.error.sqlstate,
        })).collect::<Vec<_>>(),
    });
    if let Some(failure) = failure {
        result["error"] = json!(failure);
    }
    print_json(&result);
}

fn tell(report: &GlobalsReport, target: &ConnInfo, passwords: bool) {
    for e in &report.errors {
        warn(format!("failed: {}: {}", e.object, e.error));
    }
    for note in &report.notes {
        print(format!("note: {note}"));
    }
    let verb = if report.errors.is_empty() { "restored" } else { "restored in part" };
    print(format!("{verb} roles and tablespaces"));
    print(format!("  into      {}:{}", target.host, target.port));
    let of_password =
        if passwords { "with their passwords" } else { "without passwords: the backup has none" };
    print(format!(
        "  roles     {} created, {of_password}; {}",
        count(report.roles.len() as u64),
        plural(report.memberships as u64, "membership")
    ));
    left("role", &report.existing_roles);
    if !report.tablespaces.is_empty() {
        print(format!("  created   {}", plural(report.tablespaces.len() as u64, "tablespace")));
    }
    left("tablespace", &report.existing_tablespaces);
}

fn left(what: &str, names: &[String]) {
    if !names.is_empty() {
        let n = plural(names.len() as u64, what);
        print(format!("  existing  {n} left as they are: {}", names.join(", ")));
    }
}
