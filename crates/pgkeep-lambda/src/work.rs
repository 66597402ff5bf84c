//! Runs commands as child processes, within the time that is left.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::answer::Done;
use crate::event::Ask;
use crate::fargate::Fargate;

/// What a command leaves of the invocation's time for its own end and for the answer: a stopped upload has to be
/// aborted at the store.
const RESERVE: Duration = Duration::from_secs(15);
/// Less than this is not worth a beginning.
const LEAST: Duration = Duration::from_secs(5);
/// How much longer than the time that is left an estimate may be before a backup is refused: estimates err.
const TOLERANCE: f64 = 1.5;
/// From which share of the time on an estimate is worth a warning.
const NARROW: f64 = 0.7;

/// What all commands of one invocation share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invocation<'i> {
    /// The program.
    pub program: &'i Path,
    /// The invocation's id, which stands in every line of its log.
    pub request: &'i str,
    /// When Lambda ends it; nobody ends a task.
    pub deadline: Option<SystemTime>,
    /// Whether a backup is estimated before it begins.
    pub estimate: bool,
    /// The event that all of it comes from.
    pub(crate) event: &'i Value,
    /// Where databases go that are too big for this.
    pub(crate) fargate: Option<&'i Fargate>,
}

impl Invocation<'_> {
    /// Runs the command and waits for it.
    pub(crate) fn run(&self, ask: &Ask) -> Done {
        let is_backup = ask.words.first().is_some_and(|w| w == "backup");
        let fargate = self.fargate.filter(|_| is_backup);
        if let Some(fargate) = fargate.filter(|f| f.always_has(&ask.name)) {
            return self.hand_over(fargate, ask);
        }
        let estimate = match is_backup && self.estimate && self.deadline.is_some() {
            true => self.left().and_then(|_| self.estimated(ask)),
            false => None,
        };
        // Estimating took some of it.
        let Some(left) = self.left() else {
            return match fargate {
                Some(fargate) => self.hand_over(fargate, ask),
                None => Done::failed(
                    ask,
                    "no-time",
                    "no time is left for it in this invocation\n  hint: a longer timeout of the function, fewer databases \
                     in one event, or an invocation for each (PGKEEP_FAN_OUT)",
                ),
            };
        };
        let mut notes = Vec::new();
        match estimate.map(|seconds| (seconds, seconds / left.as_secs_f64())) {
            Some((seconds, share)) if share > TOLERANCE => {
                if let Some(fargate) = fargate {
                    return self.hand_over(fargate, ask);
                }
                let why = format!(
                    "refused before it began: by its size it takes about {} s, and {} s are left\n  hint: more memory gives \
                     the function more processor, up to 10 GB; beyond that let it be done by a task on Fargate \
                     (PGKEEP_FARGATE_TASK_DEFINITION)",
                    seconds.ceil(),
                    left.as_secs()
                );
                return Done::failed(ask, "too-big", &why);
            }
            Some((seconds, share)) if share > NARROW => notes.push(format!(
                "by its size it takes about {} s of the {} s that are left: it is nearly too big for this function, or is already",
                seconds.ceil(),
                left.as_secs()
            )),
            _ => {}
        }
        let mut command = self.command(ask);
        if is_backup && self.deadline.is_some() {
            command.args(["--max-duration", &format!("{}s", left.as_secs().max(1))]);
        }
        // What RDS has begun then goes on, and the next try of the event takes it up.
        if ask.words.starts_with(&["rds", "snapshot", "create"].map(str::to_owned)) {
            command.args(["--completion-window", &format!("{}s", left.as_secs().max(1))]);
        }
        let mut done = match self.result(command, ask) {
            Ok((result, code)) => Done::of(ask, result, code),
            Err(e) => Done::failed(ask, "system", &format!("starting pgkeep: {e}")),
        };
        done.add_notes(notes);
        done
    }

    /// Starts the task that does it.
    fn hand_over(&self, fargate: &Fargate, ask: &Ask) -> Done {
        match fargate.start(ask, self.event, self.request) {
            Ok(task) => Done::started(ask, &task),
            Err(why) => Done::failed(ask, "fargate", &why),
        }
    }

    fn left(&self) -> Option<Duration> {
        let Some(deadline) = self.deadline else { return Some(Duration::MAX) };
        let left = deadline.duration_since(SystemTime::now()).ok()?;
        left.checked_sub(RESERVE).filter(|left| *left >= LEAST)
    }

    fn command(&self, ask: &Ask) -> Command {
        let mut command = Command::new(self.program);
        command.args(&ask.words).arg("--json").envs(ask.environment.iter().map(|(k, v)| (k, v)));
        // A child that took itself for the function would fetch events.
        command.env_remove("AWS_LAMBDA_RUNTIME_API");
        command
    }

    /// The command's JSON result and exit code. What it says meanwhile goes to the function's log, as JSON lines.
    fn result(&self, mut command: Command, ask: &Ask) -> std::io::Result<(Option<Value>, Option<i32>)> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut text = String::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for line in stderr.into_iter().flat_map(|s| BufReader::new(s).lines()).map_while(Result::ok) {
                    self.log(ask, &line);
                }
            });
            stdout.map_or(Ok(0), |mut out| out.read_to_string(&mut text))
        })?;
        let code = child.wait()?.code();
        // The last line is the result; those before it are one for each database of a server.
        let result = text.lines().rev().find_map(|line| serde_json::from_str(line).ok());
        Ok((result, code))
    }

    fn log(&self, ask: &Ask, line: &str) {
        eprintln!("{}", json!({ "requestId": self.request, "database": ask.name, "message": line }));
    }

    /// Seconds that a backup probably takes, by a sample; nothing where it could not be told.
    fn estimated(&self, ask: &Ask) -> Option<f64> {
        let connection = ask.words.get(1)?;
        let password: Vec<&String> = ask
            .words
            .iter()
            .skip_while(|w| !["--password-secret", "--iam-auth"].contains(&w.as_str()))
            .take(2)
            .collect();
        let mut words = vec!["check".to_owned(), connection.clone()];
        match password.as_slice() {
            [flag, ..] if *flag == "--iam-auth" => words.push((*flag).clone()),
            [flag, value] => words.extend([(*flag).clone(), (*value).clone()]),
            _ => {}
        }
        let check = Ask { words, ..ask.clone() };
        let (result, _) = self.result(self.command(&check), &check).ok()?;
        result?.pointer("/databases/0/estimate/seconds")?.as_f64()
    }
}
