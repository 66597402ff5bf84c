//! What pages show, as JSON for programs.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::pages::Failed;
use super::site::Site;
use crate::health::Health;
use crate::history::RunFilter;
use crate::run::RunId;

/// Runs that are given at once.
const RUNS: usize = 500;

/// Which database is asked for; all without one.
#[derive(Debug, Deserialize)]
pub(super) struct OfDatabase {
    database: Option<String>,
}

/// Every database's health, and what is wrong with the daemon.
pub(super) fn databases(site: &Site) -> Result<Value, Failed> {
    let databases = Health::of_all(&site.shared, Timestamp::now())?;
    Ok(json!({ "databases": databases, "problems": site.problems() }))
}

/// Recovery points, the newest first.
pub(super) fn points(site: &Site, of: &OfDatabase) -> Result<Value, Failed> {
    Ok(json!(site.shared.history.points(of.database.as_deref())?))
}

/// The last runs, the newest first.
pub(super) fn runs(site: &Site, of: &OfDatabase) -> Result<Value, Failed> {
    let filter = RunFilter { database: of.database.as_deref(), limit: RUNS, ..RunFilter::default() };
    Ok(json!(site.shared.history.runs(&filter)?))
}

/// One run, with how far it is.
pub(super) fn run(site: &Site, id: &str) -> Result<Value, Failed> {
    let id = RunId(id.to_owned());
    let run = site.shared.history.run(&id)?.ok_or_else(|| Failed::NotFound("no such run".into()))?;
    let mut value = json!(run);
    value["progress"] = json!(site.shared.live.of(&id));
    Ok(value)
}
