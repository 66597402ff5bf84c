//! E-mail through a mail server.

use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Mail};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{SmtpTransport, Transport};

use super::{Field, Kind, Notifier};
use crate::error::{Retry, SendError, chain};
use crate::message::Message;
use crate::settings::Settings;
use crate::words::cut;

pub(super) const KIND: Kind = Kind {
    name: "smtp",
    fields: &[
        Field::new("host", "the mail server").needed(),
        Field::new("port", "its port [default: 587 for starttls, 465 for tls, 25 for none]"),
        Field::new("tls", "starttls, tls, or none for a server on this machine [default: starttls]"),
        Field::new("username", "the log-in's name, if it wants one"),
        Field::new("password", "the log-in's password").secret(),
        Field::new("from", "the sender, such as \"pgkeep <pgkeep@example.com>\"").needed(),
        Field::new("to", "who gets it").list().needed(),
    ],
    tasks: &[],
    make: |settings| Ok(Box::new(Smtp::new(settings)?)),
};

/// Longest wait for each answer of the server.
const ANSWER: Duration = Duration::from_secs(20);

struct Smtp {
    from: Mailbox,
    to: Vec<Mailbox>,
    transport: SmtpTransport,
}

impl Smtp {
    fn new(settings: &Settings) -> Result<Smtp, String> {
        let host = settings.needed("host")?;
        let is_here = matches!(host, "localhost" | "127.0.0.1" | "::1");
        let tls = settings.word("tls").unwrap_or("starttls");
        let builder = match tls {
            "starttls" => SmtpTransport::starttls_relay(host),
            "tls" => SmtpTransport::relay(host),
            "none" => Ok(SmtpTransport::builder_dangerous(host)),
            _ => return Err(format!("\"tls\" is starttls, tls or none, and not \"{tls}\"")),
        };
        let mut builder = builder.map_err(|e| format!("TLS: {}", chain(&e)))?.timeout(Some(ANSWER));
        if let Some(port) = settings.word("port") {
            let number = port.parse().map_err(|_| format!("\"port\" is a number, and not \"{port}\""))?;
            builder = builder.port(number);
        }
        match (settings.word("username"), settings.word("password")) {
            (Some(_), Some(_)) if tls == "none" && !is_here => {
                return Err("a password would go over the network for all to read: use tls".into());
            }
            (Some(name), Some(password)) => {
                builder = builder.credentials(Credentials::new(name.to_owned(), password.to_owned()));
            }
            (None, None) => {}
            _ => return Err("\"username\" and \"password\" go together".into()),
        }
        let to: Vec<Mailbox> =
            settings.list("to").iter().map(|text| mailbox("to", text)).collect::<Result<_, _>>()?;
        if to.is_empty() {
            return Err("\"to\" is missing".into());
        }
        Ok(Smtp { from: mailbox("from", settings.needed("from")?)?, to, transport: builder.build() })
    }

    fn mail(&self, message: &Message) -> Result<Mail, lettre::error::Error> {
        let mut builder = Mail::builder()
            .from(self.from.clone())
            .subject(cut(&format!("[pgkeep] {}", message.title), 200))
            .message_id(None)
            .header(ContentType::TEXT_PLAIN)
            // RFC 3834: absence notices and the like do not answer.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".into(),
            ));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder.body(message.text())
    }
}

fn mailbox(key: &str, text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|e| format!("\"{key}\": {text} is no mail address: {e}"))
}

impl Notifier for Smtp {
    fn send(&self, message: &Message) -> Result<String, SendError> {
        let mail = self.mail(message).map_err(|e| SendError::never(chain(&e)))?;
        let answer = self.transport.send(&mail).map_err(|e| {
            let retry = if e.is_permanent() || e.is_client() { Retry::Never } else { Retry::Later };
            SendError { why: chain(&e), retry }
        })?;
        let said: Vec<&str> = answer.message().collect();
        Ok(format!("{} {}", answer.code(), said.join(" ")))
    }
}
