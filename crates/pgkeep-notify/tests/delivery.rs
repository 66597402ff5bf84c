//! Delivery: each channel by itself, tried again, and ended in time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use pgkeep_notify::{Channel, Event, EventKind, Notifications, Settings};
use pgkeep_testbed::Receiver;

const LONG: Duration = Duration::from_secs(60);

fn channel(name: &str, url: &str, more: &[(&str, &str)]) -> Channel {
    let own = [("url", url)];
    let values = more.iter().chain(&own).map(|(k, v)| ((*k).to_owned(), vec![(*v).to_owned()]));
    Channel::new(name, "webhook", &Settings(values.collect())).unwrap()
}

fn event(kind: EventKind, database: &str) -> Event {
    Event { database: Some(database.into()), ..Event::sample(kind, Timestamp::UNIX_EPOCH) }
}

#[test]
fn a_receiver_that_fails_twice_gets_the_same_message_until_it_takes_it() {
    let receiver = Receiver::answering(&[503, 500, 200]);
    let all = Notifications::new(
        vec![channel("a", &receiver.url("/"), &[])],
        BTreeMap::new(),
        "h",
        Arc::new(|_, _| ()),
    );
    all.tell(&event(EventKind::Failure, "shop"), true);
    assert_eq!(all.finish(LONG, LONG), [] as [&str; 0]);
    let got = receiver.wait_for(3);
    assert_eq!(got.len(), 3);
    let ids: Vec<_> = got.iter().map(|r| r.header("webhook-id").unwrap()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[test]
fn a_channel_that_never_answers_is_a_problem_and_keeps_nothing_from_the_others() {
    let (dead, good) = (Receiver::answering(&[500]), Receiver::answering(&[200]));
    let channels = vec![channel("dead", &dead.url("/"), &[]), channel("good", &good.url("/"), &[])];
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let hear = heard.clone();
    let listener = move |name: &str, said: Result<&str, &str>| {
        hear.lock().unwrap().extend(said.err().map(|why| format!("{name}: {why}")));
    };
    let all = Notifications::new(channels, BTreeMap::new(), "h", Arc::new(listener));
    // More than the queue holds.
    for _ in 0..300 {
        all.tell(&event(EventKind::Failure, "shop"), true);
    }
    // The good one takes at least what its queue holds, while the other still stands at its first message.
    assert!(good.wait_for(256).len() >= 256);
    let _ = dead.wait_for(2);
    let heard = heard.lock().unwrap().clone();
    assert!(!heard.is_empty() && heard.iter().all(|h| h.starts_with("dead: it answered 500")), "{heard:?}");
    let left = all.finish(Duration::ZERO, LONG);
    assert!(
        left.iter().any(|l| l.starts_with("notify dead: 300 not delivered: it answered 500")),
        "{left:?}"
    );
}

#[test]
fn what_is_refused_for_good_is_not_sent_again() {
    let receiver = Receiver::answering(&[400, 200]);
    let all = Notifications::new(
        vec![channel("a", &receiver.url("/"), &[])],
        BTreeMap::new(),
        "h",
        Arc::new(|_, _| ()),
    );
    all.tell(&event(EventKind::Failure, "one"), true);
    all.tell(&event(EventKind::Failure, "two"), true);
    let left = all.finish(LONG, LONG);
    assert!(left[0].contains("1 not delivered"), "{left:?}");
    let got = receiver.wait_for(2);
    assert!(got[0].text().contains("\"one\"") && got[1].text().contains("\"two\""), "{got:#?}");
    assert_eq!(got.len(), 2);
}

#[test]
fn rules_patterns_and_a_databases_own_list_decide_who_is_told() {
    let receiver = Receiver::answering(&[200]);
    let at = |path: &str| receiver.url(path);
    let channels = vec![
        channel("first", &at("/first"), &[("on", "first-failure")]),
        channel("shop", &at("/shop"), &[("databases", "shop*")]),
        channel("named", &at("/named"), &[]),
    ];
    let named = BTreeMap::from([("quiet".to_owned(), vec!["named".to_owned()])]);
    let all = Notifications::new(channels, named, "h", Arc::new(|_, _| ()));
    all.tell(&event(EventKind::Failure, "shop-eu"), false);
    all.tell(&event(EventKind::Failure, "crm"), true);
    all.tell(&event(EventKind::Failure, "quiet"), true);
    all.tell(&event(EventKind::Success, "shop-eu"), true);
    assert_eq!(all.finish(LONG, LONG), [] as [&str; 0]);
    let mut got: Vec<(String, String)> = receiver
        .wait_for(5)
        .iter()
        .map(|r| {
            let body: serde_json::Value = serde_json::from_slice(&r.body).unwrap();
            (r.path.clone(), body["database"].as_str().unwrap().to_owned())
        })
        .collect();
    got.sort();
    let wanted = [
        ("/first", "crm"),
        ("/named", "crm"),
        ("/named", "quiet"),
        ("/named", "shop-eu"),
        ("/shop", "shop-eu"),
    ];
    assert_eq!(got, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())));
}
