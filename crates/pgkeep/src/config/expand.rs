//! `${NAME}` and `${NAME:-default}` from the environment.

use crate::failure::{Failure, Result};

/// Replaces them; `place` is named when one is not set.
pub(crate) fn expand(text: &str, place: &str) -> Result<String> {
    expand_with(text, place, |name| std::env::var(name).ok())
}

/// As a shell does it: the default also stands in for an empty value.
fn expand_with(text: &str, place: &str, env: impl Fn(&str) -> Option<String>) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once("${") {
        let Some((inside, after)) = tail.split_once('}') else { break };
        let value = match inside.split_once(":-") {
            Some((name, default)) => env(name).filter(|v| !v.is_empty()).unwrap_or_else(|| default.to_owned()),
            None => env(inside).ok_or_else(|| {
                Failure::usage(format!(
                    "{place} names ${{{inside}}}, which is not set\n  hint: set it, or write ${{{inside}:-default}}"
                ))
            })?,
        };
        out.push_str(before);
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_with_defaults_and_an_unset_one_is_named() {
        let x = |text: &str| expand_with(text, "url of shop", |n| (n == "A").then(|| "1".to_owned()));
        assert_eq!(x("<${A}|${B:-two}|${A:-no}>").unwrap(), "<1|two|1>");
        assert_eq!(x("a$b${").unwrap(), "a$b${");
        let e = x("${NO_SUCH}").unwrap_err();
        assert!(e.message.contains("NO_SUCH") && e.message.contains("url of shop"), "{}", e.message);
    }
}
