//! The requests `object_store` does not make: listing multipart uploads, and asking whether anybody is there.

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpError, HttpRequest, HttpRequestBody};
use serde::Deserialize;
use std::time::Duration;

use crate::backend::object::Pending;
use crate::backend::object::error::{meaning, unreachable};
use crate::error::{Result, StoreError};
use crate::types::PendingUpload;

/// A bucket, for requests of our own.
pub(crate) struct Requests {
    /// The store's URL, for errors.
    pub(crate) shown: String,
    /// The bucket's URL at the server.
    pub(crate) bucket_url: String,
    pub(crate) region: String,
    pub(crate) credentials: AwsCredentialProvider,
    pub(crate) client: HttpClient,
    /// How long the first answer may take.
    pub(crate) patience: Duration,
}

/// How often a request is tried.
const TRIES: u32 = 4;

/// One page of <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Page {
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
    upload: Vec<Upload>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    upload_id: String,
    initiated: Option<Timestamp>,
}

impl Requests {
    fn request(&self, method: http::Method, query: &str) -> Result<HttpRequest> {
        let request = http::Request::builder().method(method).uri(format!("{}{query}", self.bucket_url));
        request.body(HttpRequestBody::empty()).map_err(|e| {
            StoreError::new(
                StoreError::InvalidUrl,
                &self.shown,
                e,
                "check the endpoint and the bucket's name",
            )
        })
    }

    fn unreachable(&self, e: HttpError) -> StoreError {
        unreachable(&self.shown, &self.bucket_url, &e)
    }

    /// Signs and sends a GET. A status of failure is an error with the answer's body.
    async fn get_once(&self, query: &str) -> Result<Bytes> {
        let credential = self.credentials.get_credential().await.map_err(|e| meaning(&self.shown, &e))?;
        let mut request = self.request(http::Method::GET, query)?;
        AwsAuthorizer::new(&credential, "s3", &self.region)
            .try_authorize(&mut request, None)
            .map_err(|e| meaning(&self.shown, &e))?;
        let response = self.client.execute(request).await.map_err(|e| self.unreachable(e))?;
        let status = response.status();
        let body = response.into_body().bytes().await.map_err(|e| self.unreachable(e))?;
        if status.is_success() {
            return Ok(body);
        }
        let text = format!("status code: {status}: {}", String::from_utf8_lossy(&body));
        Err(meaning(&self.shown, &object_store::Error::Generic { store: "S3", source: text.into() }))
    }

    async fn get(&self, query: &str) -> Result<Bytes> {
        let mut tried = 1;
        loop {
            match self.get_once(query).await {
                Err(e) if e.is_retryable() && tried < TRIES => tokio::time::sleep(pause(tried)).await,
                r => return r,
            }
            tried += 1;
        }
    }
}

/// A random pause that doubles its upper end with every try.
fn pause(tried: u32) -> Duration {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let random = RandomState::new().build_hasher().finish();
    let up_to = 200u64 << tried.min(6);
    Duration::from_millis(100 + random % up_to)
}

#[async_trait]
impl Pending for Requests {
    /// Any answer will do, also that this anonymous request is refused.
    async fn reach(&self) -> Result<()> {
        let tries = async {
            let mut tried = 1;
            loop {
                let request = self.request(http::Method::HEAD, "")?;
                match self.client.execute(request).await {
                    Ok(_) => return Ok(()),
                    Err(e) if tried == 2 => return Err(self.unreachable(e)),
                    Err(_) => tokio::time::sleep(pause(tried)).await,
                }
                tried += 1;
            }
        };
        tokio::time::timeout(self.patience, tries).await.unwrap_or_else(|_| {
            Err(StoreError::new(
                StoreError::Unreachable,
                &self.shown,
                format_args!("no answer from {} within {:?}", self.bucket_url, self.patience),
                "check the endpoint and the network",
            ))
        })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<PendingUpload>> {
        let mut found = Vec::new();
        let mut markers: Vec<(&str, String)> = Vec::new();
        loop {
            let mut query = String::from("?uploads=");
            for (key, value) in [("prefix", prefix.to_owned())].iter().chain(&markers) {
                let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
                query.push_str(&format!("&{key}={value}"));
            }
            let body = self.get(&query).await?;
            let page: Page = quick_xml::de::from_reader(body.as_ref()).map_err(|e| {
                let cause = format!("the list of multipart uploads cannot be read: {e}");
                StoreError::new(StoreError::Other, &self.shown, cause, "the server may not speak S3")
            })?;
            found.extend(page.upload.into_iter().map(|u| PendingUpload {
                key: u.key,
                upload_id: u.upload_id,
                started: u.initiated.unwrap_or_default(),
            }));
            markers = match (page.is_truncated, page.next_key_marker) {
                (true, Some(key)) => {
                    let mut markers = vec![("key-marker", key)];
                    markers.extend(page.next_upload_id_marker.map(|id| ("upload-id-marker", id)));
                    markers
                }
                _ => return Ok(found),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_multipart_uploads_is_read() {
        let page: Page = quick_xml::de::from_str(
            "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Bucket>b</Bucket><KeyMarker></KeyMarker><NextKeyMarker>k</NextKeyMarker><MaxUploads>2</MaxUploads>\
             <IsTruncated>true</IsTruncated>\
             <Upload><Key>a &amp; b</Key><UploadId>1</UploadId><Initiated>2026-11-20T10:00:00.000Z</Initiated>\
             <Owner><ID>x</ID></Owner><StorageClass>STANDARD</StorageClass></Upload>\
             <Upload><Key>c</Key><UploadId>2</UploadId><Initiated>2026-11-20T10:00:00Z</Initiated></Upload>\
             </ListMultipartUploadsResult>",
        )
        .unwrap();
        assert!(page.is_truncated);
        assert_eq!(page.next_key_marker.as_deref(), Some("k"));
        let keys: Vec<_> = page.upload.iter().map(|u| u.key.as_str()).collect();
        assert_eq!(keys, ["a & b", "c"]);
    }

    #[test]
    fn an_empty_page_is_read() {
        let page: Page = quick_xml::de::from_str(
            "<ListMultipartUploadsResult><KeyMarker/><NextKeyMarker/><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>",
        )
        .unwrap();
        assert!(page.upload.is_empty() && !page.is_truncated);
    }
}
