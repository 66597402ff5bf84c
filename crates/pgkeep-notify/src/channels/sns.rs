//! Amazon SNS.
//!
//! Limits: SNS API reference, "Publish" (a subject of ASCII, under 100 characters, without line ends; 256 KiB in all).

use pgkeep_cloud::{Account, CloudError, CloudErrorKind};

use super::{Field, Kind, Notifier};
use crate::error::SendError;
use crate::message::Message;
use crate::words::cut;

pub(super) const KIND: Kind = Kind {
    name: "sns",
    fields: &[
        Field::new("topic", "the topic's ARN").needed(),
        Field::new("region", "its region [default: the ARN's]"),
    ],
    tasks: &[],
    make: |settings| {
        let (topic, region) = (settings.needed("topic")?.to_owned(), settings.word("region").map(Into::into));
        if !topic.starts_with("arn:") {
            return Err(format!(
                "\"topic\" is an ARN such as arn:aws:sns:eu-central-1:123456789012:backups, and not {topic}"
            ));
        }
        Ok(Box::new(Sns { topic, region }))
    },
};

struct Sns {
    topic: String,
    region: Option<String>,
}

impl Notifier for Sns {
    fn send(&self, message: &Message) -> Result<String, SendError> {
        let ascii = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
        let subject: String = message.title.chars().map(ascii).take(99).collect();
        // What subscriptions can filter by.
        let attributes = [
            ("kind", message.event.kind.as_str()),
            ("severity", message.severity.as_str()),
            ("task", &message.event.task),
            ("database", message.event.database.as_deref().unwrap_or_default()),
        ];
        Account::of(&self.topic, self.region.as_deref())
            .and_then(|account| {
                account.publish(&self.topic, &subject, &cut(&message.text(), 60_000), &attributes)
            })
            .map(|id| format!("message {id}"))
            .map_err(failed)
    }
}

/// What AWS refuses it refuses again; credentials may come back (a role's are fetched over the network).
pub(super) fn failed(e: CloudError) -> SendError {
    match e.kind {
        CloudErrorKind::Denied | CloudErrorKind::NotFound | CloudErrorKind::Unfit => {
            SendError::never(e.to_string())
        }
        _ => SendError::later(e.to_string()),
    }
}
