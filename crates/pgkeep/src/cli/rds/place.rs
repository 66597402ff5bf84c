//! From names on the command line to instances and clusters.

use clap::Args;
use pgkeep_cloud::{Account, Rds};
use pgkeep_snapshots::SnapshotError;

use super::Action;
use crate::config::expand::expand;
use crate::config::{Config, Settings};
use crate::connect::{is_rds, rds_named};
use crate::failure::{Failure, Result};
use crate::job::CopyTarget;

/// Which instances and clusters are meant.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "RDS")]
pub(crate) struct PlaceFlags {
    /// The instance or cluster of a configured database, by name or ARN [default: the one in its url, rds:NAME]
    #[arg(long, value_name = "NAME")]
    pub(super) instance: Option<String>,
    /// The region [default: that of the name, then AWS's own]
    #[arg(long)]
    pub(super) region: Option<String>,
}

/// Other regions with copies.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "RDS")]
pub(crate) struct CopyFlags {
    /// Another region, with a key of KMS there for encrypted snapshots: us-west-2=alias/backups
    #[arg(long, value_name = "REGION[=KEY]")]
    copy_to: Vec<String>,
}

impl CopyFlags {
    pub(super) fn targets(&self) -> Vec<CopyTarget> {
        let target = |words: &String| {
            let (region, key) = words.split_once('=').map_or((words.as_str(), None), |(r, k)| (r, Some(k)));
            CopyTarget { region: region.to_owned(), kms_key: key.map(str::to_owned) }
        };
        self.copy_to.iter().filter(|w| !w.is_empty()).map(target).collect()
    }
}

/// One that is meant.
pub(super) struct Place {
    /// The name of the configured database, or of the instance where none is.
    pub(super) label: String,
    /// The instance or cluster.
    pub(super) instance: String,
    pub(super) rds: Rds,
    /// The options that count for it.
    pub(super) action: Action,
}

/// Those that were named: configured databases, `rds:` names, names and ARNs of instances and clusters. Without a name all
/// that are configured.
pub(super) fn places(
    names: &[String],
    config: &Config,
    flags: impl Fn(&Action) -> Option<&PlaceFlags>,
) -> Result<Vec<Place>> {
    let all: Vec<String> = match names.is_empty() {
        true => config.databases.keys().filter(|name| is_on_rds(name, config)).cloned().collect(),
        false => names.to_vec(),
    };
    if all.is_empty() {
        return Err(Failure::usage(
            "no instance is named\n  hint: pgkeep rds snapshot … <instance or cluster>, or configure databases with rds_instance",
        ));
    }
    all.iter().map(|name| place(name, config, &flags)).collect()
}

/// Whether a configured database is known to be one of RDS.
pub(in crate::cli) fn is_on_rds(name: &str, config: &Config) -> bool {
    let named = |settings: &Settings| settings.contains_key("rds_instance");
    config.databases.get(name).is_some_and(|d| named(&d.settings) || d.url.as_deref().is_some_and(is_rds))
}

/// The one that was named.
pub(super) fn place(
    name: &str,
    config: &Config,
    flags: &impl Fn(&Action) -> Option<&PlaceFlags>,
) -> Result<Place> {
    place_by(name, config, flags, super::action_with)
}

/// The same, with options that were read otherwise than from the command line.
pub(super) fn place_by(
    name: &str,
    config: &Config,
    flags: &impl Fn(&Action) -> Option<&PlaceFlags>,
    action: impl Fn(&Settings) -> Result<Action>,
) -> Result<Place> {
    let entry = config.databases.get(name);
    let action = action(&config.settings_of(entry.map(|_| name)))?;
    let flags = flags(&action).cloned().unwrap_or_default();
    let (instance, region) = match (&entry, flags.instance) {
        (Some(_), Some(instance)) => (instance, None),
        (Some(entry), None) => {
            let url = entry.url.as_deref().unwrap_or_default();
            let url = expand(url, &format!("the URL of database \"{name}\""))?;
            if !is_rds(&url) {
                return Err(Failure::usage(format!(
                    "database {name}: nothing says which instance or cluster of RDS it is\n  hint: rds_instance = \"…\" in \
                     [databases.{name}]"
                )));
            }
            rds_named(&url)?
        }
        (None, _) if is_rds(name) => rds_named(name)?,
        (None, _) => rds_named(&format!("rds:{name}"))?,
    };
    let account = Account::of(&instance, flags.region.as_deref().or(region.as_deref()));
    let rds = account.map_err(SnapshotError::from)?.rds_snapshots();
    let label = entry
        .map_or_else(|| instance.rsplit(':').next().unwrap_or(&instance).to_owned(), |_| name.to_owned());
    Ok(Place { label, instance, rds, action })
}
