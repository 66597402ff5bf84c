//! `pgkeep notify`.

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use pgkeep_notify::{Event, EventKind, Message};
use serde_json::json;

use crate::config::Config;
use crate::failure::{Exit, Failure, Result};
use crate::notify::{channel, host};
use crate::show::{plural, print, print_json, warn};

/// Options of `notify`.
#[derive(Parser)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Send a made-up event and print what the other end said
    Test {
        /// The channel [default: each that is configured]
        name: Option<String>,
        /// What is to have happened: started, success, failure, recovered, overdue, drill-failed, retention-blocked,
        /// copy-degraded, reload-failed
        #[arg(long, default_value = "failure")]
        event: String,
        /// Print JSON, one line for each channel
        #[arg(long)]
        json: bool,
    },
}

impl Options {
    pub(super) fn json(&self) -> bool {
        let Action::Test { json, .. } = self.action;
        json
    }
}

pub(super) fn run(options: &Options, config: &Config) -> Result<()> {
    let Action::Test { name, event, json } = &options.action;
    let Some(kind) = EventKind::of(event) else {
        let known: Vec<&str> = EventKind::ALL.into_iter().map(EventKind::as_str).collect();
        return Err(Failure::usage(format!("--event {event}: it is one of {}", known.join(", "))));
    };
    let names: Vec<&String> = match name {
        Some(name) => vec![name],
        None => config.notify.keys().collect(),
    };
    if names.is_empty() {
        return Err(Failure::usage("no channel is configured\n  hint: see docs/notifications.md"));
    }
    let message = Message::of(&Event::sample(kind, Timestamp::now()), &host());
    let mut failed = Vec::new();
    for name in names {
        // A channel whose secret can't be had does not keep the others from being tried.
        let sent = match channel(name, config) {
            Ok(channel) => channel.send(&message).map_err(|e| e.to_string()),
            Err(failure) if config.notify.contains_key(name) => Err(failure.message),
            Err(failure) => return Err(failure),
        };
        if *json {
            let said = sent.as_ref().unwrap_or_else(|why| why);
            print_json(&json!({ "ok": sent.is_ok(), "channel": name, "said": said }));
        }
        match sent {
            Ok(said) if !json => print(format!("{name}: {said}")),
            Ok(_) => {}
            Err(why) => {
                if !json {
                    warn(format!("pgkeep: error: {name}: {why}"));
                }
                failed.push(name.as_str());
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    let many = plural(failed.len() as u64, "channel");
    let message = format!("{many} did not take the message: {}", failed.join(", "));
    Err(Failure { told: *json, ..Failure::new(Exit::Failed, "notify", message) })
}
