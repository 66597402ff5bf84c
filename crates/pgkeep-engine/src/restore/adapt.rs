//! Changing what an archive says: another name or owner, and words that the target's version knows.

use bstr::{BString, ByteSlice};
use pgkeep_archive::{Entry, Toc, format_identifier};

use super::entry::{bytes, desc, is_database, tag};

/// Gives the database that the archive creates another name.
pub fn rename_database(toc: &mut Toc, name: &str) {
    let Some(old) = toc.entries.iter().find(|e| desc(e) == b"DATABASE").map(|e| tag(e).to_vec()) else {
        return;
    };
    let from = [b"DATABASE ".as_slice(), &format_identifier(&old)].concat();
    let to = [b"DATABASE ".as_slice(), &format_identifier(name.as_bytes())].concat();
    for entry in toc.entries.iter_mut().filter(|e| is_about_database(e)) {
        for text in [&mut entry.definition, &mut entry.drop].into_iter().flatten() {
            // Each statement names it once, near its begin; a value or a comment may hold the same words further on.
            let lines = text.split_inclusive(|b| *b == b'\n').map(|line| match line.find(&from) {
                Some(at) if line[..at].iter().all(|b| b.is_ascii_uppercase() || b" ,_".contains(b)) => {
                    [&line[..at], &to, &line[at + from.len()..]].concat()
                }
                _ => line.to_vec(),
            });
            *text = BString::from(lines.collect::<Vec<_>>().concat());
        }
        if is_database(entry) {
            entry.tag = Some(name.into());
        }
    }
}

fn is_about_database(entry: &Entry) -> bool {
    is_database(entry) || bytes(&entry.namespace).is_empty() && tag(entry).starts_with(b"DATABASE ")
}

/// Gives everything that has an owner to this role.
pub fn change_owner(toc: &mut Toc, role: &str) {
    for entry in toc.entries.iter_mut().filter(|e| !bytes(&e.owner).is_empty()) {
        entry.owner = Some(role.into());
    }
}

/// Drops what a server of this major does not know and can do without, and says what was dropped.
pub fn adapt(toc: &mut Toc, major: u32) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |count: usize, what: &str, since: u32| {
        if count > 0 {
            notes.push(format!(
                "left out, as PostgreSQL {major} does not know it: {what} ({since} and later), {count} times"
            ));
        }
    };
    let before = toc.entries.len();
    if major < 18 {
        toc.entries.retain(|e| !matches!(desc(e), b"STATISTICS DATA" | b"EXTENDED STATISTICS DATA"));
        note(before - toc.entries.len(), "planner statistics; they are gathered anew", 18);
    }
    let mut each = |since: u32, what: &str, change: fn(&mut Entry) -> bool| {
        if major < since {
            note(toc.entries.iter_mut().filter_map(|e| change(e).then_some(())).count(), what, since);
        }
    };
    each(17, "the privilege MAINTAIN", |e| desc(e) == b"ACL" && without(e, &[b",MAINTAIN", b"MAINTAIN,"]));
    each(15, "LOCALE_PROVIDER of the database", |e| {
        desc(e) == b"DATABASE" && without(e, &[b" LOCALE_PROVIDER = libc"])
    });
    each(14, "SET COMPRESSION of a column", without_compression);
    let database =
        toc.entries.iter().find(|e| desc(e) == b"DATABASE").map_or(b"".as_slice(), |e| bytes(&e.definition));
    for (provider, since) in [("builtin", 17), ("icu", 15)] {
        if major < since && database.contains_str(format!("LOCALE_PROVIDER = {provider}")) {
            notes.push(format!(
                "the database's locale is of the provider {provider}, which PostgreSQL {major} does not have: --create fails, a \
                 database that is there may sort otherwise"
            ));
        }
    }
    notes
}

fn without(entry: &mut Entry, words: &[&[u8]]) -> bool {
    let Some(text) = &mut entry.definition else { return false };
    let found = words.iter().any(|w| text.contains_str(w));
    for word in words {
        *text = BString::from(text.replace(word, b""));
    }
    found
}

/// pg_dump writes it as a statement of its own, on a line of its own, behind CREATE TABLE.
fn without_compression(entry: &mut Entry) -> bool {
    let Some(text) = &mut entry.definition else { return false };
    if desc_is_table(&entry.desc) && text.contains_str(" SET COMPRESSION ") {
        let is_it = |line: &&[u8]| {
            line.starts_with(b"ALTER TABLE ONLY ")
                && line.contains_str(" SET COMPRESSION ")
                && line.ends_with(b";\n")
        };
        let kept: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').filter(|l| !is_it(l)).collect();
        let kept = kept.concat();
        let changed = kept.len() < text.len();
        *text = BString::from(kept);
        return changed;
    }
    false
}

fn desc_is_table(desc: &Option<BString>) -> bool {
    matches!(bytes(desc), b"TABLE" | b"MATERIALIZED VIEW")
}
