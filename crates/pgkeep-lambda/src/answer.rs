//! What the function answers: one result for each database.

use pgkeep_cloud::Invoked;
use serde_json::{Map, Value, json};

use crate::event::Ask;

/// What became of one command.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// Whether it succeeded.
    pub ok: bool,
    /// The command's own JSON result, and the database's name.
    pub result: Map<String, Value>,
    /// Whether another invocation has told of it in the log and by metrics, or will.
    pub(crate) told: bool,
}

impl Done {
    /// Of a command's result and exit code.
    pub(crate) fn of(ask: &Ask, result: Option<Value>, code: Option<i32>) -> Done {
        let mut map = match result {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        };
        // Exit code and JSON say the same; where they do not, it is no success.
        let ok = code == Some(0) && map.get("ok").and_then(Value::as_bool).unwrap_or(false);
        if !ok && !map.contains_key("error") {
            let how = code.map_or_else(|| "was killed".to_owned(), |code| format!("ended with code {code}"));
            map.insert(
                "error".into(),
                json!({
                    "kind": "ended",
                    "message": format!(
                        "pgkeep {} {how} and gave no result\n  hint: the log says more; a function that runs out of \
                         memory is killed so: give it more",
                        ask.words.first().map_or("", String::as_str)
                    ),
                }),
            );
        }
        map.insert("ok".into(), ok.into());
        map.insert("database".into(), ask.name.clone().into());
        Done { ok, result: map, told: false }
    }

    /// Of the function's own answer to another invocation.
    pub(crate) fn of_invocation(ask: &Ask, invoked: &Invoked) -> Done {
        let answer: Value = serde_json::from_str(&invoked.answer).unwrap_or_default();
        if let (false, Value::Object(result)) = (invoked.failed, &answer["results"][0]) {
            return Done { ok: true, result: result.clone(), told: true };
        }
        let said = answer["errorMessage"].as_str().unwrap_or("its invocation gave no result");
        // Of our own message the part about this database.
        let own = said.split_once(&format!("\n{}: ", ask.name)).map(|(_, own)| own);
        let kind = answer["errorType"].as_str().unwrap_or("ended").trim_start_matches("pgkeep.");
        // Where Lambda itself ended it, nothing was told.
        Done { told: own.is_some(), ..Done::failed(ask, kind, own.unwrap_or(said)) }
    }

    /// One that goes on as a task, which tells by itself how it ends. It is neither a success nor a failure.
    pub(crate) fn started(ask: &Ask, task: &str) -> Done {
        let mut result = Map::new();
        result.insert("database".into(), ask.name.clone().into());
        result.insert("started".into(), json!({ "task": task }));
        Done { ok: true, result, told: false }
    }

    /// Whether it goes on elsewhere.
    pub(crate) fn is_started(&self) -> bool {
        self.result.contains_key("started")
    }

    /// One that did not come to run.
    pub(crate) fn failed(ask: &Ask, kind: &str, message: &str) -> Done {
        let error = json!({ "error": { "kind": kind, "message": message } });
        Done::of(ask, Some(error), None)
    }

    pub(crate) fn add_notes(&mut self, notes: Vec<String>) {
        if notes.is_empty() {
            return;
        }
        let entry = self.result.entry("notes").or_insert_with(|| json!([]));
        if let Some(all) = entry.as_array_mut() {
            all.extend(notes.into_iter().map(Value::from));
        }
    }

    fn error(&self) -> String {
        let name = self.result.get("database").and_then(Value::as_str).unwrap_or_default();
        let why = self.result.get("error").and_then(|e| e.get("message")).and_then(Value::as_str);
        format!("{name}: {}", why.unwrap_or("failed"))
    }
}

/// The answer to an invocation: `ok`, and `results` in the order of the event. A result with `started` goes on as a task, and
/// is no backup yet.
///
/// # Errors
/// The same with every failed database named, where one failed: then the invocation fails.
pub fn answer(done: &[Done]) -> Result<Value, String> {
    let failed: Vec<String> = done.iter().filter(|d| !d.ok).map(Done::error).collect();
    if failed.is_empty() {
        return Ok(json!({ "ok": true, "results": done.iter().map(|d| &d.result).collect::<Vec<_>>() }));
    }
    let of = format!("{} of {} failed", failed.len(), done.len());
    Err(format!("{of}\n{}", failed.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str) -> Ask {
        Ask::backup("x", name, None)
    }

    #[test]
    fn one_failed_database_fails_the_invocation_and_each_is_named() {
        let good = Done::of(&ask("a"), Some(json!({ "ok": true, "id": "1" })), Some(0));
        let all = answer(std::slice::from_ref(&good)).unwrap();
        assert_eq!(all["results"][0], json!({ "ok": true, "id": "1", "database": "a" }));
        let bad = Done::failed(&ask("b"), "no-time", "no time");
        let killed = Done::of(&ask("c"), None, None);
        let told = answer(&[good, bad, killed]).unwrap_err();
        assert!(told.starts_with("2 of 3 failed\nb: no time\nc: pgkeep backup was killed"), "{told}");
    }

    #[test]
    fn a_result_that_contradicts_the_exit_code_is_no_success() {
        assert!(!Done::of(&ask("a"), Some(json!({ "ok": true })), Some(1)).ok);
        assert!(!Done::of(&ask("a"), Some(json!({ "ok": false })), Some(0)).ok);
        assert!(!Done::of(&ask("a"), None, Some(0)).ok);
    }
}
