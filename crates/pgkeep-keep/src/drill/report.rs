//! A drill's record as a page that an auditor can read and keep: one file of HTML that needs nothing else.

use std::fmt::Write;

use super::record::{DrillRecord, DrillVerdict, Finding};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}\
td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd}\
td.n,th.n{text-align:right}code{font-size:.9em;overflow-wrap:anywhere}\
.proven{color:#136c2e}.failed{color:#a40e26}.incomplete{color:#7d4e00}";

/// The page.
pub fn html(record: &DrillRecord) -> String {
    let mut page = Page(String::new());
    let (b, d) = (&record.backup, &record.drill);
    let verdict = record.verdict.as_str();
    page.raw(&format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Drill of {} {}: {verdict}</title>\
         <style>{STYLE}</style></head><body>\n<h1>Restore drill: <span class=\"{verdict}\">{verdict}</span></h1>\n<p>{}</p>\n",
        escaped(&b.name),
        escaped(&b.id),
        meaning(record.verdict)
    ));
    page.facts(
        "Backup",
        &[
            ("Backup", format!("{} of {}", b.id, b.name)),
            ("Database", format!("{}, PostgreSQL {}", b.database, b.server_version)),
            ("State of", format!("{} (snapshot)", moment(b.snapshot_time))),
            ("Holds", b.partial.clone().unwrap_or_else(|| "all of the database".into())),
            ("Archive", format!("{}, {} bytes", b.url, b.size)),
            ("SHA-256 of archive", b.sha256.clone()),
            ("SHA-256 of manifest", b.manifest_sha256.clone()),
        ],
    );
    page.facts(
        "Drill",
        &[
            ("Began", moment(record.started)),
            ("Ended", moment(record.finished)),
            ("By", format!("pgkeep {} on {}", record.pgkeep_version, record.host)),
            ("Restored into", format!("{}, PostgreSQL {}", d.server, d.server_version)),
            ("Time of recovery", format!("{} (and {} to make the place)", time(d.restore_ms), time(d.prepare_ms))),
            ("Time of proof", time(d.proof_ms)),
            ("Size when restored", format!("{} bytes", d.database_bytes)),
            ("Rows compared with", format!("the {}", d.proven_against)),
            (
                "Compared",
                format!(
                    "{} rows ({} bytes) of {} tables, {} sequences, {} large objects, {} definitions; found valid: {} \
                     constraints, {} indexes",
                    d.rows,
                    d.bytes,
                    d.tables.len(),
                    d.sequences,
                    d.large_objects,
                    d.definitions,
                    d.constraints,
                    d.indexes
                ),
            ),
            ("Signed by", record.signed_by.clone().unwrap_or_else(|| "nobody: the record is unsigned".into())),
        ],
    );
    page.findings("Not as it was dumped", &d.failures);
    page.findings("Not proven", &d.unproven);
    if !d.checks.is_empty() {
        page.raw("<h2>Assertions</h2>\n<table><tr><th>Query</th><th>Result</th><th></th></tr>\n");
        for check in &d.checks {
            let word = if check.passed { "proven" } else { "failed" };
            page.raw(&format!(
                "<tr><td><code>{}</code></td><td>{}</td><td class=\"{word}\">{}</td></tr>\n",
                escaped(&check.sql),
                escaped(&check.result),
                if check.passed { "true" } else { "not true" }
            ));
        }
        page.raw("</table>\n");
    }
    page.list("Not compared", &d.not_compared);
    page.list("Notes", &d.notes);
    page.raw(
        "<h2>Tables</h2>\n<table><tr><th>Table</th><th class=\"n\">Rows</th><th class=\"n\">Bytes</th><th></th></tr>\n",
    );
    for t in &d.tables {
        page.raw(&format!(
            "<tr><td>{}.{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"{v}\">{v}</td></tr>\n",
            escaped(&t.schema),
            escaped(&t.table),
            t.rows,
            t.bytes,
            v = t.verdict.as_str()
        ));
    }
    page.raw("</table>\n</body></html>\n");
    page.0
}

fn meaning(verdict: DrillVerdict) -> &'static str {
    match verdict {
        DrillVerdict::Proven => "The backup was restored, and what was restored is what was dumped.",
        DrillVerdict::Failed => {
            "The backup was restored, or could not be, and something is not what was dumped."
        }
        DrillVerdict::Incomplete => {
            "Nothing was found wrong, but not everything could be proven here: the backup counts neither as proven nor as \
             failed."
        }
    }
}

fn moment(t: jiff::Timestamp) -> String {
    t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn time(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

struct Page(String);

impl Page {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn facts(&mut self, head: &str, facts: &[(&str, String)]) {
        let _ = writeln!(self.0, "<h2>{head}</h2>\n<table>");
        for (name, value) in facts {
            let _ = writeln!(self.0, "<tr><th>{name}</th><td>{}</td></tr>", escaped(value));
        }
        self.raw("</table>\n");
    }

    fn findings(&mut self, head: &str, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        let _ = writeln!(self.0, "<h2>{head}</h2>\n<table>");
        for f in findings {
            let _ = writeln!(self.0, "<tr><th>{}</th><td>{}</td></tr>", escaped(&f.object), escaped(&f.why));
        }
        self.raw("</table>\n");
    }

    fn list(&mut self, head: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let _ = writeln!(self.0, "<h2>{head}</h2>\n<ul>");
        for line in lines {
            let _ = writeln!(self.0, "<li>{}</li>", escaped(line));
        }
        self.raw("</ul>\n");
    }
}
