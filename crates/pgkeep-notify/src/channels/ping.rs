//! Watchers that raise an alarm when nothing comes: healthchecks.io and what is like it.
//!
//! Form: healthchecks.io/docs/http_api (the URL itself for a success, `/start` and `/fail` behind it; up to 100 kB of
//! body are kept with the ping).

use super::{Field, Kind, Notifier};
use crate::error::SendError;
use crate::event::EventKind;
use crate::http::Http;
use crate::message::Message;
use crate::settings::{Settings, url};
use crate::template::{self, Template};
use crate::words::cut;

pub(super) const KIND: Kind = Kind {
    name: "ping",
    fields: &[
        Field::new("url", "called after a success; may hold {{database}} and {{task}}").needed().secret(),
        Field::new("start_url", "called when a run begins [default: url with /start]").secret(),
        Field::new("fail_url", "called after a failure [default: url with /fail]").secret(),
    ],
    tasks: &["backup"],
    make: |settings| Ok(Box::new(Ping::new(settings)?)),
};

struct Ping {
    success: Template,
    start: Template,
    fail: Template,
    http: Http,
}

impl Ping {
    fn new(settings: &Settings) -> Result<Ping, String> {
        let base = settings.needed("url")?;
        let place = |key: &str, end: &str| {
            let text = settings.word(key).map_or_else(|| behind(base, end), str::to_owned);
            // What stands for a field is no sign of a URL.
            url(key, &text.replace(['{', '}'], ""))?;
            Template::parse(&text).map_err(|e| format!("\"{key}\": {e}"))
        };
        Ok(Ping {
            success: place("url", "")?,
            start: place("start_url", "/start")?,
            fail: place("fail_url", "/fail")?,
            http: Http::new()?,
        })
    }
}

/// Puts something behind a URL's path.
fn behind(url: &str, end: &str) -> String {
    match url.split_once('?') {
        Some((path, query)) => format!("{}{end}?{query}", path.trim_end_matches('/')),
        None => format!("{}{end}", url.trim_end_matches('/')),
    }
}

impl Notifier for Ping {
    fn send(&self, message: &Message) -> Result<String, SendError> {
        let place = match message.event.kind {
            EventKind::Started => &self.start,
            EventKind::Success | EventKind::Recovered => &self.success,
            _ => &self.fail,
        };
        let body = cut(&format!("{}\n{}", message.title, message.text()), 20_000);
        let headers = [("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        self.http.post(&place.fill(message, template::url), &headers, body.into_bytes())
    }

    fn takes(&self, kind: EventKind) -> Option<bool> {
        // It finds out itself what is overdue.
        Some(kind != EventKind::Overdue)
    }
}
