//! Any program that takes a POST.
//!
//! Signed as standardwebhooks.com has it: `webhook-id`, `webhook-timestamp`, and in `webhook-signature` the HMAC-SHA256
//! of `id.timestamp.body`, for which there are libraries in most languages.

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Field, Kind, Notifier};
use crate::error::SendError;
use crate::event::{Event, EventKind};
use crate::http::Http;
use crate::message::Message;
use crate::settings::Settings;
use crate::template::{self, Template};

pub(super) const KIND: Kind = Kind {
    name: "webhook",
    fields: &[
        Field::new("url", "where it goes").needed().secret(),
        Field::new("template", "the body, with {{field}}s [default: a JSON object with all of them]"),
        Field::new("content_type", "the body's type [default: application/json]"),
        Field::new("headers", "further headers, such as \"Authorization: Bearer ${TOKEN}\"").list().secret(),
        Field::new("secret", "signs the body: any text, or whsec_… in Base64").secret(),
    ],
    tasks: &[],
    make: |settings| Ok(Box::new(Webhook::new(settings)?)),
};

const JSON: &str = "application/json";

struct Webhook {
    url: String,
    template: Option<Template>,
    content_type: String,
    headers: Vec<(String, String)>,
    key: Option<hmac::Key>,
    http: Http,
}

impl Webhook {
    fn new(settings: &Settings) -> Result<Webhook, String> {
        let header = |line: &String| match line.split_once(':') {
            Some((name, value)) if !name.is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
            _ => Err("\"headers\" are lines such as \"Name: value\"".to_owned()),
        };
        let hook = Webhook {
            url: settings.url("url")?.into(),
            template: settings.word("template").map(Template::parse).transpose()?,
            content_type: settings.word("content_type").unwrap_or(JSON).to_owned(),
            headers: settings.list("headers").iter().map(header).collect::<Result<_, _>>()?,
            key: settings.word("secret").map(key).transpose()?,
            http: Http::new()?,
        };
        let sample = Message::of(&Event::sample(EventKind::Failure, Timestamp::UNIX_EPOCH), "host");
        if hook.is_json() {
            let read: Result<Value, _> = serde_json::from_str(&hook.body(&sample));
            read.map_err(|e| format!("\"template\" makes no JSON: {e}"))?;
        }
        Ok(hook)
    }

    fn is_json(&self) -> bool {
        self.content_type.contains("json")
    }

    fn body(&self, message: &Message) -> String {
        match &self.template {
            None => whole(message).to_string(),
            Some(template) if self.is_json() => template.fill(message, template::json),
            Some(template) if self.content_type.contains("urlencoded") => {
                template.fill(message, template::url)
            }
            Some(template) => template.fill(message, str::to_owned),
        }
    }
}

impl Notifier for Webhook {
    fn send(&self, message: &Message) -> Result<String, SendError> {
        let body = self.body(message);
        let mut headers = vec![("content-type".to_owned(), self.content_type.clone())];
        headers.extend(self.headers.iter().cloned());
        let (id, time) = (id(message), Timestamp::now().as_second());
        if let Some(key) = &self.key {
            let signature = hmac::sign(key, format!("{id}.{time}.{body}").as_bytes());
            headers.push(("webhook-signature".into(), format!("v1,{}", STANDARD.encode(signature))));
        }
        headers.extend([("webhook-id".into(), id), ("webhook-timestamp".into(), time.to_string())]);
        self.http.post(&self.url, &headers, body.into_bytes())
    }
}

/// `whsec_` and Base64, as the standard's libraries take it; anything else as it is.
fn key(secret: &str) -> Result<hmac::Key, String> {
    let bytes = match secret.strip_prefix("whsec_") {
        Some(text) => STANDARD.decode(text).map_err(|_| "\"secret\": what follows whsec_ is no Base64")?,
        None => secret.as_bytes().to_vec(),
    };
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// The same for each try at one message, so that the other end can tell a repetition.
fn id(message: &Message) -> String {
    let hash = digest::digest(&digest::SHA256, whole(message).to_string().as_bytes());
    hash.as_ref().iter().take(16).fold("pgkeep_".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

/// All there is to know.
fn whole(message: &Message) -> Value {
    let mut body = json!(message.event);
    body["kind"] = json!(message.event.kind.as_str());
    body["title"] = json!(message.title);
    body["severity"] = json!(message.severity.as_str());
    body["host"] = json!(message.host);
    body["text"] = json!(message.text());
    body["facts"] = message.event.facts.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    body
}
