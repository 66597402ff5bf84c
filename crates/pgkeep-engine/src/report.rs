//! What a run found out, as plain data. The types belong to the manifest and so to `pgkeep-keep`.

pub use pgkeep_keep::{
    DatabaseIdentity, DumpReport, Format, OptionsRecord, SequenceReport, TableReport, name_text,
};
