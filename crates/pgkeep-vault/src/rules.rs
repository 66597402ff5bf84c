//! AWS's own rules, told before AWS refuses, or takes what it then ignores.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use pgkeep_cloud::backup::{Lifecycle, Rule};
use pgkeep_schedule::Schedule;

use crate::desired::{Desired, DesiredRole};
use crate::settings::{LockMode, Settings};

/// What is wrong, and what AWS will not do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// AWS refuses these, or they contradict each other.
    pub wrong: Vec<String>,
    /// AWS takes these and does something else.
    pub notes: Vec<String>,
}

/// Days for which a recovery point has to stay in cold storage
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_Lifecycle.html>).
const COLD_DAYS: i64 = 90;
/// Longest stay of a continuous recovery point, in days
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/point-in-time-recovery.html>).
const CONTINUOUS_DAYS: i64 = 35;
/// Longest stay of any, in days.
const MOST_DAYS: i64 = 36_500;
/// Shortest start window, and the least by which the completion window exceeds it, in minutes.
const WINDOW: i64 = 60;
/// Fewest days in which a lock in compliance mode can still be changed: AWS's 72 hours of cooling off.
const COOLING_OFF: i64 = 3;

impl Settings {
    /// Checks what is to stand there against AWS's rules
    /// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupRuleInput.html> and the pages around it).
    #[must_use]
    pub fn check(&self) -> Checked {
        let desired = self.desired();
        let mut checked = Checked::default();
        checked.names(&desired);
        if desired.plan.rules.is_empty() {
            checked.wrong.push(
                "there are no rules: set preset = \"dev\" or \"prod\", or write [aws_backup.rules.<name>]"
                    .into(),
            );
        }
        let zone = TimeZone::get(&self.time_zone);
        if zone.is_err() {
            checked
                .wrong
                .push(format!("time_zone \"{}\" is none: write one such as Europe/Berlin", self.time_zone));
        }
        for rule in &desired.plan.rules {
            checked.rule(rule, &zone.clone().unwrap_or(TimeZone::UTC));
        }
        checked.selection(&desired);
        checked.lock(self, &desired);
        if let Some(policy) = &desired.policy
            && !serde_json::from_str::<serde_json::Value>(policy).is_ok_and(|p| p.is_object())
        {
            checked.wrong.push("access_policy is no JSON object".into());
        }
        checked
    }
}

impl Checked {
    fn wrong(&mut self, what: impl Into<String>) {
        self.wrong.push(what.into());
    }

    fn names(&mut self, desired: &Desired) {
        let fits = |name: &str, also: &str, least: usize| {
            (least..=50).contains(&name.len())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        };
        if !fits(&desired.vault, "-_", 2) {
            self.wrong(format!(
                "\"{}\" is no name of a vault: 2 to 50 letters, digits, - and _",
                desired.vault
            ));
        }
        let rules = desired.plan.rules.iter().map(|r| r.name.as_str());
        for name in rules.chain([desired.plan.name.as_str(), desired.selection.name.as_str()]) {
            if !fits(name, "-_.", 1) {
                self.wrong(format!("\"{name}\" is too long or has signs that AWS refuses: 1 to 50 letters, digits, -, _ and ."));
            }
        }
    }

    fn rule(&mut self, rule: &Rule, zone: &TimeZone) {
        let name = &rule.name;
        match Schedule::parse(&rule.schedule, zone.clone()) {
            Err(e) => self.wrong(format!("rule {name}: {e}")),
            Ok(_) if !rule.schedule.trim().starts_with("cron(") => {
                self.wrong(format!(
                    "rule {name}: AWS Backup knows cron(…) only, and \"{}\" is another form",
                    rule.schedule
                ));
            }
            Ok(_) => {}
        }
        if rule.start_window < WINDOW {
            self.wrong(format!(
                "rule {name}: start_window is {} minutes, and AWS wants {WINDOW} at least",
                rule.start_window
            ));
        }
        if rule.completion_window < rule.start_window + WINDOW {
            self.wrong(format!(
                "rule {name}: completion_window is {} minutes; it has to be {WINDOW} more than start_window ({}), {} at least",
                rule.completion_window, rule.start_window, rule.start_window + WINDOW
            ));
        }
        self.lifecycle(&format!("rule {name}"), rule.lifecycle);
        if rule.continuous {
            match rule.lifecycle {
                Lifecycle { delete_after: Some(1..=CONTINUOUS_DAYS), cold_after: None } => {}
                Lifecycle { cold_after: Some(_), .. } => {
                    self.wrong(format!("rule {name}: continuous backups do not move to cold storage: leave cold_after out"));
                }
                Lifecycle { delete_after, .. } => self.wrong(format!(
                    "rule {name}: continuous backups stay for 1 to {CONTINUOUS_DAYS} days, and delete_after is {}; \
                     a second rule can keep snapshots for longer",
                    delete_after.map_or("not set".to_owned(), |days| days.to_string())
                )),
            }
        }
        for copy in &rule.copies {
            if !copy.vault.starts_with("arn:") || !copy.vault.contains(":backup-vault:") {
                self.wrong(format!("rule {name}: copy to \"{}\": write the ARN of a vault, arn:aws:backup:<region>:<account>:backup-vault:<name>", copy.vault));
            }
            self.lifecycle(&format!("rule {name}, copy to {}", copy.vault), copy.lifecycle);
        }
    }

    fn lifecycle(&mut self, of: &str, lifecycle: Lifecycle) {
        let Lifecycle { cold_after, delete_after } = lifecycle;
        if let Some(days) = delete_after.filter(|days| !(1..=MOST_DAYS).contains(days)) {
            self.wrong(format!("{of}: delete_after is {days} days, and AWS takes 1 to {MOST_DAYS}"));
        }
        if let Some(days) = cold_after.filter(|days| !(1..=MOST_DAYS).contains(days)) {
            self.wrong(format!("{of}: cold_after is {days} days, and AWS takes 1 to {MOST_DAYS}"));
        }
        if let (Some(cold), Some(delete)) = (cold_after, delete_after)
            && delete < cold + COLD_DAYS
        {
            self.wrong(format!(
                "{of}: what moves to cold storage after {cold} days has to stay there for {COLD_DAYS}: delete_after is {delete}, \
                 and has to be {} at least",
                cold + COLD_DAYS
            ));
        }
        if cold_after.is_some() {
            self.notes.push(format!(
                "{of}: AWS Backup keeps recovery points of RDS and Aurora in warm storage and ignores cold_after for them"
            ));
        }
        if delete_after.is_none() {
            self.notes.push(format!("{of}: delete_after is not set: nothing is ever deleted"));
        }
    }

    fn selection(&mut self, desired: &Desired) {
        let selection = &desired.selection;
        let conditions = &selection.conditions;
        let none = [&conditions.equals, &conditions.like].iter().all(|tags| tags.is_empty());
        if selection.resources.is_empty() && selection.tags.is_empty() && none {
            self.wrong("nothing is selected: name resources, selection_tags or conditions");
        }
        for (key, arns) in [("resources", &selection.resources), ("not_resources", &selection.not_resources)]
        {
            for arn in arns.iter().filter(|arn| *arn != "*" && !arn.starts_with("arn:")) {
                self.wrong(format!("{key}: \"{arn}\" is no ARN: write arn:aws:rds:<region>:<account>:db:<name>, or with * for a part"));
            }
            let wild = arns.iter().filter(|arn| arn.contains('*')).count();
            if wild > 30 || arns.len() > 500 {
                self.wrong(format!("{key}: AWS takes 500 ARNs, 30 with *: select by tags instead"));
            }
            let distinct: BTreeSet<&String> = arns.iter().collect();
            if distinct.len() < arns.len() {
                self.wrong(format!("{key}: an ARN is named twice"));
            }
        }
        if let DesiredRole::Given(arn) = &desired.role
            && !(arn.starts_with("arn:") && arn.contains(":role/"))
        {
            self.wrong(format!("role: \"{arn}\" is no ARN of a role"));
        }
    }

    fn lock(&mut self, settings: &Settings, desired: &Desired) {
        let Some(lock) = &settings.vault_lock else { return };
        match (lock.mode, lock.changeable_for_days) {
            (LockMode::Governance, Some(_)) => {
                self.wrong("vault_lock: changeable_for_days belongs to mode = \"compliance\"");
            }
            (LockMode::Compliance, None) => self.wrong(format!(
                "vault_lock: mode = \"compliance\" needs changeable_for_days, {COOLING_OFF} at least: after it nobody can \
                 remove the lock, AWS neither"
            )),
            (LockMode::Compliance, Some(days)) if days < COOLING_OFF => {
                self.wrong(format!("vault_lock: changeable_for_days is {days}, and AWS wants {COOLING_OFF} at least"));
            }
            _ => {}
        }
        if let (Some(least), Some(most)) = (lock.min_days, lock.max_days)
            && least > most
        {
            self.wrong(format!("vault_lock: min_days ({least}) is more than max_days ({most})"));
        }
        if let Some(days) =
            [lock.min_days, lock.max_days].into_iter().flatten().find(|d| !(1..=MOST_DAYS).contains(d))
        {
            self.wrong(format!("vault_lock: {days} days, and AWS takes 1 to {MOST_DAYS}"));
        }
        for rule in &desired.plan.rules {
            let days = rule.lifecycle.delete_after;
            if let Some(least) = lock.min_days.filter(|least| days.is_some_and(|days| days < *least)) {
                self.wrong(format!("rule {}: it keeps for {} days, and the vault's lock wants {least} at least: its jobs would fail", rule.name, days.unwrap_or(0)));
            }
            if let Some(most) = lock.max_days.filter(|most| days.is_none_or(|days| days > *most)) {
                let kept = days.map_or("for ever".to_owned(), |days| format!("for {days} days"));
                self.wrong(format!(
                    "rule {}: it keeps {kept}, and the vault's lock allows {most} days: its jobs would fail",
                    rule.name
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str =
        "name = 'chat'\npreset = 'prod'\nresources = ['arn:aws:rds:eu-west-1:123456789012:db:chat']\n";

    fn check(text: &str) -> Checked {
        toml::from_str::<Settings>(text).unwrap().check()
    }

    #[test]
    fn the_presets_keep_to_the_rules() {
        assert_eq!(check(GOOD), Checked::default());
        assert_eq!(check(&GOOD.replace("prod", "dev")), Checked::default());
    }

    #[test]
    fn every_rule_of_aws_is_told_with_the_number_that_it_wants() {
        for (text, words) in [
            ("[rules.daily-backup]\nschedule = 'rate(1 day)'", "knows cron(…) only"),
            ("[rules.daily-backup]\nschedule = 'cron(0 3 * * * *)'", "exactly one"),
            ("[rules.daily-backup]\nstart_window = 59", "wants 60"),
            ("[rules.daily-backup]\ncompletion_window = 119", "120 at least"),
            ("[rules.daily-backup]\ndelete_after = 36", "1 to 35 days"),
            ("[rules.daily-backup]\ncold_after = 1", "do not move to cold"),
            ("[rules.weekly-backup]\ncold_after = 1", "has to be 91 at least"),
            ("[rules.weekly-backup]\ndelete_after = 0", "1 to 36500"),
            ("[rules.'we ekly']\ndelete_after = 1", "letters, digits"),
            ("[[rules.daily-backup.copy]]\nvault = 'dr-vault'", "ARN of a vault"),
            ("[vault_lock]\nmode = 'compliance'", "changeable_for_days, 3"),
            ("[vault_lock]\nmode = 'compliance'\nchangeable_for_days = 2", "wants 3"),
            ("[vault_lock]\nmode = 'governance'\nchangeable_for_days = 9", "belongs to"),
            ("[vault_lock]\nmode = 'governance'\nmin_days = 36", "wants 36 at least"),
            ("[vault_lock]\nmode = 'governance'\nmax_days = 60", "allows 60 days"),
            ("[vault_lock]\nmode = 'governance'\nmin_days = 9\nmax_days = 8", "more than"),
        ] {
            let found = check(&format!("{GOOD}{text}")).wrong;
            assert!(found.iter().any(|w| w.contains(words)), "{text}: {found:?}");
        }
        for (text, words) in [
            ("name = 'chat'\npreset = 'dev'", "nothing is selected"),
            ("name = 'chat'\nresources = ['*']", "there are no rules"),
            ("name = 'chat'\npreset = 'dev'\nresources = ['chat']", "no ARN"),
            ("name = 'chat'\npreset = 'dev'\nresources = ['*']\nrole = 'backup'", "no ARN of a role"),
            ("name = 'chat'\npreset = 'dev'\nresources = ['*']\ntime_zone = 'Mars'", "time_zone"),
            ("name = 'chat'\npreset = 'dev'\nresources = ['*']\naccess_policy = 'x'", "no JSON"),
        ] {
            let found = check(text).wrong;
            assert!(found.iter().any(|w| w.contains(words)), "{text}: {found:?}");
        }
        let cold = check(&format!("{GOOD}[rules.weekly-backup]\ncold_after = 30\ndelete_after = 120"));
        assert!(cold.wrong.is_empty() && cold.notes[0].contains("ignores cold_after"), "{cold:?}");
    }

    proptest! {
        #[test]
        fn what_passes_has_windows_and_lifecycles_that_aws_takes(
            start in 0i64..200, complete in 0i64..400, delete in 0i64..200, cold in prop::option::of(0i64..120),
            continuous: bool,
        ) {
            let cold_line = cold.map(|c| format!("cold_after = {c}\n")).unwrap_or_default();
            let passed = check(&format!(
                "name = 'c'\nresources = ['*']\n[rules.r]\nstart_window = {start}\ncompletion_window = {complete}\n\
                 delete_after = {delete}\ncontinuous = {continuous}\n{cold_line}"
            )).wrong.is_empty();
            let windows = start >= 60 && complete - start >= 60;
            let stays = delete >= 1 && cold.is_none_or(|c| c >= 1 && delete - c >= 90);
            prop_assert_eq!(passed, windows && stays && (!continuous || (delete <= 35 && cold.is_none())));
        }
    }
}
