//! A plan in words and as JSON.

use std::collections::BTreeMap;

use serde_json::json;

use crate::failure::{Failure, Result};
use crate::job::Plan;
use crate::show::{bytes, count, duration, plural, print, print_json};

/// Tables that are shown one by one in words; JSON has all.
const SHOWN: usize = 20;

/// Prints a plan, and fails if the restore would not begin.
pub(super) fn tell(plan: Plan, jobs: usize, into: &str, as_json: bool) -> Result<()> {
    let refused = plan.refused.clone().map(|e| Failure { told: as_json, ..e.into() });
    if as_json {
        tell_json(&plan, jobs, refused.as_ref());
    } else {
        tell_words(&plan, jobs, into);
    }
    refused.map_or(Ok(()), Err)
}

fn tell_json(plan: &Plan, jobs: usize, refused: Option<&Failure>) {
    let p = &plan.preview;
    let mut result = json!({
        "ok": refused.is_none(),
        "archive": plan.url,
        "server_version": plan.target.server_version,
        "target_relations": plan.target.relations,
        "conflicts": plan.target.conflicts,
        "drops": p.drops,
        "creates": p.creates,
        "loads": p.loads.iter().map(|l| json!({
            "table": l.table, "archive_bytes": l.archive_bytes, "rows": l.rows,
        })).collect::<Vec<_>>(),
        "large_object_groups": p.large_objects,
        "builds": p.builds,
        "jobs": jobs,
        "archive_bytes": p.archive_bytes,
        "disk_bytes_estimated": p.disk_bytes,
        "disk_bytes_free": plan.free,
        "seconds_estimated": p.time.seconds,
        "seconds_rest_on": p.time.rests_on,
        "notes": plan.notes,
    });
    if let Some(refused) = refused {
        result["error"] = json!(refused);
    }
    print_json(&result);
}

fn tell_words(plan: &Plan, jobs: usize, into: &str) {
    let p = &plan.preview;
    print(format!("plan for {}; nothing was changed", plan.url));
    print(format!(
        "  into      {into}, PostgreSQL {}, which has {}",
        plan.target.server_version,
        plural(plan.target.relations, "table, view or sequence").replace("sequences", "sequence")
    ));
    for (what, list) in [("exists", &plan.target.conflicts), ("drop", &p.drops)] {
        for (i, object) in list.iter().enumerate().take(SHOWN) {
            print(format!("  {:<9} {object}", if i == 0 { what } else { "" }));
        }
        if list.len() > SHOWN {
            print(format!("            … and {} more", list.len() - SHOWN));
        }
    }
    print(format!("  create    {}", kinds(&p.creates)));
    print(format!(
        "  load      {} over {}, {} from the store, biggest first:",
        plural(p.loads.len() as u64, "table"),
        plural(jobs as u64, "connection"),
        bytes(p.archive_bytes)
    ));
    for load in p.loads.iter().take(SHOWN) {
        let rows = load.rows.map_or(String::new(), |rows| format!(", {}", plural(rows, "row")));
        print(format!("              {} {}{rows}", load.table, bytes(load.archive_bytes)));
    }
    if p.loads.len() > SHOWN {
        print(format!("              … and {} more", p.loads.len() - SHOWN));
    }
    print(format!("  build     {}", kinds(&p.builds)));
    let free = match plan.free {
        Some(free) => format!("of {} that are free there", bytes(free)),
        None => "the server does not tell how much is free there".to_owned(),
    };
    print(format!("  disk      about {} on the target, indexes and all; {free}", bytes(p.disk_bytes)));
    let time = duration(std::time::Duration::from_secs_f64(p.time.seconds));
    print(format!("  time      about {time}, by {}", p.time.rests_on));
    for note in &plan.notes {
        print(format!("note: {note}"));
    }
}

fn kinds(by_kind: &BTreeMap<String, u64>) -> String {
    let words: Vec<String> = by_kind.iter().map(|(kind, n)| format!("{} {kind}", count(*n))).collect();
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}
