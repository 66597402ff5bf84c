//! Poolers between pgkeep and the server: what one session must keep to itself, a pooler in transaction mode hands to
//! others after each transaction (settings, the snapshot's owner, temporary tables).

use crate::cancel::Cancel;
use crate::conn::{Client, ConnInfo};
use crate::error::{EngineError, ErrorKind, Result};

/// Looks at one pair of sessions; a pooler whose other clients take its connections meanwhile may need several.
const ROUNDS: u32 = 4;

/// A setting that means nothing to anybody. RDS Proxy keeps a session to itself from the first setting on ("Avoiding
/// pinning an RDS Proxy" of its guide), as those of a backup would make it do.
const MARK: &str = "SET pgkeep.session = 'kept'";

/// Refuses a pooler in transaction or statement mode; one in session mode is as good as the server itself.
///
/// Who speaks to the server itself is told its process at log-in. A pooler tells a number of its own, and only then
/// it is looked at closely: between two statements of one session another one works, and if both were served by one
/// process, or the first by two, sessions are not kept.
///
/// # Errors
/// `Pooler` for such a pooler, with the way around it; else what keeps from asking.
pub(crate) fn refuse_transaction_pooler(client: &mut Client, cancel: &Cancel) -> Result<()> {
    if backend(client)? == client.pid() {
        return Ok(());
    }
    let info = client.info().clone();
    let mut other = Client::connect(&info, cancel).map_err(|e| e.during("looking for a pooler"))?;
    for session in [&mut *client, &mut other] {
        session.execute(MARK).map_err(|e| e.during("looking for a pooler"))?;
    }
    let mine = backend(client)?;
    for _ in 0..ROUNDS {
        other.execute("BEGIN").map_err(|e| e.during("looking for a pooler"))?;
        let theirs = backend(&mut other)?;
        // With one connection in its pool it would keep us waiting now: that case ended in the line above.
        let kept = theirs != mine && backend(client)? == mine;
        other.execute("ROLLBACK").map_err(|e| e.during("looking for a pooler"))?;
        if !kept {
            return Err(refusal(&info));
        }
    }
    Ok(())
}

fn backend(client: &mut Client) -> Result<i32> {
    let row = client
        .query_one("SELECT pg_catalog.pg_backend_pid()")
        .map_err(|e| e.during("looking for a pooler"))?;
    Ok(row.parse(0).unwrap_or(0))
}

fn refusal(info: &ConnInfo) -> EngineError {
    EngineError::new(
        ErrorKind::Pooler,
        format!("connecting to {info}"),
        "a pooler in transaction mode stands before the server: it hands sessions around, and a snapshot or a setting \
         would be lost without a word",
    )
    .hint(way_around(&info.host, info.port))
}

/// What to connect to instead, by the names that services give their poolers (Supabase: "Connect to your database";
/// Neon: "Connection pooling").
fn way_around(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if host.ends_with(".pooler.supabase.com") || host.ends_with(".supabase.co") {
        return "Supabase: use port 5432 of the same host (the session pooler), or the direct host \
                db.<project>.supabase.co:5432"
            .into();
    }
    if host.ends_with(".neon.tech") && host.contains("-pooler.") {
        return format!("Neon: use the host without \"-pooler\": {}", host.replacen("-pooler.", ".", 1));
    }
    let supabase = if port == 6543 { "; Supabase: port 5432 in place of 6543" } else { "" };
    format!(
        "connect to the server itself, or let the pooler keep sessions (pgbouncer: pool_mode = session){supabase}"
    )
}

#[cfg(test)]
mod tests {
    use super::way_around;

    #[test]
    fn the_way_around_is_told_in_the_services_own_words() {
        assert!(way_around("aws-0-eu-central-1.pooler.supabase.com", 6543).contains("5432"));
        assert!(
            way_around("ep-x-1-pooler.eu-central-1.aws.neon.tech", 5432)
                .ends_with("ep-x-1.eu-central-1.aws.neon.tech")
        );
        assert!(way_around("10.0.0.1", 6432).contains("pool_mode = session"));
    }
}
