//! `pgkeep config`.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use pgkeep_store::StoreUrl;

use super::layers::try_settings;
use crate::config::{Config, expand::expand, parse, place, read, schema::schema};
use crate::failure::{Exit, Failure, Result};
use crate::keys::{self, EncryptFlags};
use crate::notify;
use crate::show::{plural, print, print_json, warn};
use crate::stores::named;

/// Options of `config`.
#[derive(Parser)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Say what is wrong with the file, line by line
    Check {
        /// The file [default: the one that pgkeep would read]
        file: Option<PathBuf>,
    },
    /// Print the JSON schema of the file, for editors
    Schema,
}

pub(super) fn run(options: &Options, named: Option<&Path>) -> Result<()> {
    match &options.action {
        Action::Schema => {
            print_json(&schema(&super::command()));
            Ok(())
        }
        Action::Check { file } => {
            let path = place(file.as_deref().or(named)).ok_or_else(|| {
                Failure::usage("there is no configuration file\n  hint: `pgkeep init` writes one")
            })?;
            check(&path)
        }
    }
}

fn check(path: &Path) -> Result<()> {
    let text = read(path)?;
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    match parse(&text) {
        Err(problems) => errors.extend(problems.iter().map(|p| format!("line {}: {}", p.line, p.what))),
        Ok(config) => meaning(&config, &mut errors, &mut warnings),
    }
    for warning in &warnings {
        print(format!("{}: warning: {warning}", path.display()));
    }
    for error in &errors {
        warn(format!("{}: {error}", path.display()));
    }
    if errors.is_empty() {
        print(format!("{}: no mistakes, {}", path.display(), plural(warnings.len() as u64, "warning")));
        return Ok(());
    }
    let many = plural(errors.len() as u64, "mistake");
    Err(Failure::new(Exit::Usage, "config", format!("{}: {many}", path.display())))
}

/// What a well-formed file says that cannot be or should not be so.
fn meaning(config: &Config, errors: &mut Vec<String>, warnings: &mut Vec<String>) {
    for (name, database) in &config.databases {
        let url = database.url.as_deref().unwrap_or_default();
        if let Err(e) = expand(url, &format!("database \"{name}\": its url")) {
            warnings.push(e.message);
        }
        if has_password(url) {
            warnings.push(format!(
                "database \"{name}\": its url holds the password itself; better is password = {{ file = … }}, \
                 {{ command = … }}, {{ env = … }} or {{ secret = … }}"
            ));
        }
    }
    let has_schedule = |name: &&String| config.settings_of(Some(name)).contains_key("schedule");
    if config.databases.keys().any(|name| has_schedule(&name)) {
        for name in config.databases.keys().filter(|name| !has_schedule(name)) {
            warnings.push(format!(
                "database \"{name}\": it has no schedule, while others have: pgkeep serve does not back it up"
            ));
        }
    }
    for name in config.stores.keys() {
        match named(std::slice::from_ref(name), config).map(|stores| stores[0].url.parse::<StoreUrl>()) {
            Err(e) => warnings.push(e.message),
            Ok(Err(e)) => errors.push(format!("store \"{name}\": {e}")),
            Ok(Ok(_)) => {}
        }
        if let Err(e) = try_settings(&config.settings_in(None, name)) {
            errors.push(format!("store \"{name}\": {}", e.message));
        }
    }
    for (name, entry) in &config.notify {
        match notify::check(name, entry) {
            Ok(unset) => warnings.extend(unset),
            Err(why) => errors.push(format!("notify \"{name}\": {why}")),
        }
    }
    let entries = config.databases.keys().map(|name| Some(name.as_str()));
    for entry in std::iter::once(None).chain(entries) {
        let settings = config.settings_of(entry);
        let words = ["to", "store"].iter().find_map(|key| settings.get(*key)).cloned().unwrap_or_default();
        let literal: Vec<String> = words.into_iter().filter(|w| !w.contains("${")).collect();
        let tried = try_settings(&settings)
            .and_then(|()| named(&literal, config).map(drop))
            .and_then(|()| notify::known(settings.get("notify").into_iter().flatten(), config));
        if let Err(e) = tried {
            let message = match entry {
                Some(name) => format!("database \"{name}\": {}", e.message),
                None => e.message,
            };
            errors.push(message);
        }
        let words = entry.map(|name| format!("database \"{name}\": ")).unwrap_or_default();
        match EncryptFlags::of(&settings).recipients().map(|r| keys::warning(r.len())) {
            Ok(Some(warning)) => warnings.push(format!("{words}{warning}")),
            Ok(_) => {}
            Err(e) => errors.push(format!("{words}{}", e.message)),
        }
    }
}

/// Whether a password stands in the connection string, rather than the name of a variable.
pub(super) fn has_password(url: &str) -> bool {
    let literal = |text: &str| !text.is_empty() && !text.starts_with("${");
    if let Some((_, rest)) = url.split_once("://") {
        let place = rest.split('?').next().unwrap_or_default();
        let user = place.rsplit_once('@').map(|(user, _)| user).unwrap_or_default();
        return user.split_once(':').is_some_and(|(_, password)| literal(password))
            || rest.split(['?', '&']).any(|p| p.strip_prefix("password=").is_some_and(literal));
    }
    url.split_once("password").is_some_and(|(_, rest)| {
        rest.trim_start().strip_prefix('=').is_some_and(|p| literal(p.trim_start().trim_start_matches('\'')))
    })
}

#[cfg(test)]
mod tests {
    use super::has_password;

    #[test]
    fn a_password_in_a_url_is_noticed_and_a_variable_is_none() {
        for bad in ["postgres://u:p@h/d", "postgres://h/d?password=p", "host=h password = 'p'"] {
            assert!(has_password(bad), "{bad}");
        }
        for good in ["postgres://u:${P}@h/d", "postgres://u@h:1/d", "host=h password=${P}", "rds:shop?user=a"]
        {
            assert!(!has_password(good), "{good}");
        }
    }
}
