//! E-mail through Amazon SES.

use pgkeep_cloud::Account;

use super::sns::failed;
use super::{Field, Kind, Notifier};
use crate::error::SendError;
use crate::message::Message;
use crate::words::cut;

pub(super) const KIND: Kind = Kind {
    name: "ses",
    fields: &[
        Field::new("from", "the sender, an address or domain that SES has verified").needed(),
        Field::new("to", "who gets it").list().needed(),
        Field::new("region", "the region [default: AWS's own]"),
    ],
    tasks: &[],
    make: |settings| {
        let to = settings.list("to").to_vec();
        if to.is_empty() {
            return Err("\"to\" is missing".into());
        }
        let region = settings.word("region").map(Into::into);
        Ok(Box::new(Ses { from: settings.needed("from")?.into(), to, region }))
    },
};

struct Ses {
    from: String,
    to: Vec<String>,
    region: Option<String>,
}

impl Notifier for Ses {
    fn send(&self, message: &Message) -> Result<String, SendError> {
        let subject = cut(&format!("[pgkeep] {}", message.title), 200);
        Account::open(self.region.as_deref())
            .and_then(|account| account.mail(&self.from, &self.to, &subject, &message.text()))
            .map(|id| format!("message {id}"))
            .map_err(failed)
    }
}
