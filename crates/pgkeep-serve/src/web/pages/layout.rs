//! What stands around every page.

use maud::{DOCTYPE, Markup, html};

use crate::web::site::Visitor;

/// The places that the head of each page leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Calendar,
    Runs,
    Elsewhere,
}

/// A page of the dashboard.
pub(super) fn page(visitor: &Visitor, place: Place, title: &str, body: &Markup) -> Markup {
    let places = [
        (Place::Overview, "/", "Overview"),
        (Place::Calendar, "/calendar", "Calendar"),
        (Place::Runs, "/runs", "Runs"),
    ];
    document(
        title,
        &html! {
            a.skip href="#main" { "Skip to content" }
            header.top {
                a.brand href="/" { "pgkeep" }
                nav aria-label="Main" {
                    @for (its, href, name) in places {
                        a href=(href) aria-current=[(its == place).then_some("page")] { (name) }
                    }
                }
                @if visitor.session.is_some() {
                    form.out method="post" action="/sign-out" {
                        input type="hidden" name="csrf" value=(visitor.csrf);
                        span.who { (visitor.name) ", " (visitor.role.as_str()) }
                        button.quiet { "Sign out" }
                    }
                }
            }
            main #main tabindex="-1" { (body) }
            footer { "All times are UTC." }
        },
    )
}

/// A page with a few words, for whoever is not let further.
pub(crate) fn plain(title: &str, why: &str) -> Markup {
    document(
        title,
        &html! {
            header.top { a.brand href="/" { "pgkeep" } }
            main #main {
                h1 { (title) }
                p.said { (why) }
                p { a href="/" { "To the overview" } }
            }
        },
    )
}

/// The document around everything.
pub(super) fn document(title: &str, body: &Markup) -> Markup {
    document_that(title, &html! {}, body)
}

/// The same, with more in its head.
pub(super) fn document_that(title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · pgkeep" }
                link rel="stylesheet" href="/assets/style.css";
                (head)
                script src="/assets/live.js" defer {}
            }
            body { (body) }
        }
    }
}
