//! How a plan is doing: the states of its jobs and recovery points, and what is wrong.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pgkeep_cloud::backup::{Job, RecoveryPoint, Rule, StandingPlan};
use pgkeep_schedule::Schedule;
use serde::Serialize;

/// Where a backup is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its job waits to begin.
    Scheduled,
    /// Its job runs.
    InProgress,
    /// Its job is done.
    Completed,
    /// Its job failed, was stopped, or did not begin or end within its window.
    Failed,
}

/// Where a recovery point is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PointState {
    /// Being made.
    InProgress,
    /// In the vault.
    Stored,
    /// Its time is over, and AWS has still to delete it, or could not.
    Expired,
    /// Being deleted.
    Deleted,
    /// Not whole.
    Failed,
}

/// The state of a job, from AWS's word
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupJob.html>).
#[must_use]
pub fn state_of_job(word: &str) -> State {
    match word {
        "CREATED" | "PENDING" => State::Scheduled,
        "RUNNING" | "ABORTING" => State::InProgress,
        "COMPLETED" => State::Completed,
        // EXPIRED: the start window was over before it began.
        _ => State::Failed,
    }
}

/// The state of a recovery point, from AWS's word
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_RecoveryPointByBackupVault.html>).
#[must_use]
pub fn state_of_point(word: &str) -> PointState {
    match word {
        "CREATING" => PointState::InProgress,
        "COMPLETED" | "AVAILABLE" | "STOPPED" => PointState::Stored,
        "EXPIRED" => PointState::Expired,
        "DELETING" => PointState::Deleted,
        _ => PointState::Failed,
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `overdue`, `failing`, `expired-not-deleted`, `not-continuous`.
    pub kind: &'static str,
    /// The rule or the resource.
    pub of: String,
    /// What, why and what to do.
    pub what: String,
}

/// What is known of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The plan.
    pub plan: &'a StandingPlan,
    /// Backup jobs of its vault, in any order.
    pub jobs: &'a [Job],
    /// Recovery points of its vault.
    pub points: &'a [RecoveryPoint],
}

/// Back to here a time that was due is looked for: the longest time between two backups that is still watched.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24 * 400);

/// What is wrong at a time.
#[must_use]
pub fn findings(standing: Standing<'_>, now: Timestamp) -> Vec<Finding> {
    let mut found = Vec::new();
    let ours: Vec<&Job> = standing
        .jobs
        .iter()
        .filter(|j| j.plan.as_ref().is_some_and(|(id, _)| *id == standing.plan.id))
        .collect();
    for rule in &standing.plan.plan.rules {
        found.extend(overdue(rule, standing.plan, &ours, now));
    }
    found.extend(failing(&ours));
    for point in standing.points.iter().filter(|p| p.status == "EXPIRED") {
        found.push(Finding {
            kind: "expired-not-deleted",
            of: point.resource.clone(),
            what: format!(
                "recovery point {} has expired and AWS could not delete it{}\n  hint: the role has to be allowed to delete \
                 snapshots; a hold or a deny in the vault's policy keeps it, too",
                point.arn,
                point.message.as_ref().map(|m| format!(": {m}")).unwrap_or_default()
            ),
        });
    }
    let continuous = standing.plan.plan.rules.iter().any(|r| r.continuous);
    if continuous && !standing.points.is_empty() && standing.points.iter().all(|p| !p.continuous) {
        found.push(Finding {
            kind: "not-continuous",
            of: standing.plan.plan.name.clone(),
            what: "the plan asks for continuous backups, and the vault has none: only moments of snapshots can be restored\n  \
                   hint: for Aurora and RDS the first continuous backup comes with the next run of the rule; a resource that is \
                   in another continuous plan stays in that one"
                .into(),
        });
    }
    found
}

/// A rule's last time that is over with both windows, without a completed job since.
fn overdue(rule: &Rule, plan: &StandingPlan, jobs: &[&Job], now: Timestamp) -> Option<Finding> {
    let zone = TimeZone::get(&rule.time_zone).unwrap_or(TimeZone::UTC);
    let schedule = Schedule::parse(&rule.schedule, zone).ok()?;
    let windows = SignedDuration::from_mins(rule.start_window.checked_add(rule.completion_window)?);
    let over = now.checked_sub(windows).ok()?;
    let due = schedule.newest_within(over.checked_sub(LOOK_BACK).ok()?, over)?;
    if due.as_second() < plan.created {
        return None;
    }
    let of_rule =
        |job: &&&Job| job.plan.as_ref().is_some_and(|(_, name)| *name == rule.name || name.is_empty());
    let done =
        |job: &&Job| state_of_job(&job.state) == State::Completed && job.created >= due.as_second() - 60;
    let mine: Vec<&&Job> = jobs.iter().filter(of_rule).collect();
    if mine.iter().any(|job| done(job)) {
        return None;
    }
    let since = mine.iter().filter(|j| state_of_job(&j.state) == State::Completed).map(|j| j.created).max();
    let last =
        since.and_then(|s| Timestamp::from_second(s).ok()).map_or("none yet".to_owned(), |t| t.to_string());
    Some(Finding {
        kind: "overdue",
        of: format!("rule {}", rule.name),
        what: format!(
            "no backup since {due}, when it was due; the last one that completed: {last}\n  hint: if there is no job at all, \
             the selection fits nothing, the service is not opted in for RDS (aws backup describe-region-settings), or the \
             role is gone"
        ),
    })
}

/// Resources whose newest job that ended has failed.
fn failing(jobs: &[&Job]) -> Vec<Finding> {
    let mut newest: BTreeMap<&str, &Job> = BTreeMap::new();
    for job in jobs.iter().filter(|j| matches!(state_of_job(&j.state), State::Completed | State::Failed)) {
        let resource = job.resource.as_deref().unwrap_or(&job.id);
        let later = newest.get(resource).is_none_or(|known| known.created < job.created);
        if later {
            newest.insert(resource, job);
        }
    }
    let failed = newest.into_iter().filter(|(_, job)| state_of_job(&job.state) == State::Failed);
    failed
        .map(|(resource, job)| {
            let why = match (job.state.as_str(), &job.message) {
                ("EXPIRED", None) => "it did not begin within its start window".to_owned(),
                (_, Some(said)) => said.clone(),
                (word, None) => format!("AWS gives no reason ({word})"),
            };
            Finding {
                kind: "failing",
                of: resource.to_owned(),
                what: format!("job {} failed: {why}\n  hint: {}", job.id, hint(&why)),
            }
        })
        .collect()
}

/// What to do, from AWS's words (AWS Backup Developer Guide, "Troubleshooting").
fn hint(why: &str) -> &'static str {
    let said = why.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| said.contains(w));
    if has(&["access denied", "accessdenied", "not authorized", "insufficient privileges"]) {
        "the role needs AWSBackupServiceRolePolicyForBackup, and the key of KMS has to allow it"
    } else if has(&["kms", "key"]) {
        "see that the key of the vault and of the instance is enabled and that its policy names the role"
    } else if has(&["window", "expired"]) {
        "a longer start_window or completion_window, or a time away from the maintenance window (AWS does not begin one an hour before)"
    } else if has(&["quota", "limit", "exceeded"]) {
        "the quota of manual snapshots (100 in a region) may be used up: Service Quotas, Amazon RDS"
    } else if has(&["not in available state", "not available", "invaliddbinstancestate", "stopped"]) {
        "the instance has to be available: start it, or wait for what it is doing"
    } else {
        "aws backup describe-backup-job --backup-job-id <id> tells more"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use pgkeep_cloud::backup::{Lifecycle, Plan};

    use super::*;

    const NOW: &str = "2026-11-24T12:00:00Z";

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    fn plan() -> StandingPlan {
        let rule = Rule {
            name: "daily-backup".into(),
            vault: "v".into(),
            schedule: "cron(0 3 * * ? *)".into(),
            time_zone: "UTC".into(),
            start_window: 60,
            completion_window: 180,
            lifecycle: Lifecycle { cold_after: None, delete_after: Some(7) },
            continuous: false,
            copies: vec![],
            tags: BTreeMap::new(),
        };
        let plan = Plan { name: "p".into(), rules: vec![rule] };
        StandingPlan {
            id: "p1".into(),
            arn: String::new(),
            created: at("2026-11-01T00:00:00Z"),
            plan,
            selections: vec![],
        }
    }

    fn job(state: &str, created: &str) -> Job {
        Job {
            id: "j".into(),
            resource: Some("arn:aws:rds:eu-west-1:1:db:chat".into()),
            state: state.into(),
            message: None,
            percent: None,
            created: at(created),
            completed: None,
            start_by: None,
            recovery_point: None,
            plan: Some(("p1".into(), "daily-backup".into())),
        }
    }

    fn kinds(plan: &StandingPlan, jobs: &[Job], now: &str) -> Vec<&'static str> {
        findings(Standing { plan, jobs, points: &[] }, now.parse().unwrap())
            .into_iter()
            .map(|f| f.kind)
            .collect()
    }

    #[test]
    fn a_plan_is_overdue_when_both_windows_are_over_and_not_before() {
        let yesterday = job("COMPLETED", "2026-11-23T03:05:00Z");
        let of_yesterday = std::slice::from_ref(&yesterday);
        assert_eq!(kinds(&plan(), of_yesterday, "2026-11-24T06:59:00Z"), [""; 0]);
        assert_eq!(kinds(&plan(), of_yesterday, "2026-11-24T07:01:00Z"), ["overdue"]);
        assert_eq!(kinds(&plan(), &[job("COMPLETED", "2026-11-24T03:05:00Z")], NOW), [""; 0]);
        // A plan that was made after the time was never due.
        let young = StandingPlan { created: at("2026-11-24T04:00:00Z"), ..plan() };
        assert_eq!(kinds(&young, &[], NOW), [""; 0]);
    }

    #[test]
    fn the_newest_job_of_a_resource_decides_whether_it_fails() {
        let (good, bad) = (job("COMPLETED", "2026-11-24T03:05:00Z"), job("EXPIRED", "2026-11-24T08:00:00Z"));
        assert_eq!(kinds(&plan(), &[good.clone(), bad.clone()], NOW), ["failing"]);
        let again = job("COMPLETED", "2026-11-24T09:00:00Z");
        assert_eq!(kinds(&plan(), &[again, good, bad.clone()], NOW), [""; 0]);
        let somebody_elses = Job { plan: Some(("p2".into(), "x".into())), ..bad };
        assert_eq!(kinds(&plan(), &[somebody_elses, job("COMPLETED", "2026-11-24T03:05:00Z")], NOW), [""; 0]);
    }

    #[test]
    fn every_word_of_aws_is_a_state() {
        use State::{Completed, Failed, InProgress, Scheduled};
        for (word, state) in [
            ("CREATED", Scheduled),
            ("PENDING", Scheduled),
            ("RUNNING", InProgress),
            ("ABORTING", InProgress),
            ("COMPLETED", Completed),
            ("ABORTED", Failed),
            ("FAILED", Failed),
            ("EXPIRED", Failed),
            ("PARTIAL", Failed),
        ] {
            assert_eq!(state_of_job(word), state, "{word}");
        }
        assert_eq!(state_of_point("COMPLETED"), PointState::Stored);
        assert_eq!(state_of_point("PARTIAL"), PointState::Failed);
    }
}
