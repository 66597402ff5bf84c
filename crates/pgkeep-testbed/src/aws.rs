//! AWS's control plane as moto emulates it: secrets, parameters, RDS. Its databases are names without servers.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

use crate::own_server::free_port;
use crate::run::run;

/// An emulator of its own, gone with this value.
#[derive(Debug)]
pub struct Aws {
    child: Child,
    recording: NamedTempFile,
    /// Such as `http://127.0.0.1:4566`.
    pub endpoint: String,
}

impl Aws {
    /// The region that everything is in.
    pub const REGION: &str = "eu-central-1";

    /// Starts one. Takes about three seconds.
    #[must_use]
    pub fn start() -> Aws {
        let port = free_port();
        let recording = NamedTempFile::new().expect("a file for the recording");
        let child = python()
            .env("MOTO_RECORDER_FILEPATH", recording.path())
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut aws = Aws { child: child.expect("python3 runs"), recording, endpoint };
        let began = Instant::now();
        while TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_err() {
            let ended = aws.child.try_wait().expect("waiting");
            assert!(
                ended.is_none(),
                "moto ended ({ended:?}); does {} hold it?",
                crate::env("PGKEEP_TEST_AWS")
            );
            assert!(began.elapsed() < Duration::from_secs(120), "moto does not answer on {}", aws.endpoint);
            std::thread::sleep(Duration::from_millis(50));
        }
        aws
    }

    /// The environment in which a program finds it, with credentials.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".into()),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
            ("AWS_REGION", Self::REGION.into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ]
    }

    /// Makes a secret; its ARN.
    pub fn secret(&self, name: &str, text: &str) -> String {
        self.call(&["secret", name, text])
    }

    /// Makes an encrypted parameter.
    pub fn parameter(&self, name: &str, value: &str) {
        self.call(&["parameter", name, value]);
    }

    /// Makes an instance, in `cluster` unless that is empty.
    pub fn instance(&self, name: &str, engine: &str, database: &str, cluster: &str) {
        self.call(&["instance", name, engine, database, cluster]);
    }

    /// Makes a cluster.
    pub fn cluster(&self, name: &str, engine: &str, database: &str) {
        self.call(&["cluster", name, engine, database]);
    }

    /// Stops an instance.
    pub fn stop(&self, instance: &str) {
        self.call(&["stop", instance]);
    }

    /// Makes a user without rights and has rights checked from now on; the user's key and its secret.
    #[must_use]
    pub fn lock(&self) -> (String, String) {
        let keys = self.call(&["lock"]);
        let (key, secret) = keys.split_once(' ').expect("two words");
        (key.into(), secret.into())
    }

    /// The token that AWS's own library signs at this time (seconds since 1970).
    #[must_use]
    pub fn token(&self, host: &str, port: u16, user: &str, time: u64) -> String {
        self.call(&["token", host, &port.to_string(), user, &time.to_string()])
    }

    /// Makes an SNS topic with a queue of SQS behind it; its ARN.
    #[must_use]
    pub fn topic(&self, name: &str) -> String {
        self.call(&["topic", name])
    }

    /// What was published to the topic, a line of JSON each.
    #[must_use]
    pub fn published(&self, topic: &str) -> String {
        self.call(&["published", topic])
    }

    /// Puts the metrics of these requests of CloudWatch's CBOR protocol; then the last hour's of the namespace, as JSON:
    /// `name`, `database`, `value`.
    #[must_use]
    pub fn metrics(&self, namespace: &str, requests: &[Vec<u8>]) -> String {
        let hex = |body: &Vec<u8>| body.iter().map(|byte| format!("{byte:02x}")).collect();
        let bodies: Vec<String> = requests.iter().map(hex).collect();
        let words = ["metrics", namespace].into_iter().chain(bodies.iter().map(String::as_str));
        self.call(&words.collect::<Vec<_>>())
    }

    /// What AWS's own library says of what stands there, as JSON: a Python expression over `client(service)`.
    #[must_use]
    pub fn ask(&self, expression: &str) -> String {
        self.call(&["ask", expression])
    }

    /// Records every request from now on, and forgets what it recorded before.
    pub fn record(&self) {
        self.call(&["record"]);
    }

    /// The file with what was recorded: a line of JSON for each request.
    #[must_use]
    pub fn recording(&self) -> &Path {
        self.recording.path()
    }

    /// Lets SES send mail from this address.
    pub fn sender(&self, address: &str) {
        self.call(&["sender", address]);
    }

    /// The mails that SES has sent, as JSON.
    #[must_use]
    pub fn mails(&self) -> String {
        self.call(&["mails"])
    }

    fn call(&self, words: &[&str]) -> String {
        let mut command = python();
        command.envs(self.environment()).env("AWS_DEFAULT_REGION", Self::REGION).env_remove("AWS_PROFILE");
        command.args(["-c", include_str!("aws.py"), &self.endpoint]).args(words);
        let out = run(&mut command, b"").unwrap_or_else(|error| panic!("{words:?}: {error}"));
        String::from_utf8(out).expect("UTF-8").trim().to_owned()
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// `python3` with the test bed's packages: moto, boto3, jsonschema.
#[must_use]
pub fn python() -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", crate::env("PGKEEP_TEST_AWS")).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
