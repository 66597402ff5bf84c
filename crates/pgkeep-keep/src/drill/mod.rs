//! Records of drills: what they say, how they are signed, and where they lie.
//!
//! Beside its backup's manifest a drill leaves `<name>/<id>.drill.<time>.<verdict>.json`, a report for people with the
//! end `.html`, and, with a key, the signature over the JSON's bytes with the end `.sig`. The JSON comes last: without
//! it there was no drill.

mod keep;
mod record;
mod report;
mod sign;

pub use keep::{Drilled, KeptDrill, drills, keep_drill, last_proven};
pub use record::{
    CheckResult, DrillRecord, DrillReport, DrillVerdict, DrilledBackup, DrilledTable, Finding, RECORD_VERSION,
};
pub use report::html;
pub use sign::{DrillKey, PublicKey};
