//! Signing in and out.

use maud::{Markup, html};

use super::layout::{document, document_that};
use crate::web::site::Site;

/// The form for name and password, and the way to the identity provider. `next` is where it leads to.
pub(crate) fn show(site: &Site, next: &str, wrong: Option<&str>) -> Markup {
    document(
        "Sign in",
        &html! {
            main.door #main {
                h1 { "pgkeep" }
                @if let Some(wrong) = wrong { p.alert role="alert" { (wrong) } }
                @if let Some(oidc) = &site.oidc {
                    p { a.button.main href=(oidc.begin_url(next)) { "Sign in at " (oidc.host()) } }
                }
                @if site.users.is_some() {
                    form method="post" action="/sign-in" {
                        input type="hidden" name="next" value=(next);
                        label for="user" { "Name" }
                        input #user name="user" autocomplete="username" required autofocus;
                        label for="password" { "Password" }
                        input #password name="password" type="password" autocomplete="current-password" required;
                        button.main { "Sign in" }
                    }
                }
            }
        },
    )
}

/// What follows signing in at the identity provider.
pub(crate) fn done(next: &str) -> Markup {
    document_that(
        "Signed in",
        &html! { meta http-equiv="refresh" content={ "0;url=" (next) }; },
        &html! {
            main.door #main {
                h1 { "pgkeep" }
                p { "You have signed in. " a href=(next) { "Go on" } }
            }
        },
    )
}

/// What follows signing out, where one is still signed in at the identity provider.
pub(crate) fn out(host: &str, url: &str) -> Markup {
    document(
        "Signed out",
        &html! {
            main.door #main {
                h1 { "pgkeep" }
                p { "You have signed out of pgkeep, but not of " (host) "." }
                p { a.button href=(url) { "Sign out there, too" } }
                p { a href="/sign-in" { "Sign in again" } }
            }
        },
    )
}
