//! The one tokio runtime behind the blocking calls.

use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

use crate::error::{CloudError, CloudErrorKind, Result};

static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();

/// Runs `work` and waits for it.
///
/// It runs as a task of the runtime and is waited for by a channel instead of `block_on`, which panics in a thread that
/// belongs to another runtime.
pub(crate) fn run<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let start = || {
        // One thread: requests are few, small and never urgent.
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("pgkeep-aws").enable_all().build().map_err(|e| e.to_string())
    };
    let broken = |why: &str| CloudError::new(CloudErrorKind::Other, "the threads that talk to AWS", why);
    let runtime = RUNTIME.get_or_init(start).as_ref().map_err(|e| {
        broken(e).hint("the limit of threads or open files may be reached: see ulimit -u and ulimit -n")
    })?;
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    runtime.spawn(async move {
        let _ = send.send(work.await);
    });
    receive.recv().unwrap_or_else(|_| Err(broken("a request ended early").hint("this is a bug in pgkeep")))
}
