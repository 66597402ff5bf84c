//! What `deploy/monitoring` offers: rules and dashboards that use metrics which there are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/monitoring")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(folder().join(path)).unwrap()
}

/// Runs promtool in the folder and expects that it has nothing to say against it.
#[track_caller]
fn promtool(words: &[&str]) {
    let out = Command::new("promtool").args(words).current_dir(folder()).output().expect("promtool runs");
    let said = [out.stdout, out.stderr].concat();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// The names in a text that look like pgkeep's metrics.
fn metrics(text: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = text.split(|c| !is_name(c)).filter(|w| w.starts_with("pgkeep_"));
    let mut names: Vec<String> = words.map(Into::into).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn the_alert_rules_fire_when_they_should_and_only_then() {
    promtool(&["check", "rules", "prometheus-rules.yml"]);
    promtool(&["test", "rules", "prometheus-rules-test.yml"]);
}

#[test]
fn rules_and_dashboard_use_documented_metrics_alone_and_the_dashboards_queries_are_sound() {
    let documented = metrics(&read("../../docs/monitoring.md"));
    let text = read("grafana-dashboard.json");
    let used = metrics(&format!("{}{text}", read("prometheus-rules.yml")));
    assert!(used.len() > 8, "{used:?}");
    for name in &used {
        assert!(documented.contains(name), "{name} is not in docs/monitoring.md");
    }
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (nth, target) in targets.enumerate() {
        let query = target["expr"].as_str().unwrap();
        let query = Value::from(query.replace("$__interval", "5m").replace("$database", ".*"));
        rules += &format!("  - record: query\n    expr: {query}\n    labels: {{ nth: '{nth}' }}\n");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), rules).unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()]);
}

#[test]
fn the_dashboard_of_cloudwatch_uses_metrics_that_the_code_sends() {
    let code = concat!(
        include_str!("../src/watchers/cloudwatch.rs"),
        include_str!("../../pgkeep-cloud/src/metrics.rs")
    );
    let dashboard: Value = serde_json::from_str(&read("cloudwatch-dashboard.json")).unwrap();
    let is_metric =
        |w: &&str| ["Backup", "Drill", "Snapshot", "Proven"].iter().any(|start| w.starts_with(start));
    let mut names = 0;
    for widget in dashboard["widgets"].as_array().unwrap() {
        let text = widget["properties"]["metrics"].to_string();
        for name in text.split(['"', '\\']).filter(is_metric) {
            assert!(code.contains(&format!("\"{name}\"")), "{name} in {text}");
            names += 1;
        }
    }
    assert_eq!(names, 9);
}
