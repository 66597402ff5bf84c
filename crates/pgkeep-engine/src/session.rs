//! Session settings under which rows have one text form, and nothing of the server's configuration stops a dump.

use bstr::ByteSlice;
use pgkeep_archive::Toc;

use crate::conn::Client;
use crate::error::{EngineError, ErrorKind, Result};

/// Puts a session into the state in which pg_dump reads (`setup_connection`, src/bin/pg_dump/pg_dump.c).
///
/// `encoding` is the client encoding, as the archive's ENCODING entry names it (`UTF8`, `LATIN1`, `SQL_ASCII` …).
pub fn prepare(client: &mut Client, encoding: &str) -> Result<()> {
    let mut sql = format!(
        "SET client_encoding = '{}'; SET standard_conforming_strings = on; \
         SELECT pg_catalog.set_config('search_path', '', false); \
         SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3; \
         SET bytea_output = 'hex'; SET xmloption = 'content'; \
         SET synchronize_seqscans = off; SET row_security = off; SET statement_timeout = 0; \
         SET idle_in_transaction_session_timeout = 0; SET client_min_messages = warning",
        encoding.replace('\'', "''")
    );
    if client.server_major() >= 14 {
        sql += "; SET idle_session_timeout = 0";
    }
    if client.server_major() >= 17 {
        sql += "; SET transaction_timeout = 0";
    }
    client.execute(sql).map_err(|e| e.during("preparing the session"))
}

/// The client encoding out of an archive's ENCODING entry, `SET client_encoding = 'UTF8';`.
///
/// # Errors
/// `Archive` where there is no such entry.
pub fn encoding_of(toc: &Toc) -> Result<String> {
    toc.entries
        .iter()
        .find(|e| e.desc_is("ENCODING"))
        .and_then(|e| e.definition.as_ref())
        .and_then(|d| d.to_str().ok())
        .and_then(|d| d.split('\'').nth(1))
        .map(str::to_owned)
        .ok_or_else(|| EngineError::new(ErrorKind::Archive, "reading the TOC", "it names no encoding"))
}
