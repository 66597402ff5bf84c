//! What became of a backup as metrics, in lines of the log that CloudWatch reads as such.

use std::time::SystemTime;

use pgkeep_cloud::{NAMESPACE, backup_metrics, embedded};
use serde_json::Value;

use crate::answer::Done;
use crate::environment::Environment;
use crate::event::Ask;

/// The line; none for other commands, and for what goes on elsewhere. `PGKEEP_CLOUDWATCH_NAMESPACE` names another namespace,
/// and `none` none.
pub(crate) fn line(ask: &Ask, done: &Done, request: &str, environment: &Environment) -> Option<String> {
    let namespace = environment.get("PGKEEP_CLOUDWATCH_NAMESPACE").unwrap_or(NAMESPACE);
    if ask.words.first().is_none_or(|w| w != "backup") || done.is_started() || namespace == "none" {
        return None;
    }
    let figure = |name: &str| done.result.get(name).and_then(Value::as_f64);
    let (size, rows) = (figure("size"), figure("rows"));
    let dimensions = [("Database", ask.name.clone())];
    let seconds = figure("duration_seconds");
    let metrics = backup_metrics(&dimensions, done.ok, seconds, size, rows, SystemTime::now());
    Some(embedded(namespace, &metrics, &[("requestId", request)]))
}
