//! What is to be copied so that every store has what it is to have.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use pgkeep_archive::TOC_FILE;
use pgkeep_store::ObjectInfo;

use crate::catalogue::{Catalogue, Listed, Summary};
use crate::error::{KeepError, Result};
use crate::id::BackupId;
use crate::retention::{Candidate, Policy, Reason, plan as retain};
use crate::verify_hashes::{HashCheck, verify_hashes};

/// One store as far as this goes.
#[derive(Debug, Default)]
pub struct Side {
    /// Its backups: what is known of a whole one, or what is wrong with it.
    backups: BTreeMap<(String, BackupId), (Listed, Result<Summary, String>)>,
}

impl Side {
    /// Judges a store's backups by its listing: `others` are the objects that are neither manifests nor sidecars.
    pub fn new(listed: &[Listed], summaries: Vec<Result<Summary>>, others: &[ObjectInfo]) -> Side {
        let sizes: HashMap<&str, u64> = others.iter().map(|o| (o.key.as_str(), o.size)).collect();
        let mut folders: HashMap<&str, u64> = HashMap::new();
        for (folder, size) in others.iter().filter_map(|o| Some((o.key.rsplit_once('/')?.0, o.size))) {
            *folders.entry(folder).or_default() += size;
        }
        let judge = |summary: Summary| {
            let stored = match summary.key.strip_suffix(TOC_FILE).and_then(|f| f.strip_suffix('/')) {
                Some(folder) => folders.get(folder),
                None => sizes.get(summary.key.as_str()),
            };
            match stored {
                None => Err("its archive is missing".to_owned()),
                Some(size) if *size != summary.size => {
                    Err(format!("its archive has {size} bytes and its manifest says {}", summary.size))
                }
                _ => match summary.globals.as_ref().is_some_and(|key| !sizes.contains_key(key.as_str())) {
                    true => Err("its roles and tablespaces are missing".to_owned()),
                    false => Ok(summary),
                },
            }
        };
        let judged = listed.iter().zip(summaries).map(|(listed, summary)| {
            let state = summary.map_err(|e| e.to_string()).and_then(judge);
            ((listed.name.clone(), listed.id.clone()), (listed.clone(), state))
        });
        Side { backups: judged.collect() }
    }

    /// Takes a store's backups for whole where their manifests can be read, without a look at anything else.
    pub fn by_manifests(listed: &[Listed], summaries: &[Result<Summary>]) -> Side {
        let known = listed.iter().zip(summaries).map(|(listed, summary)| {
            let state = match summary {
                Ok(summary) => Ok(summary.clone()),
                Err(e) => Err(e.to_string()),
            };
            ((listed.name.clone(), listed.id.clone()), (listed.clone(), state))
        });
        Side { backups: known.collect() }
    }

    /// Reads the backups of these names whole, and takes those whose bytes are not what their manifests say for damaged.
    ///
    /// # Errors
    /// `Cancelled` once `tick`, which is told of bytes, gives `false`; the store's.
    pub fn verify(
        &mut self,
        catalogue: &Catalogue,
        names: &dyn Fn(&str) -> bool,
        check: &HashCheck,
        tick: &mut (dyn FnMut(u64) -> bool + Send),
    ) -> Result<()> {
        for ((name, _), (listed, state)) in &mut self.backups {
            if !names(name) || state.is_err() {
                continue;
            }
            let verified =
                catalogue.manifest(listed).and_then(|m| verify_hashes(catalogue.store(), &m, check, tick));
            match verified {
                Ok(_) => {}
                Err(KeepError::Damaged { object, why }) => *state = Err(format!("{object}: {why}")),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// One copy that a store lacks.
#[derive(Debug, Clone)]
pub struct Step {
    /// The backup.
    pub backup: Listed,
    /// The store that lacks it, by its place among the sides.
    pub to: usize,
    /// What is wrong with the copy that it has; `None` where it has none.
    pub damage: Option<String>,
    /// What is to be done.
    pub action: Action,
}

/// What becomes of a missing copy.
#[derive(Debug, Clone)]
pub enum Action {
    /// It is made from one of these, the first that can be read.
    Copy(Vec<usize>),
    /// It is whole and gets the holds and drill records that these have beside theirs.
    Complete(Vec<usize>),
    /// It is not made: prune would delete it there at once.
    Expired(Vec<Reason>),
    /// It cannot be made: no store has a whole one.
    NoSource,
}

/// Plans what the stores `to` lack of what the stores `from` have, oldest first. `policy` says how many of a name's
/// backups a store retains, by its place.
///
/// # Errors
/// Those of `policy`.
pub fn plan<E>(
    sides: &[Side],
    from: &[usize],
    to: &[usize],
    names: &dyn Fn(&str) -> bool,
    policy: &dyn Fn(usize, &str) -> Result<Policy, E>,
    now: Timestamp,
) -> Result<Vec<Step>, E> {
    let mut steps = Vec::new();
    for target in to.iter().copied() {
        let mut by_name: BTreeMap<&str, Vec<Step>> = BTreeMap::new();
        let known = from.iter().chain([&target]).flat_map(|i| sides[*i].backups.iter());
        let known: BTreeMap<_, _> = known.map(|(key, (listed, _))| (key, listed)).collect();
        for (key, listed) in known.into_iter().filter(|(key, _)| names(&key.0)) {
            let damage = match sides[target].backups.get(key) {
                Some((copy, Ok(_))) => {
                    steps.extend(complete(sides, from, target, copy));
                    continue;
                }
                Some((_, Err(why))) => Some(why.clone()),
                None => None,
            };
            let whole =
                |i: &usize| *i != target && sides[*i].backups.get(key).is_some_and(|(_, s)| s.is_ok());
            let sources: Vec<usize> = from.iter().copied().filter(whole).collect();
            let action = if sources.is_empty() { Action::NoSource } else { Action::Copy(sources) };
            by_name.entry(&key.0).or_default().push(Step {
                backup: listed.clone(),
                to: target,
                damage,
                action,
            });
        }
        for (name, mut lacking) in by_name {
            expire(sides, target, name, &mut lacking, &policy(target, name)?, now);
            steps.extend(lacking);
        }
    }
    Ok(steps)
}

/// What to do about holds and drill records that other copies have and this one lacks.
fn complete(sides: &[Side], from: &[usize], to: usize, copy: &Listed) -> Option<Step> {
    let key = (copy.name.clone(), copy.id.clone());
    let has_more = |i: &usize| {
        let other = sides[*i].backups.get(&key).map(|(listed, _)| listed.sidecars).unwrap_or_default();
        (other.held && !copy.sidecars.held) || other.drill > copy.sidecars.drill
    };
    let sources: Vec<usize> = from.iter().copied().filter(has_more).collect();
    (!sources.is_empty()).then(|| Step {
        backup: copy.clone(),
        to,
        damage: Some("a hold or the record of a drill is missing beside it".into()),
        action: Action::Complete(sources),
    })
}

/// Takes back what would not be retained, had the store all of it.
fn expire(sides: &[Side], target: usize, name: &str, lacking: &mut [Step], policy: &Policy, now: Timestamp) {
    let candidate = |side: usize, key: &(String, BackupId)| match sides[side].backups.get(key) {
        Some((listed, Ok(summary))) => Some(summary.candidate(listed)),
        _ => None,
    };
    let here = sides[target].backups.keys().filter(|key| key.0 == name);
    let mut all: Vec<Candidate> = here.filter_map(|key| candidate(target, key)).collect();
    for step in lacking.iter() {
        if let Action::Copy(sources) = &step.action {
            let key = (step.backup.name.clone(), step.backup.id.clone());
            all.extend(sources.first().and_then(|source| candidate(*source, &key)));
        }
    }
    let decided = retain(&all, false, policy, now);
    for step in lacking.iter_mut().filter(|s| matches!(s.action, Action::Copy(_))) {
        let gone = decided.decisions.iter().find(|d| d.backup.id == step.backup.id && !d.keep);
        if let Some(decision) = gone {
            step.action = Action::Expired(decision.reasons.clone());
        }
    }
}
