//! The S3 server the tests run against.

use super::{Bed, bytes, unique};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{ClientOptions, HttpConnector, HttpRequestBody, ReqwestConnector};
use pgkeep_store::{Credentials, OpenOptions, Store, StoreError, UploadPlan};
use std::time::Duration;

/// A bucket all tests share, each with a prefix of its own.
pub const BUCKET: &str = "pgkeep-store-tests";

fn env(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `make test`, which starts the S3 server"))
}

pub fn endpoint() -> String {
    env("PGKEEP_TEST_S3_ENDPOINT")
}

pub fn credentials() -> Credentials {
    Credentials {
        access_key: env("PGKEEP_TEST_S3_ACCESS_KEY"),
        secret_key: env("PGKEEP_TEST_S3_SECRET_KEY"),
        session_token: None,
    }
}

pub fn options() -> OpenOptions {
    OpenOptions { credentials: Some(credentials()), ..OpenOptions::default() }
}

/// Options that give up soon.
pub fn impatient() -> OpenOptions {
    OpenOptions { max_retries: 3, retry_budget: Duration::from_secs(3), ..options() }
}

/// A store in the shared bucket at `endpoint`, below a prefix no other test has.
pub fn open_at(endpoint: &str, query: &str, options: &OpenOptions) -> Result<Store, StoreError> {
    create_bucket(BUCKET);
    Store::open_with(&format!("s3://{BUCKET}/{}?endpoint={endpoint}{query}", unique("t")), options)
}

pub fn fresh() -> Bed {
    Bed { store: open_at(&endpoint(), "", &options()).unwrap(), part: 5 << 20, keep: None }
}

/// Creates a bucket; that it is there already is fine.
pub fn create_bucket(bucket: &str) {
    let (url, c) = (format!("{}/{bucket}", endpoint()), credentials());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client =
            ReqwestConnector::default().connect(&ClientOptions::new().with_allow_http(true)).unwrap();
        let mut request = http::Request::put(url).body(HttpRequestBody::empty()).unwrap();
        let credential = AwsCredential { key_id: c.access_key, secret_key: c.secret_key, token: None };
        AwsAuthorizer::new(&credential, "s3", "us-east-1").try_authorize(&mut request, None).unwrap();
        let status = client.execute(request).await.unwrap().status();
        assert!(status.is_success() || status.as_u16() == 409, "creating {bucket}: {status}");
    });
}

/// The smallest part S3 takes.
pub const PART: u64 = 5 << 20;

pub fn plan() -> UploadPlan {
    UploadPlan { head_len: 100, part_size: Some(PART), ..UploadPlan::default() }
}

/// Uploads three parts and a bit.
pub fn upload(store: &Store, key: &str) -> Result<(), StoreError> {
    let body = bytes(3 * PART, 3);
    let mut upload = store.start_upload(key, plan())?;
    upload.write(&body)?;
    upload.finish(vec![9; 100])?;
    assert!(store.get(key)?[100..] == body);
    Ok(())
}
