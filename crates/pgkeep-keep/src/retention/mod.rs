//! Which backups stay and which go.
//!
//! [`plan`] is a pure function of the backups of one name, a [`Policy`] and the time. It decides within groups: backups of
//! one database (by its identity, not its name) with the same content. Every rule counts from the newest backup of its
//! group, so that time alone never makes a backup go: only a newer one does. And there are floors that no policy can
//! undercut; see [`plan`].

mod candidate;
mod period;
mod plan;
mod policy;
mod reason;

pub use candidate::{Candidate, Content, Identity};
pub use plan::{Decision, Overdue, Plan, plan};
pub use policy::{Policy, span_of};
pub use reason::{Reason, coarse};
