//! What a process says: its progress, notes for the log, its result.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;

use serde_json::Value;

use super::process::{Pipes, Process};
use crate::live::{Live, Progress};
use crate::run::RunId;
use crate::supervisor::End;

/// A result longer than this is left to the log: a check of thousands of backups has a line for each.
const MOST: usize = 1 << 20;

/// Listens until the process has ended.
pub(super) fn listen(run: &RunId, process: &Process, pipes: Pipes, live: &Live) -> End {
    let Pipes { mut out, err, mut log } = pipes;
    let (said, printed) = std::thread::scope(|scope| {
        let notes = scope.spawn(|| hear(run, err, &mut log, live));
        let mut printed = Vec::new();
        // What was read before an error counts.
        let _ = out.read_to_end(&mut printed);
        (notes.join().unwrap_or_default(), printed)
    });
    let status = process.wait();
    live.end(run);
    let _ = log.write_all(&printed);
    let mut end = result(&printed);
    match status {
        Ok(status) => {
            end.exit_code = status.code();
            if let Some(signal) = status.signal() {
                let why = format!(
                    "its process was ended by signal {signal}\n  hint: the system's log may tell why"
                );
                end = End { exit_code: None, ..End::failed("crashed", why) };
            } else if end.exit_code != Some(0) && end.error.is_none() {
                end.error_kind = Some("failed".into());
                end.error = Some(said);
            }
        }
        Err(e) => end = End::failed("crashed", format!("waiting for its process: {e}")),
    }
    let _ = writeln!(log, "{} exit code {}", jiff::Timestamp::now(), end.exit_code.unwrap_or(-1));
    end
}

/// Reads standard error to its end; gives its last lines.
fn hear(run: &RunId, err: impl Read, log: &mut impl Write, live: &Live) -> String {
    let mut last: Vec<String> = Vec::new();
    let mut lines = BufReader::new(err);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        match progress(&line) {
            Some(progress) => live.set(run, progress),
            None => {
                // A log that can't be written is no reason to fail a backup.
                let _ = log.write_all(&line);
                last.push(String::from_utf8_lossy(&line).trim_end().to_owned());
                if last.len() > 5 {
                    last.remove(0);
                }
            }
        }
        line.clear();
    }
    last.join("\n")
}

fn progress(line: &[u8]) -> Option<Progress> {
    let value: Value = serde_json::from_slice(line).ok().filter(|_| line.starts_with(b"{"))?;
    if value["event"] != "progress" { None } else { serde_json::from_value(value).ok() }
}

/// What the lines on standard output say. The last one is about the whole.
fn result(printed: &[u8]) -> End {
    let mut lines: Vec<Value> =
        printed.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let error = lines.iter().rev().find_map(|line| line.get("error").filter(|e| e.is_object()));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (error_kind, message) = match error {
        Some(error) => (text(&error["kind"]), text(&error["message"])),
        None => (None, None),
    };
    let backup = lines.iter().rev().find_map(|line| {
        let named = line.get("id").and_then(Value::as_str);
        let drilled = line.get("backup").and_then(|b| b.as_str().or_else(|| b["id"].as_str()));
        named.or(drilled).map(str::to_owned)
    });
    let result = match lines.len() {
        _ if printed.len() > MOST => None,
        0 => None,
        1 => lines.pop(),
        _ => Some(Value::Array(lines)),
    };
    End { exit_code: None, error_kind, error: message, backup, result }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_read_whatever_command_printed_it() {
        let backup = result(br#"{"ok":true,"id":"20261124T010000Z-3f9a1c","name":"shop"}"#);
        assert_eq!((backup.backup.as_deref(), backup.error_kind), (Some("20261124T010000Z-3f9a1c"), None));
        let failed =
            result(br#"{"ok":false,"error":{"kind":"connect","message":"no\n  hint: x","exit_code":4}}"#);
        assert_eq!(
            (failed.error_kind.as_deref(), failed.error.as_deref()),
            (Some("connect"), Some("no\n  hint: x"))
        );
        let several = result(b"{\"id\":\"a\",\"ok\":true}\n{\"ok\":false,\"error\":{\"kind\":\"damaged\",\"message\":\"m\"}}\n");
        assert_eq!((several.backup.as_deref(), several.error_kind.as_deref()), (Some("a"), Some("damaged")));
        assert_eq!(several.result.unwrap().as_array().unwrap().len(), 2);
        assert_eq!(result(b"no json"), End::default());
    }

    #[test]
    fn progress_goes_to_the_live_view_and_the_rest_to_the_log() {
        let (live, id, mut log) = (Live::default(), RunId("r".into()), Vec::new());
        let said = b"note: a\n{\"event\":\"progress\",\"phase\":\"data\",\"rows\":7}\nlast\n";
        assert_eq!(hear(&id, &said[..], &mut log, &live), "note: a\nlast");
        assert_eq!(String::from_utf8(log).unwrap(), "note: a\nlast\n");
        assert_eq!(live.of(&id).unwrap().rows, 7);
    }
}
