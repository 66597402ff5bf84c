//! PagerDuty: an incident for what is wrong, which ends when it is right again.
//!
//! Form and limits: developer.pagerduty.com, "Events API v2: Send an Alert Event" (summary 1024 characters, dedup_key
//! 255, severity critical, error, warning or info).

use serde_json::{Map, Value, json};

use super::{Field, Kind, Notifier};
use crate::error::SendError;
use crate::event::EventKind;
use crate::http::Http;
use crate::message::{Message, Severity};
use crate::settings::{Settings, url};
use crate::words::cut;

pub(super) const KIND: Kind = Kind {
    name: "pagerduty",
    fields: &[
        Field::new("routing_key", "the integration's key (Events API v2)").needed().secret(),
        Field::new("url", "where events go [default: https://events.pagerduty.com/v2/enqueue]"),
    ],
    tasks: &[],
    make: |settings| Ok(Box::new(PagerDuty::new(settings)?)),
};

struct PagerDuty {
    url: String,
    routing_key: String,
    http: Http,
}

impl PagerDuty {
    fn new(settings: &Settings) -> Result<PagerDuty, String> {
        let place = settings.word("url").unwrap_or("https://events.pagerduty.com/v2/enqueue");
        Ok(PagerDuty {
            url: url("url", place)?.into(),
            routing_key: settings.needed("routing_key")?.to_owned(),
            http: Http::new()?,
        })
    }
}

impl Notifier for PagerDuty {
    fn send(&self, message: &Message) -> Result<String, SendError> {
        self.http.json(&self.url, &payload(message, &self.routing_key))
    }

    fn takes(&self, kind: EventKind) -> Option<bool> {
        match kind {
            EventKind::Started => Some(false),
            EventKind::Success | EventKind::Recovered => Some(true),
            _ => None,
        }
    }
}

fn payload(message: &Message, routing_key: &str) -> Value {
    let mut event = json!({ "routing_key": routing_key, "dedup_key": cut(&message.matter(), 255) });
    if message.severity == Severity::Good {
        event["event_action"] = json!("resolve");
        return event;
    }
    let details: Map<String, Value> =
        message.fields.iter().map(|(name, value)| (name.clone(), json!(cut(value, 4000)))).collect();
    event["event_action"] = json!("trigger");
    event["client"] = json!("pgkeep");
    event["payload"] = json!({
        "summary": cut(&format!("{}: {}", message.title, message.event.summary), 1024),
        "source": message.host,
        "severity": message.severity.as_str(),
        "timestamp": message.event.at.to_string(),
        "component": message.event.database,
        "group": message.event.task,
        "class": message.event.kind.as_str(),
        "custom_details": details,
    });
    event
}
