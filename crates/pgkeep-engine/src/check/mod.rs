//! Looks, before any night run, at whether a database can be backed up: rights, what would be cut, tools, clocks.

mod estimate;
mod rights;

use std::time::{Duration, SystemTime};

use serde::Serialize;

pub use estimate::Estimate;

use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::dump::DumpOptions;
use crate::error::Result;
use crate::platform::Platform;
use crate::pooler::refuse_transaction_pooler;
use crate::rules::{self, Scope};
use crate::schema_source::{find_tools, pick_tool};
use crate::session;

/// What a finding is about; programs may decide by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The server is not reached, or refuses the log-in.
    Connection,
    /// A pooler that hands sessions around stands before the server.
    Pooler,
    /// No pg_dump that fits the server.
    ClientTool,
    /// A right is missing, so that a backup would fail.
    Rights,
    /// Row-level security would hide rows, so that a backup would fail.
    RowSecurity,
    /// The store cannot be written to, read or cleaned.
    Store,
    /// A clock is wrong.
    Clock,
    /// A row filter or mask makes no sense.
    Rules,
}

/// One thing that stands in the way of a backup.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What it is about.
    pub class: Class,
    /// The object, quoted as in SQL, where it is about one.
    pub object: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// What was found out about a database.
#[derive(Debug, Serialize)]
pub struct DatabaseCheck {
    /// The server's version as it names itself.
    pub server_version: String,
    /// Who runs the server, as far as its catalog tells.
    pub platform: Platform,
    /// Whether it is a standby that replays another server's WAL.
    pub standby: bool,
    /// The connected role.
    pub role: String,
    /// Whether that is a superuser.
    pub superuser: bool,
    /// The pg_dump that would be used: version and file.
    pub pg_dump: Option<String>,
    /// Tables with rows of their own.
    pub tables: u64,
    /// Bytes of all tables on the server's disk, TOAST included, indexes not.
    pub table_bytes: u64,
    /// How long and how large a backup will be, measured on a sample.
    pub estimate: Option<Estimate>,
    /// Seconds by which the server's clock is ahead of this machine's.
    pub clock_ahead_seconds: f64,
    /// What a restore may trip over because of row filters and masks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What stands in the way.
    pub findings: Vec<Finding>,
}

/// Differences of clocks that are nobody's worry.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);

/// Connects and looks.
///
/// # Errors
/// Where the server is not reached or refuses; what it refuses after the log-in is a finding.
pub fn check_database(info: &ConnInfo, options: &DumpOptions, cancel: &Cancel) -> Result<DatabaseCheck> {
    let tools = std::thread::spawn(|| find_tools("pg_dump"));
    let mut client = Client::connect(info, cancel)?;
    // Before anything is set: a pooled session's settings would be others' settings.
    refuse_transaction_pooler(&mut client, cancel)?;
    session::prepare(&mut client, "UTF8")?;
    client.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")?;
    let mut findings = Vec::new();
    let (pg_dump, tool_finding) =
        match pick_tool(&tools.join().unwrap_or_default(), "pg_dump", client.server_major()) {
            Ok(tool) => (Some(format!("{} ({})", tool.version, tool.path.display())), None),
            Err(e) => (
                None,
                Some(Finding {
                    class: Class::ClientTool,
                    object: None,
                    problem: e.why,
                    remedy: e.hint.unwrap_or_default(),
                }),
            ),
        };
    findings.extend(tool_finding);
    let platform = Platform::of(&mut client)?;
    let row = client.query_one(
        "SELECT pg_catalog.pg_is_in_recovery(), current_user, pg_catalog.current_setting('is_superuser') = 'on'",
    )?;
    let (standby, role, superuser) = (row.bool(0), row.text(1), row.bool(2));
    findings.extend(rights::missing(&mut client, &role, platform)?);
    let ahead = clock_ahead(&mut client)?;
    if ahead.abs() > CLOCK_TOLERANCE.as_secs_f64() {
        findings.push(Finding {
            class: Class::Clock,
            object: None,
            problem: format!("the server's clock is {ahead:+.0} s from this machine's"),
            remedy: "check the time service of both".into(),
        });
    }
    let scope = Scope {
        time: jiff::Timestamp::now(),
        read: None,
        lock_timeout: options.lock_timeout.map_or(0, |t| t.as_millis()),
    };
    let rules = rules::resolve(&mut client, &options.selection, &scope)?;
    findings.extend(rules.problems.into_iter().map(|e| Finding {
        class: Class::Rules,
        object: Some(e.what),
        problem: e.why,
        remedy: e.hint.unwrap_or_default(),
    }));
    let (tables, table_bytes) = estimate::size(&mut client)?;
    let estimate = estimate::sample(&mut client, options, table_bytes)?;
    client.execute("COMMIT")?;
    Ok(DatabaseCheck {
        server_version: client.server_version().to_owned(),
        platform,
        standby,
        role,
        superuser,
        pg_dump,
        tables,
        table_bytes,
        estimate,
        clock_ahead_seconds: ahead,
        notes: rules.notes,
        findings,
    })
}

fn clock_ahead(client: &mut Client) -> Result<f64> {
    let before = SystemTime::now();
    let row =
        client.query_one("SELECT extract(epoch FROM pg_catalog.clock_timestamp())::pg_catalog.float8")?;
    // The server read its clock about half-way between our question and its answer.
    let here = before + before.elapsed().unwrap_or_default() / 2;
    let here = here.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    Ok(row.parse::<f64>(0).unwrap_or(here) - here)
}
