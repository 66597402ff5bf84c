//! Figures for CloudWatch.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};

use serde_json::{Map, Value, json};

use crate::account::Account;
use crate::error::{Asked, Result};
use crate::runtime;

/// The most that one request takes (CloudWatch API reference, "PutMetricData").
const AT_ONCE: usize = 1000;

/// The namespace that pgkeep's metrics are in where no other is named.
pub const NAMESPACE: &str = "CustomMetrics/DatabaseBackup";

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The metric's name.
    pub name: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// How many of these.
    pub value: f64,
    /// Names and values by which it is told from others of its name.
    pub dimensions: Vec<(&'static str, String)>,
    /// When it was so.
    pub at: SystemTime,
}

/// What a figure is counted in. CloudWatch knows no hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Something that CloudWatch has no word for.
    None,
}

impl Account {
    /// Puts figures into a namespace (`cloudwatch:PutMetricData`).
    ///
    /// # Errors
    /// Not allowed, not reached.
    pub fn put_metrics(&self, namespace: &str, metrics: &[Metric]) -> Result<()> {
        for some in metrics.chunks(AT_ONCE) {
            let asked = Asked {
                what: format!("metrics {namespace} in {}", self.region),
                action: "cloudwatch:PutMetricData",
            };
            let client = aws_sdk_cloudwatch::Client::new(&self.sdk);
            let data = some.iter().map(datum).collect();
            let request = client.put_metric_data().namespace(namespace).set_metric_data(Some(data));
            runtime::run(async move { request.send().await.map(drop).map_err(|e| asked.failed(&e)) })?;
        }
        Ok(())
    }
}

/// The dimensions of a database, and of what of it is no backup of pgkeep's its kind: `rds-snapshot`, `aws-backup`.
pub fn dimensions(database: Option<&str>, kind: Option<&str>) -> Vec<(&'static str, String)> {
    let all = [("Database", database), ("Kind", kind)];
    all.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))).collect()
}

/// The age of the newest, in hours; `seconds` of it.
pub fn snapshot_age(dimensions: Vec<(&'static str, String)>, seconds: f64, at: SystemTime) -> Metric {
    Metric { name: "SnapshotAge", unit: Unit::None, value: seconds / 3600.0, dimensions, at }
}

/// What became of a backup: successes, failures and durations come without the dimensions, too, for alarms about all of
/// them.
pub fn backup_metrics(
    dimensions: &[(&'static str, String)],
    good: bool,
    seconds: Option<f64>,
    size: Option<f64>,
    rows: Option<f64>,
    at: SystemTime,
) -> Vec<Metric> {
    let metric = |name, unit, value| Metric { name, unit, value, dimensions: dimensions.to_vec(), at };
    let count = |is: bool| if is { 1.0 } else { 0.0 };
    let mut metrics = vec![
        metric("BackupSuccess", Unit::Count, count(good)),
        metric("BackupFailure", Unit::Count, count(!good)),
    ];
    metrics.extend(seconds.map(|s| metric("BackupDuration", Unit::Seconds, s)));
    let of_all = |metric: &Metric| Metric { dimensions: Vec::new(), ..metric.clone() };
    metrics.extend(metrics.iter().map(of_all).collect::<Vec<_>>());
    metrics.extend(size.map(|v| metric("BackupSize", Unit::Bytes, v)));
    metrics.extend(rows.map(|v| metric("BackupRows", Unit::Count, v)));
    metrics
}

/// Figures as one line of a log that CloudWatch takes apart by itself (CloudWatch User Guide, "Specification: Embedded metric
/// format"). Figures of one name have one value in it; `more` stands beside them.
pub fn embedded(namespace: &str, metrics: &[Metric], more: &[(&str, &str)]) -> String {
    let mut root: Map<String, Value> = more.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
    let mut sets: BTreeMap<Vec<&str>, Vec<Value>> = BTreeMap::new();
    let mut at = UNIX_EPOCH;
    for metric in metrics {
        at = at.max(metric.at);
        root.insert(metric.name.into(), metric.value.into());
        root.extend(metric.dimensions.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())));
        let names = metric.dimensions.iter().map(|(name, _)| *name).collect();
        let unit = standard(metric.unit);
        sets.entry(names).or_default().push(json!({ "Name": metric.name, "Unit": unit.as_str() }));
    }
    let directives: Vec<Value> = sets
        .into_iter()
        .map(|(names, metrics)| json!({ "Namespace": namespace, "Dimensions": [names], "Metrics": metrics }))
        .collect();
    let milliseconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    root.insert("_aws".into(), json!({ "Timestamp": milliseconds, "CloudWatchMetrics": directives }));
    Value::Object(root).to_string()
}

fn standard(unit: Unit) -> StandardUnit {
    match unit {
        Unit::Count => StandardUnit::Count,
        Unit::Seconds => StandardUnit::Seconds,
        Unit::Bytes => StandardUnit::Bytes,
        Unit::None => StandardUnit::None,
    }
}

fn datum(metric: &Metric) -> MetricDatum {
    let dimension = |(name, value): &(&str, String)| Dimension::builder().name(*name).value(value).build();
    MetricDatum::builder()
        .metric_name(metric.name)
        .unit(standard(metric.unit))
        .value(metric.value)
        .timestamp(metric.at.into())
        .set_dimensions(Some(metric.dimensions.iter().map(dimension).collect()))
        .build()
}
