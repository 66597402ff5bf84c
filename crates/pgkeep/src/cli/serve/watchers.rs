//! Who looks on at the daemon: its log, the audit log, channels, CloudWatch, OpenTelemetry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};

use clap::{Args, ValueEnum};
use pgkeep_notify::Notifications;
use pgkeep_serve::logging::{self, LogFormat, LogLevel};
use pgkeep_serve::watchers::{AuditLog, CloudWatch, Notifier, RunLog, Telemetry};
use pgkeep_serve::{Fleet, FleetSource, Shared, Watchers};

use super::fleet::Configured;
use crate::config::Config;
use crate::config::keys::DAEMON;
use crate::failure::{Exit, Failure, Result};
use crate::notify::{channel, host};

/// Options of `serve` about who looks on.
#[derive(Args, Debug, Clone)]
pub(super) struct WatchFlags {
    /// How the lines of the log look (on standard error)
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT", help_heading = DAEMON)]
    log_format: FormatName,
    /// What the log tells at least
    #[arg(long, value_enum, default_value = "info", value_name = "LEVEL", help_heading = DAEMON)]
    log_level: LevelName,
    /// Put metrics into CloudWatch
    #[arg(long, help_heading = DAEMON)]
    cloudwatch: bool,
    /// The namespace of these metrics
    #[arg(long, value_name = "NAME", default_value = pgkeep_cloud::NAMESPACE, help_heading = DAEMON)]
    cloudwatch_namespace: String,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum FormatName {
    Text,
    Json,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum LevelName {
    Error,
    Warn,
    Info,
    Debug,
}

impl WatchFlags {
    /// Begins the log, and OpenTelemetry where the environment names an endpoint.
    pub(super) fn start_log(&self) -> Result<Option<Telemetry>> {
        let telemetry = Telemetry::start(&host())?;
        let format = match self.log_format {
            FormatName::Text => LogFormat::Text,
            FormatName::Json => LogFormat::Json,
        };
        let level = match self.log_level {
            LevelName::Error => LogLevel::Error,
            LevelName::Warn => LogLevel::Warn,
            LevelName::Info => LogLevel::Info,
            LevelName::Debug => LogLevel::Debug,
        };
        logging::start(format, level, telemetry.as_ref())?;
        Ok(telemetry)
    }

    /// All that look on.
    pub(super) fn watchers(
        &self,
        telemetry: Option<Telemetry>,
        channels: &Channels,
        shared: &Arc<Shared>,
        state: &Path,
    ) -> Result<Watchers> {
        let mut watchers = Watchers::default();
        watchers.add(Arc::new(RunLog));
        watchers.add(Arc::new(AuditLog::open(&state.join("audit.jsonl"))?));
        watchers.add(Arc::new(Notifier::new(channels.start(shared), shared)));
        if self.cloudwatch {
            let started = CloudWatch::start(None, self.cloudwatch_namespace.clone(), shared);
            let failed = |e| Failure::new(Exit::Failed, "failed", format!("the thread for CloudWatch: {e}"));
            watchers.add(Arc::new(started.map_err(failed)?));
        }
        if let Some(telemetry) = telemetry {
            watchers.add(Arc::new(telemetry));
        }
        Ok(watchers)
    }
}

/// The configured channels, read anew whenever the fleet is.
#[derive(Clone)]
pub(super) struct Channels {
    config: Option<PathBuf>,
    running: Arc<OnceLock<(Arc<Notifications>, Weak<Shared>)>>,
}

impl Channels {
    pub(super) fn new(config: Option<PathBuf>) -> Channels {
        Channels { config, running: Arc::default() }
    }

    fn start(&self, shared: &Arc<Shared>) -> Arc<Notifications> {
        let (about, running) = (Arc::downgrade(shared), Arc::downgrade(&self.running));
        let listener = Arc::new(move |name: &str, said: Result<&str, &str>| {
            match said {
                Ok(said) => tracing::info!(channel = name, said, "notified"),
                Err(error) => tracing::warn!(channel = name, error, "a channel did not take a message"),
            }
            // A channel that is not configured any more may still try what waits for it.
            let is_known = running
                .upgrade()
                .and_then(|running| Some(running.get()?.0.names().iter().any(|known| known == name)))
                .unwrap_or(false);
            if let Some(shared) = about.upgrade().filter(|_| is_known) {
                shared.set_problem(
                    &format!("notify {name}"),
                    said.err().map(|e| format!("notify {name}: {e}")),
                );
            }
        });
        let new = Arc::new(Notifications::new(Vec::new(), BTreeMap::new(), host(), listener));
        let (notifications, _) = self.running.get_or_init(|| (new, Arc::downgrade(shared)));
        self.load();
        notifications.clone()
    }

    /// Reads them. One that makes no sense or whose secret can't be had is a problem and keeps no backup from being made.
    fn load(&self) {
        let Some((notifications, shared)) = self.running.get() else { return };
        let Ok(config) = Config::load(self.config.as_deref()) else { return };
        let tell = |name: &str, problem: Option<String>| {
            if let Some(shared) = shared.upgrade() {
                shared.set_problem(&format!("notify {name}"), problem);
            }
        };
        notifications.names().iter().for_each(|name| tell(name, None));
        let mut channels = Vec::new();
        for name in config.notify.keys() {
            let made = channel(name, &config);
            let problem = made.as_ref().err().map(|failure| failure.message.clone());
            if let Some(error) = &problem {
                tracing::error!(channel = name, error, "nobody is told by this channel");
            }
            tell(name, problem);
            channels.extend(made);
        }
        let names = config.databases.keys().filter_map(|name| {
            let named = config.settings_of(Some(name)).remove("notify")?;
            Some((name.clone(), named))
        });
        notifications.replace(channels, names.collect());
    }
}

/// The fleet, with which the channels are read anew.
pub(super) struct WithChannels {
    pub(super) fleet: Configured,
    pub(super) channels: Channels,
}

impl FleetSource for WithChannels {
    fn load(&self) -> pgkeep_serve::Result<Fleet> {
        let fleet = self.fleet.load()?;
        self.channels.load();
        Ok(fleet)
    }
}
