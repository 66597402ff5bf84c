//! Discord, by a webhook.
//!
//! Form and limits: docs.discord.com, "Webhook: Execute Webhook", "Embed limits" (title 256, description 4096, 25 fields
//! with names of 256 and values of 1024, 6000 in all).

use serde_json::{Value, json};

use super::{Field, Kind, Notifier};
use crate::error::SendError;
use crate::http::Http;
use crate::message::Message;
use crate::words::{cut, fitting};

pub(super) const KIND: Kind = Kind {
    name: "discord",
    fields: &[Field::new("url", "the webhook's URL").needed().secret()],
    tasks: &[],
    make: |settings| Ok(Box::new(Discord { url: settings.url("url")?.into(), http: Http::new()? })),
};

struct Discord {
    url: String,
    http: Http,
}

impl Notifier for Discord {
    fn send(&self, message: &Message) -> Result<String, SendError> {
        self.http.json(&self.url, &payload(message))
    }
}

fn payload(message: &Message) -> Value {
    let (title, description) = (cut(&message.title, 256), cut(&message.event.summary, 1000));
    let fields: Vec<Value> = fitting(&message.fields, 1024, 4500)
        .into_iter()
        .take(25)
        .map(|(name, value)| json!({ "name": name, "inline": value.len() <= 40, "value": value }))
        .collect();
    json!({
        // Names of databases must not call people.
        "allowed_mentions": { "parse": [] },
        "embeds": [{
            "title": title,
            "description": description,
            "color": message.severity.color(),
            "timestamp": message.event.at.to_string(),
            "fields": fields,
        }],
    })
}
