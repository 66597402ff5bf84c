//! One upload into several stores: a thread for each, and a short queue before it.
//!
//! Memory: that of every store's own upload, and [`QUEUE`] pieces of [`PIECE`] bytes that all stores share: the writer
//! waits for the slowest.

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::Members;
use crate::backend::Sink;
use crate::error::{Result, StoreError};
use crate::types::{Finished, UploadPlan};
use crate::upload::Upload;

/// How much is handed on at once.
const PIECE: usize = 1 << 20;
/// How many pieces the fastest store can be ahead of the slowest.
const QUEUE: usize = 8;
/// How long an end without success waits for the stores to have removed what they had.
const LAST_WAIT: Duration = Duration::from_secs(30);

/// What a store's thread is told. When the channel ends without a head the upload is given up.
enum Order {
    Body(Bytes),
    Head(Bytes),
}

/// One store's part in the upload.
struct Line {
    index: usize,
    orders: Sender<Order>,
    /// Brings the result when the object is there; ends when the thread does.
    done: Receiver<Finished>,
    /// Orders carried out, by which a slow store is told from one that stalls.
    steps: Arc<AtomicUsize>,
}

/// The sink.
pub(super) struct MirrorSink {
    members: Arc<Members>,
    lines: Vec<Line>,
    /// Ends of threads whose store was left behind.
    strays: Vec<Receiver<Finished>>,
    piece: Vec<u8>,
    position: u64,
}

impl MirrorSink {
    pub(super) fn start(members: Arc<Members>, key: &str, plan: &UploadPlan) -> Result<MirrorSink> {
        let mut lines = Vec::new();
        for (index, store) in members.left() {
            match store.start_upload(key, plan.clone()) {
                Ok(upload) => lines.push(Line::start(&members, index, upload)?),
                Err(e) => members.lose(index, e.to_string(), false),
            }
        }
        let sink =
            MirrorSink { members, lines, strays: Vec::new(), piece: Vec::new(), position: plan.head_len };
        sink.any_left()?;
        Ok(sink)
    }

    fn any_left(&self) -> Result<()> {
        if self.lines.is_empty() { Err(self.members.none_left()) } else { Ok(()) }
    }

    /// Hands an order to every store; those that do not take it in time are left behind.
    fn give(&mut self, order: impl Fn() -> Order) -> Result<()> {
        let mut i = 0;
        while i < self.lines.len() {
            let line = &self.lines[i];
            // The last one has all the time that its own requests have.
            let given = match self.lines.len() {
                1 => line.orders.send(order()).map_err(|e| SendTimeoutError::Disconnected(e.0)),
                _ => line.orders.send_timeout(order(), self.members.patience),
            };
            match given {
                Ok(()) => i += 1,
                Err(e) => {
                    let line = self.lines.remove(i);
                    if matches!(e, SendTimeoutError::Timeout(_)) {
                        self.members.lose(line.index, self.stalled(), true);
                    }
                    self.strays.push(line.done);
                }
            }
        }
        self.any_left()
    }

    fn stalled(&self) -> String {
        format!("it took nothing for {} s", self.members.patience.as_secs())
    }

    fn flush(&mut self) -> Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        self.give(|| Order::Body(piece.clone()))
    }

    /// Waits for one store's result as long as it moves; without one it has failed and said so, or it stalls.
    fn result_of(&self, line: &Line, patient: bool) -> Option<Finished> {
        loop {
            let before = line.steps.load(Relaxed);
            let waited = match patient {
                true => line.done.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => line.done.recv_timeout(self.members.patience),
            };
            match waited {
                Ok(finished) => return Some(finished),
                Err(RecvTimeoutError::Timeout) if line.steps.load(Relaxed) != before => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.members.lose(line.index, self.stalled(), true);
                    return None;
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

impl Line {
    fn start(members: &Arc<Members>, index: usize, mut upload: Upload) -> Result<Line> {
        let (orders, taken) = bounded::<Order>(QUEUE);
        let (tell, done) = bounded(1);
        let steps = Arc::new(AtomicUsize::new(0));
        let (members, own_steps) = (members.clone(), steps.clone());
        let url = members.stores[index].url();
        let work = move || {
            // Whatever ends this, an upload that is dropped removes what it had stored.
            let carry_out = || -> Result<Option<Finished>> {
                for order in taken {
                    match order {
                        Order::Body(bytes) => upload.write(&bytes)?,
                        Order::Head(head) => return upload.finish(head.to_vec()).map(Some),
                    }
                    own_steps.fetch_add(1, Relaxed);
                }
                Ok(None)
            };
            match carry_out() {
                Ok(Some(finished)) => drop(tell.send(finished)),
                Ok(None) => {}
                Err(e) => members.lose(index, e.to_string(), false),
            }
        };
        std::thread::Builder::new()
            .name("pgkeep-mirror".into())
            .spawn(work)
            .map_err(|e| StoreError::new(StoreError::Other, url, e, "this machine starts no more threads"))?;
        Ok(Line { index, orders, done, steps })
    }
}

impl Sink for MirrorSink {
    fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.position += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.piece.capacity() == 0 {
                self.piece.reserve_exact(PIECE);
            }
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.piece.len()));
            self.piece.extend_from_slice(now);
            bytes = later;
            if self.piece.len() == PIECE {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn id(&self) -> Option<String> {
        None
    }

    fn finish(&mut self, head: Vec<u8>) -> Result<Finished> {
        self.flush()?;
        let head = Bytes::from(head);
        self.give(|| Order::Head(head.clone()))?;
        let mut first: Option<Finished> = None;
        let lines = std::mem::take(&mut self.lines);
        for (i, line) in lines.iter().enumerate() {
            let patient = first.is_none() && i + 1 == lines.len();
            let Some(finished) = self.result_of(line, patient) else { continue };
            match &first {
                None => first = Some(finished),
                Some(f) if (f.size, &f.parts) == (finished.size, &finished.parts) => {}
                Some(_) => {
                    let why = "the copy's hashes are not those of the others".into();
                    self.members.lose(line.index, why, false);
                }
            }
        }
        first.ok_or_else(|| self.members.none_left())
    }

    fn abort(&mut self) -> Result<()> {
        let ends: Vec<_> = self.lines.drain(..).map(|line| line.done).chain(self.strays.drain(..)).collect();
        for end in ends {
            let _ = end.recv_timeout(LAST_WAIT);
        }
        Ok(())
    }
}
