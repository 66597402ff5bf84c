//! Who is told of what: `pgkeep notify test`, and commands that tell what came of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use failures_support::place::Place;
use failures_support::program::{Ran, pgkeep, ran, run};
use pgkeep_testbed::{Authority, Aws, Database, MailServer, Receiver, Server};
use serde_json::Value;
use tempfile::NamedTempFile;

fn config(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn with(config: &NamedTempFile, words: &[&str], env: &[(&str, String)]) -> Ran {
    let mut command = pgkeep(&[words, &["--config", config.path().to_str().unwrap()]].concat());
    command.envs(env.iter().map(|(name, value)| (name, value)));
    run(command)
}

#[test]
fn a_test_prints_what_each_end_said_and_fails_when_one_does_not_take_it() {
    let (good, bad) = (Receiver::answering(&[200]), Receiver::answering(&[403]));
    let file = config(&format!(
        "[notify.good]\ntype = 'slack'\nurl = '${{HOOK}}'\n[notify.bad]\ntype = 'discord'\nurl = '{}'\n",
        bad.url("/planted-hook")
    ));
    let env = [("HOOK", good.url("/planted-hook"))];
    with(&file, &["notify", "test", "good", "--event", "overdue"], &env).ok().says(&["good: 200"]);
    assert!(good.wait_for(1)[0].text().contains("OVERDUE"));
    let told =
        with(&file, &["notify", "test"], &env).failed(1, &["good: 200", "bad: it answered 403", "1 channel"]);
    assert!(!format!("{told:?}").contains("planted-hook"));
    let told = with(&file, &["notify", "test", "bad", "--json"], &env);
    assert_eq!((told.json()["ok"].as_bool(), told.json()["channel"].as_str()), (Some(false), Some("bad")));
    with(&file, &["notify", "test", "god"], &env).failed(2, &["did you mean good?"]);
    with(&file, &["notify", "test", "--event", "nothing"], &env)
        .failed(2, &["retention-blocked", "drill-failed"]);
    // A variable that is not set is named.
    with(&file, &["notify", "test", "good"], &[]).failed(1, &["${HOOK}", "\"url\" of notify \"good\""]);
}

#[test]
fn the_check_of_the_configuration_finds_what_makes_no_sense_in_a_channel() {
    let check = |text: &str| {
        let file = config(text);
        ran(&["config", "check", file.path().to_str().unwrap()])
    };
    check("[notify.a]\ntype = 'slack'\nurl = 'https://hooks.example/x'\n").ok().says(&["0 warnings"]);
    check("[notify.a]\ntype = 'slack'\nurl = '${NO_HOOK}'\n").ok().says(&["${NO_HOOK}", "1 warning"]);
    check("[notify.a]\ntype = 'slack'\n").failed(2, &["line 1", "no url"]);
    check("[notify.a]\ntype = 'slack'\nurl = 'https://h/x'\non = ['fail']\n")
        .failed(2, &["\"fail\"", "first-failure"]);
    check("[notify.a]\ntype = 'webhook'\nurl = 'https://h/x'\ntemplate = '{{no}}'\n").failed(2, &["{{no}}"]);
    let text = "[notify.ops]\ntype = 'slack'\nurl = 'https://h/x'\n[databases.d]\nurl = 'postgres://h/d'\nnotify = 'op'\n";
    check(text).failed(2, &["database \"d\"", "did you mean ops?"]);
}

#[test]
fn mail_goes_over_tls_with_a_log_in_and_without_either_where_the_server_is_here() {
    let authority = Authority::create();
    let file = |tls: &str, port: u16, more: &str| {
        config(&format!(
            "[notify.mail]\ntype = 'smtp'\nhost = 'localhost'\nport = {port}\ntls = '{tls}'\n{more}\
             from = 'pgkeep <pgkeep@example.com>'\nto = ['dba@example.com', 'ops@example.com']\n"
        ))
    };
    let log_in = "username = 'app'\npassword = { env = 'MAIL_PASSWORD' }\n";
    let env = [
        ("SSL_CERT_FILE", authority.certificate().to_str().unwrap().to_owned()),
        ("MAIL_PASSWORD", "pw-planted-mail".to_owned()),
    ];
    for tls in ["starttls", "tls"] {
        let mut server = MailServer::start(tls, &authority, "app", "pw-planted-mail");
        let file = file(tls, server.port, log_in);
        with(&file, &["notify", "test"], &env).ok().says(&["mail: 250"]);
        let mail: Value = serde_json::from_str(&server.mail()).unwrap();
        assert_eq!((&mail["tls"], &mail["user"]), (&true.into(), &"app".into()), "{mail}");
        assert_eq!(mail["to"], serde_json::json!(["dba@example.com", "ops@example.com"]));
        assert_eq!(
            (&mail["sender"], &mail["auto"]),
            (&"pgkeep@example.com".into(), &"auto-generated".into())
        );
        assert_eq!(mail["subject"], "[pgkeep] Backup of example FAILED");
        for word in ["Why: this is a test", "What to do: ", "Host: "] {
            assert!(mail["text"].as_str().unwrap().contains(word), "{mail}");
        }
        // An unknown authority and a wrong password are told.
        with(&file, &["notify", "test"], &env[1..]).failed(1, &["mail: ", "ertificate"]);
        let wrong = [env[0].clone(), ("MAIL_PASSWORD", "pw-planted-wrong".to_owned())];
        let told = with(&file, &["notify", "test"], &wrong).failed(1, &["535"]);
        assert!(!format!("{told:?}").contains("pw-planted-wrong"), "{told:?}");
    }
    let mut server = MailServer::start("none", &authority, "", "");
    with(&file("none", server.port, ""), &["notify", "test", "--event", "recovered"], &env).ok();
    assert!(server.mail().contains("works again"));
    let elsewhere = config(
        "[notify.mail]\ntype = 'smtp'\nhost = 'mail.example.com'\ntls = 'none'\nusername = 'a'\npassword = 'pw-planted'\n\
         from = 'a@b.c'\nto = 'd@e.f'\n",
    );
    with(&elsewhere, &["notify", "test"], &[]).failed(1, &["for all to read"]);
}

#[test]
fn sns_gets_a_subject_a_text_and_attributes_and_ses_a_mail() {
    let aws = Aws::start();
    let topic = aws.topic("backups");
    aws.sender("pgkeep@example.com");
    let file = config(&format!(
        "[notify.sns]\ntype = 'sns'\ntopic = '{topic}'\n[notify.ses]\ntype = 'ses'\nfrom = 'pgkeep@example.com'\n\
         to = ['dba@example.com']\n[notify.none]\ntype = 'sns'\ntopic = '{topic}-none'\n"
    ));
    let env = aws.environment();
    with(&file, &["notify", "test", "sns"], &env).ok().says(&["sns: message "]);
    let published: Value = serde_json::from_str(&aws.published("backups")).unwrap();
    assert_eq!(published["Subject"], "Backup of example FAILED");
    assert!(published["Message"].as_str().unwrap().contains("Why: this is a test"), "{published}");
    assert_eq!(published["MessageAttributes"]["kind"]["Value"], "failure");
    with(&file, &["notify", "test", "ses"], &env).ok().says(&["ses: message "]);
    let mails = aws.mails();
    assert!(mails.contains("Backup of example FAILED") && mails.contains("dba@example.com"), "{mails}");
    with(&file, &["notify", "test", "none"], &env).failed(1, &["topic arn:", "-none"]);
}

#[test]
fn commands_tell_what_came_of_them_and_a_dead_channel_fails_no_backup() {
    let database = Database::create(&Server::major(17), "notify");
    database.psql("create table t as select generate_series(1, 10) i");
    let (place, receiver) = (Place::folder(), Receiver::answering(&[200]));
    let text = format!(
        "store = '{}'\n[notify.hook]\ntype = 'webhook'\nurl = '{}'\non = ['started', 'success', 'failure', 'drill-failed']\n\
         [notify.dead]\ntype = 'webhook'\nurl = '{}'\non = ['success']\n\
         [databases.shop]\nurl = '{}'\nnotify = ['hook', 'dead']\n[databases.gone]\nurl = 'postgres://u@127.0.0.1:1/x'\n\
         notify = 'hook'\n",
        place.url(),
        receiver.url("/"),
        Receiver::answering(&[400]).url("/planted-hook"),
        database.url()
    );
    let file = config(&text);
    let told = with(&file, &["backup", "shop"], &[]).ok().says(&["note: notify dead: 1 not delivered"]);
    assert!(!format!("{told:?}").contains("planted-hook"));
    with(&file, &["backup", "gone"], &[]).failed(4, &["connecting"]);
    with(&file, &["backup", "gone", "--notify", "none"], &[]).failed(4, &["connecting"]);
    with(&file, &["drill", "nothing", "--notify", "hook"], &[]).failed(1, &["no backup"]);
    with(&file, &["prune", "--notify", "hook", "--keep-last", "1"], &[]).ok();
    with(&file, &["backup", "shop", "--notify", "hok"], &[]).failed(2, &["did you mean hook?"]);
    let got: Vec<Value> =
        receiver.wait_for(8).iter().map(|r| serde_json::from_slice(&r.body).unwrap()).collect();
    let kinds: Vec<String> = got
        .iter()
        .map(|e| {
            format!(
                "{} {} {}",
                e["task"].as_str().unwrap(),
                e["database"].as_str().unwrap_or("-"),
                e["kind"].as_str().unwrap()
            )
        })
        .collect();
    let wanted = [
        "backup shop started",
        "backup shop success",
        "backup gone started",
        "backup gone failure",
        "drill nothing started",
        "drill nothing drill-failed",
        "prune - started",
        "prune - success",
    ];
    assert_eq!(kinds, wanted);
    assert!(got[3]["why"].as_str().unwrap().contains("127.0.0.1:1"), "{}", got[3]);
    assert!(!got[3]["hint"].as_str().unwrap().is_empty(), "{}", got[3]);
}
