//! `pgkeep rds snapshot export`.

use clap::Parser;
use pgkeep_cloud::ExportOrder;
use pgkeep_snapshots::{Source, Wanted, export, find};
use serde_json::json;

use super::Action;
use super::place::{Place, PlaceFlags, place};
use super::watch::WaitFlags;
use crate::config::Config;
use crate::config::keys::THIS_RUN;
use crate::failure::{Failure, Result};
use crate::notify::NotifyFlags;
use crate::show::{print, print_json};
use crate::signals;

/// Options of `rds snapshot export`.
#[derive(Parser)]
pub(super) struct Options {
    /// A configured database, or an instance or cluster by name or ARN
    database: String,
    #[command(flatten)]
    pub(super) place: PlaceFlags,
    /// The snapshot's name [default: the newest that pgkeep has made]
    #[arg(long, value_name = "NAME", help_heading = THIS_RUN)]
    snapshot: Option<String>,
    /// The bucket, in the snapshot's region
    #[arg(long, value_name = "BUCKET", help_heading = "Export")]
    export_bucket: Option<String>,
    /// What keys begin with
    #[arg(long, value_name = "PREFIX", help_heading = "Export")]
    export_prefix: Option<String>,
    /// ARN of the role by which RDS writes
    #[arg(long, value_name = "ARN", help_heading = "Export")]
    export_role: Option<String>,
    /// The key by which RDS encrypts; it exports nothing unencrypted
    #[arg(long, value_name = "KEY", help_heading = "Export")]
    export_kms_key: Option<String>,
    /// Only this: database, database.schema or database.schema.table; may be given several times
    #[arg(long, value_name = "NAME", help_heading = "Export")]
    export_only: Vec<String>,
    /// Return when RDS has begun, which takes its time with much data
    #[arg(long, help_heading = THIS_RUN)]
    no_wait: bool,
    #[command(flatten)]
    wait: WaitFlags,
    #[command(flatten)]
    notify: NotifyFlags,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

fn flags(action: &Action) -> Option<&PlaceFlags> {
    match action {
        Action::Export(options) => Some(&options.place),
        _ => None,
    }
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let place = place(&options.database, config, &flags)?;
    let Action::Export(own) = &place.action else { return Ok(()) };
    own.notify.told(config, "rds export", Some(&place.label), || one(&place, own))
}

fn one(place: &Place, options: &Options) -> Result<()> {
    let cancel = signals::cancel_on_signals().map_err(|e| Failure::usage(format!("signal handlers: {e}")))?;
    let needed = |option: &str, value: &Option<String>| {
        value.clone().ok_or_else(|| {
            Failure::usage(format!("{option} is missing\n  hint: docs/rds-snapshots.md, \"Export\""))
        })
    };
    let wanted = options.snapshot.clone().map_or(Wanted::Newest, Wanted::Named);
    let mut order = ExportOrder {
        name: String::new(),
        snapshot: String::new(),
        bucket: needed("--export-bucket", &options.export_bucket)?,
        prefix: options.export_prefix.clone(),
        role: needed("--export-role", &options.export_role)?,
        kms_key: needed("--export-kms-key", &options.export_kms_key)?,
        only: options.export_only.clone(),
    };
    let Source::Snapshot(snapshot) = find(&place.rds, &place.instance, &wanted)? else {
        return Err(Failure::usage("only snapshots are exported"));
    };
    order.snapshot.clone_from(&snapshot.arn);
    let windows = options.wait.windows()?;
    let done = options.wait.at_pace(&cancel, |pace| {
        export(&place.rds, &snapshot.name, &order, !options.no_wait, windows, pace)
    })??;
    let key = format!("{}{}", done.prefix.as_deref().map(|p| format!("{p}/")).unwrap_or_default(), done.name);
    let url = format!("s3://{}/{key}/", done.bucket);
    if options.json {
        print_json(
            &json!({ "ok": true, "database": place.label, "id": snapshot.name, "task": done.name, "status": done.status,
            "url": url, "extracted_gb": done.extracted_gb, "warning": done.warning }),
        );
    } else {
        print(format!(
            "{}: export of {} to {url}: {}",
            place.label,
            snapshot.name,
            done.status.to_lowercase()
        ));
        if let Some(warning) = &done.warning {
            print(format!("  RDS warns: {warning}"));
        }
    }
    Ok(())
}
