//! The two forms of a connection string, taken apart into keys and values.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::bad;
use crate::error::Result;

pub(super) type Keys = BTreeMap<String, String>;

pub(super) fn is_url(s: &str) -> bool {
    s.starts_with("postgres://") || s.starts_with("postgresql://")
}

pub(super) fn parse(s: &str) -> Result<Keys> {
    if is_url(s) { parse_url(s) } else { parse_pairs(s) }
}

fn decode(s: &str) -> Result<String> {
    let out = percent_decode_str(s)
        .decode_utf8()
        .map_err(|_| bad("a percent-encoded part is not UTF-8"))?
        .into_owned();
    if out.contains('\0') { Err(bad("a percent-encoded part holds a zero byte")) } else { Ok(out) }
}

/// `postgres://[user[:password]@][host][:port][,…][/dbname][?key=value&…]`, split by hand as libpq does: real
/// passwords hold characters that a strict URL parser refuses.
fn parse_url(s: &str) -> Result<Keys> {
    let rest = s.split_once("://").map(|(_, r)| r).unwrap_or_default();
    let mut keys = Keys::new();
    let (rest, query) = match rest.split_once('?') {
        Some((r, q)) => (r, Some(q)),
        None => (rest, None),
    };
    // The last '@' before the path ends the user part: passwords often hold an unencoded '@' or '/'.
    let (auth, place) = match rest.rfind('@') {
        Some(i) => (Some(&rest[..i]), &rest[i + 1..]),
        None => (None, rest),
    };
    if let Some(auth) = auth {
        let (user, password) = match auth.split_once(':') {
            Some((u, p)) => (u, Some(p)),
            None => (auth, None),
        };
        if !user.is_empty() {
            keys.insert("user".into(), decode(user)?);
        }
        if let Some(p) = password {
            keys.insert("password".into(), decode(p)?);
        }
    }
    let (hosts, database) = match place.split_once('/') {
        Some((h, d)) => (h, Some(d)),
        None => (place, None),
    };
    if !hosts.is_empty() {
        let places: Vec<(String, &str)> = hosts.split(',').map(host_and_port).collect::<Result<_>>()?;
        let joined = |parts: Vec<&str>| parts.join(",");
        if places.iter().any(|(host, _)| !host.is_empty()) {
            keys.insert("host".into(), joined(places.iter().map(|(h, _)| h.as_str()).collect()));
        }
        if places.iter().any(|(_, port)| !port.is_empty()) {
            keys.insert("port".into(), joined(places.iter().map(|(_, p)| *p).collect()));
        }
    }
    if let Some(d) = database.filter(|d| !d.is_empty()) {
        keys.insert("dbname".into(), decode(d)?);
    }
    for pair in query.unwrap_or_default().split('&').filter(|p| !p.is_empty()) {
        let (k, v) = pair.split_once('=').ok_or_else(|| bad("a parameter after \"?\" has no \"=\""))?;
        let (k, v) = (decode(k)?, decode(v)?);
        // JDBC's spelling, which libpq takes too.
        let (k, v) = if k == "ssl" && v == "true" { ("sslmode".into(), "require".into()) } else { (k, v) };
        keys.insert(k, v);
    }
    Ok(keys)
}

fn host_and_port(text: &str) -> Result<(String, &str)> {
    let (host, port) = if let Some(v6) = text.strip_prefix('[') {
        let (h, tail) = v6.split_once(']').ok_or_else(|| bad("\"[\" without \"]\" in the host"))?;
        (h, tail.strip_prefix(':'))
    } else {
        match text.rsplit_once(':') {
            Some((h, p)) => (h, Some(p)),
            None => (text, None),
        }
    };
    Ok((decode(host)?, port.unwrap_or_default()))
}

/// `key=value key='quoted value'`, with `\'` and `\\` inside quotes.
fn parse_pairs(s: &str) -> Result<Keys> {
    let mut keys = Keys::new();
    let mut chars = s.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(keys);
        }
        let mut key = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_whitespace()) {
            key.push(c);
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.next() != Some('=') {
            return Err(bad("expected key=value pairs or a postgres:// URL"));
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let mut value = String::new();
        if chars.next_if_eq(&'\'').is_some() {
            loop {
                match chars.next() {
                    Some('\'') => break,
                    Some('\\') => value.extend(chars.next()),
                    Some(c) => value.push(c),
                    None => return Err(bad("a quoted value is not closed")),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
                if c == '\\' { value.extend(chars.next()) } else { value.push(c) }
            }
        }
        keys.insert(key, value);
    }
}
