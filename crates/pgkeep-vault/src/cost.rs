//! What a plan costs in a month.

use pgkeep_cloud::backup::{Lifecycle, Plan, Rule};
use serde::{Deserialize, Serialize};

/// Prices in US dollars. Read from TOML, so that people can write down their own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// For a GB in warm storage, a month.
    pub warm_gb_month: f64,
    /// For a GB in cold storage, a month.
    pub cold_gb_month: f64,
    /// For a GB that is restored.
    pub restore_gb: f64,
    /// Of continuous backups, for a GB that changed, a month.
    pub continuous_changed_gb_month: f64,
    /// For a GB that is copied into another region.
    pub transfer_gb: f64,
}

impl Prices {
    /// Those that come with pgkeep, as TOML with a note of region and date.
    pub const LISTED: &str = include_str!("prices.toml");

    /// Reads prices.
    ///
    /// # Errors
    /// What is missing, unknown or no number.
    pub fn parse(text: &str) -> Result<Prices, toml::de::Error> {
        toml::from_str(text)
    }
}

/// What a rule costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleCost {
    /// Its name, with the vault for a copy.
    pub name: String,
    /// Days for which a recovery point stays; `None`: for ever, of which a year is counted.
    pub days: Option<i64>,
    /// GB in warm storage.
    pub warm_gb: f64,
    /// GB in cold storage.
    pub cold_gb: f64,
    /// Dollars a month for storage.
    pub storage: f64,
    /// Dollars a month for what changed (continuous) or crosses to another region (copies).
    pub more: f64,
}

/// What a plan costs, and what that supposes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// GB of the databases.
    pub size_gb: f64,
    /// GB that change in a day.
    pub changed_gb: f64,
    /// Rule by rule.
    pub rules: Vec<RuleCost>,
    /// Dollars a month.
    pub month: f64,
    /// Dollars for one restore of everything.
    pub restore: f64,
    /// What the figures suppose.
    pub assumptions: Vec<String>,
}

/// A year, where nothing is deleted.
const FOR_EVER: i64 = 365;

impl Cost {
    /// The cost of a plan over databases of `size_gb`, of which `changed_gb` change in a day.
    #[must_use]
    pub fn of(plan: &Plan, size_gb: f64, changed_gb: f64, prices: Prices) -> Cost {
        let mut rules = Vec::new();
        for rule in &plan.rules {
            let changed =
                if rule.continuous { changed_gb * 30.0 * prices.continuous_changed_gb_month } else { 0.0 };
            rules.push(rule_cost(rule.name.clone(), rule.lifecycle, size_gb, changed, prices));
            for copy in &rule.copies {
                let name = format!("{} in {}", rule.name, copy.vault);
                let transfer = transfers(rule) * changed_gb.max(size_gb / 30.0) * prices.transfer_gb;
                rules.push(rule_cost(name, copy.lifecycle, size_gb, transfer, prices));
            }
        }
        Cost {
            size_gb,
            changed_gb,
            month: rules.iter().map(|r| r.storage + r.more).sum(),
            restore: size_gb * prices.restore_gb,
            assumptions: vec![
                "storage is the size of the databases × days ÷ 30, as if each day's copy added a thirtieth of them; AWS \
                 bills the first recovery point whole and of later ones what changed"
                    .into(),
                "the size is what the databases use and does not grow".into(),
                "RDS and Aurora stay in warm storage whatever a rule says of cold storage; cold storage is counted where \
                 a rule says so"
                    .into(),
                "a copy in another region is billed there like the original; what crosses is counted at what changes in a \
                 day, a thirtieth of the size at least"
                    .into(),
                "a recovery point that is never deleted is counted for a year".into(),
                "no taxes, no free tier, no keys of KMS, no snapshots beside AWS Backup".into(),
            ],
            rules,
        }
    }
}

fn rule_cost(name: String, lifecycle: Lifecycle, size_gb: f64, more: f64, prices: Prices) -> RuleCost {
    let days = lifecycle.delete_after.unwrap_or(FOR_EVER);
    let warm_days = lifecycle.cold_after.unwrap_or(days).min(days);
    #[allow(clippy::cast_precision_loss)] // days
    let months = |days: i64| days as f64 / 30.0;
    let (warm_gb, cold_gb) = (size_gb * months(warm_days), size_gb * months(days - warm_days));
    let storage = warm_gb * prices.warm_gb_month + cold_gb * prices.cold_gb_month;
    RuleCost { name, days: lifecycle.delete_after, warm_gb, cold_gb, storage, more }
}

/// How often a rule copies in a month: as often as its schedule comes, each day for one that cannot be read.
fn transfers(rule: &Rule) -> f64 {
    let schedule = pgkeep_schedule::Schedule::parse(&rule.schedule, jiff::tz::TimeZone::UTC);
    let from = jiff::Timestamp::UNIX_EPOCH;
    let month = from + jiff::SignedDuration::from_hours(30 * 24);
    let times = schedule.map(|s| {
        std::iter::successors(s.next_after(from), |t| s.next_after(*t)).take_while(|t| *t <= month).count()
    });
    #[allow(clippy::cast_precision_loss)] // at most the minutes of a month
    times.map_or(30.0, |n| n as f64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Settings;

    fn cost(text: &str) -> Cost {
        let plan = toml::from_str::<Settings>(text).unwrap().desired().plan;
        Cost::of(&plan, 20.0, 0.0, Prices::parse(Prices::LISTED).unwrap())
    }

    /// The table of the documents: 20 GB, dev about $0.25, prod about $1.20 and $3.00.
    #[test]
    fn the_documents_table_comes_out() {
        let close = |a: f64, b: f64| (a - b).abs() < 0.035;
        let dev = cost("name = 'c'\npreset = 'dev'");
        assert!(close(dev.rules[0].warm_gb, 4.67) && close(dev.month, 0.233), "{dev:?}");
        let prod = cost("name = 'c'\npreset = 'prod'");
        assert!(close(prod.rules[0].warm_gb, 23.33) && close(prod.rules[0].storage, 1.17), "{prod:?}");
        assert!(close(prod.rules[1].warm_gb, 60.0) && close(prod.rules[1].storage, 3.0), "{prod:?}");
        assert!(close(prod.month, 4.17) && close(prod.restore, 0.4), "{prod:?}");
    }

    #[test]
    fn changes_copies_and_cold_storage_are_counted() {
        let plan = |text: &str| toml::from_str::<Settings>(text).unwrap().desired().plan;
        let prices = Prices::parse(Prices::LISTED).unwrap();
        let prod = Cost::of(&plan("name = 'c'\npreset = 'prod'"), 20.0, 1.0, prices);
        assert!((prod.rules[0].more - 0.3).abs() < 1e-9, "{prod:?}");
        let copied = plan(
            "name = 'c'\n[rules.r]\nschedule = 'cron(0 3 * * ? *)'\ndelete_after = 120\ncold_after = 30\n\
             copy = [{ vault = 'arn:aws:backup:us-west-2:1:backup-vault:dr', delete_after = 30 }]",
        );
        let copied = Cost::of(&copied, 20.0, 1.0, prices);
        assert_eq!((copied.rules[0].warm_gb, copied.rules[0].cold_gb), (20.0, 60.0));
        assert!((copied.rules[1].more - 0.6).abs() < 1e-9, "{copied:?}");
    }

    #[test]
    fn prices_of_ones_own_have_every_key() {
        assert!(Prices::parse("warm_gb_month = 1").is_err());
        assert!(Prices::parse(&Prices::LISTED.replace("0.05", "'x'")).is_err());
    }
}
