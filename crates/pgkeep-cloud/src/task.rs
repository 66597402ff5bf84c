//! Tasks of ECS on Fargate.

use std::time::Duration;

use serde_json::{Value, json};

use crate::account::Account;
use crate::call::Call;
use crate::error::{Asked, CloudError, CloudErrorKind, Result};

/// A task to be started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Task {
    /// The cluster's name or ARN.
    pub cluster: String,
    /// The task definition's family, with or without revision, or its ARN.
    pub definition: String,
    /// The container in it that gets `command` and `environment`.
    pub container: String,
    /// Subnets that it can run in.
    pub subnets: Vec<String>,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// Whether it has an address of its own in the internet, which it needs in a subnet without NAT.
    pub public_ip: bool,
    /// The container's words.
    pub command: Vec<String>,
    /// Added to the container's environment. ECS shows it to everybody who may describe tasks: never a secret.
    pub environment: Vec<(String, String)>,
    /// The same token starts the task once, at most 64 signs.
    pub token: String,
}

impl Account {
    /// Starts a task; its ARN (`ecs:RunTask`, and `iam:PassRole` on its roles; ECS API reference, "RunTask").
    ///
    /// # Errors
    /// Not found, not allowed, not reached, no room.
    pub fn run_task(&self, task: &Task) -> Result<String> {
        let what = format!("task {} on cluster {} in {}", task.definition, task.cluster, self.region);
        let environment: Vec<Value> =
            task.environment.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let body = json!({
            "cluster": task.cluster,
            "taskDefinition": task.definition,
            "launchType": "FARGATE",
            "count": 1,
            "clientToken": task.token,
            "startedBy": "pgkeep",
            "networkConfiguration": { "awsvpcConfiguration": {
                "subnets": task.subnets,
                "securityGroups": task.security_groups,
                "assignPublicIp": if task.public_ip { "ENABLED" } else { "DISABLED" },
            } },
            "overrides": { "containerOverrides": [{
                "name": task.container, "command": task.command, "environment": environment,
            }] },
        });
        let answer = self.call(
            Asked { what: what.clone(), action: "ecs:RunTask" },
            Call {
                service: "ecs",
                path: "/".into(),
                headers: vec![
                    ("content-type", "application/x-amz-json-1.1"),
                    ("x-amz-target", "AmazonEC2ContainerServiceV20141113.RunTask"),
                ],
                body: body.to_string(),
                within: Duration::from_secs(30),
            },
        )?;
        let answer: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        answer["tasks"][0]["taskArn"].as_str().map(str::to_owned).ok_or_else(|| {
            let why = answer["failures"][0]["reason"].as_str().unwrap_or("ECS says nothing of it");
            CloudError::new(CloudErrorKind::Other, what, format!("it was not started: {why}"))
        })
    }
}
