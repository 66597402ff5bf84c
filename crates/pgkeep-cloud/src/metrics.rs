//! Figures for CloudWatch.

use std::time::SystemTime;

use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};

use crate::account::Account;
use crate::error::{Asked, Result};
use crate::runtime;

/// The most that one request takes (CloudWatch API reference, "PutMetricData").
const AT_ONCE: usize = 1000;

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

fn datum(metric: &Metric) -> MetricDatum {
    let unit = match metric.unit {
        Unit::Count => StandardUnit::Count,
        Unit::Seconds => StandardUnit::Seconds,
        Unit::Bytes => StandardUnit::Bytes,
        Unit::None => StandardUnit::None,
    };
    let dimension = |(name, value): &(&str, String)| Dimension::builder().name(*name).value(value).build();
    MetricDatum::builder()
        .metric_name(metric.name)
        .unit(unit)
        .value(metric.value)
        .timestamp(metric.at.into())
        .set_dimensions(Some(metric.dimensions.iter().map(dimension).collect()))
        .build()
}
