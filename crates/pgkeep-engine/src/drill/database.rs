//! Making the database that a drill restores into: as its archive's was, or the nearest there is.

use bstr::{BString, ByteSlice};
use pgkeep_archive::Toc;

use crate::conn::{Client, quote_ident};
use crate::error::{EngineError, Result};
use crate::session::encoding_of;

/// Creates an empty database with encoding and locale of the archive's. Where this server lacks the locale, C stands
/// in, which is told in the note that comes back.
///
/// # Errors
/// What the server says to the last try.
pub(super) fn create_database(client: &mut Client, name: &str, toc: &Toc) -> Result<Option<String>> {
    let wanted = options(toc);
    let encoding = match &wanted {
        Some(options) => encoding(options),
        None => encoding_of(toc)?,
    };
    let plain = [
        format!("ENCODING = '{encoding}' LC_COLLATE = 'C' LC_CTYPE = 'C.UTF-8'"),
        format!("ENCODING = '{encoding}' LC_COLLATE = 'C' LC_CTYPE = 'C'"),
    ];
    let tries = wanted.iter().cloned().chain(plain.into_iter().map(BString::from));
    let mut refused: Option<EngineError> = None;
    for options in tries {
        let mut sql = [b"CREATE DATABASE ".as_slice(), &quote_ident(name.as_bytes())].concat();
        sql.extend_from_slice(b" TEMPLATE = template0 ");
        sql.extend_from_slice(&options);
        match client.execute(sql) {
            Ok(()) => {
                let note = refused.filter(|_| wanted.is_some()).map(|why| {
                    format!(
                        "locale: this server cannot make a database with {} ({}); it has {options} instead, under \
                         which text sorts otherwise",
                        wanted.clone().unwrap_or_default(),
                        why.why
                    )
                });
                return Ok(note);
            }
            Err(e) if is_about_locale(&e) => {
                refused.get_or_insert(e);
            }
            Err(e) => return Err(e.during(format!("creating the database {name}"))),
        }
    }
    Err(refused.unwrap_or_else(EngineError::cancelled).during(format!("creating the database {name}")))
}

/// invalid_parameter_value, wrong_object_type and feature_not_supported, with which locales and their providers are
/// refused (`createdb`, src/backend/commands/dbcommands.c).
fn is_about_locale(e: &EngineError) -> bool {
    matches!(e.sqlstate.as_deref(), Some("22023" | "42809" | "0A000"))
}

/// What the archive's CREATE DATABASE says of encoding and locale (`dumpDatabase`, src/bin/pg_dump/pg_dump.c).
fn options(toc: &Toc) -> Option<BString> {
    let sql = toc.entries.iter().find(|e| e.desc_is("DATABASE"))?.definition.as_ref()?;
    let (_, options) = sql.rsplit_once_str(" WITH TEMPLATE = template0 ")?;
    let end = [b" TABLESPACE = ".as_slice(), b";"].iter().filter_map(|end| options.find(end)).min();
    Some(BString::from(&options[..end.unwrap_or(options.len())]))
}

fn encoding(options: &BString) -> String {
    let value = options.split_once_str("ENCODING = '").map(|(_, rest)| rest);
    let value = value.and_then(|rest| rest.split_once_str("'")).map(|(value, _)| value);
    value.map_or("UTF8".to_owned(), |value| value.to_str_lossy().into_owned())
}
