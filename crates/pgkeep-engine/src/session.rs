//! Session settings under which rows have one text form, and nothing of the server's configuration stops a dump.

use crate::conn::Client;
use crate::error::Result;

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
