//! The decision about each backup of a name.

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::candidate::{Candidate, Content, Identity};
use super::period::Kind;
use super::policy::Policy;
use super::reason::Reason;

/// How far a clock may be ahead before a backup counts as one from the future.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// What becomes of one backup.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The backup.
    pub backup: Candidate,
    /// Whether it stays.
    pub keep: bool,
    /// Why; never empty.
    pub reasons: Vec<Reason>,
}

/// Backups of a database that do not come as they should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// The database.
    pub identity: Identity,
    /// Age of its newest full backup.
    pub age: SignedDuration,
    /// What was expected.
    pub expected: SignedDuration,
}

/// The decisions about all backups of a name.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// One for each backup: by database and content, newest first.
    pub decisions: Vec<Decision>,
    /// Databases whose backups fail to come. One whose name has fresh backups of another identity is not among them,
    /// since that is what an upgrade or a move leaves; its backups stay all the same.
    pub overdue: Vec<Overdue>,
}

impl Plan {
    /// Those that go.
    pub fn deletions(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter().filter(|d| !d.keep)
    }

    /// The backups of this one's database and content that no policy can let go: the newest, sound and proven ones.
    pub fn floors_of(&self, backup: &Candidate) -> impl Iterator<Item = &Candidate> {
        let is_floor = |r: &Reason| matches!(r, Reason::Newest | Reason::NewestSound | Reason::NewestProven);
        self.decisions
            .iter()
            .filter(move |d| d.backup.identity == backup.identity && d.backup.content == backup.content)
            .filter(move |d| d.reasons.iter().any(is_floor))
            .map(|d| &d.backup)
    }
}

/// Decides about the backups of one name.
///
/// Whatever the policy says, these stay: of each database and content the newest, the newest whose last drill did not
/// fail, and the newest proven one; everything of a database whose newest backup is older than `expect_every`; what is
/// held, or locked by the store; what was taken in the future; and everything while `unreadable` says that a manifest
/// under the name cannot be read, because that may be the newest.
pub fn plan(backups: &[Candidate], unreadable: bool, policy: &Policy, now: Timestamp) -> Plan {
    let mut groups: BTreeMap<(&Identity, &Content), Vec<&Candidate>> = BTreeMap::new();
    for backup in backups {
        groups.entry((&backup.identity, &backup.content)).or_default().push(backup);
    }
    let mut plan = Plan::default();
    let mut fresh = false;
    for ((identity, content), mut group) in groups {
        group.sort_by(|a, b| (b.taken, &b.id).cmp(&(a.taken, &a.id)));
        let of_now = group.partition_point(|b| b.taken > now + CLOCKS);
        let (future, past) = group.split_at(of_now);
        plan.decisions.extend(future.iter().map(|b| kept(b, Reason::Future)));
        let overdue = past.first().zip(policy.expect_every).and_then(|(newest, expected)| {
            let age = now.duration_since(newest.taken);
            (age > expected).then(|| Overdue { identity: identity.clone(), age, expected })
        });
        let mut decisions = decide(past, policy, now);
        for (i, decision) in decisions.iter_mut().enumerate() {
            if unreadable {
                decision.reasons.push(Reason::Unreadable);
            }
            if let Some(overdue) = &overdue {
                decision.reasons.push(Reason::Overdue(overdue.age));
            }
            settle(decision, i, past);
        }
        plan.decisions.append(&mut decisions);
        if *content == Content::Full {
            fresh |= overdue.is_none() && !past.is_empty();
            plan.overdue.extend(overdue);
        }
    }
    if fresh {
        plan.overdue.clear();
    }
    plan
}

fn kept(backup: &Candidate, reason: Reason) -> Decision {
    Decision { backup: backup.clone(), keep: true, reasons: vec![reason] }
}

/// All reasons why backups of one group stay; `group` is sorted, newest first.
fn decide(group: &[&Candidate], policy: &Policy, now: Timestamp) -> Vec<Decision> {
    let Some(newest) = group.first() else { return Vec::new() };
    let mut decisions: Vec<Decision> =
        group.iter().map(|b| Decision { backup: (*b).clone(), keep: false, reasons: Vec::new() }).collect();
    let mut keep = |i: usize, reason: Reason| decisions[i].reasons.push(reason);
    keep(0, Reason::Newest);
    if let Some(sound) = group.iter().position(|b| !b.sidecars.failed()).filter(|i| *i > 0) {
        keep(sound, Reason::NewestSound);
    }
    if let Some(proven) = group.iter().position(|b| b.sidecars.proven().is_some()) {
        keep(proven, Reason::NewestProven);
    }
    for (i, backup) in group.iter().enumerate() {
        if backup.sidecars.held {
            keep(i, Reason::Held);
        }
        if let Some(until) = backup.locked_until.filter(|until| *until > now) {
            keep(i, Reason::Locked(until));
        }
        if policy.is_empty() {
            keep(i, Reason::NoPolicy);
        }
    }
    let last = policy.last.unwrap_or(0);
    (0..group.len().min(last as usize)).for_each(|i| keep(i, Reason::Last(last)));
    if let Some(span) = policy.within {
        let oldest = newest.taken.to_zoned(policy.zone()).checked_sub(span).map(|z| z.timestamp());
        // A span that reaches to before the calendar's beginning reaches everything.
        let oldest = oldest.unwrap_or(Timestamp::MIN);
        let close = group.iter().enumerate().take_while(|(_, b)| b.taken >= oldest);
        close.for_each(|(i, _)| keep(i, Reason::Within(span)));
    }
    for (kind, count) in Kind::counted(policy) {
        let mut seen = HashSet::new();
        for (i, backup) in group.iter().enumerate() {
            if seen.len() == count as usize {
                break;
            }
            let label = kind.label(backup.taken, &policy.zone());
            if seen.insert(label.clone()) {
                keep(i, Reason::Period(kind, label));
            }
        }
    }
    decisions
}

/// A backup without a reason to stay goes, and that is told, too.
fn settle(decision: &mut Decision, newer: usize, group: &[&Candidate]) {
    decision.keep = !decision.reasons.is_empty();
    if decision.keep {
        return;
    }
    let behind = group.first().map(|n| n.taken.duration_since(decision.backup.taken)).unwrap_or_default();
    decision.reasons.push(Reason::Expired { newer, behind });
}
