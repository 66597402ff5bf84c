//! Buttons that give orders.

use maud::{Markup, html};

use crate::fleet::TaskKind;
use crate::web::site::Visitor;

/// A run that a button begins.
pub(super) struct Begin<'b> {
    pub(super) database: &'b str,
    pub(super) kind: TaskKind,
    /// The one backup that it is about.
    pub(super) backup: Option<&'b str>,
    pub(super) dry_run: bool,
    /// The words on the button.
    pub(super) label: &'b str,
    /// Whether the button is the page's main one.
    pub(super) main: bool,
}

impl<'b> Begin<'b> {
    /// A run of a database's task.
    pub(super) fn of(database: &'b str, kind: TaskKind, label: &'b str) -> Begin<'b> {
        Begin { database, kind, backup: None, dry_run: false, label, main: false }
    }

    /// The button, for whoever may press it.
    pub(super) fn button(&self, visitor: &Visitor) -> Markup {
        html! {
            @if visitor.may_order() {
                form method="post" action="/orders/run" {
                    input type="hidden" name="csrf" value=(visitor.csrf);
                    input type="hidden" name="database" value=(self.database);
                    input type="hidden" name="kind" value=(self.kind.as_str());
                    @if let Some(backup) = self.backup { input type="hidden" name="backup" value=(backup); }
                    @if self.dry_run { input type="hidden" name="dry_run" value="yes"; }
                    button.main[self.main] aria-label={ (self.label) " · " (self.backup.unwrap_or(self.database)) } { (self.label) }
                }
            }
        }
    }
}

/// The button that reads the configuration anew.
pub(super) fn reload(visitor: &Visitor) -> Markup {
    html! {
        @if visitor.may_order() {
            form method="post" action="/orders/reload" {
                input type="hidden" name="csrf" value=(visitor.csrf);
                button { "Read the configuration again" }
            }
        }
    }
}

/// The button that stops a run.
pub(super) fn stop(visitor: &Visitor, run: &str) -> Markup {
    html! {
        @if visitor.may_order() {
            form method="post" action="/orders/stop" {
                input type="hidden" name="csrf" value=(visitor.csrf);
                input type="hidden" name="run" value=(run);
                button { "Stop this run" }
            }
        }
    }
}
