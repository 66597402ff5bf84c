//! Getting messages to their channels while other work goes on.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::channel::Channel;
use crate::error::{Retry, SendError};
use crate::event::Event;
use crate::message::Message;

/// Messages that wait for one channel.
const QUEUE: usize = 256;
/// Waits between tries: the first, doubled for each further one up to the longest; a message is given up after all.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);
const GIVE_UP: Duration = Duration::from_secs(60 * 60);

/// Delivers events to channels. Telling returns at once; a channel that fails is tried again for an hour, and its
/// listener hears of each try.
pub struct Notifications {
    host: String,
    listener: Listener,
    lanes: RwLock<Lanes>,
}

/// Hears of each try: the channel's name, and what the other end said or what is wrong.
pub type Listener = Arc<dyn Fn(&str, Result<&str, &str>) + Send + Sync>;

/// The channels with what each database's configuration names of them.
#[derive(Default)]
struct Lanes {
    all: Vec<Lane>,
    named: BTreeMap<String, Vec<String>>,
}

struct Lane {
    channel: Arc<Channel>,
    queue: SyncSender<Message>,
    state: Arc<State>,
    /// Disconnected when its thread has ended.
    ended: Mutex<Receiver<()>>,
}

/// What a channel's thread and others share.
#[derive(Default)]
struct State {
    told: Mutex<Told>,
    wake: Condvar,
}

#[derive(Default)]
struct Told {
    ending: bool,
    waiting: u64,
    lost: u64,
    failing: Option<String>,
}

impl State {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, unless the end comes before.
    fn wait(&self, time: Duration) {
        let ending = |told: &mut Told| !told.ending;
        drop(self.wake.wait_timeout_while(self.told(), time, ending));
    }
}

impl Notifications {
    /// With these channels. `named` holds the databases whose configuration names channels: those alone are told of them.
    /// `host` is this machine's name; `listener` hears how it goes.
    pub fn new(
        channels: Vec<Channel>,
        named: BTreeMap<String, Vec<String>>,
        host: impl Into<String>,
        listener: Listener,
    ) -> Notifications {
        let new = Notifications { host: host.into(), listener, lanes: RwLock::default() };
        new.replace(channels, named);
        new
    }

    /// Takes other channels from now on. What waits for the old ones is still delivered by them.
    pub fn replace(&self, channels: Vec<Channel>, named: BTreeMap<String, Vec<String>>) {
        let all = channels.into_iter().map(|channel| Lane::start(channel, self.listener.clone())).collect();
        *self.lanes.write().unwrap_or_else(PoisonError::into_inner) = Lanes { all, named };
    }

    /// Puts the event in the queue of each channel that wants it. `first` says of a failure that the run before it had
    /// not failed.
    pub fn tell(&self, event: &Event, first: bool) {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        let named = event.database.as_deref().and_then(|name| lanes.named.get(name));
        let is_named = |lane: &&Lane| named.is_none_or(|names| names.contains(&lane.channel.name));
        for lane in lanes.all.iter().filter(is_named).filter(|lane| lane.channel.wants(event, first)) {
            lane.put(Message::of(event, &self.host));
        }
    }

    /// The channels' names.
    pub fn names(&self) -> Vec<String> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        lanes.all.iter().map(|lane| lane.channel.name.clone()).collect()
    }

    /// Ends: for `tries` what waits is delivered as usual, then what is left gets one more try, in `last_try` at most.
    /// What could not be delivered is told, a line for each channel.
    pub fn finish(&self, tries: Duration, last_try: Duration) -> Vec<String> {
        let lanes = std::mem::take(&mut *self.lanes.write().unwrap_or_else(PoisonError::into_inner));
        let until = Instant::now() + tries;
        let closed: Vec<Closed> = lanes.all.into_iter().map(Lane::close).collect();
        let late: Vec<bool> = closed.iter().map(|lane| !lane.ended_by(until)).collect();
        for lane in &closed {
            lane.state.told().ending = true;
            lane.state.wake.notify_all();
        }
        let until = Instant::now() + last_try;
        closed.iter().zip(late).filter_map(|(lane, late)| lane.left(late && !lane.ended_by(until))).collect()
    }
}

impl std::fmt::Debug for Notifications {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notifications")
    }
}

impl Lane {
    fn start(channel: Channel, listener: Listener) -> Lane {
        let (queue, messages) = sync_channel(QUEUE);
        let (ends, ended) = self::channel();
        let lane =
            Lane { channel: Arc::new(channel), queue, state: Arc::default(), ended: Mutex::new(ended) };
        let (channel, state) = (lane.channel.clone(), lane.state.clone());
        let name = format!("pgkeep-notify-{}", channel.name);
        let heard = listener.clone();
        let started = std::thread::Builder::new().name(name).spawn(move || {
            let _ends: Sender<()> = ends;
            while let Ok(message) = messages.recv() {
                deliver(&channel, &state, &message, &listener);
            }
        });
        if let Err(e) = started {
            let why = format!("its thread: {e}");
            heard(&lane.channel.name, Err(&why));
            lane.state.told().failing = Some(why);
        }
        lane
    }

    fn put(&self, message: Message) {
        let mut told = self.state.told();
        match self.queue.try_send(message) {
            Ok(()) => told.waiting += 1,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => told.lost += 1,
        }
    }

    /// Nothing more comes: its thread ends when the queue is empty.
    fn close(self) -> Closed {
        let ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        Closed { name: self.channel.name.clone(), state: self.state, ended }
    }
}

/// A lane to which nothing more comes.
struct Closed {
    name: String,
    state: Arc<State>,
    ended: Receiver<()>,
}

impl Closed {
    /// Waits for its thread, until then at most.
    fn ended_by(&self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        self.ended.recv_timeout(left) == Err(RecvTimeoutError::Disconnected)
    }

    /// What was not delivered.
    fn left(&self, runs_still: bool) -> Option<String> {
        let told = self.state.told();
        let lost = told.lost + if runs_still { told.waiting } else { 0 };
        (lost > 0).then(|| {
            let why = told.failing.as_deref().unwrap_or("it did not answer in time");
            format!("notify {}: {lost} not delivered: {why}", self.name)
        })
    }
}

/// Tries until it is taken, is refused for good, an hour is over, or the end comes.
fn deliver(channel: &Channel, state: &State, message: &Message, listener: &Listener) {
    let began = Instant::now();
    let mut wait = FIRST_WAIT;
    loop {
        let sent = channel.send(message);
        listener(&channel.name, sent.as_deref().map_err(|e| e.why.as_str()));
        let mut told = state.told();
        match sent {
            Ok(_) => {
                (told.failing, told.waiting) = (None, told.waiting.saturating_sub(1));
                return;
            }
            Err(SendError { why, retry }) => {
                told.failing = Some(why);
                let pause = match retry {
                    Retry::Never => None,
                    Retry::Later => Some(wait.mul_f64(0.5 + fastrand::f64())),
                    Retry::After(time) => Some(time),
                };
                let Some(pause) = pause.filter(|pause| !told.ending && began.elapsed() + *pause < GIVE_UP)
                else {
                    (told.lost, told.waiting) = (told.lost + 1, told.waiting.saturating_sub(1));
                    return;
                };
                drop(told);
                state.wait(pause);
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}
