//! Next steps for the failures that restores meet most.

use crate::error::EngineError;

/// The same error with a hint, where the server's message lets one guess what is missing.
pub(super) fn with_hint(error: EngineError) -> EngineError {
    if error.hint.is_some() {
        return error;
    }
    let why = error.why.as_str();
    let hint = match error.sqlstate.as_deref() {
        Some("42704") if why.contains("role ") => {
            "create the role first, or restore with --no-owner --no-privileges"
        }
        Some("42704") if why.contains("tablespace ") => {
            "create the tablespace first, or restore with --no-tablespaces"
        }
        Some("0A000" | "58P01") if why.contains("extension ") => {
            "install the extension's files on the server first"
        }
        Some("42P04") => "restore into the existing database without --create, or drop it with --clean",
        Some("42P06" | "42P07" | "42710" | "42723") => {
            "the target is not empty: restore into an empty database, or use --clean --if-exists"
        }
        Some("23503") => {
            "rows that they refer to are not there: restore those tables too, or with --data-only add --disable-triggers"
        }
        Some("42501") => "restore as a superuser, or with --no-owner --no-privileges",
        Some("53100") => "the server's disk is full",
        Some("55P03") => "something else uses the target: end it, or raise the lock timeout",
        _ => return error,
    };
    error.hint(hint)
}
