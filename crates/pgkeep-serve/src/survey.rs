//! What the stores have: the daemon's recovery points. The stores are the truth; this only looks.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use jiff::Timestamp;
use pgkeep_keep::retention::{Policy, plan};
use pgkeep_keep::sync::{self, Action, Side};
use pgkeep_keep::{BackupId, Catalogue, Listed, Summary};
use pgkeep_store::Store;

use crate::error::Result;
use crate::fleet::{Member, StoreUrl};
use crate::orders::Word;
use crate::run::{PointState, RecoveryPoint};
use crate::shared::Shared;

/// What is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wish {
    All,
    Database(String),
}

/// Looks at stores in a thread of its own. Every look is reported when it is done.
pub(crate) struct Surveyor(Sender<Wish>);

impl Surveyor {
    pub(crate) fn start(shared: &Arc<Shared>) -> Surveyor {
        let (send, wishes) = channel();
        let shared = shared.clone();
        std::thread::spawn(move || serve(&shared, &wishes));
        Surveyor(send)
    }

    /// Looks at every store.
    pub(crate) fn all(&self) {
        let _ = self.0.send(Wish::All);
    }

    /// Looks what the stores of one database have of it.
    pub(crate) fn database(&self, name: &str) {
        let _ = self.0.send(Wish::Database(name.to_owned()));
    }
}

fn serve(shared: &Shared, wishes: &Receiver<Wish>) {
    let mut eye = Eye { known: HashMap::new() };
    while let Ok(first) = wishes.recv() {
        let mut wishes: Vec<Wish> = std::iter::once(first).chain(wishes.try_iter()).collect();
        wishes.sort_by_key(|w| *w != Wish::All);
        wishes.dedup();
        let fleet = shared.fleet();
        for wish in &wishes {
            let (members, prefix): (Vec<&Member>, _) = match wish {
                Wish::All => (fleet.members.iter().collect(), String::new()),
                Wish::Database(name) => {
                    let Some(member) = fleet.members.iter().find(|m| m.name == *name) else { continue };
                    (vec![member], format!("{}/", member.kept_as))
                }
            };
            let told = eye.look(shared, &members, &prefix);
            shared.set_problem("state", told.err().map(|e| e.to_string()));
            if *wish == Wish::All {
                break;
            }
        }
        shared.orders.report(Word::Surveyed);
    }
}

type Found = Vec<(Listed, Summary)>;

/// Remembers manifests that were read, which do not change.
struct Eye {
    known: HashMap<(String, String, BackupId), (Option<String>, Summary)>,
}

impl Eye {
    /// Looks at the stores of these databases, and writes down what they have.
    fn look(&mut self, shared: &Shared, members: &[&Member], prefix: &str) -> Result<()> {
        let mut stores: BTreeMap<&str, Option<Found>> = BTreeMap::new();
        for store in members.iter().flat_map(|m| &m.stores) {
            if stores.contains_key(store.url.as_str()) {
                continue;
            }
            let found = self.in_store(&store.url, prefix);
            let problem = found.as_ref().err().map(|e| format!("store {}: {e}", store.name));
            shared.set_problem(&format!("store {}", store.name), problem);
            stores.insert(&store.url, found.ok());
        }
        let now = Timestamp::now();
        for member in members {
            if let Some(points) = points(member, &stores, now) {
                shared.history.put_points(&member.name, &points)?;
            }
        }
        Ok(())
    }

    /// The backups in a store, oldest first. One whose manifest can't be read is left to `verify`.
    fn in_store(&mut self, url: &str, prefix: &str) -> Result<Found, String> {
        let store = Store::open(url).map_err(|e| e.to_string())?;
        let catalogue = Catalogue::new(store);
        let listed = catalogue.survey(prefix).map_err(|e| e.to_string())?.backups;
        let key = |l: &Listed| (url.to_owned(), l.name.clone(), l.id.clone());
        let is_known = |l: &Listed| self.known.get(&key(l)).is_some_and(|(etag, _)| *etag == l.etag);
        let new: Vec<Listed> = listed.iter().filter(|l| !is_known(l)).cloned().collect();
        let read = catalogue.summaries(&new).found;
        for (l, summary) in new.iter().zip(read) {
            match summary {
                Ok(summary) => self.known.insert(key(l), (l.etag.clone(), summary)),
                Err(_) => self.known.remove(&key(l)),
            };
        }
        let found: Found = listed
            .into_iter()
            .filter_map(|l| self.known.get(&key(&l)).map(|(_, summary)| summary.clone()).map(|s| (l, s)))
            .collect();
        let there: std::collections::HashSet<_> = found.iter().map(|(l, _)| (&l.name, &l.id)).collect();
        self.known.retain(|(u, name, id), _| {
            u != url || !name.starts_with(prefix.trim_end_matches('/')) || there.contains(&(name, id))
        });
        Ok(found)
    }
}

/// What the stores that answered have of a database; nothing where none did.
fn points(
    member: &Member,
    stores: &BTreeMap<&str, Option<Found>>,
    now: Timestamp,
) -> Option<Vec<RecoveryPoint>> {
    let answered: Vec<(&StoreUrl, &Found)> = member
        .stores
        .iter()
        .filter_map(|store| Some((store, stores.get(store.url.as_str())?.as_ref()?)))
        .collect();
    if answered.is_empty() {
        return None;
    }
    let mut points: BTreeMap<(BackupId, String), RecoveryPoint> = BTreeMap::new();
    for (store, found) in &answered {
        let own: Vec<&(Listed, Summary)> = found.iter().filter(|(l, _)| is_of(member, l)).collect();
        let kept = kept(&own, &store.retention, now);
        for ((listed, summary), kept) in own.iter().zip(kept) {
            let point = points
                .entry((listed.id.clone(), listed.name.clone()))
                .or_insert_with(|| new_point(member, listed, summary));
            point.stores.push(store.name.clone());
            point.held |= listed.sidecars.held;
            if let Some(drill) = listed.sidecars.drill {
                let at = if drill.proven { &mut point.proven } else { &mut point.drill_failed };
                *at = (*at).max(Some(drill.at));
            }
            if kept {
                point.state = PointState::Stored;
            }
        }
    }
    for (id, name, store) in lacking(member, &answered, now) {
        if let Some(point) = points.get_mut(&(id, name)) {
            point.missing.push(store);
        }
    }
    Some(points.into_values().collect())
}

/// The copies that were never made or were lost; not those that a store's own retention would not keep.
fn lacking(
    member: &Member,
    answered: &[(&StoreUrl, &Found)],
    now: Timestamp,
) -> Vec<(BackupId, String, String)> {
    let side = |(_, found): &(&StoreUrl, &Found)| {
        let own = found.iter().filter(|(l, _)| is_of(member, l)).cloned();
        let (listed, summaries): (Vec<_>, Vec<_>) = own.map(|(l, s)| (l, Ok(s))).unzip();
        Side::by_manifests(&listed, &summaries)
    };
    let sides: Vec<Side> = answered.iter().map(side).collect();
    let everywhere: Vec<usize> = (0..sides.len()).collect();
    let policy = |i: usize, _: &str| Ok::<Policy, Infallible>(answered[i].0.retention.clone());
    let steps = sync::plan(&sides, &everywhere, &everywhere, &|_| true, &policy, now).unwrap_or_default();
    let lost = steps.into_iter().filter(|s| matches!(s.action, Action::Copy(_) | Action::NoSource));
    lost.map(|s| (s.backup.id, s.backup.name, answered[s.to].0.name.clone())).collect()
}

/// Whether a backup is one of this database, or of one of its server's.
fn is_of(member: &Member, listed: &Listed) -> bool {
    let rest = listed.name.strip_prefix(&member.kept_as);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn new_point(member: &Member, listed: &Listed, summary: &Summary) -> RecoveryPoint {
    RecoveryPoint {
        name: member.name.clone(),
        id: listed.id.to_string(),
        // Until one store is found that keeps it.
        state: PointState::Expired,
        started: summary.started,
        finished: summary.finished,
        size: summary.size,
        rows: summary.rows,
        proven: None,
        drill_failed: None,
        held: false,
        stores: Vec::new(),
        missing: Vec::new(),
    }
}

/// Whether retention keeps each of these backups of one store.
fn kept(backups: &[&(Listed, Summary)], policy: &Policy, now: Timestamp) -> Vec<bool> {
    let mut going = std::collections::HashSet::new();
    let names: std::collections::BTreeSet<&str> = backups.iter().map(|(l, _)| l.name.as_str()).collect();
    for name in names {
        let of_name: Vec<_> =
            backups.iter().filter(|(l, _)| l.name == name).map(|(l, s)| s.candidate(l)).collect();
        let plan = plan(&of_name, false, policy, now);
        going.extend(plan.deletions().map(|d| (name, d.backup.id.clone())));
    }
    backups.iter().map(|(l, _)| !going.contains(&(l.name.as_str(), l.id.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use pgkeep_keep::Sidecars;

    use super::*;

    /// A backup of the name `shop` at an hour of one day.
    fn backup(hour: u32) -> (Listed, Summary) {
        let at: Timestamp = format!("2026-11-24T{hour:02}:00:00Z").parse().unwrap();
        let (name, id) = BackupId::of_manifest_key("shop/x.manifest.json").unwrap();
        let id = BackupId::of_manifest_key(&format!("shop/{id}{hour:02}.manifest.json")).unwrap().1;
        let json = serde_json::json!({
            "database": { "name": "shop", "encoding": "UTF8" },
            "started": at, "finished": at, "snapshot_time": at, "key": "k", "size": 1, "tables": 1, "rows": 1, "bytes": 1,
            "encrypted": false, "compression": "zstd", "server_version": "17",
        });
        let summary = serde_json::from_value(json).unwrap();
        let listed = Listed {
            name: name.to_owned(),
            id,
            committed: at,
            manifest_size: 1,
            etag: None,
            sidecars: Sidecars::default(),
        };
        (listed, summary)
    }

    #[test]
    fn a_copy_that_retention_removed_is_not_missing_and_one_that_was_lost_is() {
        let store = |name: &str, last: Option<u32>| StoreUrl {
            name: name.into(),
            url: name.into(),
            retention: Policy { last, ..Policy::default() },
        };
        let member = Member {
            name: "shop".into(),
            kept_as: "shop".into(),
            host: "h".into(),
            stores: vec![store("a", None), store("b", Some(1))],
            production: false,
        };
        let missing = |a: &[u32], b: &[u32]| -> Vec<Vec<String>> {
            let found = |hours: &[u32]| Some(hours.iter().map(|h| backup(*h)).collect::<Found>());
            let stores = BTreeMap::from([("a", found(a)), ("b", found(b))]);
            let points = points(&member, &stores, "2026-11-24T12:00:00Z".parse().unwrap()).unwrap();
            points.into_iter().map(|p| p.missing).collect()
        };
        assert_eq!(missing(&[1, 2], &[2]), [vec![], Vec::<String>::new()]);
        assert_eq!(missing(&[1, 2], &[1]), [vec![], vec!["b".to_owned()]]);
        assert_eq!(missing(&[2], &[1, 2]), [vec!["a".to_owned()], vec![]]);
    }
}
