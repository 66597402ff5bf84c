//! Copies within the server, of which no byte travels to us.
//!
//! Up to a part's size by one request (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>), beyond
//! it part by part (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>).

use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};

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

/// What a part's copy is known by, as it is asked for again at the end; a checksum where the upload has one.
#[derive(Debug, Deserialize, Serialize)]
struct CopiedPart {
    #[serde(rename = "PartNumber", default)]
    number: u32,
    #[serde(rename = "ETag")]
    etag: String,
    #[serde(rename = "ChecksumSHA256", skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(rename = "ChecksumCRC64NVME", skip_serializing_if = "Option::is_none")]
    crc64nvme: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename = "CompleteMultipartUpload")]
struct Complete {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    #[serde(rename = "Part")]
    parts: Vec<CopiedPart>,
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
        Ok::<_, object_store::Error>(CopiedPart { number, ..part })
    });
    let parts: Vec<CopiedPart> = stream::iter(parts).buffered(AT_ONCE).try_collect().await?;
    let body = Complete { xmlns: "http://s3.amazonaws.com/doc/2006-03-01/", parts };
    let complete = Ask {
        method: Method::POST,
        key: key.to_owned(),
        query: vec![("uploadId", upload.to_owned())],
        body: quick_xml::se::to_string(&body).map_err(failed)?.into(),
        slow: true,
        ..Ask::default()
    };
    requests.send(&complete).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_a_copied_part_is_told_again_at_the_end() {
        let part: CopiedPart = quick_xml::de::from_str(
            "<CopyPartResult><LastModified>2026-11-20T10:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>\
             <ChecksumSHA256>c2hh</ChecksumSHA256></CopyPartResult>",
        )
        .unwrap();
        let complete = Complete { xmlns: "ns", parts: vec![CopiedPart { number: 7, ..part }] };
        let xml = quick_xml::se::to_string(&complete).unwrap();
        assert!(
            xml.starts_with("<CompleteMultipartUpload xmlns=\"ns\"><Part><PartNumber>7</PartNumber>"),
            "{xml}"
        );
        assert!(
            xml.ends_with("<ChecksumSHA256>c2hh</ChecksumSHA256></Part></CompleteMultipartUpload>"),
            "{xml}"
        );
        assert!(!xml.contains("CRC64"), "{xml}");
    }
}
