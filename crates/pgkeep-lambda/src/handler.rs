//! The loop: an event, its commands, the answer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

use crate::Host;
use crate::answer::{Done, answer};
use crate::environment::{Environment, Kept};
use crate::event::{EventError, Part, Sources};
use crate::fan_out::FanOut;
use crate::fargate::Fargate;
use crate::log::Level;
use crate::metrics;
use crate::work::Invocation;

/// Answers events for ever.
pub(crate) async fn serve(host: Host) -> Result<(), Error> {
    let host = Arc::new(host);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let host = host.clone();
        async move {
            // Commands are waited for in a thread of their own: the loop's must stay free for the runtime API.
            let deadline = deadline(event.context.deadline, SystemTime::now());
            let handle = move || handle(&host, &event.payload, &event.context.request_id, Some(deadline));
            let handled = tokio::task::spawn_blocking(handle).await;
            let handled = handled
                .unwrap_or_else(|e| Err(Refusal::new("internal", format!("a thread ended early: {e}"))));
            handled.map_err(|e| Diagnostic {
                error_type: format!("pgkeep.{}", e.kind),
                error_message: e.message,
            })
        }
    }))
    .await
}

/// Lambda's longest timeout (AWS Lambda Developer Guide, "Quotas").
const LONGEST: Duration = Duration::from_secs(900);
/// The year 2001, in milliseconds since 1970.
const THIS_CENTURY: u64 = 1_000_000_000_000;

/// When the invocation ends, from the runtime API's milliseconds since 1970. `cargo lambda` gives a constant that is no time at
/// all: then Lambda's longest timeout counts.
fn deadline(milliseconds: u64, now: SystemTime) -> SystemTime {
    match milliseconds < THIS_CENTURY {
        true => now + LONGEST,
        false => SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds),
    }
}

/// Does what an event asks for; the answer, or why there is none. Without a deadline it is a task that does so: there all
/// is done here, however long it takes.
pub(crate) fn handle(
    host: &Host,
    event: &Value,
    request: &str,
    deadline: Option<SystemTime>,
) -> Result<Value, Refusal> {
    let environment = Environment::of_process();
    let sources = Sources { environment: &environment, configured: &host.configured, read: &read };
    let part = Part::of(event);
    let asks = part.asks(&sources)?;
    let fargate = if deadline.is_some() { Fargate::of(&environment)? } else { None };
    let done: Vec<Done> = match (deadline, width(event, &environment)?) {
        (Some(deadline), Some(width)) if part.only.is_none() && asks.len() > 1 => {
            let function = environment.get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
            FanOut { function, width, event, deadline }.run(&asks)
        }
        _ => {
            let invocation = Invocation {
                program: &host.program,
                request,
                deadline,
                estimate: environment.get("PGKEEP_ESTIMATE") != Some("false"),
                level: Level::of_word(environment.get("PGKEEP_LOG_LEVEL")),
                event: part.event,
                fargate: fargate.as_ref(),
            };
            asks.iter().map(|ask| invocation.run(ask)).collect()
        }
    };
    for (ask, done) in asks.iter().zip(&done).filter(|(_, done)| !done.told) {
        eprintln!("{}", json!({ "requestId": request, "result": done.result }));
        if let Some(line) = metrics::line(ask, done, request, &environment) {
            println!("{line}");
        }
    }
    answer(&done).map_err(|message| Refusal::new("failed", message))
}

/// How many databases of the event are done at a time, by an invocation each; all by this one where nothing is said.
fn width(event: &Value, environment: &Environment) -> Result<Option<usize>, EventError> {
    let text = match &event["fan_out"] {
        Value::Null => environment.get("PGKEEP_FAN_OUT").map(str::to_owned),
        value => Some(value.to_string()),
    };
    let Some(text) = text else { return Ok(None) };
    match text.parse() {
        Ok(width @ 0..=1000) => Ok(Some(width).filter(|width| *width > 0)),
        _ => Err(EventError::Event(format!(
            "\"fan_out\" or PGKEEP_FAN_OUT is a number up to 1000, not {text}"
        ))),
    }
}

/// Why an event has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A word for programs.
    pub kind: &'static str,
    /// For people.
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { kind, message: message.into() }
    }
}

impl From<EventError> for Refusal {
    fn from(e: EventError) -> Refusal {
        Refusal::new("usage", e.to_string())
    }
}

fn read(kind: Kept, name: &str) -> Result<String, String> {
    let account = pgkeep_cloud::Account::of(name, None).map_err(|e| e.to_string())?;
    match kind {
        Kept::Secret => account.secret_text(name),
        Kept::Parameter => account.parameter(name),
    }
    .map_err(|e| e.to_string())
}
