//! What each channel sends, against what the services' documents demand, at a real HTTP server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::process::Command;

use jiff::Timestamp;
use pgkeep_notify::{Channel, Event, EventKind, Message, Retry, Settings};
use pgkeep_testbed::{Receiver, Request, python};
use serde_json::Value;

fn settings(values: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    for (key, value) in values {
        settings.0.entry((*key).to_owned()).or_default().push((*value).to_owned());
    }
    settings
}

#[track_caller]
fn channel(kind: &str, values: &[(&str, &str)]) -> Channel {
    Channel::new("test", kind, &settings(values)).unwrap()
}

fn event(kind: EventKind) -> Event {
    Event {
        database: Some("shop <&> \"eu\"".into()),
        run: Some("20261124T120000Z-abc123".into()),
        why: Some("connecting to db:5432: refused\nsecond line".into()),
        log: Some("/var/lib/pgkeep/logs/x.log".into()),
        facts: vec![("Size".into(), "3 MiB".into())],
        ..Event::sample(kind, Timestamp::from_second(1_800_000_000).unwrap())
    }
}

/// Everything too long.
fn endless() -> Event {
    let long = "😀<&>\"\\ ".repeat(5000);
    let facts = (0..80).map(|i| (format!("Fact {i} {long}"), long.clone())).collect();
    Event {
        database: Some(long.clone()),
        summary: long.clone(),
        why: Some(long.clone()),
        hint: Some(long.clone()),
        log: Some(long),
        facts,
        ..event(EventKind::Failure)
    }
}

#[track_caller]
fn send(channel: &Channel, event: &Event, receiver: &Receiver, nth: usize) -> Request {
    let said = channel.send(&Message::of(event, "host-1")).unwrap();
    assert!(said.starts_with("200"), "{said}");
    receiver.wait_for(nth)[nth - 1].clone()
}

fn json(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap_or_else(|e| panic!("{e}: {}", request.text()))
}

fn units(value: &Value) -> usize {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).encode_utf16().count()
}

/// Each text of these is within the limit.
#[track_caller]
fn within<'v>(values: impl IntoIterator<Item = &'v Value>, limit: usize) {
    for value in values {
        let units = units(value);
        assert!((1..=limit).contains(&units), "{units} units where 1 to {limit} may be");
    }
}

#[track_caller]
fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "\"{word}\" is not said: {text}");
    }
}

#[test]
fn slack_gets_blocks_with_escaped_text_and_within_its_limits() {
    let receiver = Receiver::answering(&[200]);
    let slack = channel("slack", &[("url", &receiver.url("/services/T0/B0/x"))]);
    let body = json(&send(&slack, &event(EventKind::Failure), &receiver, 1));
    let text = body.to_string();
    says(
        &text,
        &[
            "FAILED",
            "shop &lt;&amp;&gt;",
            "connecting to db:5432",
            "host-1:/var/lib/pgkeep/logs/x.log",
            "3 MiB",
        ],
    );
    let body = json(&send(&slack, &endless(), &receiver, 2));
    within([&body["text"]], 3000);
    let blocks = body["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50, "{}", blocks.len());
    assert_eq!(blocks[0]["text"]["type"], "plain_text");
    within([&blocks[0]["text"]["text"]], 150);
    for block in &blocks[1..] {
        within(block.get("text").map(|t| &t["text"]), 3000);
        let fields = block["fields"].as_array().cloned().unwrap_or_default();
        assert!(fields.len() <= 10);
        within(fields.iter().map(|f| &f["text"]), 2000);
    }
}

#[test]
fn teams_gets_an_adaptive_card() {
    let receiver = Receiver::answering(&[200]);
    let teams = channel("teams", &[("url", &receiver.url("/workflows/x?sig=secret-sig"))]);
    let request = send(&teams, &event(EventKind::DrillFailed), &receiver, 1);
    assert_eq!(request.path, "/workflows/x?sig=secret-sig");
    let body = json(&request);
    assert_eq!(body["type"], "message");
    let card = &body["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &card["content"];
    assert_eq!((&card["type"], &card["version"]), (&"AdaptiveCard".into(), &"1.4".into()));
    says(&card.to_string(), &["not proven to restore", "What to do", "3 MiB"]);
    let request = send(&teams, &endless(), &receiver, 2);
    // 28 KB by Microsoft's count, which is of UTF-16.
    assert!(request.text().encode_utf16().count() <= 28 * 1024, "{}", request.body.len());
}

#[test]
fn discord_gets_an_embed_that_calls_nobody_and_is_within_its_limits() {
    let receiver = Receiver::answering(&[200]);
    let discord = channel("discord", &[("url", &receiver.url("/api/webhooks/1/x"))]);
    let body = json(&send(&discord, &event(EventKind::CopyDegraded), &receiver, 1));
    assert_eq!(body["allowed_mentions"]["parse"], serde_json::json!([]));
    says(&body.to_string(), &["A copy of shop", "3 MiB"]);
    let body = json(&send(&discord, &endless(), &receiver, 2));
    let embed = &body["embeds"][0];
    within([&embed["title"]], 256);
    within([&embed["description"]], 4096);
    let fields = embed["fields"].as_array().unwrap();
    assert!(fields.len() <= 25);
    within(fields.iter().map(|f| &f["name"]), 256);
    within(fields.iter().map(|f| &f["value"]), 1024);
    let all: usize = fields.iter().map(|f| units(&f["name"]) + units(&f["value"])).sum();
    assert!(all + units(&embed["title"]) + units(&embed["description"]) <= 6000);
    embed["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap();
}

#[test]
fn telegram_gets_plain_text_for_its_chat() {
    let receiver = Receiver::answering(&[200]);
    let telegram =
        channel("telegram", &[("token", "12:planted-token"), ("chat", "-100"), ("url", &receiver.url("/"))]);
    let request = send(&telegram, &event(EventKind::Overdue), &receiver, 1);
    assert_eq!(request.path, "/bot12:planted-token/sendMessage");
    let body = json(&request);
    assert_eq!(body["chat_id"], "-100");
    assert!(body.get("parse_mode").is_none());
    says(body["text"].as_str().unwrap(), &["OVERDUE", "shop <&>", "refused\nsecond line"]);
    within([&json(&send(&telegram, &endless(), &receiver, 2))["text"]], 4096);
}

#[test]
fn pagerduty_gets_an_incident_and_its_end_under_one_key() {
    let receiver = Receiver::answering(&[200]);
    let pager = channel(
        "pagerduty",
        &[("routing_key", "planted-routing-key"), ("url", &receiver.url("/v2/enqueue"))],
    );
    let trigger = json(&send(&pager, &event(EventKind::Failure), &receiver, 1));
    assert_eq!(
        (&trigger["routing_key"], &trigger["event_action"]),
        (&"planted-routing-key".into(), &"trigger".into())
    );
    assert_eq!(
        (&trigger["payload"]["source"], &trigger["payload"]["severity"]),
        (&"host-1".into(), &"critical".into())
    );
    says(trigger["payload"]["summary"].as_str().unwrap(), &["FAILED"]);
    // The rules do not name successes: they end the incident all the same.
    assert!(
        pager.wants(&event(EventKind::Success), false) && !pager.wants(&event(EventKind::Started), false)
    );
    let resolve = json(&send(&pager, &event(EventKind::Success), &receiver, 2));
    assert_eq!((&resolve["event_action"], &resolve["dedup_key"]), (&"resolve".into(), &trigger["dedup_key"]));
    let long = json(&send(&pager, &endless(), &receiver, 3));
    within([&long["dedup_key"]], 255);
    within([&long["payload"]["summary"]], 1024);
}

#[test]
fn a_ping_goes_to_where_the_outcome_belongs() {
    let receiver = Receiver::answering(&[200]);
    let ping = channel("ping", &[("url", &receiver.url("/key/{{database}}-{{task}}?rid=1"))]);
    let base = "/key/shop%20%3C%26%3E%20%22eu%22-backup";
    for (nth, (kind, end)) in [
        (EventKind::Started, "/start"),
        (EventKind::Success, ""),
        (EventKind::Failure, "/fail"),
        (EventKind::Recovered, ""),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(ping.wants(&event(kind), false), "{kind:?}");
        let request = send(&ping, &event(kind), &receiver, nth + 1);
        assert_eq!(request.path, format!("{base}{end}?rid=1"));
    }
    let drill = Event { task: "drill".into(), ..event(EventKind::Success) };
    assert!(!ping.wants(&drill, false) && !ping.wants(&event(EventKind::Overdue), false));
}

#[test]
fn a_signature_is_the_one_that_the_standards_own_library_verifies_and_openssl_makes() {
    let receiver = Receiver::answering(&[200]);
    let secret = "whsec_cGxhbnRlZC1ob29rLXNlY3JldA==";
    let hook = channel("webhook", &[("url", &receiver.url("/hook")), ("secret", secret)]);
    let request = send(&hook, &event(EventKind::Failure), &receiver, 1);
    let header = |name: &str| request.header(name).unwrap().to_owned();
    let judge = "
import sys, standardwebhooks
headers = dict(zip(['webhook-id', 'webhook-timestamp', 'webhook-signature'], sys.argv[2:5]))
hook = standardwebhooks.Webhook(sys.argv[1])
hook.verify(sys.argv[5], headers)
try:
    hook.verify(sys.argv[5] + ' ', headers)
except standardwebhooks.WebhookVerificationError:
    print('good, and a changed body is not')
";
    let (id, time, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let out = python().args(["-c", judge, secret, &id, &time, &signature, &request.text()]).output().unwrap();
    says(&String::from_utf8_lossy(&out.stdout), &["good, and a changed body is not"]);
    // A secret without whsec_ is taken as it is.
    let hook = channel("webhook", &[("url", &receiver.url("/hook")), ("secret", "plain words")]);
    let request = send(&hook, &event(EventKind::Failure), &receiver, 2);
    let (id, time) = (request.header("webhook-id").unwrap(), request.header("webhook-timestamp").unwrap());
    let script = "printf %s \"$1\" | openssl dgst -sha256 -hmac 'plain words' -binary | base64";
    let signed = format!("{id}.{time}.{}", request.text());
    let out = Command::new("sh").args(["-c", script, "sh", &signed]).output().unwrap();
    let theirs = String::from_utf8(out.stdout).unwrap();
    assert_eq!(request.header("webhook-signature").unwrap(), format!("v1,{}", theirs.trim()));
}

#[test]
fn a_webhook_has_all_fields_or_those_of_its_template() {
    let receiver = Receiver::answering(&[200]);
    let url = receiver.url("/hook");
    let whole =
        json(&send(&channel("webhook", &[("url", &url)]), &event(EventKind::CopyDegraded), &receiver, 1));
    let told = event(EventKind::CopyDegraded);
    assert_eq!(whole["kind"], "copy-degraded");
    assert_eq!(whole["database"].as_str(), told.database.as_deref());
    assert_eq!(whole["facts"]["Size"], "3 MiB");
    let template = r#"{"alert": "{{title}}", "details": {"why": "{{why}}", "sev": "{{severity}}"}}"#;
    let headers = ("headers", "Authorization: Bearer planted-token");
    let hook = channel("webhook", &[("url", &url), ("template", template), headers]);
    let request = send(&hook, &told, &receiver, 2);
    assert_eq!(request.header("authorization"), Some("Bearer planted-token"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let body = json(&request);
    assert_eq!(body["details"]["why"].as_str(), told.why.as_deref());
    for (template, word) in [("{{nothing}}", "title"), (r#"{"a": {{why}}}"#, "makes no JSON")] {
        let made = Channel::new("x", "webhook", &settings(&[("url", &url), ("template", template)]));
        says(&made.unwrap_err(), &[word]);
    }
}

#[test]
fn what_the_other_end_says_decides_about_another_try_and_no_secret_comes_back() {
    let secret = "/services/T0/B0/planted-hook";
    let receiver = Receiver::start(move |n, request| {
        let wait = if n == 1 { vec![("retry-after", "7".to_owned())] } else { Vec::new() };
        ([404, 429, 503, 302][n], wait, format!("no: {}", request.path).into_bytes())
    });
    let slack = channel("slack", &[("url", &receiver.url(secret))]);
    let retry = |expected: Retry| {
        let e = slack.send(&Message::of(&event(EventKind::Failure), "h")).unwrap_err();
        assert_eq!(e.retry, expected, "{e}");
        assert!(!e.to_string().contains("planted-hook"), "{e}");
    };
    retry(Retry::Never);
    retry(Retry::After(std::time::Duration::from_secs(7)));
    retry(Retry::Later);
    retry(Retry::Never);
    let nobody = channel("slack", &[("url", "http://127.0.0.1:1/services/planted-hook")]);
    let e = nobody.send(&Message::of(&event(EventKind::Failure), "h")).unwrap_err();
    assert_eq!(e.retry, Retry::Later);
    assert!(e.to_string().contains("onnect") && !e.to_string().contains("planted-hook"), "{e}");
    let e = Channel::new("x", "slack", &settings(&[("url", "planted-hook is no URL")])).unwrap_err();
    assert!(!e.contains("planted-hook"), "{e}");
}
