//! Buckets on the test bed's S3 server.

use std::path::Path;
use std::process::Command;

use crate::aws::python;
use crate::run::{run, unique};

/// The test bed's S3 server: Ceph's gateway, which checks signatures and part sizes.
#[derive(Debug, Clone)]
pub struct S3 {
    /// Such as `http://127.0.0.1:20210`.
    pub endpoint: String,
    /// The access key id of a user who owns every bucket.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
}

/// A bucket that is removed, with all that is in it, with this value.
#[derive(Debug)]
pub struct Bucket {
    s3: S3,
    name: String,
}

impl S3 {
    /// The region that requests must be signed for.
    pub const REGION: &str = "us-east-1";

    /// The shared server. Panics when the test bed is not up.
    #[must_use]
    pub fn from_env() -> Self {
        Self {
            endpoint: crate::env("PGKEEP_TEST_S3_ENDPOINT"),
            access_key: crate::env("PGKEEP_TEST_S3_ACCESS_KEY"),
            secret_key: crate::env("PGKEEP_TEST_S3_SECRET_KEY"),
        }
    }

    /// The server's `host:port`, for a proxy in front of it.
    #[must_use]
    pub fn address(&self) -> &str {
        self.endpoint.trim_start_matches("http://").trim_end_matches('/')
    }

    /// A new, empty bucket.
    #[must_use]
    pub fn create_bucket(&self, hint: &str) -> Bucket {
        self.create(hint, "create")
    }

    /// A new bucket with Object Lock, and so with versions. Locks in compliance mode outlive it.
    #[must_use]
    pub fn create_locking_bucket(&self, hint: &str) -> Bucket {
        self.create(hint, "create-locking")
    }

    fn create(&self, hint: &str, command: &str) -> Bucket {
        let bucket = Bucket { s3: self.clone(), name: unique(&hint.replace('_', "-"), "-") };
        bucket.call(command, &[]);
        bucket
    }
}

impl Bucket {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL of a store below `prefix` of this bucket. Keys are passed apart, see [`Bucket::credentials`].
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        self.url_via(&self.s3.endpoint, prefix)
    }

    /// The same through another endpoint: a proxy in front of the server.
    #[must_use]
    pub fn url_via(&self, endpoint: &str, prefix: &str) -> String {
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("s3://{}{slash}{prefix}?endpoint={endpoint}&path-style=true&region={}", self.name, S3::REGION)
    }

    /// The environment in which a program finds the keys.
    #[must_use]
    pub fn credentials(&self) -> [(&'static str, String); 2] {
        [
            ("AWS_ACCESS_KEY_ID", self.s3.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.s3.secret_key.clone()),
        ]
    }

    /// All keys, in the bucket's order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.sizes().into_iter().map(|(key, _)| key).collect()
    }

    /// All keys with their sizes, in the bucket's order.
    #[must_use]
    pub fn sizes(&self) -> Vec<(String, u64)> {
        pairs(&self.call("keys", &[])).map(|(size, key)| (key.to_owned(), size.parse().unwrap())).collect()
    }

    /// Multipart uploads that were begun and neither completed nor aborted: key and upload id.
    #[must_use]
    pub fn multipart_uploads(&self) -> Vec<(String, String)> {
        pairs(&self.call("uploads", &[])).map(|(upload, key)| (key.to_owned(), upload.to_owned())).collect()
    }

    /// Writes an object to a file.
    pub fn download(&self, key: &str, path: &Path) {
        self.call("get", &[key, path.to_str().expect("a UTF-8 path")]);
    }

    /// Writes every object whose key begins with `prefix` into a folder, as `aws s3 cp --recursive` does.
    pub fn download_all(&self, prefix: &str, folder: &Path) {
        self.call("get-all", &[prefix, folder.to_str().expect("a UTF-8 path")]);
    }

    /// Makes (or replaces) an object from a file.
    pub fn upload(&self, key: &str, path: &Path) {
        self.call("put", &[key, path.to_str().expect("a UTF-8 path")]);
    }

    /// What AWS's own library for Python, as `s3` with this bucket as `b`, says to an expression.
    pub fn boto(&self, expression: &str) -> String {
        let program = format!(
            "import boto3, os\n\
             s3 = boto3.client('s3', endpoint_url=os.environ['PGKEEP_TEST_S3_ENDPOINT'], region_name='{}')\n\
             b = '{}'\n\
             print({expression})",
            S3::REGION,
            self.name
        );
        let mut python = python();
        python
            .args(["-c", &program])
            .envs(self.credentials())
            .env("PGKEEP_TEST_S3_ENDPOINT", &self.s3.endpoint);
        let out = run(&mut python, b"").unwrap_or_else(|error| panic!("{expression}: {error}"));
        String::from_utf8(out).expect("UTF-8").trim().to_owned()
    }

    /// Deletes an object.
    pub fn delete(&self, key: &str) {
        self.call("delete", &[key]);
    }

    fn call(&self, command: &str, rest: &[&str]) -> String {
        self.try_call(command, rest).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_call(&self, command: &str, rest: &[&str]) -> Result<String, String> {
        let mut python = Command::new("python3");
        python.arg("-").arg(command).arg(&self.name).args(rest);
        python.env("PYTHONIOENCODING", "utf-8");
        python.env("PGKEEP_TEST_S3_ENDPOINT", &self.s3.endpoint);
        run(&mut python, include_bytes!("s3.py")).map(|out| String::from_utf8(out).expect("UTF-8 keys"))
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // The store is memory: what stays behind counts.
        if let Err(error) = self.try_call("drop", &[]) {
            eprintln!("bucket {} stays behind: {error}", self.name);
        }
    }
}

fn pairs(lines: &str) -> impl Iterator<Item = (&str, &str)> {
    lines.lines().filter_map(|line| line.split_once('\t'))
}
