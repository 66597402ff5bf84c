//! Whom the daemon tells of what through reloads, restarts and its end.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;
mod serve_support;

use failures_support::data::{noise, wait_for_reading};
use failures_support::wait_until;
use pgkeep_serve::RunState;
use pgkeep_testbed::{FaultProxy, Receiver, Request, Server};
use serde_json::Value;
use serve_support::{Home, entry, hourly, slow};

fn hook(receiver: &Receiver, path: &str, on: &str) -> String {
    format!("[notify.hook]\ntype = 'webhook'\nurl = '{}'\non = {on}\n", receiver.url(path))
}

fn kind(request: &Request) -> (String, String) {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    (request.path.clone(), body["kind"].as_str().unwrap().to_owned())
}

fn kinds(receiver: &Receiver, many: usize) -> Vec<(String, String)> {
    receiver.wait_for(many).iter().map(kind).collect()
}

#[test]
fn a_configuration_that_makes_no_sense_is_told_and_the_one_before_goes_on() {
    let receiver = Receiver::answering(&[200]);
    let (database, proxy) = slow();
    let slow = hourly("slow", &database.url_via(proxy.port()));
    let on = "['reload-failed', 'recovered', 'success']";
    let home = Home::new(&(slow.clone() + &hook(&receiver, "/one", on)));
    let daemon = home.serve(&[]);
    wait_for_reading(&database);
    home.configure("[databases.x]\nurl = 'x'\nschedule = '99 * * * *'\n");
    daemon.signal("HUP");
    let told: Value = serde_json::from_slice(&receiver.wait_for(1)[0].body).unwrap();
    assert_eq!((&told["kind"], &told["severity"]), (&"reload-failed".into(), &"warning".into()), "{told:#}");
    assert!(told["why"].as_str().unwrap().contains("line 8") && told["hint"].is_string(), "{told:#}");
    // The good one brings another channel: all that comes from now on goes there.
    home.configure(&(slow + &hook(&receiver, "/two", on)));
    daemon.signal("HUP");
    let _ = receiver.wait_for(2);
    proxy.throttle(0);
    home.wait_for("slow/backup", RunState::Completed);
    let told = kinds(&receiver, 3);
    let wanted = [("/one", "reload-failed"), ("/two", "recovered"), ("/two", "success")];
    assert_eq!(told, wanted.map(|(path, kind)| (path.to_owned(), kind.to_owned())));
    assert_eq!(home.backups("slow").len(), 1);
}

#[test]
fn a_first_failure_and_the_recovery_are_told_once_through_restarts() {
    let receiver = Receiver::answering(&[200]);
    let database = noise(&Server::major(16), 100);
    let proxy = FaultProxy::to(("127.0.0.1", database.server().port()));
    let shop = entry("shop", &database.url_via(proxy.port()), "schedule = '@monthly'\nretries = 0");
    let home = Home::new(&(shop + &hook(&receiver, "/", "['first-failure', 'recovered']")));
    let go = |runs: usize, state: RunState| {
        home.forget("state", "shop/backup");
        let daemon = home.serve(&[]);
        wait_until("the run is over", || {
            let all = home.runs("shop/backup");
            all.len() == runs && all.last().is_some_and(|run| run.state == state)
        });
        daemon.signal("TERM");
        daemon.wait().ok();
    };
    proxy.refuse(true);
    go(1, RunState::Failed);
    go(2, RunState::Failed);
    go(3, RunState::Failed);
    proxy.refuse(false);
    go(4, RunState::Completed);
    go(5, RunState::Skipped);
    let told: Vec<String> = kinds(&receiver, 2).into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(told, ["failure", "recovered"]);
}

#[test]
fn what_is_not_delivered_is_tried_once_more_when_the_daemon_ends() {
    let receiver = Receiver::answering(&[503, 503, 503, 200]);
    let gone = entry("gone", "postgres://u@127.0.0.1:1/x", "schedule = 'rate(1 day)'\nretries = 0");
    let home = Home::new(&(gone + &hook(&receiver, "/", "['failure']")));
    let daemon = home.serve(&[]);
    let _ = receiver.wait_for(3);
    daemon.signal("TERM");
    daemon.wait().ok();
    let got = receiver.wait_for(4);
    let id = |request: &Request| request.header("webhook-id").unwrap().to_owned();
    assert!(got.len() == 4 && got.iter().all(|request| id(request) == id(&got[0])), "{got:#?}");
}

#[test]
fn a_daemon_whose_state_is_deleted_puts_it_back_and_goes_on() {
    let database = noise(&Server::major(18), 100);
    let home = Home::new(&hourly("shop", &database.url()));
    let daemon = home.serve(&["--survey-every", "1s"]);
    let run = home.wait_for("shop/backup", RunState::Completed);
    std::fs::remove_file(home.path("state/state.sqlite")).unwrap();
    daemon.signal("HUP");
    wait_until("the state is back", || {
        home.history().is_some_and(|h| h.run(&run.id).ok().flatten().is_some())
    });
    daemon.signal("TERM");
    daemon.wait().ok();
    assert_eq!(home.runs("shop/backup").len(), 1);
}
