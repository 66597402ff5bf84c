//! Restoring roles and tablespaces: what is there already stays as it is.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::script::{Statement, statements};
use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::error::{EngineError, ErrorKind, Result};

/// What a restore of globals did.
#[derive(Debug, Default)]
pub struct GlobalsReport {
    /// Roles that were created.
    pub roles: Vec<String>,
    /// Roles that were there already, the server's own superuser among them, and stayed as they were.
    pub existing_roles: Vec<String>,
    /// Memberships that were granted.
    pub memberships: usize,
    /// Tablespaces that were created.
    pub tablespaces: Vec<String>,
    /// Tablespaces that were there already and stayed as they were.
    pub existing_tablespaces: Vec<String>,
    /// What went otherwise than the script has it.
    pub notes: Vec<String>,
    /// What failed; the rest was done all the same.
    pub errors: Vec<GlobalsError>,
}

/// A statement that failed.
#[derive(Debug)]
pub struct GlobalsError {
    /// What it was about, such as `role app`.
    pub object: String,
    /// Why it failed.
    pub error: EngineError,
}

/// Carries out a script of `pg_dumpall --globals-only`, statement by statement.
///
/// # Errors
/// The connection's. A statement's failure is in the report.
pub fn restore_globals(
    info: &ConnInfo,
    sql: &[u8],
    tablespaces: bool,
    cancel: &Cancel,
) -> Result<GlobalsReport> {
    let script = std::str::from_utf8(sql).map_err(|_| {
        EngineError::new(ErrorKind::Archive, "the script of roles", "it is not UTF-8")
            .hint("the server's databases are of another encoding: run the script with psql")
    })?;
    let mut client = Client::connect(info, cancel)?;
    client.execute("SET client_encoding = 'UTF8'; SET standard_conforming_strings = on")?;
    let there = There::look(&mut client)?;
    let mut run = Run { client, there, cancel, report: GlobalsReport::default(), missing: HashSet::new() };
    let statements = statements(script);
    // Attributes with their CREATE ROLE in one transaction, so that no half-made role is taken for one that was there.
    let attributes: HashMap<&str, &str> = statements
        .iter()
        .filter_map(|s| match s {
            Statement::Attributes { role, sql } => Some((role.as_str(), sql.as_str())),
            _ => None,
        })
        .collect();
    for statement in &statements {
        cancel.check()?;
        match statement {
            Statement::CreateRole { role, sql } => {
                run.create_role(role, sql, attributes.get(role.as_str()).copied())?;
            }
            Statement::Attributes { .. } => {}
            Statement::OfRole { role, sql } if run.report.roles.contains(role) => {
                run.attempt(&format!("role {role}"), sql)?;
            }
            Statement::OfRole { .. } => {}
            Statement::Membership { role, member, sql } => run.grant(role, member, sql)?,
            Statement::CreateTablespace { .. } | Statement::OfTablespace { .. } if !tablespaces => {}
            Statement::CreateTablespace { tablespace, sql } => run.create_tablespace(tablespace, sql)?,
            Statement::OfTablespace { tablespace, sql } if run.report.tablespaces.contains(tablespace) => {
                run.attempt(&format!("tablespace {tablespace}"), sql)?;
            }
            Statement::OfTablespace { .. } => {}
            Statement::Other(sql) => {
                run.attempt(sql, sql)?;
            }
        }
    }
    Ok(run.report)
}

/// What the server has before anything is done.
struct There {
    roles: BTreeSet<String>,
    tablespaces: BTreeSet<String>,
    memberships: HashSet<(String, String)>,
}

impl There {
    fn look(client: &mut Client) -> Result<There> {
        let mut names = |sql: &str| -> Result<BTreeSet<String>> {
            Ok(client.query(sql)?.iter().map(|r| r.text(0)).collect())
        };
        let roles = names("SELECT rolname FROM pg_catalog.pg_roles")?;
        let tablespaces = names("SELECT spcname FROM pg_catalog.pg_tablespace")?;
        let rows = client.query(
            "SELECT r.rolname, m.rolname FROM pg_catalog.pg_auth_members a \
             JOIN pg_catalog.pg_roles r ON r.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member",
        )?;
        let memberships = rows.iter().map(|r| (r.text(0), r.text(1))).collect();
        Ok(There { roles, tablespaces, memberships })
    }
}

struct Run<'c> {
    client: Client,
    there: There,
    cancel: &'c Cancel,
    report: GlobalsReport,
    /// Roles that could not be created: what is said about them would only repeat the error.
    missing: HashSet<String>,
}

impl Run<'_> {
    fn create_role(&mut self, role: &str, sql: &str, attributes: Option<&str>) -> Result<()> {
        if self.there.roles.contains(role) {
            self.report.existing_roles.push(role.to_owned());
            return Ok(());
        }
        let both = format!("BEGIN; {sql}; {}; COMMIT", attributes.unwrap_or_default());
        match self.attempt(&format!("role {role}"), &both)? {
            true => self.report.roles.push(role.to_owned()),
            false => {
                self.client.execute("ROLLBACK")?;
                self.missing.insert(role.to_owned());
            }
        }
        Ok(())
    }

    fn grant(&mut self, role: &str, member: &str, sql: &str) -> Result<()> {
        let known = self.there.memberships.contains(&(role.to_owned(), member.to_owned()));
        if known || self.missing.contains(role) || self.missing.contains(member) {
            return Ok(());
        }
        let object = format!("membership of {member} in {role}");
        let Some(at) = sql.rfind(" GRANTED BY ") else {
            self.report.memberships += usize::from(self.attempt(&object, sql)?);
            return Ok(());
        };
        // Who granted it can be a role that this server lacks, or one that may not grant here.
        match self.client.execute(sql) {
            Ok(()) => self.report.memberships += 1,
            Err(e) if e.is_connection_lost() => return Err(e),
            Err(e) => {
                if self.attempt(&object, &sql[..at])? {
                    self.report.memberships += 1;
                    let by = &sql[at + " GRANTED BY ".len()..];
                    self.report.notes.push(format!("{object}: not granted by {by} ({})", e.why));
                }
            }
        }
        Ok(())
    }

    fn create_tablespace(&mut self, tablespace: &str, sql: &str) -> Result<()> {
        if self.there.tablespaces.contains(tablespace) {
            self.report.existing_tablespaces.push(tablespace.to_owned());
        } else if self.attempt(&format!("tablespace {tablespace}"), sql)? {
            self.report.tablespaces.push(tablespace.to_owned());
        }
        Ok(())
    }

    /// Runs a statement; its failure goes into the report, without the statement, which can hold a password's hash.
    fn attempt(&mut self, object: &str, sql: &str) -> Result<bool> {
        self.cancel.check()?;
        match self.client.execute(sql) {
            Ok(()) => Ok(true),
            Err(e) if e.is_connection_lost() || e.kind == ErrorKind::Cancelled => Err(e),
            Err(error) => {
                self.report.errors.push(GlobalsError { object: object.to_owned(), error });
                Ok(false)
            }
        }
    }
}
