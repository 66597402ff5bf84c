//! Looking what stands at AWS Backup, changing it, and waiting for jobs.

use std::time::Duration;

use jiff::SignedDuration;
use pgkeep_cloud::backup::{Backup, Job, Selection};
use pgkeep_cloud::{CloudErrorKind, Result as CloudResult};
use pgkeep_snapshots::{Limit, Pace, Result, SnapshotError, SnapshotErrorKind};

use crate::changes::{Changes, Observed, Step};
use crate::desired::{Desired, DesiredRole, ROLE_TRUST};
use crate::health::{State, state_of_job};

/// A role that was just made is not known everywhere at once (IAM User Guide, "eventual consistency").
const ROLE_TRIES: u32 = 12;
const ROLE_WAIT: Duration = Duration::from_secs(5);

impl Observed {
    /// What stands there of what is to stand there.
    ///
    /// # Errors
    /// What AWS refuses.
    pub fn look(backup: &Backup, desired: &Desired) -> CloudResult<Observed> {
        let role = match &desired.role {
            DesiredRole::Given(_) => None,
            DesiredRole::Made(name) => backup.role(name)?,
        };
        Ok(Observed { vault: backup.vault(&desired.vault)?, role, plan: backup.plan(&desired.plan.name)? })
    }
}

/// Does what is to be done, step by step; each is told once it is done. What was done before a step that fails stays, and the
/// next run goes on from there.
///
/// # Errors
/// What AWS refuses, with the step.
pub fn apply(
    backup: &Backup,
    (desired, observed): (&Desired, &Observed),
    changes: &Changes,
    pace: &Pace<'_>,
    told: &mut dyn FnMut(&Step),
) -> Result<()> {
    let mut role = match &desired.role {
        DesiredRole::Given(arn) => Some(arn.clone()),
        DesiredRole::Made(_) => observed.role.as_ref().map(|role| role.arn.clone()),
    };
    let mut plan = observed.plan.as_ref().map(|plan| plan.id.clone());
    for step in &changes.steps {
        match step {
            Step::CreateRole { name } => role = Some(backup.create_role(name, ROLE_TRUST, &desired.tags)?),
            Step::AttachPolicy { role, policy } => backup.attach_policy(role, policy)?,
            Step::CreateVault { name } => {
                backup.create_vault(name, desired.key.as_deref(), &desired.tags)?;
            }
            Step::SetPolicy { policy } => backup.set_vault_policy(&desired.vault, policy.as_deref())?,
            Step::CreatePlan { .. } => plan = Some(create_plan(backup, desired)?),
            Step::UpdatePlan { id, .. } => backup.update_plan(id, &desired.plan)?,
            Step::CreateSelection { .. } => {
                select(backup, plan.as_deref(), &selection(desired, role.as_deref()), pace)?;
            }
            Step::ReplaceSelection { id, .. } => {
                // The new one first: a plan without a selection backs up nothing. AWS takes two of one name.
                select(backup, plan.as_deref(), &selection(desired, role.as_deref()), pace)?;
                backup.delete_selection(plan.as_deref().unwrap_or_default(), id)?;
            }
            Step::SetLock { lock } => backup.set_vault_lock(&desired.vault, Some(*lock))?,
            Step::RemoveLock => backup.set_vault_lock(&desired.vault, None)?,
        }
        told(step);
    }
    Ok(())
}

/// A plan whose making was not answered is there by the next look.
fn create_plan(backup: &Backup, desired: &Desired) -> CloudResult<String> {
    match backup.create_plan(&desired.plan, &desired.tags) {
        Err(e) if e.kind == CloudErrorKind::Exists => match backup.plan(&desired.plan.name)? {
            Some(plan) => Ok(plan.id),
            None => Err(e),
        },
        made => made,
    }
}

fn selection(desired: &Desired, role: Option<&str>) -> Selection {
    Selection { role: role.unwrap_or(&desired.selection.role).to_owned(), ..desired.selection.clone() }
}

fn select(backup: &Backup, plan: Option<&str>, selection: &Selection, pace: &Pace<'_>) -> Result<()> {
    let mut tries = 0;
    loop {
        match backup.create_selection(plan.unwrap_or_default(), selection) {
            Ok(()) => return Ok(()),
            Err(e) if tries < ROLE_TRIES && e.why.contains("role") => {
                tries += 1;
                pace.tell("role", "AWS Backup does not know it yet", None);
                if !(pace.pause)(ROLE_WAIT) {
                    return Err(SnapshotError::new(
                        SnapshotErrorKind::Cancelled,
                        "stopped; the next run goes on from here",
                    ));
                }
            }
            Err(e) => return Err(e.into()),
        }
    }
}

/// Waits for the end of a job.
///
/// # Errors
/// The job failed, or was not done within `window`; what AWS refuses; the user stopped.
pub fn wait(
    what: &str,
    window: Option<SignedDuration>,
    pace: &Pace<'_>,
    look: &dyn Fn() -> CloudResult<Job>,
) -> Result<Job> {
    let limit = Limit::of("time given", window, (pace.now)());
    pace.until(what, limit, || {
        let job = look()?;
        let percent = job.percent.as_deref().and_then(|p| p.trim_end_matches('%').parse::<f64>().ok());
        #[allow(clippy::cast_possible_truncation)] // 0 to 100
        pace.tell(what, &job.state, percent.map(|p| p as i32));
        match state_of_job(&job.state) {
            State::Completed => Ok(Some(job)),
            State::Failed => {
                let why = job.message.as_deref().unwrap_or("AWS gives no reason");
                let message = format!("{what}: job {} is {}: {why}", job.id, job.state);
                Err(SnapshotError::new(SnapshotErrorKind::Failed, message))
            }
            State::Scheduled | State::InProgress => Ok(None),
        }
    })
}
