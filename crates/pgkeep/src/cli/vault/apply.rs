//! `pgkeep vault plan` and `apply`.

use clap::Parser;
use pgkeep_vault::{Changes, Observed, Step};
use serde_json::json;

use super::super::wait::PaceFlags;
use super::Wanted;
use crate::config::Config;
use crate::failure::{Exit, Failure, Result};
use crate::show::{plural, print, print_json};
use crate::signals;

/// Options of `vault plan`.
#[derive(Parser)]
pub(super) struct PlanOptions {
    /// Print the plan as JSON: what is to stand there, what stands there, the steps between
    #[arg(long)]
    pub(super) json: bool,
    /// Do not ask AWS: show what is to stand there
    #[arg(long)]
    offline: bool,
}

/// Options of `vault apply`.
#[derive(Parser)]
pub(super) struct Options {
    /// The vault's name, where its lock would be in compliance mode: nobody can take that back
    #[arg(long, value_name = "VAULT")]
    lock_for_good: Option<String>,
    #[command(flatten)]
    wait: PaceFlags,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn plan(options: &PlanOptions, config: &Config) -> Result<()> {
    let wanted = Wanted::of(config)?;
    if options.offline {
        match options.json {
            true => print_json(&json!({ "ok": true, "desired": wanted.desired })),
            false => desired(&wanted),
        }
        return Ok(());
    }
    let backup = wanted.open()?;
    let observed = Observed::look(&backup, &wanted.desired)?;
    let changes = Changes::between(&observed, &wanted.desired);
    match options.json {
        true => print_json(&json!({
            "ok": true,
            "region": backup.region(),
            "desired": wanted.desired,
            "observed": observed,
            "steps": changes.steps,
            "cannot": changes.cannot,
        })),
        false => tell(&changes),
    }
    Ok(())
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let wanted = Wanted::of(config)?;
    let backup = wanted.open()?;
    let observed = Observed::look(&backup, &wanted.desired)?;
    let changes = Changes::between(&observed, &wanted.desired);
    let vault = &wanted.desired.vault;
    if changes.is_for_good() && options.lock_for_good.as_ref() != Some(vault) {
        return Err(Failure::usage(format!(
            "the lock of vault {vault} would be in compliance mode: once its days of grace are over nobody can remove it, AWS \
             neither, and its recovery points stay until their time is over\n  hint: if that is meant: --lock-for-good {vault}"
        )));
    }
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let mut done = Vec::new();
    let applied = options.wait.at_pace(&cancel, |pace| {
        pgkeep_vault::apply(&backup, (&wanted.desired, &observed), &changes, pace, &mut |step: &Step| {
            if !options.json {
                print(format!("done     {}", words(step)));
            }
            done.push(step.clone());
        })
    })?;
    if options.json {
        print_json(&json!({
            "ok": applied.is_ok() && changes.cannot.is_empty(),
            "done": done,
            "left": changes.steps[done.len()..],
            "cannot": changes.cannot,
            "error": applied.as_ref().err().map(ToString::to_string),
        }));
    } else {
        for words in &changes.cannot {
            print(format!("cannot   {words}"));
        }
        if changes == Changes::default() {
            print("nothing to do");
        }
    }
    applied.map_err(|e| Failure { told: options.json, ..Failure::from(e) })?;
    match changes.cannot.len() {
        0 => Ok(()),
        n => Err(Failure {
            told: options.json,
            ..Failure::new(
                Exit::Failed,
                "differs",
                format!("{} that pgkeep cannot change", plural(n as u64, "difference")),
            )
        }),
    }
}

fn tell(changes: &Changes) {
    for step in &changes.steps {
        print(format!("would    {}", words(step)));
        if let Step::UpdatePlan { differences, .. } | Step::ReplaceSelection { differences, .. } = step {
            for difference in differences {
                print(format!("         {difference}"));
            }
        }
    }
    for words in &changes.cannot {
        print(format!("cannot   {words}"));
    }
    if *changes == Changes::default() {
        print("nothing to do");
    }
}

fn words(step: &Step) -> String {
    match step {
        Step::CreateRole { name } => format!("create role {name}"),
        Step::AttachPolicy { role, policy } => {
            format!("attach {} to role {role}", policy.rsplit('/').next().unwrap_or(policy))
        }
        Step::CreateVault { name } => format!("create vault {name}"),
        Step::SetPolicy { policy: Some(_) } => "set the vault's access policy".into(),
        Step::SetPolicy { policy: None } => "remove the vault's access policy".into(),
        Step::CreatePlan { name } => format!("create plan {name}"),
        Step::UpdatePlan { .. } => "change the plan".into(),
        Step::CreateSelection { name } => format!("create selection {name}"),
        Step::ReplaceSelection { .. } => "replace the selection".into(),
        Step::SetLock { lock } => match lock.changeable_for_days {
            Some(days) => format!(
                "lock the vault in compliance mode: for good after {}",
                plural(days.unsigned_abs(), "day")
            ),
            None => "lock the vault in governance mode".into(),
        },
        Step::RemoveLock => "remove the vault's lock".into(),
    }
}

fn desired(wanted: &Wanted) {
    let desired = &wanted.desired;
    print(format!("vault      {}", desired.vault));
    print(format!("plan       {}", desired.plan.name));
    for rule in &desired.plan.rules {
        let kept = rule.lifecycle.delete_after.map_or("for ever".into(), |days| format!("{days} days"));
        let continuous = if rule.continuous { ", continuous" } else { "" };
        print(format!(
            "  rule     {}: {} {}, kept {kept}{continuous}",
            rule.name, rule.schedule, rule.time_zone
        ));
    }
    print(format!("selection  {}", desired.selection.name));
    for resource in &desired.selection.resources {
        print(format!("  resource {resource}"));
    }
    for tag in &desired.selection.tags {
        print(format!("  tag      {} = {}", tag.key, tag.value));
    }
}
