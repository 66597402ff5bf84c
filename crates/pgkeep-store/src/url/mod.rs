//! A URL names a store.

pub(crate) use parse::check_endpoint;

mod options;
mod parse;

pub use options::{AzureOptions, Checksum, GoogleOptions, Rates, S3Options, Sse};
pub use parse::StoreUrl;
