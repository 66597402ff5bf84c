//! Holding back: so many bytes a second to a store, and from it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::backend::Sink;
use crate::error::Result;
use crate::runtime::is_stopping;
use crate::types::Finished;

/// What may pass at once after a pause: a twentieth of a second's worth.
const BURST: Duration = Duration::from_millis(50);

/// A stop is looked for so often while bytes wait: who is to end need not be held back.
const LOOK_UP: Duration = Duration::from_millis(100);

/// One direction of a store, shared by everybody who uses it.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Bytes a second.
    rate: u64,
    /// When all that was let through so far would have passed at that rate.
    ready: Mutex<Instant>,
    /// Waits; something else in tests.
    sleep: fn(Duration),
}

impl Pace {
    pub(crate) fn new(rate: u64) -> Pace {
        Pace { rate: rate.max(1), ready: Mutex::new(Instant::now()), sleep: std::thread::sleep }
    }

    /// Waits until this many more bytes may have passed.
    pub(crate) fn pass(&self, bytes: u64) {
        let wait = {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            let (next, wait) = step(*ready, Instant::now(), bytes, self.rate);
            *ready = next;
            wait
        };
        let mut left = wait;
        while !left.is_zero() && !is_stopping() {
            let part = left.min(LOOK_UP);
            (self.sleep)(part);
            left -= part;
        }
    }
}

/// When these bytes will have passed, and how long that is from now.
fn step(ready: Instant, now: Instant, bytes: u64, rate: u64) -> (Instant, Duration) {
    let earliest = now.checked_sub(BURST).unwrap_or(now);
    let next = ready.max(earliest) + Duration::from_secs_f64(bytes as f64 / rate as f64);
    (next, next.saturating_duration_since(now))
}

/// Both directions.
#[derive(Debug, Default)]
pub(crate) struct Paces {
    up: Option<Pace>,
    down: Option<Pace>,
}

impl Paces {
    /// Bytes a second towards the store and from it; `None` for no limit.
    pub(crate) fn new(up: Option<u64>, down: Option<u64>) -> Paces {
        Paces { up: up.map(Pace::new), down: down.map(Pace::new) }
    }

    /// A byte a second both ways, and nobody waits: the time until all would have passed tells how much it was.
    #[cfg(test)]
    pub(crate) fn counting() -> Paces {
        let pace = || Pace { sleep: drop, ..Pace::new(1) };
        Paces { up: Some(pace()), down: Some(pace()) }
    }

    /// Bytes that have passed, up and down.
    #[cfg(test)]
    pub(crate) fn passed(&self) -> (u64, u64) {
        let bytes = |pace: &Option<Pace>| {
            let ready = *pace.as_ref().unwrap().ready.lock().unwrap();
            (ready - Instant::now()).as_secs_f64().round() as u64
        };
        (bytes(&self.up), bytes(&self.down))
    }

    /// Whether anything is held back.
    pub(crate) fn limits_uploads(&self) -> bool {
        self.up.is_some()
    }

    pub(crate) fn upload(&self, bytes: usize) {
        if let Some(pace) = &self.up {
            pace.pass(bytes as u64);
        }
    }

    pub(crate) fn download(&self, bytes: usize) {
        if let Some(pace) = &self.down {
            pace.pass(bytes as u64);
        }
    }
}

/// An upload that is held back.
pub(crate) struct PacedSink {
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) paces: Arc<Paces>,
}

impl Sink for PacedSink {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.paces.upload(bytes.len());
        self.sink.write(bytes)
    }

    fn position(&self) -> u64 {
        self.sink.position()
    }

    fn id(&self) -> Option<String> {
        self.sink.id()
    }

    fn finish(&mut self, head: Vec<u8>) -> Result<Finished> {
        self.paces.upload(head.len());
        self.sink.finish(head)
    }

    fn abort(&mut self) -> Result<()> {
        self.sink.abort()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_as_long_as_the_rate_says_whatever_their_portions() {
        let begin = Instant::now();
        let (mut now, mut ready) = (begin, begin);
        for _ in 0..100 {
            let (next, wait) = step(ready, now, 10_000, 100_000);
            (ready, now) = (next, now + wait);
        }
        assert_eq!((now - begin).as_millis(), 10_000);
    }

    #[test]
    fn a_pause_saves_up_no_more_than_a_burst() {
        let begin = Instant::now();
        let (_, wait) = step(begin, begin + Duration::from_secs(3600), 100_000, 100_000);
        assert_eq!(wait, Duration::from_millis(950));
    }
}
