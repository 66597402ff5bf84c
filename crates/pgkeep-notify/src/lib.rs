//! Who is told of what: channels such as Slack, e-mail and SNS, and the rules by which they are told.
//!
//! An [`Event`] is something that people may want to know. A [`Channel`] is one place where it can be told: it has
//! [`Rules`] that say which events it wants, and a kind (`slack`, `smtp` …, all in [`KINDS`]) that knows the other end's
//! form. The words are made once, as a [`Message`]; each kind only puts them into its form and within its limits.
//! [`Notifications`] delivers: a thread and a bounded queue for each channel, so that none waits for another and nothing
//! waits for any.

mod channel;
mod channels;
mod delivery;
mod error;
mod event;
mod http;
mod message;
mod rules;
mod settings;
mod template;
mod words;

pub use channel::Channel;
pub use channels::{COMMON, Field, KINDS, Kind, kind};
pub use delivery::{Listener, Notifications};
pub use error::{Retry, SendError};
pub use event::{Event, EventKind, joined, said_and_hints};
pub use message::{Message, Severity};
pub use rules::Rules;
pub use settings::Settings;
