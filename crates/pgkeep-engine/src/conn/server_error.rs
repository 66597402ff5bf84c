//! The server's error report (protocol message `ErrorResponse`) and what it means to us.

use std::fmt;

use crate::error::{EngineError, ErrorKind};

/// Fields of an `ErrorResponse` or `NoticeResponse` (PostgreSQL documentation, "Error and Notice Message
/// Fields"). Text is shown lossily: an error can come before the client encoding is agreed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    /// `ERROR`, `FATAL`, `WARNING` …, never translated.
    pub severity: String,
    /// SQLSTATE.
    pub code: String,
    /// Primary message.
    pub message: String,
    /// Detail, where given.
    pub detail: Option<String>,
    /// The server's own hint, where given.
    pub hint: Option<String>,
    /// Context (call stack), where given.
    pub context: Option<String>,
}

impl ServerError {
    /// Reads the body of the message.
    pub(crate) fn parse(body: &[u8]) -> ServerError {
        let mut e = ServerError::default();
        for field in body.split(|b| *b == 0) {
            let Some((&kind, text)) = field.split_first() else { continue };
            let text = String::from_utf8_lossy(text).into_owned();
            match kind {
                b'V' => e.severity = text,
                b'S' if e.severity.is_empty() => e.severity = text,
                b'C' => e.code = text,
                b'M' => e.message = text,
                b'D' => e.detail = Some(text),
                b'H' => e.hint = Some(text),
                b'W' => e.context = Some(text),
                _ => {}
            }
        }
        e
    }

    /// Whether the server closes the connection after it.
    pub(crate) fn ends_session(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }

    fn kind(&self) -> ErrorKind {
        match self.code.as_str() {
            "28000" | "28P01" => ErrorKind::Authentication,
            "42501" => ErrorKind::Permission,
            "55P03" => ErrorKind::LockTimeout,
            c if c.starts_with("08") || self.ends_session() => ErrorKind::ConnectionLost,
            _ => ErrorKind::Server,
        }
    }
}

/// What helps where a standby ends what stands in the way of its replay (PostgreSQL documentation, "Handling Query
/// Conflicts").
pub(crate) const STANDBY: &str = "the standby had to replay what the primary did to rows that the backup reads: raise \
     max_standby_streaming_delay on the standby (-1 waits for ever), or turn hot_standby_feedback on there, or back \
     up from the primary";

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if let Some(d) = &self.detail {
            write!(f, " ({d})")?;
        }
        if let Some(place) = self.context.as_deref().and_then(copy_place) {
            write!(f, " at {place}")?;
        }
        write!(f, " [SQLSTATE {}]", self.code)
    }
}

/// `COPY t, line 5, column c` out of a context, without the value that follows it: a row's content does not belong
/// into a log (CopyFromErrorCallback, src/backend/commands/copyfrom.c).
fn copy_place(context: &str) -> Option<&str> {
    let line = context.lines().find(|line| line.starts_with("COPY "))?;
    Some(line.split_once(": ").map_or(line, |(place, _)| place))
}

impl From<ServerError> for EngineError {
    fn from(e: ServerError) -> Self {
        let kind = e.kind();
        let hint = match e.code.as_str() {
            "53200" if e.message.contains("shared memory") => {
                Some("raise max_locks_per_transaction on the server: a backup locks every table once".into())
            }
            "53300" => {
                Some("the server has no free connection: use fewer --jobs or raise max_connections".into())
            }
            "3D000" => Some("check the database's name: psql -l lists what is there".into()),
            "28P01" => Some("check the user and its password".into()),
            // Messages may be translated; a session that is ended with 40001 is ended by nothing else.
            code if e.message.contains("conflict with recovery") || code == "40001" && e.ends_session() => Some(STANDBY.into()),
            "28000" if e.message.contains("eer authentication failed") => Some(
                "a Unix socket asks for the role of your own name: be that user, or name another host (localhost) and a password".into(),
            ),
            _ => e.hint.clone(),
        };
        EngineError { kind, what: String::new(), why: e.to_string(), hint, sqlstate: Some(e.code) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_the_session_is_a_lost_connection_but_for_a_refused_log_in() {
        let kind = |body: &[u8]| EngineError::from(ServerError::parse(body)).kind;
        assert_eq!(
            kind(b"VFATAL\0C57P01\0Mterminating connection due to administrator command\0"),
            ErrorKind::ConnectionLost
        );
        assert_eq!(kind(b"VFATAL\0C28P01\0Mpassword authentication failed\0"), ErrorKind::Authentication);
        assert_eq!(kind(b"VERROR\0C57014\0Mcanceling statement due to user request\0"), ErrorKind::Server);
    }

    #[test]
    fn a_rows_place_is_told_and_its_content_is_not() {
        let e = ServerError::parse(
            b"VERROR\0C22P02\0Minvalid input syntax\0WCOPY t, line 5, column c: \"hunter2\"\nSQL function f\0",
        );
        let text = EngineError::from(e).to_string();
        assert!(text.contains("at COPY t, line 5, column c [") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn fields_are_read_and_unknown_ones_skipped() {
        let e = ServerError::parse(b"SFEHLER\0VERROR\0C42501\0Mpermission denied for table t\0Zx\0Dwhy\0\0");
        assert_eq!((e.severity.as_str(), e.code.as_str()), ("ERROR", "42501"));
        let e = EngineError::from(e);
        assert_eq!(e.kind, ErrorKind::Permission);
        assert!(e.to_string().contains("permission denied for table t (why)"));
    }
}
