//! Amazon S3 and the servers that speak its protocol.

mod config;
mod credentials;
mod open;
mod requests;

pub(crate) use open::open;
