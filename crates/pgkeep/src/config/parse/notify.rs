//! `[notify.<name>]`: the keys are those that the kind of channel declares.

use pgkeep_notify::{COMMON, Field};
use toml::Spanned;
use toml::de::DeValue;

use super::{Reader, password};
use crate::config::keys::nearest;
use crate::config::{ChannelEntry, Value};

impl Reader<'_> {
    pub(super) fn channel(&mut self, name: &str, value: Spanned<DeValue<'_>>) -> ChannelEntry {
        let at = value.span().start;
        let mut entries = self.table(&format!("notify.{name}"), value);
        let kind = entries.iter().position(|(key, _)| key.get_ref() == "type").map(|i| entries.remove(i));
        let mut channel = ChannelEntry::default();
        let kind = match kind.as_ref().map(|(_, value)| (value.span().start, value.get_ref())) {
            Some((at, DeValue::String(word))) => pgkeep_notify::kind(word).map_err(|why| (at, why)),
            _ => Err((at, format!("channel \"{name}\" has no type, such as type = \"slack\""))),
        };
        let kind = match kind {
            Ok(kind) => kind,
            Err((at, why)) => {
                self.problem(at, why);
                return channel;
            }
        };
        channel.kind = kind.name.to_owned();
        let fields: Vec<&Field> = COMMON.iter().chain(kind.fields).collect();
        for (key, value) in entries {
            let word = key.get_ref().as_ref();
            let Some(field) = fields.iter().find(|f| f.name == word) else {
                let known: Vec<&str> = fields.iter().map(|f| f.name).collect();
                let meant = match nearest(word, &known) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("it has type, {}", known.join(", ")),
                };
                self.problem(
                    key.span().start,
                    format!("unknown key \"{word}\" of a {} ({meant})", kind.name),
                );
                continue;
            };
            let start = value.span().start;
            match values(field, value) {
                Ok(values) => drop(channel.values.insert(field.name.to_owned(), values)),
                Err(why) => self.problem(start, why),
            }
        }
        for missing in kind.fields.iter().filter(|f| f.needed && !channel.values.contains_key(f.name)) {
            self.problem(at, format!("channel \"{name}\" has no {}: {}", missing.name, missing.help));
        }
        channel
    }
}

fn values(field: &Field, value: Spanned<DeValue<'_>>) -> Result<Vec<Value>, String> {
    let text = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(Value::Text(text.to_string())),
        DeValue::Integer(number) => Some(Value::Text(number.to_string())),
        _ => None,
    };
    let name = field.name;
    match value.into_inner() {
        DeValue::Array(all) if field.list => all
            .iter()
            .map(|value| text(value.get_ref()))
            .collect::<Option<_>>()
            .ok_or_else(|| format!("\"{name}\" is a list of strings")),
        table @ DeValue::Table(_) if field.secret && !field.list => {
            password(name, table).map(|source| vec![Value::Source(source)])
        }
        one => text(&one).map(|value| vec![value]).ok_or_else(|| match (field.list, field.secret) {
            (true, _) => format!("\"{name}\" is a list of strings"),
            (false, true) => format!("\"{name}\" is a string, or a reference such as {{ file = … }}"),
            (false, false) => format!("\"{name}\" is a string or a number"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::wrong;
    use crate::config::parse;

    #[test]
    fn a_channels_keys_are_those_of_its_type_and_no_mistake_repeats_a_value() {
        parse("[notify.ops]\ntype = 'slack'\nurl = '${SLACK_URL}'\non = ['failure']").unwrap();
        parse("[notify.ops]\ntype = 'slack'\nurl = { file = '/run/slack' }\ndatabases = 'shop*'").unwrap();
        for (text, line, words) in [
            ("type = 'slak'\nurl = 'x'", 2, "slack, teams"),
            ("url = 'hunter2'", 1, "no type"),
            ("type = 'slack'", 1, "no url"),
            ("type = 'slack'\nurl = 'hunter2'\nchanel = 'hunter2'", 4, "unknown key \"chanel\""),
            ("type = 'smtp'\nhost = 'h'\nfrom = 'f'\ntoo = 'hunter2'\nto = 'x'", 5, "\"to\"?"),
            ("type = 'slack'\nurl = ['hunter2']", 3, "is a string, or a reference"),
            ("type = 'slack'\nurl = { flie = 'hunter2' }", 3, "\"url\" is one of"),
        ] {
            let found = wrong(&format!("[notify.ops]\n{text}"));
            assert!(found.iter().any(|f| f.0 == line && f.1.contains(words)), "{found:?}");
            assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
        }
    }
}
