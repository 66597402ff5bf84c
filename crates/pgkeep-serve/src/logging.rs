//! The daemon's log, on standard error.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt as lines, registry};

use crate::error::{Result, ServeError};
use crate::watchers::Telemetry;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object.
    Json,
}

/// From which words on the log tells something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// What may need somebody's care.
    Warn,
    /// What is done.
    Info,
    /// All of it.
    Debug,
}

/// Begins the log. Only pgkeep's own words go into it: what libraries say of their requests could hold secrets.
///
/// # Errors
/// When it has begun before.
pub fn start(format: LogFormat, level: LogLevel, telemetry: Option<&Telemetry>) -> Result<()> {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let own = filter_fn(|about| about.target().starts_with("pgkeep"));
    let text = lines::layer().with_writer(std::io::stderr).with_target(false).with_ansi(false);
    let text = match format {
        LogFormat::Text => text.boxed(),
        LogFormat::Json => text.event_format(Json).boxed(),
    };
    let layers = text.and_then(telemetry.map(Telemetry::layer)).with_filter(level).with_filter(own);
    registry()
        .with(layers)
        .try_init()
        .map_err(|e| ServeError::System { what: "the log".into(), why: e.to_string() })
}

/// A line as a JSON object: `time`, `level`, `message`, and the fields that the line has.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Fields(Map::new());
        line.0.insert("time".into(), json!(Timestamp::now().to_string()));
        line.0.insert("level".into(), json!(event.metadata().level().as_str().to_lowercase()));
        event.record(&mut line);
        writeln!(writer, "{}", Value::Object(line.0))
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, json!(format!("{value:?}")));
    }
}
