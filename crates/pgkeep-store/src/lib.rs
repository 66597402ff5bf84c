//! A URL to a store of objects: a folder, S3, Google Cloud Storage, Azure Blob Storage, or memory.
//!
//! This crate knows nothing of archives or PostgreSQL. Its calls block, so that it can be used from
//! plain threads; inside, one small tokio runtime is started when a bucket is first used.
//!
//! ```
//! # fn main() -> Result<(), pgkeep_store::StoreError> {
//! use pgkeep_store::Store;
//!
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().to_str().unwrap();
//! let store = Store::open(path)?; // or s3://bucket/prefix?region=eu-central-1
//! store.put("daily/a.manifest.json", "{}".into())?;
//! let keys: Vec<_> = store.list("daily/")?.map(|o| Ok(o?.key)).collect::<Result<_, _>>()?;
//! # let _: Result<(), pgkeep_store::StoreError> = Ok(());
//! assert_eq!(keys, ["daily/a.manifest.json"]);
//! assert!(store.get("daily/b.manifest.json").unwrap_err().is_not_found());
//! # Ok(())
//! # }
//! ```
//!
//! The object that matters most here is one whose beginning is known last: an archive's table of contents
//! holds the offsets of data that has yet to be written. [`Store::start_upload`] takes the body first
//! and the head at the end, streams into buckets in parts with bounded memory, and gives the hash of
//! every part so that the object can be checked piece by piece later.

mod backend;
mod error;
mod key;
mod lock;
mod open;
mod pace;
mod runtime;
mod store;
mod types;
mod upload;
mod url;
mod wrap;

pub use error::{Detail, Result, StoreError};
pub use lock::{Lock, LockMode, LockPolicy, Retention};
pub use open::{Credentials, OpenOptions};
pub use runtime::interrupt_reads;
pub use store::Store;
pub use types::{
    Capabilities, Finished, ObjectInfo, PartHash, PendingUpload, ServerCopy, UploadPlan, Version,
};
pub use upload::Upload;
pub use url::{AzureOptions, Checksum, GoogleOptions, Rates, S3Options, Sse, StoreUrl};
#[cfg(feature = "faults")]
pub use wrap::{Fault, Faults};
pub use wrap::{Lost, Mirror};
