//! Comparing sequences.

use std::collections::HashMap;

use super::catalog::{Name, Relation};
use super::verdict::{Difference, Value};
use crate::conn::Client;
use crate::error::Result;
use crate::report::SequenceReport;

/// Sequences asked for by one statement.
const BATCH: usize = 200;

pub(super) fn compare(
    client: &mut Client,
    relations: &HashMap<Name, Relation>,
    expected: &[SequenceReport],
) -> Result<Vec<Difference>> {
    let mut differences = Vec::new();
    let mut there = Vec::with_capacity(expected.len());
    for sequence in expected {
        let name = (sequence.schema.clone(), sequence.sequence.clone());
        match relations.get(&name).filter(|r| r.kind == b'S') {
            Some(relation) => there.push((sequence, relation)),
            None => {
                differences.push(difference(sequence, Value::Missing, "the sequence is not there".into()))
            }
        }
    }
    for batch in there.chunks(BATCH) {
        let mut sql = Vec::new();
        for (i, (_, relation)) in batch.iter().enumerate() {
            if i > 0 {
                sql.extend_from_slice(b" UNION ALL ");
            }
            sql.extend_from_slice(format!("SELECT {i}, last_value, is_called FROM ").as_bytes());
            sql.extend_from_slice(&relation.quoted);
        }
        for row in client.query(sql).map_err(|e| e.during("reading sequences"))? {
            let Some((sequence, _)) = row.parse::<usize>(0).and_then(|i| batch.get(i)) else { continue };
            let (last_value, is_called) = (row.parse(1).unwrap_or(0), row.bool(2));
            if (last_value, is_called) != (sequence.last_value, sequence.is_called) {
                let next = |value: i64, called: bool| {
                    format!("{value}{}", if called { "" } else { ", not yet given out" })
                };
                let why = format!(
                    "it stands at {} instead of {}",
                    next(last_value, is_called),
                    next(sequence.last_value, sequence.is_called)
                );
                differences.push(difference(sequence, Value::Sequence { last_value, is_called }, why));
            }
        }
    }
    Ok(differences)
}

fn difference(sequence: &SequenceReport, found: Value, why: String) -> Difference {
    Difference {
        object: format!("sequence {}.{}", sequence.schema, sequence.sequence),
        expected: Value::Sequence { last_value: sequence.last_value, is_called: sequence.is_called },
        found,
        why,
    }
}
