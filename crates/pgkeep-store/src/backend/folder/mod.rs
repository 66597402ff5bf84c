//! A folder on a local or mounted file system.
//!
//! Every object is written to `.<name>.<random>.partial` beside its place, under an exclusive lock, and
//! moved there when it is complete and on disk. A reader never sees half an object, and a partial
//! without a lock is one whose writer died.

mod error;
mod list;
mod partial;
mod store;
mod upload;
mod writeback;

pub(crate) use store::Folder;
