//! The keys that a configuration may have: those of the program's own options, so that none is forgotten.

use std::any::TypeId;

use clap::{Arg, ArgAction, Command};

use crate::rules::Rule;

/// Commands whose options can be configured.
pub(crate) const CONFIGURABLE: [&str; 17] = [
    "backup", "restore", "convert", "list", "show", "verify", "drill", "compare", "check", "prune", "hold",
    "adopt", "key", "copy", "sync", "serve", RDS,
];

/// The command whose options have its name before theirs in the environment and in the configuration: what is kept of
/// snapshots is not what is kept of backups.
const RDS: &str = "rds";

/// An option as a key.
pub(crate) struct Key {
    /// With underscores.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) help: String,
    /// Whether it can stand in a store's entry.
    pub(crate) of_store: bool,
    /// Whether it stands in `[defaults]` alone.
    pub(crate) of_daemon: bool,
    /// The one command that has this option; `None` where several have it.
    pub(crate) command: Option<&'static str>,
}

impl Key {
    /// What it is called in `[drill]`, where only what is about drills can stand: without `drill_` before it.
    pub(crate) fn in_drill(&self) -> Option<&str> {
        self.name.strip_prefix("drill_").or((self.command == Some("drill")).then_some(&self.name))
    }
}

/// What a key's value is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Switch,
    List,
    Word,
    /// Strings by a name.
    Table,
}

/// The heading of options that say something about one run only and are not configured: where a conversion goes is not
/// where backups go.
pub(crate) const THIS_RUN: &str = "This run";

/// The heading of options about the daemon as a whole, which no database's entry can have.
pub(crate) const DAEMON: &str = "Daemon";

/// The headings of options that a store's entry can have, too: where they say something about a store.
pub(crate) const OF_STORES: [&str; 2] = ["Store", "Retention"];

/// The names under which an option can be configured: its own and its aliases. Options about passwords are not among
/// them: `password = { … }` of a database says it.
pub(crate) fn names(command: &str, arg: &Arg) -> Vec<String> {
    let Some(long) = arg
        .get_long()
        .filter(|_| !matches!(arg.get_help_heading(), Some("Password" | THIS_RUN)) && !arg.is_global_set())
    else {
        return Vec::new();
    };
    let aliases = arg.get_visible_aliases().unwrap_or_default();
    std::iter::once(long)
        .chain(aliases)
        .filter(|l| !["help", "version"].contains(l))
        .map(|l| key_of(command, arg.get_help_heading(), l))
        .collect()
}

/// The key of an option of a command.
pub(crate) fn key_of(command: &str, heading: Option<&str>, long: &str) -> String {
    let key = long.replace('-', "_");
    let is_of_all = matches!(long, "json" | "progress" | "notify" | "time-zone" | "drill-check")
        || heading == Some("Password");
    if command == RDS && !is_of_all { format!("{RDS}_{key}") } else { key }
}

/// What values the option takes.
pub(crate) fn kind(arg: &Arg) -> Kind {
    match arg.get_action() {
        _ if arg.get_value_parser().type_id() == TypeId::of::<Rule>() => Kind::Table,
        ArgAction::SetTrue => Kind::Switch,
        ArgAction::Append => Kind::List,
        _ => Kind::Word,
    }
}

/// Every key.
pub(crate) fn all(program: &Command) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    let commands = CONFIGURABLE.iter().filter_map(|c| Some((*c, program.find_subcommand(c)?)));
    for (command, arg) in
        commands.flat_map(|(c, program)| arguments(program).into_iter().map(move |a| (c, a)))
    {
        for name in names(command, arg) {
            if let Some(known) = keys.iter_mut().find(|k| k.name == name) {
                known.command = known.command.filter(|c| *c == command);
            } else {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                let of_store =
                    command != RDS && arg.get_help_heading().is_some_and(|h| OF_STORES.contains(&h));
                let of_daemon = arg.get_help_heading() == Some(DAEMON);
                keys.push(Key { name, kind: kind(arg), help, of_store, of_daemon, command: Some(command) });
            }
        }
    }
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    keys
}

/// The arguments of a command and of all below it.
fn arguments(command: &Command) -> Vec<&Arg> {
    command.get_arguments().chain(command.get_subcommands().flat_map(arguments)).collect()
}

/// The known word that was probably meant.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let score = |k: &str| strsim::jaro_winkler(word, k);
    known.iter().copied().filter(|k| score(k) > 0.8).max_by(|a, b| score(a).total_cmp(&score(b)))
}
