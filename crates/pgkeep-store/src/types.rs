//! The plain data that goes in and out of a store.

use jiff::Timestamp;

/// What a store tells about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The key below the store's URL.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// When the object was written, by the store's clock.
    pub modified: Timestamp,
    /// A tag that changes when the object does. Not a hash of its content in general.
    pub etag: Option<String>,
}

/// An object that the store copied by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCopy {
    /// The copy.
    pub info: ObjectInfo,
    /// Whether the store itself says that it has the original's bytes: both have one tag, which S3 makes of hashes of
    /// the parts unless a key of KMS is in play. Where this is `false` nothing is known.
    pub is_equal: bool,
}

/// What a store can do: ask for these instead of for its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Of several concurrent [`put_if_absent`](crate::Store::put_if_absent) of one key exactly one wins.
    ///
    /// Some S3 servers ignore `If-None-Match`. That is found out at the first conditional put and
    /// remembered; until then this says `true`.
    pub conditional_put: bool,
    /// Large objects are sent in parts, which the store counts towards [`part_limit`](Self::part_limit).
    pub multipart: bool,
    /// How many parts an object may have.
    pub part_limit: u32,
    /// The smallest part allowed, except for the last.
    pub min_part_size: u64,
    /// The largest part allowed.
    pub max_part_size: u64,
    /// The largest object.
    pub max_object_size: u64,
    /// [`pending_uploads`](crate::Store::pending_uploads) sees what broken-off uploads left behind.
    /// Where it is `false` the store removes it itself after some time.
    pub lists_pending: bool,
    /// Pending uploads are listed only when nobody works on them any more. Where this is `false` the
    /// caller must tell dead ones from live ones, by age or by the id in its own run markers.
    pub pending_are_dead: bool,
    /// The store may keep older versions of objects, which [`versions`](crate::Store::versions) lists.
    pub versions: bool,
    /// Objects can be locked, in a bucket that was made for it; see [`Lock`](crate::Lock).
    pub locks: bool,
}

/// What is known of an object before its upload begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadPlan {
    /// How many bytes at the beginning of the object come last, with
    /// [`Upload::finish`](crate::Upload::finish).
    pub head_len: u64,
    /// About how large the object will be, head included. The part size is chosen so that twice as much fits.
    pub expected_size: u64,
    /// How many parts are sent at the same time; at least 1.
    pub concurrency: usize,
    /// The part size, if it must be a certain one; otherwise it is planned from `expected_size`.
    pub part_size: Option<u64>,
}

impl UploadPlan {
    /// A plan with the default concurrency and a planned part size.
    pub fn new(head_len: u64, expected_size: u64) -> UploadPlan {
        UploadPlan { head_len, expected_size, ..UploadPlan::default() }
    }
}

impl Default for UploadPlan {
    /// Two parts at a time: enough to hide a request's latency behind the next part's bytes, while the
    /// memory an upload takes grows with every further one.
    fn default() -> Self {
        UploadPlan { head_len: 0, expected_size: 0, concurrency: 2, part_size: None }
    }
}

/// The hash of one slice of a finished object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartHash {
    /// How many bytes it covers: the part size, or less for the last.
    pub size: u64,
    /// The SHA-256 of these bytes.
    pub sha256: [u8; 32],
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The size of the object.
    pub size: u64,
    /// The slice length that [`parts`](Self::parts) are hashes of.
    pub part_size: u64,
    /// The hashes of the consecutive slices of `part_size` bytes, from the beginning of the object; the
    /// last may be shorter; none for an empty object. Independent of how the bytes travelled.
    pub parts: Vec<PartHash>,
    /// The object's tag in the store.
    pub etag: Option<String>,
}

/// An upload that was begun and neither finished nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingUpload {
    /// The key it was to become.
    pub key: String,
    /// The multipart upload id, or the name of the partial file relative to the store.
    pub upload_id: String,
    /// When it was begun (a bucket), or last written to (a folder).
    pub started: Timestamp,
}

/// One version of an object, in a bucket that keeps older ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The key below the store's URL.
    pub key: String,
    /// What names the version; `null` for what was written without versioning.
    pub id: String,
    /// Whether this is what the key gives now: the object, or its absence for a delete marker.
    pub is_latest: bool,
    /// It says that the object was deleted, and holds nothing.
    pub is_delete_marker: bool,
    /// The size in bytes; 0 for a delete marker.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: Timestamp,
}
