//! OpenTelemetry: a span for each run, and the daemon's log, by OTLP over HTTP.
//!
//! Where it goes is said by the variables of the OpenTelemetry specification: `OTEL_EXPORTER_OTLP_ENDPOINT`,
//! `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_RESOURCE_ATTRIBUTES` …

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span, Status, Tracer, TracerProvider};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::error::{Result, ServeError};
use crate::run::{Run, RunState};
use crate::watch::Watcher;

/// The exporters.
#[derive(Debug, Clone)]
pub struct Telemetry {
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
}

impl Telemetry {
    /// Begins, where a variable names an endpoint. `host` is this machine's name.
    ///
    /// # Errors
    /// An endpoint that makes no sense.
    pub fn start(host: &str) -> Result<Option<Telemetry>> {
        let named = ["", "TRACES_", "LOGS_"].map(|of| format!("OTEL_EXPORTER_OTLP_{of}ENDPOINT"));
        if named.iter().all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty())) {
            return Ok(None);
        }
        let failed = |e: &dyn std::fmt::Display| ServeError::Config(format!("OTEL_EXPORTER_OTLP_…: {e}"));
        let resource = Resource::builder()
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("host.name", host.to_owned()));
        let resource = match std::env::var_os("OTEL_SERVICE_NAME") {
            Some(_) => resource,
            None => resource.with_service_name("pgkeep"),
        }
        .build();
        let spans = SpanExporter::builder().with_http().build().map_err(|e| failed(&e))?;
        let records = LogExporter::builder().with_http().build().map_err(|e| failed(&e))?;
        Ok(Some(Telemetry {
            traces: SdkTracerProvider::builder()
                .with_batch_exporter(spans)
                .with_resource(resource.clone())
                .build(),
            logs: SdkLoggerProvider::builder().with_batch_exporter(records).with_resource(resource).build(),
        }))
    }

    /// Takes the log along.
    pub(crate) fn layer(&self) -> OpenTelemetryTracingBridge<SdkLoggerProvider, SdkLogger> {
        OpenTelemetryTracingBridge::new(&self.logs)
    }
}

impl Watcher for Telemetry {
    fn run_ended(&self, run: &Run) {
        if run.state == RunState::Skipped {
            return;
        }
        let tracer = self.traces.tracer("pgkeep");
        let began = run.started.unwrap_or(run.scheduled);
        let mut span = tracer
            .span_builder(run.kind.as_str())
            .with_start_time(began)
            .with_attributes(attributes(run))
            .start(&tracer);
        match run.state {
            RunState::Failed | RunState::Degraded => {
                span.set_status(Status::error(run.error.clone().unwrap_or_default()));
            }
            _ => span.set_status(Status::Ok),
        }
        span.end_with_timestamp(run.finished.unwrap_or(began).into());
    }

    fn end(&self) {
        // Both wait for five seconds at most; what the other end does not take then is lost with them.
        let _ = self.traces.shutdown();
        let _ = self.logs.shutdown();
    }
}

fn attributes(run: &Run) -> Vec<KeyValue> {
    let mut all = vec![
        KeyValue::new("pgkeep.run", run.id.0.clone()),
        KeyValue::new("pgkeep.task", run.task.clone()),
        KeyValue::new("pgkeep.trigger", run.trigger.as_str()),
        KeyValue::new("pgkeep.state", run.state.as_str()),
        KeyValue::new("pgkeep.attempt", i64::from(run.attempt)),
        KeyValue::new("pgkeep.scheduled", run.scheduled.to_string()),
    ];
    // OpenTelemetry's semantic conventions: database, error and process attributes.
    let texts = [
        ("pgkeep.database", &run.database),
        ("pgkeep.backup", &run.backup),
        ("pgkeep.by", &run.by),
        ("error.type", &run.error_kind),
    ];
    all.extend(texts.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key, value.clone()?))));
    all.extend(run.exit_code.map(|code| KeyValue::new("process.exit.code", i64::from(code))));
    let figure = |key: &str| run.result.as_ref().and_then(|result| result[key].as_i64());
    let figures = [("size", "pgkeep.size_bytes"), ("rows", "pgkeep.rows"), ("tables", "pgkeep.tables")];
    all.extend(figures.into_iter().filter_map(|(key, name)| Some(KeyValue::new(name, figure(key)?))));
    all
}
