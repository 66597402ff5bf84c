//! What is in `deploy/`: each file judged by the tool that it is for, or by that tool's schema.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::{program, succeed};
use tempfile::TempDir;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

/// A program that `testbed/install` put there for this.
fn tool(name: &str) -> Command {
    let tools = std::env::var("PGKEEP_TEST_DEPLOY").expect("PGKEEP_TEST_DEPLOY is set by `. .bed/env`");
    let mut command = match name {
        "python3" => Command::new(name),
        _ => Command::new(Path::new(&tools).join("bin").join(name)),
    };
    command.env("PYTHONPATH", &tools);
    command
}

fn text(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap()
}

/// What a Python expression says of the documents `docs` of a YAML file, a line for each.
fn of_yaml(yaml: &Path, expression: &str) -> Vec<String> {
    let program = format!(
        "import json, sys, yaml\ndocs = list(yaml.safe_load_all(open(sys.argv[1])))\n\
         for x in {expression}: print(json.dumps(x))"
    );
    let lines = text(succeed(tool("python3").args(["-c", &program]).arg(yaml)));
    lines.lines().map(str::to_owned).collect()
}

#[track_caller]
fn is_a_good_configuration(toml: &str) {
    let written = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(written.path(), toml).unwrap();
    succeed(program().args(["config", "check"]).arg(written.path()));
}

/// Resources that Kubernetes takes, whose configuration and whose commands pgkeep takes.
#[track_caller]
fn is_good_for_kubernetes(yaml: &Path) {
    for version in ["1.27", "1.37"] {
        succeed(tool("kubernetes-validate").args(["--strict", "--kubernetes-version", version]).arg(yaml));
    }
    let configs = of_yaml(yaml, "[d['data']['pgkeep.toml'] for d in docs if d['kind'] == 'ConfigMap']");
    assert_eq!(configs.len(), 1, "{configs:?}");
    is_a_good_configuration(&serde_json::from_str::<String>(&configs[0]).unwrap());
    let pods = "[(d['spec'].get('jobTemplate') or d)['spec']['template']['spec'] \
                for d in docs if d['kind'] in ('CronJob', 'Deployment')]";
    let args = of_yaml(yaml, &format!("[p['containers'][0]['args'] for p in {pods}]"));
    assert!(!args.is_empty());
    for args in args {
        let args: Vec<String> = serde_json::from_str(&args).unwrap();
        succeed(program().args(args).arg("--help"));
    }
    // The restricted profile of https://kubernetes.io/docs/concepts/security/pod-security-standards/, and a root that
    // nobody writes to.
    let restricted = "p['securityContext']['runAsNonRoot'] \
                      and p['securityContext']['seccompProfile']['type'] == 'RuntimeDefault' \
                      and not p['automountServiceAccountToken'] \
                      and all(c['securityContext']['readOnlyRootFilesystem'] \
                      and not c['securityContext']['allowPrivilegeEscalation'] \
                      and c['securityContext']['capabilities']['drop'] == ['ALL'] for c in p['containers'])";
    let kept = of_yaml(yaml, &format!("[bool({restricted}) for p in {pods}]"));
    assert!(kept.iter().all(|is| is == "true"), "{kept:?}");
}

#[test]
fn systemd_takes_the_unit_and_finds_little_exposed() {
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("pgkeep.service");
    let shipped = std::fs::read_to_string(file("systemd/pgkeep.service")).unwrap();
    std::fs::write(&unit, shipped.replace("/usr/local/bin/pgkeep", env!("CARGO_BIN_EXE_pgkeep"))).unwrap();
    let verify = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output().unwrap();
    let said = String::from_utf8_lossy(&verify.stderr);
    assert!(verify.status.success() && !said.contains("pgkeep.service"), "{said}");
    // In tenths; what is called safe begins at 20.
    succeed(
        Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20"]).arg(&unit),
    );
}

#[test]
fn the_container_files_have_no_lint_and_run_as_nobody_in_particular() {
    succeed(tool("hadolint").args([file("container/Containerfile"), file("lambda/Containerfile")]));
    let text = std::fs::read_to_string(file("container/Containerfile")).unwrap();
    assert!(text.lines().any(|line| line == "USER 10001:10001"));
}

#[test]
fn compose_takes_its_file_and_pgkeep_the_configuration_in_it() {
    let yaml = file("compose/compose.yaml");
    succeed(tool("check-jsonschema").args(["--builtin-schema", "vendor.compose-spec"]).arg(&yaml));
    is_a_good_configuration(&std::fs::read_to_string(file("compose/pgkeep.toml")).unwrap());
    let of_pgkeep = of_yaml(&yaml, "[docs[0]['services']['pgkeep'][k] for k in ('read_only', 'cap_drop')]");
    assert_eq!(of_pgkeep, ["true", "[\"ALL\"]"]);
}

#[test]
fn kubernetes_takes_the_cron_jobs() {
    is_good_for_kubernetes(&file("kubernetes/pgkeep.yaml"));
}

/// The chart with these values, as `helm template` writes it.
fn rendered(dir: &TempDir, values: &str) -> PathBuf {
    let out =
        succeed(tool("helm").args(["template", "night"]).arg(file("helm/pgkeep")).args(["--set", values]));
    let yaml = dir.path().join("rendered.yaml");
    std::fs::write(&yaml, out).unwrap();
    yaml
}

#[test]
fn helm_and_kubernetes_take_the_chart_whatever_is_set() {
    let dir = tempfile::tempdir().unwrap();
    succeed(tool("helm").args(["lint", "--strict"]).arg(file("helm/pgkeep")));
    is_good_for_kubernetes(&rendered(&dir, "image.tag="));
    let all = "state.persistent=true,state.storageClass=fast,secretEnv=env,secretFiles=files,dashboard.usersSecret=users,\
               dashboard.externalUrl=https://pgkeep.example.com,scratchLimit=20Gi,\
               env.AWS_REGION=eu-central-1,args={--stop-grace,90s},imagePullSecrets[0].name=pull,\
               podAnnotations.a=b,nodeSelector.disk=ssd,tolerations[0].operator=Exists,\
               serviceAccount.annotations.role=arn";
    let yaml = rendered(&dir, all);
    is_good_for_kubernetes(&yaml);
    assert_eq!(of_yaml(&yaml, "sorted(d['kind'] for d in docs)").len(), 5);
    let elsewhere = rendered(&dir, "dashboard.oidc=true,dashboard.externalUrl=https://pgkeep.example.com");
    is_good_for_kubernetes(&elsewhere);
    let kinds = of_yaml(&elsewhere, "sorted(d['kind'] for d in docs)");
    assert!(kinds.iter().any(|kind| kind.contains("Service\"") || kind == "Service"), "{kinds:?}");
    let text = std::fs::read_to_string(&elsewhere).unwrap();
    assert!(text.contains("--listen=0.0.0.0:7317") && !text.contains("--users"), "{text}");
    let mistyped = tool("helm")
        .args(["template", "night"])
        .arg(file("helm/pgkeep"))
        .args(["--set", "stat.size=1Gi"])
        .output();
    assert!(!mistyped.unwrap().status.success(), "a value that the chart does not know is refused");
}
