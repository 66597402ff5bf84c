//! What `verify` prints.

use pgkeep_keep::{HashesVerified, Verified, archive_url};
use serde_json::{Value, json};

use super::{Checked, Done, Options};
use crate::resolve::Found;
use crate::show::{bytes, duration, many, plural, print, print_json};

/// Prints one backup's result.
pub(super) fn one(options: &Options, found: &Found, done: &Done) {
    if options.json {
        print_json(&as_json(found, done));
        return;
    }
    print(format!("verified {}", archive_url(&found.store, &found.key)));
    match &done.checked {
        Checked::Rows { verified, script } => rows(verified, *script),
        Checked::Hashes(verified) => hashes(verified),
    }
    if found.manifest.as_ref().is_some_and(|m| m.globals.is_some()) {
        print("  globals   size and SHA-256 match");
    }
    print(format!("  took      {}", duration(done.took)));
}

fn rows(verified: &Verified, script: bool) {
    if verified.unread {
        print(format!("  archive   {}, encrypted", bytes(verified.size)));
    } else if script {
        let (statements, tables) = (plural(verified.entries, "statement"), plural(verified.blocks, "table"));
        print(format!(
            "  script    {}, {statements}, {tables}, whole to its last line",
            bytes(verified.size)
        ));
    } else {
        print(format!(
            "  archive   {}, {}, {} decompressed",
            bytes(verified.size),
            many(verified.entries, "entry", "entries"),
            plural(verified.blocks, "data block")
        ));
    }
    if verified.unread {
        print("  manifest  size and SHA-256 match");
        print("  rows      NOT CHECKED: that needs a secret key (--identity)");
    } else if verified.against_manifest {
        print(format!(
            "  manifest  size, SHA-256, {} and {} match",
            plural(verified.tables, "table"),
            plural(verified.rows, "row")
        ));
    } else {
        print("  manifest  none: only the archive's own form was checked");
    }
}

fn hashes(verified: &HashesVerified) {
    print(format!("  archive   {}, {}", bytes(verified.size), plural(verified.objects, "object")));
    print(format!("  manifest  {}", extent(verified)));
    print("  rows      NOT CHECKED: without --hashes-only and --sample they are");
}

/// How much was compared.
fn extent(verified: &HashesVerified) -> String {
    let HashesVerified { parts, parts_read, bytes_read, size, .. } = *verified;
    match parts_read == parts {
        true => format!("sizes and SHA-256 of {} match", many(parts, "part", "parts")),
        false => format!(
            "sizes match, and SHA-256 of {parts_read} of {} ({:.0} % of the bytes)",
            plural(parts, "part"),
            bytes_read as f64 * 100.0 / size.max(1) as f64
        ),
    }
}

/// One line for one of many backups.
pub(super) fn line(done: &Done) -> String {
    match &done.checked {
        Checked::Rows { verified, .. } if verified.unread => {
            format!("{}, SHA-256 of all parts match; rows not checked: encrypted", bytes(verified.size))
        }
        Checked::Rows { verified, .. } => {
            format!(
                "{}, {}, {}",
                bytes(verified.size),
                plural(verified.tables, "table"),
                plural(verified.rows, "row")
            )
        }
        Checked::Hashes(verified) => format!("{}, {}", bytes(verified.size), extent(verified)),
    }
}

/// One backup's result for programs.
pub(super) fn as_json(found: &Found, done: &Done) -> Value {
    let mut told = match &done.checked {
        Checked::Rows { verified, .. } => json!({
            "against_manifest": verified.against_manifest,
            "unread": verified.unread,
            "size": verified.size,
            "entries": verified.entries,
            "blocks": verified.blocks,
            "dead_blocks": verified.dead_blocks,
            "tables": verified.tables,
            "rows": verified.rows,
            "bytes": verified.bytes,
        }),
        Checked::Hashes(verified) => json!({
            "against_manifest": true,
            "unread": true,
            "size": verified.size,
            "parts": verified.parts,
            "parts_read": verified.parts_read,
            "bytes_read": verified.bytes_read,
        }),
    };
    told["ok"] = true.into();
    told["url"] = archive_url(&found.store, &found.key).into();
    if let Some(m) = &found.manifest {
        told["id"] = m.id.clone().into();
        told["name"] = m.name.clone().into();
    }
    told["globals"] = found.manifest.as_ref().is_some_and(|m| m.globals.is_some()).into();
    told["duration_seconds"] = done.took.as_secs_f64().into();
    told
}
