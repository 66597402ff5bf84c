//! What a live database holds, under a snapshot: its tables, their fingerprints, its sequences.

use super::run::{Reading, open};
use super::verdict::Difference;
use super::{catalog, pieces, sequences};
use crate::cancel::Cancel;
use crate::conn::Client;
use crate::error::Result;
use crate::fingerprint::Fingerprint;
use crate::progress::Progress;
use crate::report::{SequenceReport, TableReport, name_text};
use crate::snapshot::Snapshot;

/// Sequences asked for by one statement.
const BATCH: usize = 200;

/// Every table of the users', in order of names, with the columns that hold data; fingerprints are empty.
pub(crate) fn tables_of(client: &mut Client) -> Result<Vec<TableReport>> {
    let mut tables: Vec<TableReport> = Vec::new();
    client
        .query_each(
            "SELECT n.nspname, c.relname, a.attname \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_catalog.pg_attribute a \
               ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
             WHERE c.relkind = 'r' AND c.relpersistence <> 't' \
               AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
                               AND d.objid = c.oid AND d.deptype = 'e') \
             ORDER BY n.nspname, c.relname, a.attnum",
            |row| {
                let name = |i| name_text(row.bytes(i).unwrap_or_default());
                let (schema, table) = (name(0), name(1));
                if tables.last().is_none_or(|t| (&t.schema, &t.table) != (&schema, &table)) {
                    let fingerprint = Fingerprint::default();
                    tables.push(TableReport { schema, table, columns: vec![], filter: None, segments: 1, fingerprint });
                }
                if let (Some(t), Some(_)) = (tables.last_mut(), row.bytes(2)) {
                    t.columns.push(name(2));
                }
                Ok(())
            },
        )
        .map_err(|e| e.during("listing tables"))?;
    Ok(tables)
}

/// The fingerprints of these tables as the snapshot sees them, in their order; `None` for one that is not there or lacks
/// a column.
pub(crate) fn fingerprints(
    snapshot: &Snapshot,
    tables: &[TableReport],
    jobs: usize,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<Vec<Option<Fingerprint>>> {
    let open = || {
        let mut client = open(snapshot.client.info(), "UTF8", cancel)?;
        snapshot.give_to(&mut client)?;
        Ok(client)
    };
    let mut client = open()?;
    let relations = catalog::relations(&mut client)?;
    let work = pieces::cut(&mut client, &relations, tables, jobs)?;
    let reading = Reading::new(&work.pieces, Vec::new(), tables.len(), progress, cancel);
    let (found, _) = reading.all(client, jobs, open)?;
    let mut read = vec![None; tables.len()];
    work.pieces.iter().for_each(|p| read[p.table] = Some(found[p.table]));
    Ok(read)
}

/// What differs in the second database's sequences from the first's.
pub(crate) fn compare_sequences(first: &mut Client, second: &mut Client) -> Result<Vec<Difference>> {
    let expected = sequences_of(first)?;
    let relations = catalog::relations(second)?;
    sequences::compare(second, &relations, &expected)
}

/// The state of every sequence that is not the system's.
fn sequences_of(client: &mut Client) -> Result<Vec<SequenceReport>> {
    let relations = catalog::relations(client)?;
    let user = |schema: &str| !schema.starts_with("pg_") && schema != "information_schema";
    let mut all: Vec<_> =
        relations.iter().filter(|((schema, _), r)| r.kind == b'S' && user(schema)).collect();
    all.sort_by_key(|(name, _)| *name);
    let mut sequences = Vec::new();
    for batch in all.chunks(BATCH) {
        let mut sql = Vec::new();
        for (i, (_, relation)) in batch.iter().enumerate() {
            sql.extend_from_slice(if i > 0 { b" UNION ALL ".as_slice() } else { b"" });
            sql.extend_from_slice(format!("SELECT {i}, last_value, is_called FROM ").as_bytes());
            sql.extend_from_slice(&relation.quoted);
        }
        for row in client.query(sql).map_err(|e| e.during("reading sequences"))? {
            let Some(((schema, sequence), _)) = row.parse::<usize>(0).and_then(|i| batch.get(i)) else {
                continue;
            };
            let (last_value, is_called) = (row.parse(1).unwrap_or(0), row.bool(2));
            let (schema, sequence) = (schema.clone(), sequence.clone());
            sequences.push(SequenceReport { schema, sequence, last_value, is_called });
        }
    }
    Ok(sequences)
}
