//! How the server keeps an object: encrypted how, locked until when, with which checksum.

use http::{HeaderMap, HeaderValue, Method};

use super::lock;
use super::requests::{Ask, Requests};
use crate::backend::object::beyond::Kept;

/// By <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>.
pub(super) async fn look(
    requests: &Requests,
    key: &str,
    version: Option<&str>,
) -> object_store::Result<Kept> {
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-checksum-mode", HeaderValue::from_static("ENABLED"));
    let query = version.map(|v| ("versionId", v.to_owned())).into_iter().collect();
    let ask = Ask { method: Method::HEAD, key: key.to_owned(), query, headers, ..Ask::default() };
    let answer = requests.send(&ask).await?;
    let text = |name: &str| answer.header(name).map(str::to_owned);
    Ok(Kept {
        version: text("x-amz-version-id"),
        sse: text("x-amz-server-side-encryption"),
        kms_key: text("x-amz-server-side-encryption-aws-kms-key-id"),
        bucket_key: answer.header("x-amz-server-side-encryption-bucket-key-enabled") == Some("true"),
        sha256: text("x-amz-checksum-sha256"),
        lock: lock::of_answer(&answer),
    })
}
