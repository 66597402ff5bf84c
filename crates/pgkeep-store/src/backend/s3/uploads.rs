//! Multipart uploads that nobody has ended.

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;

use super::requests::{Ask, Requests};
use crate::types::PendingUpload;

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

pub(super) async fn list(requests: &Requests, prefix: &str) -> object_store::Result<Vec<PendingUpload>> {
    let mut found = Vec::new();
    let mut markers: Vec<(&'static str, String)> = Vec::new();
    loop {
        let mut query = vec![("uploads", String::new()), ("prefix", prefix.to_owned())];
        query.append(&mut markers);
        let answer = requests.send(&Ask { method: Method::GET, query, ..Ask::default() }).await?;
        let page: Page = answer.xml("the list of multipart uploads")?;
        found.extend(page.upload.into_iter().map(|u| PendingUpload {
            key: u.key,
            upload_id: u.upload_id,
            started: u.initiated.unwrap_or_default(),
        }));
        match (page.is_truncated, page.next_key_marker) {
            (true, Some(key)) => {
                markers.push(("key-marker", key));
                markers.extend(page.next_upload_id_marker.map(|id| ("upload-id-marker", id)));
            }
            _ => return Ok(found),
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
