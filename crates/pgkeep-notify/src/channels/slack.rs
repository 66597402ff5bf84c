//! Slack, by an incoming webhook.
//!
//! Form and limits: docs.slack.dev, "Sending messages using incoming webhooks", "Block Kit: blocks" (header 150
//! characters, section 3000, ten fields of 2000 each), "Formatting message text" (escaping).

use serde_json::{Value, json};

use super::{Field, Kind, Notifier};
use crate::error::SendError;
use crate::http::Http;
use crate::message::{Message, Severity};
use crate::words::{cut, cut_with};

pub(super) const KIND: Kind = Kind {
    name: "slack",
    fields: &[Field::new("url", "the incoming webhook's URL").needed().secret()],
    tasks: &[],
    make: |settings| Ok(Box::new(Slack { url: settings.url("url")?.into(), http: Http::new()? })),
};

struct Slack {
    url: String,
    http: Http,
}

impl Notifier for Slack {
    fn send(&self, message: &Message) -> Result<String, SendError> {
        self.http.json(&self.url, &payload(message))
    }
}

fn escaped(text: &str, limit: usize) -> String {
    cut_with(text, limit, |c| match c {
        '&' => "&amp;".into(),
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        c => c.to_string(),
    })
}

fn payload(message: &Message) -> Value {
    let sign = match message.severity {
        Severity::Good => "✅",
        Severity::Warning => "⚠️",
        Severity::Critical => "🔴",
    };
    let title = format!("{sign} {}", message.title);
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": cut(&title, 150) } }),
        json!({ "type": "section", "text": { "type": "mrkdwn", "text": escaped(&message.event.summary, 3000) } }),
    ];
    // Long texts get the whole width, short ones stand side by side.
    let (long, short): (Vec<_>, Vec<_>) = message.fields.iter().partition(|(_, value)| value.len() > 60);
    for (name, value) in long {
        let text = format!("*{}*\n{}", escaped(name, 100), escaped(value, 2800));
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } }));
    }
    for ten in short.chunks(10) {
        let fields: Vec<Value> = ten
            .iter()
            .map(|(name, value)| {
                json!({ "type": "mrkdwn", "text": format!("*{}*\n{}", escaped(name, 100), escaped(value, 1800)) })
            })
            .collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    // At most fifty blocks in a message.
    blocks.truncate(50);
    json!({ "text": escaped(&title, 3000), "blocks": blocks })
}
