//! Amazon S3 and the servers that speak its protocol.

mod bucket;
mod config;
mod copy;
mod credentials;
mod lock;
mod look;
mod open;
mod requests;
mod uploads;
mod versions;

pub(crate) use open::open;
