//! What AWS does and Ceph's gateway does not: encryption with KMS keys, and checksums that are kept. On moto, which
//! stores what it is told and tells it again; judged by AWS's own library and by Python's hashes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use pgkeep_store::{Credentials, OpenOptions, Store};
use pgkeep_testbed::{Aws, python};
use support::bytes;
use support::s3::{PART, plan};

/// The emulator with a bucket.
struct Bench(Aws);

impl Bench {
    fn new() -> Bench {
        let bench = Bench(Aws::start());
        bench.boto(
            "s3.create_bucket(Bucket='backups', CreateBucketConfiguration={'LocationConstraint': 'eu-central-1'})",
        );
        bench
    }

    fn open(&self, query: &str) -> Store {
        let credentials = Credentials { access_key: "k".into(), secret_key: "s".into(), session_token: None };
        let options = OpenOptions { credentials: Some(credentials), ..OpenOptions::default() };
        let url = format!("s3://backups/p?endpoint={}&region={}{query}", self.0.endpoint, Aws::REGION);
        Store::open_with(&url, &options).unwrap()
    }

    /// What an expression gives in a Python that has `s3` and `kms`.
    fn boto(&self, expression: &str) -> String {
        let program = format!(
            "import boto3, hashlib, base64\nclient = lambda name: boto3.client(name, endpoint_url='{}', \
             region_name='{}')\ns3, kms = client('s3'), client('kms')\nprint({expression})",
            self.0.endpoint,
            Aws::REGION
        );
        let out = python().args(["-c", &program]).envs(self.0.environment()).output().unwrap();
        assert!(out.status.success(), "{expression}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }
}

fn write_all(store: &Store) {
    store.put("put", "v".into()).unwrap();
    store.delete("conditional").unwrap();
    store.put_if_absent("conditional", "v".into()).unwrap();
    for (key, len) in [("small", 10), ("large", 2 * PART)] {
        let mut upload = store.start_upload(key, plan()).unwrap();
        upload.write(&bytes(len, 1)).unwrap();
        upload.finish(vec![9; 100]).unwrap();
    }
    store.copy_from("copied", store, "small", None).unwrap();
    store.copy_from("copied in parts", store, "large", Some(PART)).unwrap();
}

const WRITTEN: [&str; 6] = ["put", "conditional", "small", "large", "copied", "copied in parts"];

#[test]
fn everything_is_encrypted_with_the_key_that_was_asked_for() {
    let bench = Bench::new();
    let key = bench.boto("kms.create_key()['KeyMetadata']['Arn']");
    for (query, says) in [
        ("&sse=AES256".to_owned(), "('AES256', None)".to_owned()),
        (format!("&sse=aws:kms&kms-key={key}"), format!("('aws:kms', '{key}')")),
    ] {
        write_all(&bench.open(&query));
        for written in WRITTEN {
            let head = bench.boto(&format!(
                "(lambda h: (h.get('ServerSideEncryption'), h.get('SSEKMSKeyId')))\
                 (s3.head_object(Bucket='backups', Key='p/{written}'))"
            ));
            assert_eq!(head, says, "{written}");
        }
    }
}

#[test]
fn the_checksum_that_is_kept_is_one_over_the_parts_that_were_sent() {
    let bench = Bench::new();
    write_all(&bench.open("&checksum=sha256"));
    let kept = bench
        .boto("s3.head_object(Bucket='backups', Key='p/large', ChecksumMode='ENABLED')['ChecksumSHA256']");
    let computed = bench.boto(&format!(
        "(lambda body: base64.b64encode(hashlib.sha256(b''.join(hashlib.sha256(body[i:i + {PART}]).digest() \
         for i in range(0, len(body), {PART}))).digest()).decode())\
         (s3.get_object(Bucket='backups', Key='p/large')['Body'].read())"
    ));
    // S3 itself adds the number of parts.
    assert_eq!(kept.trim_end_matches("-3"), computed);
}
