//! SIGINT and SIGTERM ask the run to stop; a second one ends the process at once. The daemon takes SIGHUP, too: it reads its
//! configuration anew.

use std::io;

use pgkeep_engine::Cancel;
use pgkeep_serve::{Order, Orders};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

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

/// Makes orders of the signals to the daemon.
pub(crate) fn order_on_signals(orders: &Orders) -> io::Result<()> {
    let (mut signals, orders) = (Signals::new([SIGHUP, SIGINT, SIGTERM])?, orders.clone());
    std::thread::spawn(move || {
        for signal in signals.forever() {
            orders.give(match signal {
                SIGHUP => Order::Reload { by: "signal".into() },
                _ => Order::End,
            });
        }
    });
    Ok(())
}

/// A run of the daemon is asked to stop when the daemon is gone, so that nothing runs that nobody knows of. Systems without
/// such a signal let it come to its end.
pub(crate) fn end_with_daemon() {
    #[cfg(target_os = "linux")]
    if let Some(daemon) = std::env::var("PGKEEP_DAEMON").ok().and_then(|pid| pid.parse::<i32>().ok()) {
        use rustix::process::{Signal, getpid, getppid, kill_process, set_parent_process_death_signal};
        let _ = set_parent_process_death_signal(Some(Signal::TERM));
        // It may have been gone before it could be asked for.
        if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(daemon) {
            let _ = kill_process(getpid(), Signal::TERM);
        }
    }
}
