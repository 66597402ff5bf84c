//! What people see: progress while a command runs, figures, tables.

mod progress;
mod screen;

pub(crate) use pgkeep_serve::figures::{
    bytes, clock, count, duration, many, plural, short_count, short_time,
};
pub(crate) use progress::{Display, ProgressMode};
pub(crate) use screen::{print, print_json, shorten, table, warn};
