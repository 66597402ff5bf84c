//! Microsoft Teams, by a workflow that takes webhooks.
//!
//! Form: learn.microsoft.com, "Create incoming webhooks with Workflows for Microsoft Teams" (a message with an adaptive
//! card as its attachment, at most 28 KB), adaptivecards.io schema 1.4.

use serde_json::{Value, json};

use super::{Field, Kind, Notifier};
use crate::error::SendError;
use crate::http::Http;
use crate::message::{Message, Severity};
use crate::words::{cut, fitting};

pub(super) const KIND: Kind = Kind {
    name: "teams",
    fields: &[Field::new("url", "the URL of the workflow \"when a webhook request is received\"")
        .needed()
        .secret()],
    tasks: &[],
    make: |settings| Ok(Box::new(Teams { url: settings.url("url")?.into(), http: Http::new()? })),
};

struct Teams {
    url: String,
    http: Http,
}

impl Notifier for Teams {
    fn send(&self, message: &Message) -> Result<String, SendError> {
        self.http.json(&self.url, &payload(message))
    }
}

fn payload(message: &Message) -> Value {
    let color = match message.severity {
        Severity::Good => "good",
        Severity::Warning => "warning",
        Severity::Critical => "attention",
    };
    let facts: Vec<Value> = fitting(&message.fields, 2000, 20_000)
        .into_iter()
        .map(|(name, value)| json!({ "title": name, "value": value }))
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": [
                    {
                        "type": "TextBlock", "text": cut(&message.title, 250), "size": "Large", "weight": "Bolder",
                        "color": color, "wrap": true,
                    },
                    { "type": "TextBlock", "text": cut(&message.event.summary, 2000), "wrap": true },
                    { "type": "FactSet", "facts": facts },
                ],
            },
        }],
    })
}
