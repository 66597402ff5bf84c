//! pgkeep as an AWS Lambda function.
//!
//! An [`event`] becomes commands of pgkeep, each with the secrets that it needs in its environment; `work` runs them
//! as child processes within the time that is left, and [`answer`] says what became of each database. So what the
//! function does is what one can type, and a run that is stopped leaves nothing that looks like a backup.

pub mod answer;
pub mod environment;
pub mod event;
mod fan_out;
mod fargate;
mod handler;
mod metrics;
pub mod package;
mod work;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use serde_json::Value;

pub use handler::Refusal;

/// What the program gives the function.
#[derive(Debug, Clone)]
pub struct Host {
    /// The program itself, which is run again for each piece of work.
    pub program: PathBuf,
    /// The names of the configured databases, or what is wrong with the configuration.
    pub configured: fn() -> Result<Vec<String>, String>,
}

/// Whether this process was started by Lambda: it names the place that events are fetched from in this variable
/// (AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes").
pub fn is_lambda() -> bool {
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// Does what one event asks for, without a limit of time: what a task does that the function has started. The event is the
/// given one, else what the function put into the task's environment.
///
/// # Errors
/// As an invocation fails.
pub fn run_once(host: &Host, event: Option<&str>) -> Result<Value, Refusal> {
    let of_task = std::env::var(fargate::EVENT).ok();
    let text = event.or(of_task.as_deref()).unwrap_or("{}");
    let event = serde_json::from_str(text)
        .map_err(|e| Refusal::new("usage", format!("the event is no JSON: {e}")))?;
    handler::handle(host, &event, "task", None)
}

/// Fetches events and answers them, until Lambda ends the process.
pub fn run(host: Host) -> ExitCode {
    if let Some((variable, file)) = package::use_packaged(&host.program) {
        // A process can only be given its environment as it starts.
        let e = Command::new(&host.program).env(variable, file).exec();
        eprintln!("pgkeep: error: starting again: {e}");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("pgkeep: error: the threads of the Lambda loop: {e}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(handler::serve(host)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("pgkeep: error: the Lambda runtime API: {e}");
            ExitCode::FAILURE
        }
    }
}
