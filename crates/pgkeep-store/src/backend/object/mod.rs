//! What the `object_store` crate reaches: S3, Google Cloud Storage, Azure Blob Storage and memory.
//!
//! The kinds differ in how they are opened ([`azure`], [`google`], [`memory`], and [`s3`](super::s3),
//! which has a folder of its own). What is done with them is the same for all and stands here once.

pub(crate) mod azure;
pub(crate) mod beyond;
pub(crate) mod conditional;
pub(crate) mod error;
pub(crate) mod google;
mod list;
pub(crate) mod memory;
mod promises;
mod store;
mod upload;
mod versions;

pub(crate) use promises::Promises;
pub(crate) use store::{Objects, Remote, Server};
