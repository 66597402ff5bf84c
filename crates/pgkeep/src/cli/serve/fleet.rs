//! The configuration as the daemon sees it: databases, and tasks with their times.

use std::path::PathBuf;
use std::rc::Rc;

use pgkeep_keep::safe_name;
use pgkeep_schedule::jitter;
use pgkeep_serve::{Fleet, FleetSource, Limits, Member, ServeError, StoreUrl, Task, TaskKind};

use super::Options;
use crate::cli::Command;
use crate::cli::layers::{parse_alone, parse_with};
use crate::cli::prune::policy_in;
use crate::cli::rds::is_on_rds;
use crate::config::{Config, Settings};
use crate::connect;
use crate::failure::{Failure, Result};
use crate::stores;

/// Reads the fleet from the configuration file.
pub(in crate::cli) struct Configured {
    config: Option<PathBuf>,
    /// Whether the command line is that of `serve`, whose options count before the file's.
    with_command_line: bool,
}

impl Configured {
    /// With the options of the command line, which is that of `serve`.
    pub(super) fn by_command_line(config: Option<PathBuf>) -> Configured {
        Configured { config, with_command_line: true }
    }

    /// By environment and file alone.
    pub(in crate::cli) fn alone(config: Option<PathBuf>) -> Configured {
        Configured { config, with_command_line: false }
    }

    fn options(&self, settings: &Settings) -> Result<Rc<Options>> {
        let cli = match self.with_command_line {
            true => parse_with(settings)?,
            false => parse_alone("serve", settings)?,
        };
        match cli.command {
            Command::Serve(options) => Ok(Rc::from(options)),
            _ => Err(Failure::usage("serve alone has a fleet")),
        }
    }

    /// The fleet, and the folder that the configuration names for the daemon's state.
    pub(in crate::cli) fn load_with_state(&self) -> Result<(Fleet, Option<PathBuf>)> {
        let config = Config::load(self.config.as_deref())?;
        let of_all = self.options(&config.settings_of(None))?;
        Ok((self.fleet(&config, &of_all)?, of_all.state.clone()))
    }

    fn fleet(&self, config: &Config, of_all: &Options) -> Result<Fleet> {
        let mut fleet = Fleet {
            limits: Limits { total: of_all.max_runs, per_host: of_all.max_runs_per_host },
            ..Fleet::default()
        };
        // Most databases say the same, and making sense of options takes its time.
        let (mut options, mut policies) = (Same(Vec::new()), Same(Vec::new()));
        for (name, database) in &config.databases {
            let settings = config.settings_of(Some(name));
            let own: Rc<Options> = options.of(settings.clone(), |settings| self.options(settings))?;
            let kept_as = safe_name(settings.get("name").and_then(|v| v.first()).unwrap_or(name));
            let stores = stores::of_database(name, config)?.into_iter().map(|store| {
                let retention = policies.of(config.settings_in(Some(name), &store.name), |_| {
                    policy_in(config, &store.name, name)
                })?;
                Ok(StoreUrl { name: store.name, url: store.url, retention })
            });
            let member = Member {
                name: name.clone(),
                kept_as,
                host: connect::host(name, config),
                stores: stores.collect::<Result<_>>()?,
                production: database.production,
            };
            fleet.tasks.extend(tasks(&member, &settings, &database.settings, &own, is_on_rds(name, config))?);
            fleet.members.push(member);
        }
        fleet.tasks.extend(of_all_databases(&fleet.members, of_all, config.aws_backup.is_some())?);
        Ok(fleet)
    }
}

impl FleetSource for Configured {
    fn load(&self) -> pgkeep_serve::Result<Fleet> {
        self.load_with_state().map(|(fleet, _)| fleet).map_err(|failure| ServeError::Config(failure.message))
    }
}

/// What was made of the same settings before.
struct Same<T>(Vec<(Settings, T)>);

impl<T: Clone> Same<T> {
    fn of(&mut self, settings: Settings, make: impl FnOnce(&Settings) -> Result<T>) -> Result<T> {
        if let Some((_, made)) = self.0.iter().find(|(known, _)| *known == settings) {
            return Ok(made.clone());
        }
        let made = make(&settings)?;
        self.0.push((settings, made.clone()));
        Ok(made)
    }
}

/// The tasks of one database: those with a schedule, and those that are run by hand.
fn tasks(
    member: &Member,
    settings: &Settings,
    own: &Settings,
    options: &Options,
    is_on_rds: bool,
) -> Result<Vec<Task>> {
    let is_server = settings.get("all").is_some_and(|all| all.concat() == "true");
    let mut tasks = Vec::new();
    for kind in TaskKind::ALL
        .into_iter()
        .filter(|kind| *kind != TaskKind::Vault && (*kind != TaskKind::Rds || is_on_rds))
    {
        // A drill is of one database's backup, and a server's databases each have their own.
        let has_one = !is_server || !matches!(kind, TaskKind::Drill | TaskKind::Restore);
        if !has_one || (kind == TaskKind::Sync && member.stores.len() < 2) {
            continue;
        }
        // What [defaults] says of prunes and syncs is one task for all.
        let key = format!("{}_schedule", kind.as_str());
        let is_own = !matches!(kind, TaskKind::Prune | TaskKind::Sync) || own.contains_key(&key);
        let id = format!("{}/{}", member.name, kind.as_str());
        let words = words(kind, member);
        tasks.push(task(id, kind, Some(&member.name), words, options, is_own)?);
    }
    Ok(tasks)
}

fn words(kind: TaskKind, member: &Member) -> Vec<String> {
    let mut words = vec![kind.as_str().to_owned()];
    match kind {
        TaskKind::Backup | TaskKind::Sync => words.push(member.name.clone()),
        TaskKind::Drill | TaskKind::Prune => words.push(member.kept_as.clone()),
        TaskKind::Verify => words.extend([member.kept_as.clone(), "--all".into(), "--hashes-only".into()]),
        TaskKind::Rds => words.extend(["snapshot", "create", &member.name].map(str::to_owned)),
        TaskKind::Restore | TaskKind::Vault => {}
    }
    // Words for backups lead to the database's entry only where it has their name.
    if matches!(kind, TaskKind::Drill | TaskKind::Verify | TaskKind::Prune) {
        words.extend(store_words(&[member]));
    }
    words
}

/// What `[defaults]` says is one task for all databases.
fn of_all_databases(members: &[Member], options: &Options, has_vault: bool) -> Result<Vec<Task>> {
    let mut tasks = Vec::new();
    if has_vault {
        let words = ["vault", "status"].map(str::to_owned).into();
        tasks.push(task("vault".into(), TaskKind::Vault, None, words, options, true)?);
    }
    let all: Vec<&Member> = members.iter().collect();
    if !members.is_empty() {
        let words = std::iter::once("prune".to_owned()).chain(store_words(&all)).collect();
        tasks.push(task("prune".into(), TaskKind::Prune, None, words, options, true)?);
    }
    if members.iter().any(|m| m.stores.len() > 1) {
        tasks.push(task("sync".into(), TaskKind::Sync, None, vec!["sync".into()], options, true)?);
    }
    Ok(tasks)
}

fn store_words(members: &[&Member]) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    for store in members.iter().flat_map(|m| &m.stores) {
        if !names.contains(&store.name.as_str()) {
            names.push(&store.name);
        }
    }
    names.into_iter().flat_map(|name| ["--store".to_owned(), name.to_owned()]).collect()
}

fn task(
    id: String,
    kind: TaskKind,
    database: Option<&str>,
    words: Vec<String>,
    options: &Options,
    is_scheduled: bool,
) -> Result<Task> {
    let flags = &options.schedule;
    Ok(Task {
        kind,
        database: database.map(Into::into),
        words,
        schedule: if is_scheduled { flags.of(kind)? } else { None },
        jitter: jitter(&id, flags.jitter()),
        windows: flags.windows(),
        retries: flags.retries(),
        id,
    })
}
