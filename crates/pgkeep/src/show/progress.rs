//! Shows a run's counters while it goes on: one moving line on a terminal, else a plain or JSON line now and then.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pgkeep_engine::progress::{Phase, Progress};
use serde_json::json;

use super::{bytes, clock, plural, short_count, warn};

/// Puts one view on the screen.
type Draw = Box<dyn FnMut(&View) + Send>;

/// How to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ProgressMode {
    /// A moving line on a terminal, plain lines elsewhere.
    Auto,
    /// A plain line every ten seconds.
    Plain,
    /// A JSON line every second.
    Json,
    /// Nothing.
    None,
}

/// A running display; stops when dropped. Everything goes to standard error.
pub(crate) struct Display {
    stop: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Display {
    /// Shows `progress` until dropped.
    pub(crate) fn start(mode: ProgressMode, progress: &Arc<Progress>) -> Display {
        let terminal = std::io::stderr().is_terminal();
        let (every, mut draw): (u64, Draw) = match mode {
            ProgressMode::None => return Display { stop: None },
            ProgressMode::Auto if terminal => (150, line()),
            ProgressMode::Auto | ProgressMode::Plain => (10_000, Box::new(|view| warn(view.plain()))),
            ProgressMode::Json => (1_000, Box::new(|view| warn(view.json()))),
        };
        let (send, stop) = channel::<()>();
        let progress = progress.clone();
        let thread = std::thread::spawn(move || {
            let began = Instant::now();
            let mut notes = 0;
            loop {
                let ended = stop.recv_timeout(Duration::from_millis(every)) != Err(RecvTimeoutError::Timeout);
                for note in progress.notes_from(notes) {
                    notes += 1;
                    warn(format!("note: {note}"));
                }
                if ended {
                    return;
                }
                let view = View::of(&progress, began.elapsed());
                draw(&view);
            }
        });
        Display { stop: Some((send, thread)) }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some((send, thread)) = self.stop.take() {
            drop(send);
            let _ = thread.join();
        }
    }
}

/// One moving line, cut to the terminal's width.
fn line() -> Draw {
    let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:10} {wide_msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    let guard = ClearOnDrop(bar);
    Box::new(move |view| {
        guard.0.set_position((view.share().unwrap_or(0.0) * 1000.0) as u64);
        guard.0.set_message(view.plain());
    })
}

struct ClearOnDrop(ProgressBar);

impl Drop for ClearOnDrop {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The counters at one moment.
struct View {
    phase: Phase,
    elapsed: Duration,
    rows: u64,
    bytes: u64,
    expected: u64,
    tables: (u64, u64),
    items: (u64, u64),
}

impl View {
    fn of(p: &Progress, elapsed: Duration) -> View {
        View {
            phase: p.phase(),
            elapsed,
            rows: Progress::get(&p.rows),
            bytes: Progress::get(&p.bytes),
            expected: Progress::get(&p.bytes_expected),
            tables: (Progress::get(&p.tables_done), Progress::get(&p.tables)),
            items: (Progress::get(&p.items_done), Progress::get(&p.items)),
        }
    }

    fn share(&self) -> Option<f64> {
        (self.expected > 0).then(|| (self.bytes as f64 / self.expected as f64).min(1.0))
    }

    fn rate(&self) -> u64 {
        (self.bytes as f64 / self.elapsed.as_secs_f64().max(0.001)) as u64
    }

    fn eta(&self) -> Option<Duration> {
        let share = self.share().filter(|s| *s > 0.01 && *s < 1.0)?;
        Some(Duration::from_secs_f64(self.elapsed.as_secs_f64() * (1.0 - share) / share))
    }

    fn plain(&self) -> String {
        let mut parts = vec![self.phase.as_str().to_owned()];
        if self.bytes > 0 {
            parts.push(format!("{} {}/s", bytes(self.bytes), bytes(self.rate())));
            parts.extend(self.eta().map(|eta| format!("ETA {}", clock(eta))));
            parts.push(format!("{} rows", short_count(self.rows)));
        }
        if self.tables.1 > 0 {
            parts.push(format!("{} left", plural(self.tables.1.saturating_sub(self.tables.0), "table")));
        }
        if self.items.1 > 0 {
            parts.push(format!("{} of {} indexes etc.", self.items.0, self.items.1));
        }
        parts.join("  ")
    }

    fn json(&self) -> String {
        json!({
            "event": "progress",
            "phase": self.phase.as_str(),
            "elapsed_seconds": self.elapsed.as_secs_f64(),
            "rows": self.rows,
            "bytes": self.bytes,
            "bytes_expected": self.expected,
            "bytes_per_second": self.rate(),
            "tables_done": self.tables.0,
            "tables": self.tables.1,
            "items_done": self.items.0,
            "items": self.items.1,
            "eta_seconds": self.eta().map(|e| e.as_secs_f64()),
        })
        .to_string()
    }
}
