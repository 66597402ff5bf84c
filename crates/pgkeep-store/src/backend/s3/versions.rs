//! Older versions of objects, and the markers that deleting leaves in a bucket that keeps them.

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;

use super::requests::{Ask, Requests};
use crate::backend::object::beyond::{Next, VersionPage};
use crate::types::Version;

/// One page of <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>: versions and
/// delete markers in one order, by key and from the newest to the oldest.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Page {
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_version_id_marker: Option<String>,
    #[serde(rename = "$value")]
    items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
enum Item {
    Version(Listed),
    DeleteMarker(Listed),
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    key: String,
    version_id: String,
    is_latest: bool,
    last_modified: Timestamp,
    #[serde(default)]
    size: u64,
}

impl Listed {
    fn version(self, is_delete_marker: bool) -> Version {
        Version {
            key: self.key,
            id: self.version_id,
            is_latest: self.is_latest,
            is_delete_marker,
            size: self.size,
            modified: self.last_modified,
        }
    }
}

pub(super) async fn page(
    requests: &Requests,
    prefix: &str,
    from: &Next,
) -> object_store::Result<VersionPage> {
    let mut query = vec![("versions", String::new()), ("prefix", prefix.to_owned())];
    if !from.key.is_empty() {
        query.push(("key-marker", from.key.clone()));
    }
    if !from.version.is_empty() {
        query.push(("version-id-marker", from.version.clone()));
    }
    let answer = requests.send(&Ask { method: Method::GET, query, ..Ask::default() }).await?;
    let page: Page = answer.xml("the list of versions")?;
    let versions = page.items.into_iter().filter_map(|item| match item {
        Item::Version(listed) => Some(listed.version(false)),
        Item::DeleteMarker(listed) => Some(listed.version(true)),
        Item::Other => None,
    });
    let next = match (page.is_truncated, page.next_key_marker) {
        (true, Some(key)) => Some(Next { key, version: page.next_version_id_marker.unwrap_or_default() }),
        _ => None,
    };
    Ok(VersionPage { versions: versions.collect(), next })
}

pub(super) async fn delete(requests: &Requests, key: &str, version: &str) -> object_store::Result<()> {
    let query = vec![("versionId", version.to_owned())];
    requests
        .send(&Ask { method: Method::DELETE, key: key.to_owned(), query, ..Ask::default() })
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_delete_markers_come_in_the_order_of_the_page() {
        let page: Page = quick_xml::de::from_str(
            "<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix>p/</Prefix>\
             <KeyMarker/><VersionIdMarker/><MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated>\
             <NextKeyMarker>p/b</NextKeyMarker><NextVersionIdMarker>2</NextVersionIdMarker>\
             <DeleteMarker><Key>p/a</Key><VersionId>3</VersionId><IsLatest>true</IsLatest>\
             <LastModified>2026-11-20T10:00:00.000Z</LastModified><Owner><ID>x</ID></Owner></DeleteMarker>\
             <Version><Key>p/a</Key><VersionId>1</VersionId><IsLatest>false</IsLatest>\
             <LastModified>2026-11-19T10:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size>\
             <StorageClass>STANDARD</StorageClass></Version>\
             <DeleteMarker><Key>p/b</Key><VersionId>2</VersionId><IsLatest>false</IsLatest>\
             <LastModified>2026-11-20T10:00:00.000Z</LastModified></DeleteMarker></ListVersionsResult>",
        )
        .unwrap();
        assert!(page.is_truncated);
        assert_eq!(page.next_version_id_marker.as_deref(), Some("2"));
        let seen: Vec<_> = page
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Version(l) => Some((l.version_id.as_str(), l.size, false)),
                Item::DeleteMarker(l) => Some((l.version_id.as_str(), l.size, true)),
                Item::Other => None,
            })
            .collect();
        assert_eq!(seen, [("3", 0, true), ("1", 7, false), ("2", 0, true)]);
    }
}
