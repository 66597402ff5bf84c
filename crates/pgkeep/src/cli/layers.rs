//! The program's options with what stands behind them: the command line, then the environment, then the database's entry
//! in the configuration, then its `[defaults]`, then what is built in.
//!
//! All of it is clap's own order, made of the options as they are declared: each gets its environment variable by its
//! name, and the configuration's values become its defaults. So no option can be forgotten.

use std::ffi::OsString;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};

use super::Cli;
use crate::config::Settings;
use crate::config::expand::expand;
use crate::config::keys::{CONFIGURABLE, THIS_RUN, key_of, names};
use crate::failure::{Failure, Result};

/// The program's definition, with environment variables.
pub(crate) fn command() -> Command {
    CONFIGURABLE.iter().fold(Cli::command(), |program, name| {
        program.mut_subcommand(*name, |command| of_all(command, &|arg| with_variable(name, arg)))
    })
}

/// Changes the arguments of a command and of all below it.
fn of_all(command: Command, change: &dyn Fn(Arg) -> Arg) -> Command {
    let below: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    below
        .into_iter()
        .fold(command.mut_args(change), |command, name| command.mut_subcommand(name, |c| of_all(c, change)))
}

fn with_variable(command: &str, arg: Arg) -> Arg {
    let this_run = arg.get_help_heading() == Some(THIS_RUN);
    let Some(long) = arg.get_long().filter(|l| !this_run && !["help", "version", "config"].contains(l))
    else {
        return arg;
    };
    let key = key_of(command, arg.get_help_heading(), long);
    let variable = format!("PGKEEP_{}", key.to_uppercase());
    let arg = match arg.get_env() {
        Some(_) => arg,
        None => arg.env(variable),
    };
    match arg.get_action() {
        ArgAction::SetTrue => arg.value_parser(BoolishValueParser::new()).hide_env_values(true),
        _ => arg.hide_env_values(true),
    }
}

/// The command line again, with these settings behind it.
pub(in crate::cli) fn parse_with(settings: &Settings) -> Result<Cli> {
    parse_words(std::env::args_os().collect(), settings)
}

/// A command that takes no words, with these settings alone behind it.
pub(in crate::cli) fn parse_alone(command: &str, settings: &Settings) -> Result<Cli> {
    parse_words(["pgkeep", command].map(Into::into).into(), settings)
}

/// Whether every command that can be configured takes these settings.
pub(super) fn try_settings(settings: &Settings) -> Result<()> {
    for words in [
        &["create", "x"][..],
        &["list", "x"],
        &["status", "x"],
        &["prune", "x"],
        &["copy", "x"],
        &["export", "x"],
        &["restore", "x", "--as", "y"],
        &["remove", "x"],
    ] {
        let words = ["pgkeep", "rds", "snapshot"].iter().chain(words).map(Into::into).collect();
        parse_words(words, settings)?;
    }
    for command in CONFIGURABLE.into_iter().filter(|c| *c != "rds") {
        let words: &[&str] = match command {
            "convert" => &["pgkeep", command, "x", "--format", "plain", "--to", "y"],
            "compare" => &["pgkeep", command, "x", "y"],
            "key" => &["pgkeep", command, "check"],
            "serve" => &["pgkeep", command],
            "hold" => &["pgkeep", command, "x", "--release"],
            "copy" => &["pgkeep", command, "x", "--to", "y"],
            _ => &["pgkeep", command, "x"],
        };
        if let super::Command::Backup(options) =
            parse_words(words.iter().map(Into::into).collect(), settings)?.command
        {
            options.rules.salt_source()?;
        }
    }
    Ok(())
}

/// These words, with settings behind them.
pub(in crate::cli) fn parse_words(words: Vec<OsString>, settings: &Settings) -> Result<Cli> {
    let mut all = Settings::new();
    for (key, values) in settings {
        let place = format!("the configuration's \"{key}\"");
        let values: Result<Vec<String>> = values.iter().map(|v| expand(v, &place)).collect();
        all.insert(key.clone(), values?);
    }
    let program = CONFIGURABLE.iter().fold(command(), |program, name| {
        program.mut_subcommand(*name, |command| of_all(command, &|arg| with_default(name, arg, &all)))
    });
    let mut cli =
        program.try_get_matches_from(words).and_then(|m| Cli::from_arg_matches(&m)).map_err(|e| {
            // The command line alone was fine; the usage that follows would not help.
            let text = e.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            Failure::usage(format!("in the configuration: {first}"))
        })?;
    match &mut cli.command {
        super::Command::Backup(options) => options.rules.add_configured(&all),
        super::Command::Check(options) => options.rules.add_configured(&all),
        _ => {}
    }
    Ok(cli)
}

fn with_default(command: &str, arg: Arg, settings: &Settings) -> Arg {
    match names(command, &arg).iter().find_map(|name| settings.get(name)) {
        Some(values) if matches!(arg.get_action(), ArgAction::Append) => arg.default_values(values.clone()),
        Some(values) => arg.default_value(values.concat()),
        None => arg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_its_variable_and_its_key() {
        let program = command();
        program.clone().debug_assert();
        let keys: Vec<String> = crate::config::keys::all(&program).into_iter().map(|k| k.name).collect();
        for name in ["backup", "restore"] {
            let options = program.find_subcommand(name).unwrap().get_arguments();
            let configured = |o: &&Arg| !o.is_global_set() && o.get_help_heading() != Some(THIS_RUN);
            for option in options.filter(configured) {
                let Some(long) = option.get_long().filter(|l| !["help", "version", "config"].contains(l))
                else {
                    continue;
                };
                let word = long.replace('-', "_");
                let variable =
                    option.get_env().unwrap_or_else(|| panic!("{name} --{long}")).to_str().unwrap();
                let aliases = option.get_visible_aliases().unwrap_or_default();
                let its = std::iter::once(long).chain(aliases).map(|l| l.replace('-', "_").to_uppercase());
                assert!(its.map(|l| format!("PGKEEP_{l}")).any(|v| v == variable), "--{long}: {variable}");
                // Those about passwords are `password = { … }`.
                assert!(
                    keys.contains(&word) || option.get_help_heading() == Some("Password"),
                    "{name} --{long}"
                );
            }
        }
    }
}
