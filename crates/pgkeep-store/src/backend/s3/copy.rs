//! Copies within the server, of which no byte travels to us.
//!
//! Up to a part's size by one request (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>), beyond
//! it part by part (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>).

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;

use super::requests::{Ask, Requests, failed, in_path};
use crate::backend::object::beyond::CopySource;

const SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const RANGE: HeaderName = HeaderName::from_static("x-amz-copy-source-range");

/// Parts that the server copies at the same time.
const AT_ONCE: usize = 8;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Begun {
    upload_id: String,
}

#[derive(Debug, Deserialize)]
struct CopiedPart {
    #[serde(rename = "ETag")]
    etag: String,
}

fn source_header(source: &CopySource) -> object_store::Result<HeaderValue> {
    HeaderValue::from_str(&format!("{}/{}", source.bucket, in_path(&source.key))).map_err(failed)
}

/// Copies; `attributes` are the headers that every new object gets.
pub(super) async fn copy(
    requests: &Requests,
    source: &CopySource,
    key: &str,
    part_size: u64,
    attributes: &HeaderMap,
) -> object_store::Result<()> {
    if source.size <= part_size {
        let mut headers = attributes.clone();
        headers.insert(SOURCE, source_header(source)?);
        let ask = Ask { method: Method::PUT, key: key.to_owned(), headers, slow: true, ..Ask::default() };
        return requests.send(&ask).await.map(drop);
    }
    let begin = Ask {
        method: Method::POST,
        key: key.to_owned(),
        query: vec![("uploads", String::new())],
        headers: attributes.clone(),
        ..Ask::default()
    };
    let begun: Begun = requests.send(&begin).await?.xml("the answer to a begun upload")?;
    let copied = in_parts(requests, source, key, part_size, &begun.upload_id).await;
    if copied.is_err() {
        let query = vec![("uploadId", begun.upload_id)];
        let abort = Ask { method: Method::DELETE, key: key.to_owned(), query, ..Ask::default() };
        // What stays is found among the pending uploads.
        let _ = requests.send(&abort).await;
    }
    copied
}

async fn in_parts(
    requests: &Requests,
    source: &CopySource,
    key: &str,
    part_size: u64,
    upload: &str,
) -> object_store::Result<()> {
    let starts = (0..).map(|i| i * part_size).take_while(|start| *start < source.size);
    let parts = starts.zip(1u32..).map(async |(start, number)| {
        let end = source.size.min(start + part_size) - 1;
        let mut headers = HeaderMap::new();
        headers.insert(SOURCE, source_header(source)?);
        headers.insert(RANGE, HeaderValue::from_str(&format!("bytes={start}-{end}")).map_err(failed)?);
        let query = vec![("partNumber", number.to_string()), ("uploadId", upload.to_owned())];
        let method = Method::PUT;
        let ask = Ask { method, key: key.to_owned(), query, headers, slow: true, ..Ask::default() };
        let part: CopiedPart = requests.send(&ask).await?.xml("the answer to a copied part")?;
        let etag = quick_xml::escape::escape(part.etag);
        Ok::<_, object_store::Error>(format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        ))
    });
    let parts: Vec<String> = stream::iter(parts).buffered(AT_ONCE).try_collect().await?;
    let complete = Ask {
        method: Method::POST,
        key: key.to_owned(),
        query: vec![("uploadId", upload.to_owned())],
        body: Bytes::from(format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</CompleteMultipartUpload>",
            parts.concat()
        )),
        slow: true,
        ..Ask::default()
    };
    requests.send(&complete).await.map(drop)
}
