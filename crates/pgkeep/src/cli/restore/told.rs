//! What a restore came to, in words and as JSON.

use pgkeep_engine::prove::Verdict;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::job::RestoreRecord;
use crate::show::{duration, many, plural, print, print_json, warn};

pub(super) fn json(done: &RestoreRecord, failure: Option<&Failure>) {
    let RestoreRecord { url, report, verdict, loading, took, manifest, partial, replaced } = done;
    let verdict = verdict.as_ref();
    let mut result = json!({
        "ok": failure.is_none(),
        "archive": url,
        "database": report.database.database,
        "entries": report.entries,
        "tables": report.tables,
        "proven": verdict.map(Verdict::is_proven),
        "proven_against": verdict.map(|_| if *manifest { "manifest" } else { "archive" }),
        "rows": verdict.map(|v| v.rows),
        "differences": verdict.map(differences),
        "errors": report.errors.iter().map(|e| json!({
            "object": e.object, "error": e.error, "sqlstate": e.sqlstate, "hint": e.hint,
        })).collect::<Vec<_>>(),
        "analyzed": report.analyzed,
        "partial": partial,
        "replaced": replaced,
        "notes": report.notes,
        "restore_seconds": loading.as_secs_f64(),
        "duration_seconds": took.as_secs_f64(),
    });
    if let Some(failure) = failure {
        result["error"] = json!(failure);
    }
    print_json(&result);
}

pub(super) fn text(done: &RestoreRecord) {
    let RestoreRecord { url, report, verdict, loading, took, manifest, partial, replaced } = done;
    for e in &report.errors {
        warn(format!("failed: {}: {}", e.object, e.error));
        if let Some(hint) = &e.hint {
            warn(format!("  hint: {hint}"));
        }
    }
    for note in &report.notes {
        print(format!("note: {note}"));
    }
    let verb = if report.errors.is_empty() { "restored" } else { "restored in part" };
    print(format!("{verb} {url}"));
    if let Some(partial) = partial {
        print(format!("  partial   {partial}"));
    }
    print(format!("  into      {}", report.database));
    print(format!(
        "  carried   {}, {} in {}",
        many(report.entries, "entry", "entries"),
        plural(report.tables, "table"),
        duration(*loading)
    ));
    if let Some(old) = replaced {
        print(format!("  replaced  the old database is now {old}; it stays until you drop it"));
    }
    match verdict {
        None => print("  proof     left out (--no-prove)"),
        Some(v) if v.is_proven() => print(format!(
            "  proven    {} of {}, {} and {} are those\n            {} ({})",
            plural(v.rows, "row"),
            plural(v.tables, "table"),
            plural(v.sequences, "sequence"),
            plural(v.large_objects, "large object"),
            if *manifest { "that were dumped" } else { "in the archive" },
            duration(*took - *loading)
        )),
        Some(v) => {
            print(format!("  NOT PROVEN: {}", plural(v.differences.len() as u64, "difference")));
            for d in v.differences.iter().take(20) {
                print(format!("    {}: {}", d.object, d.why));
            }
        }
    }
}
fn differences(verdict: &Verdict) -> Vec<Value> {
    verdict.differences.iter().map(|d| json!({ "object": d.object, "why": d.why })).collect()
}
