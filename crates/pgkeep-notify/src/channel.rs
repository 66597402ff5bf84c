//! One place where events are told.

use crate::channels::{Notifier, kind};
use crate::error::SendError;
use crate::event::Event;
use crate::message::Message;
use crate::rules::Rules;
use crate::settings::Settings;

/// A channel: a name, rules, and the way to the other end.
pub struct Channel {
    /// Its configured name.
    pub name: String,
    /// Its kind, such as `slack`.
    pub kind: &'static str,
    rules: Rules,
    notifier: Box<dyn Notifier>,
    secrets: Vec<String>,
}

impl Channel {
    /// Makes it of what the configuration says. Nothing is connected to yet.
    ///
    /// # Errors
    /// What is missing or makes no sense; never a value that is secret.
    pub fn new(name: &str, kind_name: &str, settings: &Settings) -> Result<Channel, String> {
        let kind = kind(kind_name)?;
        let secrets: Vec<String> = kind
            .fields
            .iter()
            .filter(|field| field.secret)
            .flat_map(|field| settings.list(field.name))
            .flat_map(|value| hidden(value))
            .collect();
        let made = Rules::of(&kind.with_usual(settings))
            .and_then(|rules| Ok((rules, (kind.make)(settings)?)))
            .map_err(|why| redact(&why, &secrets))?;
        Ok(Channel { name: name.to_owned(), kind: kind.name, rules: made.0, notifier: made.1, secrets })
    }

    /// Whether it wants the event. `first` says of a failure that the run before it had not failed.
    pub fn wants(&self, event: &Event, first: bool) -> bool {
        self.rules.concern(event)
            && self.notifier.takes(event.kind).unwrap_or_else(|| self.rules.want(event.kind, first))
    }

    /// Sends a message, whatever the rules say; what the other end said.
    ///
    /// # Errors
    /// Why it was not taken, and whether another try can help.
    pub fn send(&self, message: &Message) -> Result<String, SendError> {
        match self.notifier.send(message) {
            Ok(said) => Ok(redact(&said, &self.secrets)),
            Err(e) => Err(SendError { why: redact(&e.why, &self.secrets), ..e }),
        }
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Channel({}, {})", self.name, self.kind)
    }
}

/// A secret in all the forms in which it could come back: whole, and of a URL or a header also the part that is secret.
fn hidden(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    if let Some((_, path)) = secret.split_once("://").and_then(|(_, rest)| rest.split_once('/')) {
        forms.push(path.to_owned());
    }
    if let Some((_, value)) = secret.split_once(": ") {
        forms.extend([value.to_owned(), value.rsplit(' ').next().unwrap_or_default().to_owned()]);
    }
    // A short word would take innocent ones along.
    forms.retain(|form| form.len() >= 6);
    forms
}

fn redact(text: &str, secrets: &[String]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
}
