//! Retention on the command line and in the configuration.

use clap::{Args, Parser};
use jiff::tz::TimeZone;
use pgkeep_keep::retention::{Policy, span_of};

use crate::failure::{Failure, Result};

/// What is to be kept. Every rule counts from the newest backup, and what any rule keeps stays.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Retention")]
pub(crate) struct RetentionFlags {
    /// Keep so many of the newest
    #[arg(long, value_name = "N")]
    keep_last: Option<u32>,
    /// Keep what is no more than this older than the newest, such as 36h, 30d, 8w, 6mo
    #[arg(long, value_name = "TIME")]
    keep_within: Option<String>,
    /// Keep the newest of each of so many hours that have one
    #[arg(long, value_name = "N")]
    keep_hourly: Option<u32>,
    /// Keep the newest of each of so many days
    #[arg(long, value_name = "N")]
    keep_daily: Option<u32>,
    /// Keep the newest of each of so many weeks (from Monday on)
    #[arg(long, value_name = "N")]
    keep_weekly: Option<u32>,
    /// Keep the newest of each of so many months
    #[arg(long, value_name = "N")]
    keep_monthly: Option<u32>,
    /// Keep the newest of each of so many years
    #[arg(long, value_name = "N")]
    keep_yearly: Option<u32>,
    /// Where days begin, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// How often a backup is to come, such as 1d: while the newest is older than this, nothing is deleted
    #[arg(long, value_name = "TIME")]
    expect_every: Option<String>,
}

/// Rules by themselves.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Rules {
    #[command(flatten)]
    flags: RetentionFlags,
}

impl RetentionFlags {
    /// Rules as `daily=30`, `within=90d`; zone and what is expected are those of `self`.
    pub(crate) fn of_rules(&self, rules: &[String]) -> Result<RetentionFlags> {
        let words = rules.iter().map(|rule| format!("--keep-{rule}"));
        let parsed = Rules::try_parse_from(words).map_err(|e| {
            let text = e.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            Failure::usage(format!(
                "rules {}: {first}\n  hint: write them like daily=30 or within=90d",
                rules.join(" ")
            ))
        })?;
        let (time_zone, expect_every) = (self.time_zone.clone(), self.expect_every.clone());
        Ok(RetentionFlags { time_zone, expect_every, ..parsed.flags })
    }

    /// The policy that they say.
    pub(crate) fn policy(&self) -> Result<Policy> {
        let zone = |name: &String| {
            TimeZone::get(name).map_err(|_| {
                Failure::usage(format!(
                    "--time-zone {name}: no such zone\n  hint: write it like Europe/Berlin"
                ))
            })
        };
        Ok(Policy {
            last: self.keep_last,
            within: parsed("--keep-within", self.keep_within.as_ref(), span_of)?,
            hourly: self.keep_hourly,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
            zone: self.time_zone.as_ref().map(zone).transpose()?,
            expect_every: parsed("--expect-every", self.expect_every.as_ref(), Policy::interval_of)?
                .flatten(),
        })
    }
}

/// An option's value, or what is wrong with it.
pub(crate) fn parsed<T>(
    option: &str,
    text: Option<&String>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>> {
    text.map(|text| parse(text).map_err(|why| Failure::usage(format!("{option} {text}: {why}")))).transpose()
}
