//! `pgkeep verify --all`: every backup of a store, or of a name in it.

use pgkeep_engine::Cancel;
use pgkeep_keep::{KeepError, Listed};
use serde_json::json;

use super::{Depth, Done, Options, check, told};
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::resolve::Found;
use crate::show::{plural, print, print_json};
use crate::stores::{Holding, Holdings};

/// Checks them one after the other; a damaged one does not keep the others from being checked.
pub(super) fn run(options: &Options, config: &Config, depth: Depth, cancel: &Cancel) -> Result<()> {
    let prefix = options.backup.as_ref().map(|name| format!("{name}/")).unwrap_or_default();
    let holdings = Holdings::look_below(&options.store.named(config)?, &prefix)?;
    let (mut checked, mut failures) = (0, Vec::new());
    for store in &holdings.stores {
        for listed in &store.listed {
            let done = in_store(options, store, listed, depth, cancel);
            checked += 1;
            tell(options, store, listed, &done);
            if let Err((failure, _)) = done {
                failures.push(failure);
            }
            if cancel.is_raised() {
                return Err(failures.pop().unwrap_or_else(|| KeepError::Cancelled.into()));
            }
        }
    }
    // A store that did not answer was told of; what is in it was not checked.
    let (silent, wrong) = (holdings.silent.into_iter().map(|(_, failure)| failure), failures.len() as u64);
    if !options.json {
        print(format!("{} of {} in order", checked - wrong, plural(checked, "backup")));
    }
    match failures.into_iter().chain(silent).next() {
        None => Ok(()),
        Some(first) => {
            let message = match wrong {
                0 => format!("not every store was looked at: {}", first.message),
                _ => format!("{wrong} of {} not in order: {}", plural(checked, "backup"), first.message),
            };
            Err(Failure { message, ..first })
        }
    }
}

type Outcome = Result<(Found, Done), (Failure, Option<String>)>;

fn in_store(options: &Options, store: &Holding, listed: &Listed, depth: Depth, cancel: &Cancel) -> Outcome {
    let manifest = store.catalogue.manifest(listed).map_err(|e| (e.into(), None))?;
    let found = Found::kept(store.catalogue.store(), listed, manifest).with_keys(&options.keys);
    match check(options, &found, depth, cancel) {
        Ok(done) => Ok((found, done)),
        Err(failure) => Err((failure, Some(found.store.url_of(&found.key)))),
    }
}

fn tell(options: &Options, store: &Holding, listed: &Listed, outcome: &Outcome) {
    let (name, id) = (&listed.name, &listed.id);
    match (outcome, options.json) {
        (Ok((found, done)), true) => {
            let mut told = told::as_json(found, done);
            told["store"] = store.name.clone().into();
            print_json(&told);
        }
        (Ok((_, done)), false) => print(format!("ok      {name}/{id}  {}", told::line(done))),
        (Err((failure, url)), true) => print_json(&json!({
            "ok": false, "id": id.to_string(), "name": name, "store": store.name, "url": url, "error": failure,
        })),
        (Err((failure, _)), false) => print(format!("FAILED  {name}/{id}  {}", failure.message)),
    }
}
