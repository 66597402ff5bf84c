//! Databases that are too big for an invocation: the same container as a task on Fargate.

use pgkeep_cloud::{Account, Task};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::environment::Environment;
use crate::event::{Ask, EventError, Part};

/// The variable by which a task gets its event.
pub(crate) const EVENT: &str = "PGKEEP_EVENT";
/// The most that ECS takes as overrides, in bytes, less what is around the event (ECS API reference, "TaskOverride").
const LONGEST_EVENT: usize = 7000;

/// The task that is started, and for whom.
#[derive(Debug)]
pub(crate) struct Fargate {
    when: When,
    task: Task,
}

#[derive(Debug, PartialEq, Eq)]
enum When {
    /// For databases whose estimate does not fit, and for these.
    TooBig(Vec<String>),
    Always,
}

impl Fargate {
    /// As the environment has it; none where it names no task definition.
    pub(crate) fn of(environment: &Environment) -> Result<Option<Fargate>, EventError> {
        let Some(definition) = environment.get("PGKEEP_FARGATE_TASK_DEFINITION") else { return Ok(None) };
        let list = |name: &str| -> Vec<String> {
            let words = environment.get(name).unwrap_or_default().split(',').map(str::trim);
            words.filter(|word| !word.is_empty()).map(Into::into).collect()
        };
        let when = match environment.get("PGKEEP_FARGATE") {
            Some("always") => When::Always,
            Some("too-big") | None => When::TooBig(Vec::new()),
            Some(_) => When::TooBig(list("PGKEEP_FARGATE")),
        };
        let subnets = list("PGKEEP_FARGATE_SUBNETS");
        if subnets.is_empty() {
            let why = "PGKEEP_FARGATE_TASK_DEFINITION needs PGKEEP_FARGATE_SUBNETS, a list with commas";
            return Err(EventError::Environment(why.into()));
        }
        let task = Task {
            cluster: environment.get("PGKEEP_FARGATE_CLUSTER").unwrap_or("default").into(),
            definition: definition.into(),
            container: environment.get("PGKEEP_FARGATE_CONTAINER").unwrap_or("pgkeep").into(),
            subnets,
            security_groups: list("PGKEEP_FARGATE_SECURITY_GROUPS"),
            public_ip: environment.get("PGKEEP_FARGATE_PUBLIC_IP") == Some("true"),
            command: vec!["lambda".into(), "run".into()],
            ..Task::default()
        };
        Ok(Some(Fargate { when, task }))
    }

    /// Whether a database goes there whatever its size.
    pub(crate) fn always_has(&self, name: &str) -> bool {
        match &self.when {
            When::Always => true,
            When::TooBig(names) => names.iter().any(|n| n == name),
        }
    }

    /// Starts the task for one database of the event; its ARN. The same request starts it once, however often Lambda
    /// repeats it.
    pub(crate) fn start(&self, ask: &Ask, event: &Value, request: &str) -> Result<String, String> {
        if ask.secret_in_event {
            return Err("its password is in the event, and everybody who may describe tasks could read it there\n  hint: keep \
                        it in Secrets Manager, and name the secret"
                .into());
        }
        let part = Part { event, only: Some(&ask.name) }.to_event();
        if part.len() > LONGEST_EVENT {
            return Err(
                "the event is too long for a task's environment\n  hint: name the database alone".into()
            );
        }
        let token = Sha256::digest(format!("{request}/{}", ask.name));
        let task = Task {
            environment: vec![(EVENT.into(), part)],
            token: token.iter().map(|byte| format!("{byte:02x}")).collect(),
            ..self.task.clone()
        };
        Account::open(None).and_then(|account| account.run_task(&task)).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_task_needs_a_definition_and_subnets_and_names_choose_databases() {
        let of = |pairs: &[(&str, &str)]| Fargate::of(&Environment::of(pairs));
        assert!(of(&[("PGKEEP_FARGATE", "always")]).unwrap().is_none());
        let told = of(&[("PGKEEP_FARGATE_TASK_DEFINITION", "t")]).unwrap_err().to_string();
        assert!(told.contains("PGKEEP_FARGATE_SUBNETS"), "{told}");
        let base =
            [("PGKEEP_FARGATE_TASK_DEFINITION", "t"), ("PGKEEP_FARGATE_SUBNETS", "subnet-1, subnet-2")];
        let with = |when| of(&[base[0], base[1], ("PGKEEP_FARGATE", when)]).unwrap().unwrap();
        assert_eq!(with("too-big").task.subnets, ["subnet-1", "subnet-2"]);
        assert!(with("always").always_has("shop") && !with("too-big").always_has("shop"));
        assert!(with("crm,shop").always_has("shop") && !with("crm").always_has("shop"));
    }
}
