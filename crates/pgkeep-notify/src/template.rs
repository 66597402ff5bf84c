//! Texts with `{{field}}` in them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::message::Message;

/// A text with places for what a message says.
#[derive(Debug, Clone)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Field(&'static str),
}

const FIELDS: [&str; 14] = [
    "kind", "title", "severity", "database", "task", "summary", "why", "hint", "log", "backup", "run", "at",
    "host", "text",
];

impl Template {
    /// Reads it.
    ///
    /// # Errors
    /// A field that there is not, or that is not closed.
    pub(crate) fn parse(text: &str) -> Result<Template, String> {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, tail)) = rest.split_once("{{") {
            let (name, after) = tail.split_once("}}").ok_or("a {{ has no }}")?;
            let name = name.trim();
            let field = FIELDS.into_iter().find(|f| *f == name);
            let field = field.ok_or_else(|| {
                format!("there is no field {{{{{name}}}}}: there are {}", FIELDS.join(", "))
            })?;
            pieces.extend([Piece::Text(before.to_owned()), Piece::Field(field)]);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Template(pieces))
    }

    /// Fills it; each value goes through `escape`. What the message does not know is empty.
    pub(crate) fn fill(&self, message: &Message, escape: impl Fn(&str) -> String) -> String {
        let fill = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(name) => escape(&value(message, name)),
        };
        self.0.iter().map(fill).collect()
    }
}

fn value(message: &Message, field: &str) -> String {
    let event = &message.event;
    let option = |text: &Option<String>| text.clone().unwrap_or_default();
    match field {
        "kind" => event.kind.as_str().into(),
        "title" => message.title.clone(),
        "severity" => message.severity.as_str().into(),
        "database" => option(&event.database),
        "task" => event.task.clone(),
        "summary" => event.summary.clone(),
        "why" => option(&event.why),
        "hint" => option(&event.hint),
        "log" => option(&event.log),
        "backup" => option(&event.backup),
        "run" => option(&event.run),
        "at" => event.at.to_string(),
        "host" => message.host.clone(),
        _ => message.text(),
    }
}

/// As the inside of a JSON string.
pub(crate) fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

/// RFC 3986, section 2.3: what is not unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// As a part of a URL's path or query.
pub(crate) fn url(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::event::{Event, EventKind};

    #[test]
    fn values_stay_within_their_quotes_whatever_is_in_them() {
        let mut event = Event::sample(EventKind::Failure, jiff::Timestamp::UNIX_EPOCH);
        event.why = Some("a \"quote\" \\ and\na line \u{1} {{hint}}".into());
        event.database = Some("shop/ö?".into());
        let message = Message::of(&event, "h");
        let body =
            Template::parse(r#"{"why":"{{ why }}","db":"{{database}}"}"#).unwrap().fill(&message, json);
        let read: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(read["why"].as_str(), event.why.as_deref());
        let url = Template::parse("https://x/{{database}}").unwrap().fill(&message, url);
        assert_eq!(url, "https://x/shop%2F%C3%B6%3F");
    }

    #[test]
    fn a_field_that_is_none_is_refused() {
        assert!(Template::parse("{{databse}}").unwrap_err().contains("database"));
        assert!(Template::parse("{{why").is_err());
    }
}
