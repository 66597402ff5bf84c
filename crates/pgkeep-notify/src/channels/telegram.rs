//! Telegram, by a bot.
//!
//! Form and limits: core.telegram.org/bots/api, "sendMessage" (text of 1 to 4096 characters; plain without
//! `parse_mode`).

use serde_json::json;

use super::{Field, Kind, Notifier};
use crate::error::SendError;
use crate::http::Http;
use crate::message::Message;
use crate::settings::{Settings, url};
use crate::words::cut;

pub(super) const KIND: Kind = Kind {
    name: "telegram",
    fields: &[
        Field::new("token", "the bot's token").needed().secret(),
        Field::new("chat", "the chat's id, or @channel").needed(),
        Field::new("url", "another Bot API server [default: https://api.telegram.org]"),
    ],
    tasks: &[],
    make: |settings| Ok(Box::new(Telegram::new(settings)?)),
};

struct Telegram {
    url: String,
    chat: String,
    http: Http,
}

impl Telegram {
    fn new(settings: &Settings) -> Result<Telegram, String> {
        let server = url("url", settings.word("url").unwrap_or("https://api.telegram.org"))?;
        let server = server.as_str().trim_end_matches('/');
        Ok(Telegram {
            url: format!("{server}/bot{}/sendMessage", settings.needed("token")?),
            chat: settings.needed("chat")?.to_owned(),
            http: Http::new()?,
        })
    }
}

impl Notifier for Telegram {
    fn send(&self, message: &Message) -> Result<String, SendError> {
        let text = cut(&format!("{}\n\n{}", message.title, message.text()), 4096);
        let body = json!({
            "chat_id": self.chat, "text": text, "link_preview_options": { "is_disabled": true },
        });
        self.http.json(&self.url, &body)
    }
}
