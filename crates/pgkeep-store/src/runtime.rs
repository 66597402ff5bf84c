//! The one tokio runtime behind the blocking calls.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Result, StoreError};

/// Two threads: they wait for sockets and encrypt; hashing runs on threads of its own.
const WORKERS: usize = 2;

static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();

/// The runtime, started by the first who asks.
pub(crate) fn handle() -> Result<&'static Handle> {
    let start = || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("pgkeep-net")
            .enable_all()
            .build();
        runtime.map_err(|e| e.to_string())
    };
    match RUNTIME.get_or_init(start) {
        Ok(runtime) => Ok(runtime.handle()),
        Err(e) => Err(StoreError::new(
            StoreError::Other,
            "the network threads",
            e,
            "the limit of threads or open files may be reached: see ulimit -u and ulimit -n",
        )),
    }
}

/// Runs `work` and waits for it.
///
/// It runs as a task of the runtime and is waited for by a channel instead of `block_on`, which panics
/// in a thread that belongs to another runtime.
pub(crate) fn run<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    wait(work, None)
}

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Lets reads of ranges, and waits for the sake of a rate, end soon after this flag is raised: a store that stalls would hold up a stop
/// until its time budget is used up. Said once for the process; cleaning up is not affected.
pub fn interrupt_reads(flag: Arc<AtomicBool>) {
    let _ = STOP.set(flag);
}

/// Whether that flag is raised.
pub(crate) fn is_stopping() -> bool {
    STOP.get().is_some_and(|stop| stop.load(Ordering::Relaxed))
}

/// [`run`] for a read that [`interrupt_reads`] may end.
pub(crate) fn run_read<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    wait(work, STOP.get())
}

fn wait<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
    stop: Option<&Arc<AtomicBool>>,
) -> Result<T> {
    let (send, receive) = sync_channel(1);
    let task = handle()?.spawn(async move {
        let _ = send.send(work.await);
    });
    let failed = |make, why, hint| Err(StoreError::new(make, "the network threads", why, hint));
    loop {
        match receive.recv_timeout(Duration::from_millis(100)) {
            Ok(done) => return done,
            Err(RecvTimeoutError::Timeout) if stop.is_some_and(|s| s.load(Ordering::Relaxed)) => {
                task.abort();
                return failed(StoreError::Stopped, "the run was asked to stop", "");
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return failed(StoreError::Other, "a task ended early", "this is a bug in pgkeep");
            }
        }
    }
}
