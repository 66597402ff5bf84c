//! One run: how far it is, what it said, what came of it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::layout::{Place, page};
use super::words::{ago, stamp, state, took, trigger};
use super::{Answer, Failed, forms, path, progress, result};
use crate::health::split_hint;
use crate::run::{Run, RunId, RunState};
use crate::web::site::{Site, Visitor};

/// Bytes of the log that the page shows.
const TAIL: u64 = 16 << 10;
/// Bytes of the log that are given at most.
const WHOLE: u64 = 32 << 20;
/// An order is carried out within a moment; a run that is unknown for longer never was.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// The page.
pub(crate) fn show(site: &Site, visitor: &Visitor, id: &str) -> Answer {
    let title = match find(site, id)? {
        Some(run) => name_of(&run),
        None => "Run".into(),
    };
    let body = html! {
        p.crumbs { a href="/" { "Overview" } " / " a href="/runs" { "Runs" } }
        h1 { (title) }
        div data-part=(path(&["parts", "run", id])) { (part(site, visitor, id)?) }
    };
    Ok(page(visitor, Place::Elsewhere, &title, &body))
}

/// What changes while it runs; asked for again and again by the page's script until it is over.
pub(crate) fn part(site: &Site, visitor: &Visitor, id: &str) -> Answer {
    let now = Timestamp::now();
    let Some(run) = find(site, id)? else {
        return Ok(
            html! { p role="status" { "Ordered. It begins in a moment." } noscript { p { "Load this page again to see it." } } },
        );
    };
    Ok(html! {
        // Tells the script to stop asking.
        @if run.state.is_over() { span hidden data-over {} }
        p role="status" { (state(run.state)) }
        @if !run.state.is_over() {
            (progress::show(&run, &site.shared.live, now))
            (forms::stop(visitor, id))
            noscript { p { "Load this page again to see how far it is." } }
        }
        @if let Some(error) = &run.error {
            @let (why, hint) = split_hint(error);
            div.alert {
                @if let Some(why) = why { p { (why) } }
                @if let Some(hint) = hint { p.hint { "What to do: " (hint) } }
            }
        }
        (facts(&run, now))
        @if let Some(value) = &run.result { (result::show(&run, value)) }
        (tail(&run))
    })
}

fn facts(run: &Run, now: Timestamp) -> Markup {
    html! {
        dl.facts {
            @if let Some(database) = &run.database { div { dt { "Database" } dd { a href=(path(&["databases", database])) { (database) } } } }
            div { dt { "Due" } dd { (stamp(run.scheduled)) } }
            @if let Some(started) = run.started { div { dt { "Began" } dd { (stamp(started)) ", " (ago(started, now)) } } }
            @if let Some(took) = took(run, now) { div { dt { "Took" } dd { (took) } } }
            div { dt { "Because of" } dd { (trigger(run)) } }
            @if let Some(code) = run.exit_code { div { dt { "Exit code" } dd { (code) @if let Some(kind) = &run.error_kind { ", " (kind) } } } }
            @if let (Some(database), Some(backup)) = (&run.database, &run.backup) {
                div { dt { "Backup" } dd { a href=(path(&["databases", database, "backups", backup])) { code { (backup) } } } }
            }
            div.wide-fact { dt { "Command" } dd { code { (run.command) } } }
        }
    }
}

fn tail(run: &Run) -> Markup {
    let Some(file) = &run.log else { return html! {} };
    let text = read_end(file, TAIL);
    html! {
        section aria-labelledby="log" {
            h2 #log { "Log" }
            @match text {
                Err(why) => p.faint { (file) ": " (why) },
                Ok((text, _)) if text.is_empty() => p.faint { "It has said nothing." },
                Ok((text, cut)) => {
                    @if cut { p { a href=(path(&["runs", &run.id.0, "log"])) { "The whole log" } } }
                    pre tabindex="0" role="region" aria-label="The end of the log" { (text) }
                },
            }
        }
    }
}

/// The log as text.
pub(crate) fn log(site: &Site, id: &str) -> Result<Response, Failed> {
    let file =
        find(site, id)?.and_then(|run| run.log).ok_or_else(|| Failed::NotFound("It has no log.".into()))?;
    let (text, _) = read_end(&file, WHOLE).map_err(|why| Failed::NotFound(format!("{file}: {why}")))?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// The end of a file, and whether that is not all.
fn read_end(file: &str, most: u64) -> Result<(String, bool), String> {
    let read = || -> std::io::Result<(Vec<u8>, bool)> {
        let mut file = File::open(file)?;
        let from = file.metadata()?.len().saturating_sub(most);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok((bytes, from > 0))
    };
    let (bytes, cut) = read().map_err(|e| e.to_string())?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), cut))
}

/// The run; nothing for one that was ordered a moment ago.
fn find(site: &Site, id: &str) -> Result<Option<Run>, Failed> {
    let id = RunId(id.to_owned());
    match site.shared.history.run(&id)? {
        Some(run) => Ok(Some(run)),
        None if id.made().is_some_and(|made| made + PATIENCE > Timestamp::now()) => Ok(None),
        None => Err(Failed::NotFound("There is no such run, or it is forgotten.".into())),
    }
}

fn name_of(run: &Run) -> String {
    let kind = run.kind.as_str();
    let over = match run.state {
        RunState::Failed => " failed",
        _ => "",
    };
    format!(
        "{}{} of {}{over}",
        kind[..1].to_uppercase(),
        &kind[1..],
        run.database.as_deref().unwrap_or("everything")
    )
}
