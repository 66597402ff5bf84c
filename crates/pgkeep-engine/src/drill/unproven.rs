//! Telling damage from what this server cannot do. A failed statement is no damage where the server lacks an extension,
//! a role or a locale, and neither is what depends on that.

use std::collections::{HashMap, HashSet};

use bstr::ByteSlice;
use pgkeep_archive::{DumpId, Entry, Toc};
use pgkeep_keep::drill::Finding;
use pgkeep_keep::name_text;

use crate::restore::RestoreProblem;

/// Failed statements, by whose fault it was.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) failures: Vec<Finding>,
    pub(super) unproven: Vec<Finding>,
    /// Entries that could not be proven.
    entries: HashSet<DumpId>,
    /// Tables and sequences whose content could not be: schema and name as in the manifest.
    content: HashSet<(String, String)>,
}

impl Sorted {
    /// Whether a table's or sequence's content cannot be proven.
    pub(super) fn lacks(&self, schema: &str, name: &str) -> bool {
        self.content.contains(&(schema.to_owned(), name.to_owned()))
    }

    /// Whether all these entries are known not to be proven.
    pub(super) fn knows(&self, entries: &[DumpId]) -> bool {
        !entries.is_empty() && entries.iter().all(|id| self.entries.contains(id))
    }

    /// Whether an error in these words can come from what is missing.
    pub(super) fn explains(&self, sqlstate: Option<&str>) -> bool {
        !self.unproven.is_empty() && sqlstate.is_some_and(is_undefined)
    }
}

/// Sorts what a restore could not carry out. `dependencies` says whether the archive knows what depends on what, as a
/// script does not.
pub(super) fn sort(toc: &Toc, dependencies: bool, problems: &[RestoreProblem]) -> Sorted {
    let by_id: HashMap<DumpId, &Entry> = toc.entries.iter().map(|e| (e.id, e)).collect();
    let entry_of = |p: &RestoreProblem| p.entry.and_then(|id| by_id.get(&id)).copied();
    // What is missing, by the entry that failed for it.
    let mut causes: HashMap<DumpId, String> = HashMap::new();
    for problem in problems {
        if let Some((entry, cause)) = entry_of(problem).and_then(|e| Some((e, cause(e, problem)?))) {
            causes.entry(entry.id).or_insert(cause);
        }
    }
    let is_extension = |id| by_id.get(id).is_some_and(|e: &&Entry| e.desc_is("EXTENSION"));
    let any = causes.iter().find(|(id, _)| !dependencies || is_extension(id)).map(|(_, cause)| cause.clone());
    let mut sorted = Sorted::default();
    for problem in problems {
        let entry = entry_of(problem);
        let below = |e: &Entry| dependencies.then(|| inherited(e, &by_id, &causes)).flatten();
        let inherited = entry.and_then(|e| causes.get(&e.id).cloned().or_else(|| below(e)));
        // A function's body names what no dependency tells of.
        let guessed = || any.clone().filter(|_| problem.sqlstate.as_deref().is_some_and(is_undefined));
        let Some(cause) = inherited.or_else(guessed) else {
            sorted.failures.push(Finding::new(&problem.object, &problem.error));
            continue;
        };
        sorted.unproven.push(Finding::new(&problem.object, cause));
        if let Some(entry) = entry {
            sorted.entries.insert(entry.id);
            let content = ["TABLE", "TABLE DATA", "SEQUENCE", "SEQUENCE SET", "FOREIGN TABLE"];
            if content.iter().any(|desc| entry.desc_is(desc)) {
                let text =
                    |name: &Option<bstr::BString>| name.as_ref().map_or(String::new(), |n| name_text(n));
                sorted.content.insert((text(&entry.namespace), text(&entry.tag)));
            }
        }
    }
    sorted
}

/// undefined_object, undefined_function, undefined_table, invalid_schema_name.
fn is_undefined(sqlstate: &str) -> bool {
    matches!(sqlstate, "42704" | "42883" | "42P01" | "3F000")
}

/// What this server lacks, where that is why the statement failed.
fn cause(entry: &Entry, problem: &RestoreProblem) -> Option<String> {
    let why = problem.error.as_str();
    let name = entry.tag.as_ref().map(|t| t.to_str_lossy().into_owned()).unwrap_or_default();
    if entry.desc_is("EXTENSION") {
        return Some(format!("extension {name} is missing here ({why})"));
    }
    let missing = match problem.sqlstate.as_deref()? {
        "42704" if why.contains("role \"") => "a role is missing here",
        "42704" | "22023" if why.contains("collation \"") || why.contains("locale") => {
            "a locale is missing here"
        }
        "0A000" if why.contains("ICU is not supported") => "a locale is missing here",
        // undefined_file: a library that C functions are in.
        "58P01" => "a library is missing here",
        "42501" => "the user who restored may not do this here",
        "53100" => "the server's disk is full",
        _ => return None,
    };
    Some(format!("{missing} ({why})"))
}

/// What is missing below the entry, down all its dependencies.
fn inherited(
    entry: &Entry,
    by_id: &HashMap<DumpId, &Entry>,
    causes: &HashMap<DumpId, String>,
) -> Option<String> {
    let mut seen = HashSet::new();
    let mut open = entry.dependencies.clone();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        if let Some(cause) = causes.get(&id) {
            return Some(cause.clone());
        }
        open.extend(by_id.get(&id).map(|e| e.dependencies.as_slice()).unwrap_or_default());
    }
    None
}
