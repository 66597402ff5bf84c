//! The function's log: one JSON object a line.

use serde_json::json;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// It failed.
    Error,
    /// It went on, and somebody should know.
    Warn,
    /// All else.
    Info,
}

impl Level {
    /// `PGKEEP_LOG_LEVEL`: lines that matter less are left out. What is unknown leaves out nothing.
    pub(crate) fn of_word(word: Option<&str>) -> Level {
        match word.map(str::to_ascii_lowercase).as_deref() {
            Some("error") => Level::Error,
            Some("warn" | "warning") => Level::Warn,
            _ => Level::Info,
        }
    }

    /// Of a line that a command says on standard error.
    fn of_line(line: &str) -> Level {
        match line {
            _ if line.starts_with("pgkeep: error")
                || line.starts_with("  hint:")
                || line.contains("panicked") =>
            {
                Level::Error
            }
            _ if line.starts_with("pgkeep: note") || line.starts_with("note:") => Level::Warn,
            _ => Level::Info,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
        }
    }
}

/// A command's line as one of the log; none where it matters less than `least`.
pub(crate) fn line(least: Level, request: &str, database: &str, said: &str) -> Option<String> {
    let level = Level::of_line(said);
    (level <= least && !said.is_empty()).then(|| {
        let level = level.as_str();
        json!({ "level": level, "requestId": request, "database": database, "message": said }).to_string()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_that_matter_less_are_left_out() {
        let said = |least: &str, text: &str| line(Level::of_word(Some(least)), "r", "shop", text);
        assert_eq!(
            said("info", "data  1 MB").unwrap(),
            r#"{"database":"shop","level":"info","message":"data  1 MB","requestId":"r"}"#
        );
        assert_eq!(said("warn", "data  1 MB"), None);
        assert!(said("warn", "note: a copy is missing").is_some());
        assert!(said("error", "pgkeep: error: no").is_some() && said("error", "note: x").is_none());
        assert!(said("strange", "data").is_some());
    }
}
