//! SIGINT and SIGTERM ask the run to stop; a second one ends the process at once.

use std::io;

use pgkeep_engine::Cancel;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// A flag that the signals raise. Reads from stores hear it too: one that stalls would hold up the stop.
pub(crate) fn cancel_on_signals() -> io::Result<Cancel> {
    let cancel = Cancel::new();
    pgkeep_store::interrupt_reads(cancel.flag());
    for signal in [SIGINT, SIGTERM] {
        // Order matters: the first looks at the flag that the second sets.
        flag::register_conditional_default(signal, cancel.flag())?;
        flag::register(signal, cancel.flag())?;
    }
    Ok(cancel)
}
