//! The way to a restore: what, where to, and the exact command for it. Into a throwaway server it can be run from here.

use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{Place, page};
use super::words::stamp;
use super::{Answer, Failed, path};
use crate::figures::bytes;
use crate::run::{PointState, RecoveryPoint};
use crate::web::site::{Site, Visitor};

/// Backups to choose from.
const SHOWN: usize = 200;
/// What stands for a database that only the reader knows.
const TARGET: &str = "postgres://USER@HOST/DATABASE";

/// What was chosen.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    backup: String,
    into: Into,
    tables: String,
}

/// Where to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Into {
    /// A server that is started for it and goes again.
    #[default]
    Throwaway,
    /// An empty database.
    Empty,
    /// A new database, which is made.
    New,
    /// A live database, whose place it takes once proven.
    Swap,
}

impl Into {
    const ALL: [(Into, &'static str, &'static str); 4] = [
        (Into::Throwaway, "throwaway", "a throwaway server: started for it, proven, and gone again"),
        (Into::Empty, "empty", "an empty database that is there"),
        (Into::New, "new", "a new database, which pgkeep makes"),
        (
            Into::Swap,
            "swap",
            "the live database: it is replaced once the restored one is proven, and stays under another name",
        ),
    ];
}

/// The page.
pub(crate) fn show(site: &Site, visitor: &Visitor, name: &str, wanted: &Wanted) -> Answer {
    let mut points = site.shared.history.points(Some(name))?;
    points.retain(|p| p.state != PointState::Deleted);
    let Some(newest) = points.first() else {
        return Err(Failed::NotFound("This database has no backups.".into()));
    };
    let chosen = points.iter().find(|p| p.id == wanted.backup).unwrap_or(newest);
    let words = words(chosen, wanted);
    let body = html! {
        p.crumbs { a href="/" { "Overview" } " / " a href=(path(&["databases", name])) { (name) } }
        h1 { "Restore " (name) }
        form.wizard method="get" {
            label for="backup" { "Which backup" }
            select #backup name="backup" {
                @for p in points.iter().take(SHOWN) {
                    option value=(p.id) selected[p.id == chosen.id] {
                        (stamp(p.started)) " · " (bytes(p.size)) @if p.proven.is_some() { " · proven" }
                    }
                }
            }
            fieldset {
                legend { "Where to" }
                @for (into, value, label) in Into::ALL {
                    label.choice { input type="radio" name="into" value=(value) checked[into == wanted.into]; " " (label) }
                }
            }
            label for="tables" { "Only these tables " span.faint { "(all of them if empty; they come with what they need)" } }
            input #tables name="tables" value=(wanted.tables) placeholder="orders, public.customers" autocomplete="off";
            button { "Show the command" }
        }
        section aria-labelledby="command" {
            h2 #command { "The command" }
            pre.command tabindex="0" role="region" aria-label="The command" { (line(&words)) }
            @if wanted.into == Into::Throwaway {
                (run_it(visitor, name, chosen, &wanted.tables))
            } @else {
                p { "Put in user, host and database. " code { "--plan" } " at the end shows what would be done, and does nothing." }
            }
        }
    };
    Ok(page(visitor, Place::Elsewhere, &format!("Restore {name}"), &body))
}

fn run_it(visitor: &Visitor, name: &str, chosen: &RecoveryPoint, tables: &str) -> Markup {
    html! {
        @if visitor.may_order() {
            form method="post" action="/orders/run" {
                input type="hidden" name="csrf" value=(visitor.csrf);
                input type="hidden" name="database" value=(name);
                input type="hidden" name="kind" value="restore";
                input type="hidden" name="backup" value=(chosen.id);
                input type="hidden" name="tables" value=(tables);
                button.main { "Run it here" }
            }
        }
    }
}

/// The words of a restore into a throwaway server, after those that name the backup.
pub(crate) fn throwaway_words(tables: &str) -> Vec<String> {
    let mut words = vec!["--into".to_owned(), "throwaway".to_owned()];
    words.extend(only(tables));
    words
}

fn words(chosen: &RecoveryPoint, wanted: &Wanted) -> Vec<String> {
    let mut words = vec!["pgkeep".to_owned(), "restore".to_owned(), chosen.id.clone()];
    if let Some(store) = chosen.stores.first() {
        words.extend(["--store".to_owned(), store.clone()]);
    }
    match wanted.into {
        Into::Throwaway => words.extend(throwaway_words(&wanted.tables)),
        into => {
            words.extend(["--into".to_owned(), TARGET.to_owned()]);
            words.extend(match into {
                Into::New => Some("--create".to_owned()),
                Into::Swap => Some("--swap".to_owned()),
                _ => None,
            });
            words.extend(only(&wanted.tables));
        }
    }
    words
}

fn only(tables: &str) -> impl Iterator<Item = String> {
    let tables = tables.split([',', ' ', '\n']).filter(|t| !t.is_empty());
    tables.map(|t| format!("--table={t}"))
}

/// Words as one types them into a shell.
fn line(words: &[String]) -> String {
    let plain =
        |w: &str| w.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:@=+,".contains(&b)) && !w.is_empty();
    let quoted = |w: &String| if plain(w) { w.clone() } else { format!("'{}'", w.replace('\'', r"'\''")) };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted_into_a_shell() {
        let words = ["pgkeep", "restore", "it's; $(rm)", "--table=public.orders", ""].map(str::to_owned);
        let text = line(&words);
        let out = std::process::Command::new("sh")
            .args(["-c", &format!("printf '%s\\n' {text}")])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(out.stdout).unwrap().trim_end_matches('\n').lines().collect::<Vec<_>>(),
            &words[..4]
        );
    }

    #[test]
    fn tables_become_options_and_never_anything_else() {
        assert_eq!(throwaway_words("a, --into=x"), ["--into", "throwaway", "--table=a", "--table=--into=x"]);
    }
}
