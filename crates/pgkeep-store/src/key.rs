//! Which keys a store takes.
//!
//! A key is a relative, `/`-separated name that means the same in a folder, in a bucket and in a URL.
//! What one of them would read differently (`..`, empty segments, a leading `/`, control characters)
//! is refused everywhere, so that an object can be copied from any store to any other.

use crate::error::{Result, StoreError};

/// S3 allows 1,024 bytes of UTF-8 for a key, prefix included; see
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>.
pub(crate) const MAX_KEY_BYTES: usize = 1024;

/// How the names of files that are still being written end.
pub(crate) const PARTIAL_SUFFIX: &str = ".partial";

/// Checks `key`, which is to be used below the store at `url`.
pub(crate) fn check(url: &str, key: &str) -> Result<()> {
    let refuse = |why: &str| {
        Err(StoreError::new(
            StoreError::InvalidUrl,
            url,
            format_args!("the key {key:?} {why}"),
            "use a relative name such as daily/shop.dump",
        ))
    };
    if key.is_empty() {
        return refuse("is empty");
    }
    if key.len() > MAX_KEY_BYTES {
        return refuse("is longer than 1,024 bytes");
    }
    if key.chars().any(|c| c.is_control()) {
        return refuse("holds a control character");
    }
    // Azure takes it for a slash.
    if key.contains('\\') {
        return refuse("holds a backslash");
    }
    for segment in key.split('/') {
        match segment {
            "" => return refuse("has an empty segment, or begins or ends with /"),
            "." | ".." => return refuse("has a segment that is . or .."),
            s if is_partial(s) => return refuse("is named like a file that is still being written"),
            s if s.len() > 255 => return refuse("has a segment longer than 255 bytes"),
            _ => {}
        }
    }
    Ok(())
}

/// Checks a prefix to list: a key, a part of one, or empty.
pub(crate) fn check_prefix(url: &str, prefix: &str) -> Result<()> {
    match prefix.strip_suffix('/').unwrap_or(prefix) {
        "" if prefix.is_empty() => Ok(()),
        folder => check(url, folder),
    }
}

/// Whether a file of this name is one that is still being written, or was left so by a dead process.
pub(crate) fn is_partial(file_name: &str) -> bool {
    file_name.starts_with('.') && file_name.ends_with(PARTIAL_SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_leave_the_store_are_refused() {
        for key in
            ["", "/etc/passwd", "..", "../x", "a/../../b", "a//b", "a/", ".", "a/./b", "a\nb", "a\0b", "a\\b"]
        {
            assert!(check("memory://t", key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn keys_with_spaces_dots_and_unicode_are_fine() {
        for key in ["a", "a b/ü ✓.dump", ".hidden", "a..b", "...", "a%20b", "x/.y/z+=&?#"] {
            assert!(check("memory://t", key).is_ok(), "{key:?}");
        }
    }

    #[test]
    fn a_prefix_may_end_within_a_name_or_with_a_slash() {
        for prefix in ["", "a", "a/", "a/b"] {
            assert!(check_prefix("memory://t", prefix).is_ok(), "{prefix:?}");
        }
        for prefix in ["/", "../", "a//", "/a"] {
            assert!(check_prefix("memory://t", prefix).is_err(), "{prefix:?}");
        }
    }
}
