//! The loop: an event, its commands, the answer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

use crate::Host;
use crate::answer::{Done, answer};
use crate::environment::{Environment, Kept};
use crate::event::{Sources, asks};
use crate::work::Invocation;

/// Answers events for ever.
pub(crate) async fn serve(host: Host) -> Result<(), Error> {
    let host = Arc::new(host);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let host = host.clone();
        async move {
            // Commands are waited for in a thread of their own: the loop's must stay free for the runtime API.
            let handled = tokio::task::spawn_blocking(move || handle(&host, &event)).await;
            handled.unwrap_or_else(|e| Err(failed("internal", format!("a thread ended early: {e}"))))
        }
    }))
    .await
}

fn handle(host: &Host, event: &LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let environment = Environment::of_process();
    let sources = Sources { environment: &environment, configured: &host.configured, read: &read };
    let asks = asks(&event.payload, &sources).map_err(|e| failed("usage", e.to_string()))?;
    let invocation = Invocation {
        program: &host.program,
        request: &event.context.request_id,
        deadline: SystemTime::UNIX_EPOCH + Duration::from_millis(event.context.deadline),
        estimate: environment.get("PGKEEP_ESTIMATE") != Some("false"),
    };
    let done: Vec<Done> = asks.iter().map(|ask| invocation.run(ask)).collect();
    for done in &done {
        eprintln!("{}", json!({ "requestId": invocation.request, "result": done.result }));
    }
    answer(&done).map_err(|message| failed("failed", message))
}

/// The failed invocation's answer: `errorType` and `errorMessage`.
fn failed(kind: &str, message: String) -> Diagnostic {
    Diagnostic { error_type: format!("pgkeep.{kind}"), error_message: message }
}

fn read(kind: Kept, name: &str) -> Result<String, String> {
    let account = pgkeep_cloud::Account::of(name, None).map_err(|e| e.to_string())?;
    match kind {
        Kept::Secret => account.secret_text(name),
        Kept::Parameter => account.parameter(name),
    }
    .map_err(|e| e.to_string())
}
