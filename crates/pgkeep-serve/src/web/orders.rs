//! What operators ask for. Each order leads to the page of the run that comes of it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::pages::restore::throwaway_words;
use super::pages::{Failed, path};
use super::site::{Site, Visitor};
use crate::fleet::TaskKind;
use crate::orders::Order;
use crate::run::RunId;

/// What a form asks for.
#[derive(Debug, Deserialize)]
pub(super) struct RunFields {
    database: String,
    kind: String,
    /// The one backup that a drill, a check or a restore is about.
    #[serde(default)]
    backup: String,
    /// The tables of a restore, divided by spaces or commas.
    #[serde(default)]
    tables: String,
    /// Only say what would be done (prune).
    dry_run: Option<String>,
}

/// Begins a run.
pub(super) async fn run(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Form(fields): Form<RunFields>,
) -> Result<Response, Failed> {
    let fleet = site.shared.fleet();
    let kind = TaskKind::of(&fields.kind);
    let member = fleet.members.iter().find(|m| m.name == fields.database);
    let stores: Vec<&str> =
        member.into_iter().flat_map(|m| m.stores.iter().map(|s| s.name.as_str())).collect();
    let words = words(&fields, &stores)?;
    let task = fleet
        .tasks
        .iter()
        .find(|t| Some(t.kind) == kind && t.database.as_deref() == Some(fields.database.as_str()))
        .ok_or_else(|| Failed::NotFound("There is no such task.".into()))?;
    let run = RunId::new(Timestamp::now());
    let order = Order::Run { run: run.clone(), task: task.id.clone(), words, by: visitor.name.clone() };
    give(&site, &visitor, order, "run", &task.id)?;
    Ok(Redirect::to(&path(&["runs", &run.0])).into_response())
}

/// What goes with the task's own words: a backup is looked for in these stores.
fn words(fields: &RunFields, stores: &[&str]) -> Result<Vec<String>, Failed> {
    let kind = TaskKind::of(&fields.kind);
    let id = fields.backup.as_str();
    if id.is_empty() && kind != Some(TaskKind::Restore) {
        return Ok(fields.dry_run.iter().map(|_| "--dry-run".to_owned()).collect());
    }
    let is_id = id.starts_with(|c: char| c.is_ascii_alphanumeric()) && !id.contains(char::is_whitespace);
    let more = match kind {
        Some(TaskKind::Restore) if is_id => throwaway_words(&fields.tables),
        Some(TaskKind::Drill | TaskKind::Verify) if is_id => Vec::new(),
        _ => return Err(Failed::Bad("This needs the id of a backup.".into())),
    };
    let stores = stores.iter().flat_map(|store| ["--store".to_owned(), (*store).to_owned()]);
    Ok(std::iter::once(id.to_owned()).chain(stores).chain(more).collect())
}

/// A run to be stopped.
#[derive(Debug, Deserialize)]
pub(super) struct StopFields {
    run: String,
}

/// Stops a run.
pub(super) async fn stop(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
    Form(fields): Form<StopFields>,
) -> Result<Response, Failed> {
    let order = Order::Stop { run: RunId(fields.run.clone()), by: visitor.name.clone() };
    give(&site, &visitor, order, "stop", &fields.run)?;
    Ok(Redirect::to(&path(&["runs", &fields.run])).into_response())
}

/// Reads the configuration anew.
pub(super) async fn reload(
    State(site): State<Arc<Site>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Failed> {
    give(&site, &visitor, Order::Reload { by: visitor.name.clone() }, "reload", "configuration")?;
    Ok(Redirect::to("/").into_response())
}

fn give(site: &Site, visitor: &Visitor, order: Order, what: &str, on: &str) -> Result<(), Failed> {
    let given = site.shared.orders.give(order);
    site.audit(&visitor.name, what, Some(on), if given { "ordered" } else { "refused: pgkeep is ending" });
    if given { Ok(()) } else { Err(Failed::Unavailable("pgkeep is ending and takes no more orders.".into())) }
}
