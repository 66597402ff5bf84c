//! What came of a run, of its JSON result.

use maud::{Markup, html};
use serde_json::Value;

use crate::fleet::TaskKind;
use crate::run::Run;

/// What is worth showing of it: a plan of a prune as a table, everything else as it is.
pub(super) fn show(run: &Run, value: &Value) -> Markup {
    html! {
        @if run.kind == TaskKind::Prune { (prune(value)) }
        details {
            summary { "Result as JSON" }
            pre tabindex="0" role="region" aria-label="Result as JSON" { (serde_json::to_string_pretty(value).unwrap_or_default()) }
        }
    }
}

/// One result, or one for each store.
fn prune(value: &Value) -> Markup {
    let stores: Vec<&Value> = value.as_array().map_or_else(|| vec![value], |all| all.iter().collect());
    let list = |v: &Value, name: &str| v[name].as_array().cloned().unwrap_or_default();
    let text = |v: &Value, name: &str| v[name].as_str().unwrap_or_default().to_owned();
    html! {
        @for store in stores {
            section {
                h2 { @if store["dry_run"] == true { "Plan for " } @else { "Pruned in " } code { (text(store, "store")) } }
                @for name in list(store, "names") {
                    table {
                        caption { (text(&name, "name")) }
                        thead { tr { th scope="col" { "Backup" } th scope="col" { "What" } th scope="col" { "Why" } } }
                        tbody {
                            @for backup in list(&name, "backups") {
                                tr {
                                    th scope="row" { code { (text(&backup, "id")) } }
                                    td data-head="What" { @if backup["keep"] == true { (text(&backup, "action")) } @else { strong { (text(&backup, "action")) } } }
                                    td data-head="Why" { (list(&backup, "reasons").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")) }
                                }
                            }
                        }
                    }
                }
                @let leftovers = list(store, "leftovers");
                @if !leftovers.is_empty() {
                    p { "Leftovers:" }
                    ul { @for left in leftovers { li { (text(&left, "what")) ", " (text(&left, "why")) ": " (text(&left, "action")) } } }
                }
            }
        }
    }
}
