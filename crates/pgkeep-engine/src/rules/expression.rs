//! A rule's SQL expression before the server sees it: it must stay within its parentheses, and time must stand still.
//!
//! Each connection's transaction has its own `now()`. A condition on it would cut a parent and its child at two times, and
//! keep children whose parents are left out. So what gives the time is replaced by the snapshot's time.

/// Functions that give the transaction's or the statement's time when called without arguments.
const CALLS: [&str; 3] = ["now", "transaction_timestamp", "statement_timestamp"];

/// The expression with `time` (an RFC 3339 time) in place of the current one.
///
/// # Errors
/// Why it is not one expression.
pub(super) fn at_time(text: &str, time: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut depth = 0u32;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let token = match c {
            '\'' => until(rest, 1, "'", "a quote")?,
            '"' => until(rest, 1, "\"", "a double quote")?,
            '$' => match dollar_tag(rest) {
                Some(tag) => until(rest, tag.len(), tag, "a dollar quote")?,
                None => 1,
            },
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => until(rest, 2, "*/", "a comment")?,
            ';' => return Err("a semicolon has no place in it".into()),
            '(' => {
                depth += 1;
                1
            }
            ')' => {
                depth = depth.checked_sub(1).ok_or("a parenthesis is closed that was not opened")?;
                1
            }
            c if is_word(c) => {
                let end = rest.find(|c: char| !is_word(c) && c != '$').unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                if word.eq_ignore_ascii_case("e") && behind.starts_with('\'') {
                    1 + escaped(behind)?
                } else if let Some((length, value)) = time_of(word, behind, time) {
                    rest = &rest[length..];
                    if out.ends_with("pg_catalog.") {
                        out.truncate(out.len() - "pg_catalog.".len());
                    }
                    out.push_str(&value);
                    continue;
                } else {
                    end
                }
            }
            c => c.len_utf8(),
        };
        out.push_str(&rest[..token]);
        rest = &rest[token..];
    }
    if depth > 0 {
        return Err("a parenthesis is not closed".into());
    }
    if text.trim().is_empty() {
        return Err("it is empty".into());
    }
    Ok(out)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Bytes up to and with the next `end`, looked for from `from` on. A doubled quote is two quotes side by side.
fn until(text: &str, from: usize, end: &str, what: &str) -> Result<usize, String> {
    let found = text[from..].find(end).ok_or_else(|| format!("{what} is not closed"))?;
    Ok(from + found + end.len())
}

/// Bytes of a string with backslashes, its quotes included.
fn escaped(text: &str) -> Result<usize, String> {
    let mut escape = false;
    for (i, b) in text.bytes().enumerate().skip(1) {
        match b {
            _ if escape => escape = false,
            b'\\' => escape = true,
            b'\'' => return Ok(i + 1),
            _ => {}
        }
    }
    Err("a quote is not closed".into())
}

/// `$tag$` at the beginning of the text.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 2;
    let tag = &text[1..end - 1];
    let is_tag = !tag.starts_with(|c: char| c.is_ascii_digit()) && tag.chars().all(is_word);
    is_tag.then(|| &text[..end])
}

/// What stands for a word that means the current time, and how much of the text it takes the place of.
fn time_of(word: &str, behind: &str, time: &str) -> Option<(usize, String)> {
    let lower = word.to_ascii_lowercase();
    let blank = |text: &str| text.len() - text.trim_start().len();
    let now = format!("'{time}'::pg_catalog.timestamptz");
    if CALLS.contains(&lower.as_str()) {
        let inside = behind.trim_start().strip_prefix('(')?;
        let after = inside.trim_start().strip_prefix(')')?;
        return Some((word.len() + behind.len() - after.len(), format!("({now})")));
    }
    let as_type = match lower.as_str() {
        "current_timestamp" => "timestamptz",
        "localtimestamp" => "timestamp",
        "current_date" => "date",
        "current_time" => "timetz",
        "localtime" => "time",
        _ => return None,
    };
    // With a precision it is left alone.
    let is_call = behind[blank(behind)..].starts_with('(');
    (!is_call).then(|| (word.len(), format!("(({now})::pg_catalog.{as_type})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<String, String> {
        at_time(text, "T")
    }

    #[test]
    fn the_time_is_the_snapshots_and_text_is_left_alone() {
        let now = "('T'::pg_catalog.timestamptz)";
        assert_eq!(at("d > now() - interval '1 day'").unwrap(), format!("d > {now} - interval '1 day'"));
        assert_eq!(at("d > pg_catalog.NOW ( )").unwrap(), format!("d > {now}"));
        assert_eq!(at("current_date").unwrap(), format!("({now}::pg_catalog.date)"));
        for same in
            ["'now()'", "\"now\"", "t.now", "now", "$x$now()$x$", "e'\\'now()'", "snow()", "a -- now()\n"]
        {
            assert_eq!(at(same).unwrap(), same);
        }
    }

    #[test]
    fn it_stays_within_its_parentheses() {
        for bad in ["a) or (b", "(a", "a; drop table t", "'a", "\"a", "/* a", "$$a", "e'\\'", "", " \n"] {
            assert!(at(bad).is_err(), "{bad}");
        }
        for good in ["(a) or ')' = b", "a /* ( */", "'it''s'", "$1$", "a = $$)$$ -- )"] {
            assert_eq!(at(good).unwrap(), good);
        }
    }
}
