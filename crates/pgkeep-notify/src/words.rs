//! Texts within limits.
//!
//! Lengths are counted in UTF-16 units, as most of the services count them; where one counts characters, that errs on
//! the safe side.

use crate::template::json;

/// The text, or its beginning and an ellipsis.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    cut_with(text, limit, |c| c.to_string())
}

/// The same of a text whose characters are written in another way.
pub(crate) fn cut_with(text: &str, limit: usize, write: impl Fn(char) -> String) -> String {
    let length = |s: &str| s.encode_utf16().count();
    let whole: String = text.chars().map(&write).collect();
    if length(&whole) <= limit {
        return whole;
    }
    let (mut out, mut left) = (String::new(), limit.saturating_sub(1));
    for written in text.chars().map(&write) {
        match left.checked_sub(length(&written)) {
            Some(rest) => left = rest,
            None => break,
        }
        out.push_str(&written);
    }
    out + "…"
}

/// As many of the fields as fit into `all` bytes of JSON, which is no less than what a service counts; names are cut to
/// 100 units, values to `value`.
pub(crate) fn fitting(fields: &[(String, String)], value: usize, all: usize) -> Vec<(String, String)> {
    let mut left = all;
    fields
        .iter()
        .map(|(name, text)| (cut(name, 100), cut(text, value)))
        .take_while(|(name, text)| match left.checked_sub(json(name).len() + json(text).len()) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        })
        .collect()
}

/// Without line ends and other control characters, for subjects and titles.
pub(crate) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|w| !w.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_within_the_limit() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "long…");
        // Four bytes, two units.
        assert_eq!(cut("😀😀😀", 5), "😀😀…");
        let escape = |c: char| if c == '&' { "&amp;".into() } else { c.to_string() };
        assert_eq!(cut_with("a&&", 11, escape), "a&amp;&amp;");
        assert_eq!(cut_with("a&&", 10, escape), "a&amp;…");
        assert_eq!(one_line(" a\r\nb\u{0}c "), "a b c");
    }
}
