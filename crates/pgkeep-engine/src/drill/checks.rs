//! What the user asserts of the restored database.

use pgkeep_keep::drill::{CheckResult, DrillReport, Finding};

use super::unproven::Sorted;
use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::error::{ErrorKind, Result};

/// Runs each query, which must give one row that begins with `true`, and may not change anything.
pub(super) fn run(
    database: &ConnInfo,
    checks: &[String],
    sorted: &Sorted,
    report: &mut DrillReport,
    cancel: &Cancel,
) -> Result<()> {
    let mut client = Client::connect(database, cancel)?;
    for sql in checks {
        let (check, sqlstate) = ask(&mut client, sql)?;
        if !check.passed {
            let why = format!("it gives {}, not true", check.result);
            let finding = Finding::new(format!("assertion {sql}"), why);
            match sorted.explains(sqlstate.as_deref()) {
                true => report.unproven.push(finding),
                false => report.failures.push(finding),
            }
        }
        report.checks.push(check);
    }
    Ok(())
}

/// One query's answer; with the SQLSTATE where it failed.
pub(super) fn ask(client: &mut Client, sql: &str) -> Result<(CheckResult, Option<String>)> {
    client.execute("BEGIN READ ONLY")?;
    let answer = client.query(sql);
    client.execute("ROLLBACK")?;
    let (passed, result, sqlstate) = match answer {
        Ok(rows) => match rows.as_slice() {
            [row] => (row.bool(0), row.text(0), None),
            rows => (false, format!("{} rows", rows.len()), None),
        },
        Err(e) if e.is_connection_lost() || e.kind == ErrorKind::Cancelled => return Err(e),
        Err(e) => (false, e.why, e.sqlstate),
    };
    Ok((CheckResult { sql: sql.to_owned(), passed, result }, sqlstate))
}
