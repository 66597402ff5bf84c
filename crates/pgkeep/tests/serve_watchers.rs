//! Who looks on at `pgkeep serve`: channels, the log, the audit log, CloudWatch, OpenTelemetry.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures_support;

use std::path::Path;
use std::process::Command;

use failures_support::place::Place;
use failures_support::program::{PLANTED, Running, pgkeep};
use pgkeep_testbed::{Aws, Database, Receiver, Server, python};
use serde_json::Value;
use tempfile::TempDir;

/// A daemon with one database whose backups are due at once, one that can't be reached, and a receiver for all it tells.
struct Daemon {
    dir: TempDir,
    running: Running,
    _place: Place,
}

impl Daemon {
    fn start(database: &Database, channels: &str, options: &[&str], env: &[(&str, String)]) -> Daemon {
        let (dir, place) = (tempfile::tempdir().unwrap(), Place::folder());
        let text = format!(
            "store = '{}'\n[defaults]\nretries = 0\nschedule = 'rate(1 day)'\n[databases.shop]\nurl = '{}'\n\
             [databases.gone]\nurl = 'postgres://u@127.0.0.1:1/x'\npassword = {{ env = 'GONE_PASSWORD' }}\n{channels}",
            place.url(),
            database.url()
        );
        let config = dir.path().join("pgkeep.toml");
        std::fs::write(&config, text).unwrap();
        let state = dir.path().join("state");
        let words = ["serve", "--config", config.to_str().unwrap(), "--state", state.to_str().unwrap()];
        let mut command = pgkeep(&[&words, options].concat());
        command
            .env("GONE_PASSWORD", PLANTED)
            .env("PGKEEP_LISTEN", "none")
            .envs(env.iter().map(|(name, value)| (name, value)));
        let running = Running::start(&mut command);
        Daemon { dir, running, _place: place }
    }

    fn state(&self, file: &str) -> std::path::PathBuf {
        self.dir.path().join("state").join(file)
    }

    /// Ends it; its log.
    fn end(self) -> (String, TempDir) {
        self.running.signal("TERM");
        let ran = self.running.wait().ok();
        (ran.stderr, self.dir)
    }
}

fn source(name: &str) -> Database {
    let database = Database::create(&Server::major(17), name);
    database.psql("create table t as select generate_series(1, 10) i");
    database
}

fn hook(receiver: &Receiver) -> String {
    format!(
        "[notify.hook]\ntype = 'webhook'\nurl = '{}'\non = ['started', 'success', 'first-failure']\n",
        receiver.url("/planted-hook")
    )
}

fn bodies(receiver: &Receiver, wanted: &[(&str, &str)]) -> Vec<Value> {
    let parse = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap();
    let is = |e: &Value, (database, kind): &(&str, &str)| e["database"] == *database && e["kind"] == *kind;
    let all = receiver
        .wait_until(|got| wanted.iter().all(|w| got.iter().any(|request| is(&parse(&request.body), w))));
    all.iter().map(|request| parse(&request.body)).collect()
}

#[test]
fn the_daemon_tells_channels_once_logs_each_run_and_keeps_an_audit_that_cannot_be_changed_unnoticed() {
    let receiver = Receiver::answering(&[503, 200]);
    let database = source("watchers");
    // The database's own `notify` does not make the backup tell a second time.
    let channels = format!("notify = ['hook']\n{}", hook(&receiver));
    let daemon = Daemon::start(&database, &channels, &["--log-format", "json"], &[]);
    let wanted = [("shop", "started"), ("shop", "success"), ("gone", "failure")];
    let told = bodies(&receiver, &wanted);
    let count = |database: &str, kind: &str| {
        told.iter().filter(|e| e["database"] == database && e["kind"] == kind).count()
    };
    assert_eq!(count("shop", "success"), 1, "{told:#?}");
    let failure = told.iter().find(|e| e["kind"] == "failure").unwrap();
    assert!(failure["why"].as_str().unwrap().contains("127.0.0.1:1"), "{failure}");
    let log_file = failure["log"].as_str().unwrap();
    assert!(std::fs::read_to_string(log_file).unwrap().contains("127.0.0.1:1"));
    let audit = daemon.state("audit.jsonl");
    let (log, dir) = daemon.end();
    let lines: Vec<Value> =
        log.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect();
    let ended = lines.iter().find(|l| l["message"] == "run ended" && l["database"] == "gone").unwrap();
    assert_eq!((&ended["level"], &ended["state"]), (&"error".into(), &"failed".into()));
    assert_eq!(&ended["run"], &failure["run"]);
    assert!(lines.iter().any(|l| l["message"] == "run ended" && l["state"] == "completed"), "{log}");
    for secret in [PLANTED, "planted-hook", ":secret@"] {
        assert!(!log.contains(secret), "{log}");
    }
    let what: Vec<String> = std::fs::read_to_string(&audit)
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap()["what"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        (what.first().map(String::as_str), what.last().map(String::as_str)),
        (Some("start"), Some("end"))
    );
    assert_eq!(what.iter().filter(|w| *w == "backup").count(), 2, "{what:?}");
    judge_chain(&audit);
    drop(dir);
}

/// The chain of the audit log, followed by sha256sum.
fn judge_chain(audit: &Path) {
    let script = "before=0; while IFS= read -r line; do
        case $line in *'\"before\":\"'$before'\"'*) ;; *) echo \"broken at $line\"; exit 1;; esac
        before=$(printf %s \"$line\" | sha256sum | cut -c1-64); done < \"$1\"";
    let out = Command::new("sh").args(["-c", script, "sh"]).arg(audit).output().unwrap();
    assert!(out.status.success(), "{out:?}");
}

#[test]
fn cloudwatch_gets_the_metrics_under_the_names_that_dashboards_use() {
    let (aws, receiver, database) = (Aws::start(), Receiver::answering(&[200]), source("cloudwatch"));
    // An empty map of CBOR. The first request finds CloudWatch down: its figures come with the next one.
    let cloudwatch = Receiver::start(|n, _| {
        let headers = [("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor")];
        let status = if n == 0 { 400 } else { 200 };
        (status, headers.map(|(name, value)| (name, value.to_owned())).into(), vec![0xa0])
    });
    let mut env = aws.environment().to_vec();
    env.push(("AWS_ENDPOINT_URL_CLOUDWATCH", cloudwatch.url("")));
    let daemon = Daemon::start(&database, &hook(&receiver), &["--cloudwatch"], &env);
    let _ = bodies(&receiver, &[("shop", "success"), ("gone", "failure")]);
    let (log, _) = daemon.end();
    assert!(log.contains("CloudWatch does not take figures"), "{log}");
    let taken: Vec<Vec<u8>> = cloudwatch.wait_for(2)[1..].iter().map(|r| r.body.clone()).collect();
    let metrics = aws.metrics("CustomMetrics/DatabaseBackup", &taken);
    let metrics: Value = serde_json::from_str(&metrics).unwrap();
    let of = |name: &str, database: Option<&str>| -> Vec<f64> {
        let all = metrics.as_array().unwrap().iter();
        let fitting = all.filter(|m| m["name"] == name && m["database"].as_str() == database);
        fitting.map(|m| m["value"].as_f64().unwrap()).collect()
    };
    assert_eq!(of("BackupSuccess", Some("shop")), [1.0], "{metrics:#}");
    assert_eq!(of("BackupFailure", Some("shop")), [0.0]);
    assert_eq!(
        (of("BackupSuccess", Some("gone")), of("BackupFailure", Some("gone"))),
        (vec![0.0], vec![1.0])
    );
    assert_eq!(of("BackupRows", Some("shop")), [10.0]);
    assert!(of("BackupSize", Some("shop"))[0] > 0.0 && of("BackupDuration", Some("shop"))[0] > 0.0);
    // All databases together; the emulator adds up more than it is asked for there.
    assert!(!of("BackupFailure", None).is_empty(), "{metrics:#}");
}

#[test]
fn opentelemetry_gets_a_span_for_each_run_and_the_log() {
    let (otlp, receiver, database) =
        (Receiver::answering(&[200]), Receiver::answering(&[200]), source("otlp"));
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp.url("")),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=backups".into()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test".into()),
    ];
    let daemon = Daemon::start(&database, &hook(&receiver), &[], &env);
    let _ = bodies(&receiver, &[("shop", "success"), ("gone", "failure")]);
    daemon.end();
    let got = otlp
        .wait_until(|all| ["/v1/traces", "/v1/logs"].iter().all(|path| all.iter().any(|r| r.path == **path)));
    assert!(got.iter().all(|r| r.header("x-tenant") == Some("backups")));
    let judge = "
import sys
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
kind = {'/v1/traces': ExportTraceServiceRequest, '/v1/logs': ExportLogsServiceRequest}[sys.argv[1]]
print(MessageToJson(kind.FromString(bytes.fromhex(sys.argv[2])), indent=None))
";
    let decoded = |path: &str| -> String {
        let of_path = got.iter().filter(|r| r.path == path);
        let decode = |body: &[u8]| {
            let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
            let out = python().args(["-c", judge, path, &hex]).output().unwrap();
            assert!(out.status.success(), "{out:?}");
            String::from_utf8(out.stdout).unwrap()
        };
        of_path.map(|request| decode(&request.body)).collect()
    };
    let traces = decoded("/v1/traces");
    for word in [
        "shop/backup",
        "gone/backup",
        "STATUS_CODE_ERROR",
        "STATUS_CODE_OK",
        "pgkeep.attempt",
        "deployment.environment.name",
    ] {
        assert!(traces.contains(word), "{word}: {traces}");
    }
    let logs = decoded("/v1/logs");
    assert!(logs.contains("run ended") && logs.contains("service.name"), "{logs}");
    for secret in [PLANTED, ":secret@", "planted-hook"] {
        assert!(!traces.contains(secret) && !logs.contains(secret));
    }
}
