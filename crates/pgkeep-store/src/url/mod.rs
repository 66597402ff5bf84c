//! A URL names a store.

mod options;
mod parse;

pub use options::{AzureOptions, GoogleOptions, S3Options, Sse};
pub use parse::StoreUrl;
