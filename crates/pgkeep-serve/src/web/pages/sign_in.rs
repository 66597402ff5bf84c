//! The form for name and password.

use maud::{Markup, html};

use super::layout::document;

/// `next` is where it leads to.
pub(crate) fn show(next: &str, wrong: Option<&str>) -> Markup {
    document(
        "Sign in",
        &html! {
            main.door #main {
                h1 { "pgkeep" }
                @if let Some(wrong) = wrong { p.alert role="alert" { (wrong) } }
                form method="post" action="/sign-in" {
                    input type="hidden" name="next" value=(next);
                    label for="user" { "Name" }
                    input #user name="user" autocomplete="username" required autofocus;
                    label for="password" { "Password" }
                    input #password name="password" type="password" autocomplete="current-password" required;
                    button.main { "Sign in" }
                }
            }
        },
    )
}
