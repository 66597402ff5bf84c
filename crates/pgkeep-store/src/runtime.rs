//! The one tokio runtime behind the blocking calls.

use std::future::Future;
use std::sync::OnceLock;
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
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    handle()?.spawn(async move {
        let _ = send.send(work.await);
    });
    receive.recv().unwrap_or_else(|_| {
        Err(StoreError::new(
            StoreError::Other,
            "the network threads",
            "a task ended early",
            "this is a bug in pgkeep",
        ))
    })
}
